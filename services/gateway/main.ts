import { readFile } from 'node:fs/promises'
import { createLineageReader } from '#core/sql/lineage/cached-reader.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets } from '#core/sql/redaction.ts'
import type { Config } from '#lib/config/schema.ts'
import { openAuthenticator } from '#lib/identity/authenticator.ts'
import type { Logger } from '#lib/logger.ts'
import { openProcessMetrics } from '#lib/metrics.ts'
import { holdPolicy, loadPolicy } from '#lib/policy/policy.ts'
import { openPolicyReload, policySource } from '#lib/policy/reload.ts'
import { serverTls } from '#lib/tls.ts'
import { openCancelRelay, type CancelMessage } from './cancel-relay.ts'
import { openApprovals } from './approvals/approvals.ts'
import { openDecider } from './policy/decider.ts'
import { recordedChanges, recordPolicy } from './policy/policy-record.ts'
import { openCredentialBroker } from './credentials/broker.ts'
import { recordSwept } from './credentials/swept.ts'
import { openCancelKeys } from './protocols/postgres/cancel.ts'
import { openCatalogs } from './protocols/postgres/catalog/catalogs.ts'
import { openEstimator } from './protocols/postgres/estimate.ts'
import { openPostgresListener } from './protocols/postgres/listener.ts'
import { openMasking } from './protocols/postgres/masking/masking.ts'
import { openStatementReader } from './protocols/postgres/statement.ts'
import { openTargets } from './protocols/postgres/target.ts'
import { openRecorder } from './recorder/recorder.ts'
import { gatewayContext } from './session-context.ts'
import { openGatewayLedger } from './tokens/ledger.ts'

export type GatewayDeps = {
  readonly logger: Logger
  /** Aborted when the process is asked to stop: the gateway drains. */
  readonly signal: AbortSignal
  /** Which of several gateway processes, from 0. */
  readonly index?: number
  /** The file that the configuration came from: its policies are read anew when it changes. */
  readonly config_file?: string | undefined
}

export interface RunningGateway extends AsyncDisposable {
  readonly ports: Readonly<Record<string, number>>
}

const packageVersion = async (): Promise<string> => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

/**
 * Runs one gateway process: recorder, policy, identity, listeners. Disposing it drains: no new sessions, running commands finish
 * within `gateway.drain_timeout_ms`, then the recorder ends its epoch.
 *
 * @throws CairnError('config_invalid' | 'audit_unavailable') and the listen errors of node:net
 */
export const startGateway = async (config: Config, deps: GatewayDeps): Promise<RunningGateway> => {
  const { logger, signal, index = 0, config_file } = deps
  openProcessMetrics()
  const gateway_name = `${config.gateway.id}/${index}`
  const policy = holdPolicy(loadPolicy(config, policySource(config, config_file)))
  await using opening = new AsyncDisposableStack()
  const version = await packageVersion()
  const recorder = opening.use(
    await openRecorder({
      gateway: { name: gateway_name },
      config,
      started: {
        version,
        runtime: `node ${process.version}`,
        policy_digest: policy.current().set.digest,
        epoch_key: null,
      },
      logger,
    }),
  )
  const context = gatewayContext(config.deployment, gateway_name)
  recordPolicy(recorder, context, policy.current(), 'start')
  opening.use(
    openPolicyReload({
      config,
      config_file,
      env: process.env,
      cwd: process.cwd(),
      policy,
      changes: recordedChanges(recorder, context),
      logger,
    }),
  )
  const parser = await loadSqlParser()
  const analyzer = createSqlAnalyzer(parser)
  const tls = await serverTls({
    ...(config.listeners.postgres.tls === undefined
      ? {}
      : { files: config.listeners.postgres.tls }),
    data_dir: config.data_dir,
    now_ms: Date.now(),
  })
  const relays = config.gateway.processes > 1 && process.send !== undefined
  let send: ((message: CancelMessage) => void) | null = null
  const cancels = openCancelKeys({
    index,
    relay: relays ? (message) => send?.(message) : null,
  })
  if (relays) {
    const relay = opening.use(openCancelRelay(process, (message) => cancels.relayed(message)))
    send = relay.send
  }
  const approvals = opening.use(await openApprovals({ config, index, recorder, logger }))
  const targets = await openTargets(config)
  const credentials = opening.use(
    await openCredentialBroker(config, {
      gateway_name,
      targets,
      env: process.env,
      onSwept: (swept) => recordSwept(recorder, { config, gateway_name, logger }, swept),
      logger,
      now_ms: () => Date.now(),
    }),
  )
  const ledger = opening.use(
    await openGatewayLedger({
      config,
      gateway_name,
      version,
      policy_digest: policy.current().set.digest,
      logger,
      now_ms: () => performance.now(),
    }),
  )
  const catalogs = opening.use(openCatalogs({ logger, now_ms: () => performance.now() }))
  const listener = opening.use(
    await openPostgresListener({
      config,
      gateway_name,
      tls,
      targets,
      credentials,
      authenticator: await openAuthenticator(config, { logger }),
      decider: openDecider(policy, Date.now),
      recorder,
      holds: approvals.holds,
      estimator: openEstimator(),
      statements: openStatementReader({
        analyze: (text, naming) => analyzer.analyze(text, naming),
        redact: redactSecrets,
        text_bytes_max: config.gateway.text_bytes_max,
      }),
      cancels,
      catalogs,
      masking: openMasking(config, createLineageReader(parser), parser),
      logger,
      now_ms: () => performance.now(),
      wall_ms: Date.now,
      ledger,
      shared: config.gateway.processes > 1,
    }),
  )
  const drainOnStop = (): void => void listener.drain()
  signal.addEventListener('abort', drainOnStop, { once: true })
  const running = opening.move()
  return {
    ports: { postgres: listener.port },
    [Symbol.asyncDispose]: async () => {
      signal.removeEventListener('abort', drainOnStop)
      await running.disposeAsync()
    },
  }
}
