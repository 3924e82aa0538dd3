import { createPublicKey, randomBytes, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { openClickHouseReader } from '#lib/clickhouse/open.ts'
import type { Config } from '#lib/config/schema.ts'
import { openAuthenticator } from '#lib/identity/authenticator.ts'
import { openTokenSigner } from '#lib/identity/cairn-token.ts'
import type { Logger } from '#lib/logger.ts'
import { openLog } from '#lib/log/open.ts'
import { metricsText, openProcessMetrics } from '#lib/metrics.ts'
import { holdPolicy, loadPolicy } from '#lib/policy/policy.ts'
import { openPolicyReload, policySource } from '#lib/policy/reload.ts'
import { approval_key, openSigningKey } from '#lib/signing-key.ts'
import { openAdminToken } from './admin-token.ts'
import { openApp } from './app.ts'
import { openAuditRecorder, type AuditRecorder } from './audit.ts'
import { openApprovalBook } from './approvals/book.ts'
import { openCallbacks } from './approvals/callbacks.ts'
import { openDecisions } from './approvals/decisions.ts'
import { openWebhookSender } from './approvals/webhook-sender.ts'
import { openAuthentication } from './authentication.ts'
import { openAuthorization } from './authorization.ts'
import type { ApiDeps } from './deps.ts'
import { groupsOf, openPipeline } from './pipeline.ts'
import { openRunEnd } from './run-end.ts'
import { routes } from './routes/registry.ts'
import { openStore } from './store/store.ts'
import { openPeerBinding } from './peer-binding.ts'
import { openTokenExchange } from './token-exchange.ts'

export type ApiServiceDeps = {
  readonly logger: Logger
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal
  /** Metrics of every process of this machine; absent: of this one. */
  readonly machineMetrics?: () => Promise<string>
  /** The file that the configuration came from: its policies are read anew when it changes. */
  readonly config_file?: string | undefined
}

export interface RunningApi extends AsyncDisposable {
  readonly ports: Readonly<Record<string, number>>
}

const packageVersion = async (): Promise<string> => {
  const text = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { readonly version: string }).version
}

const no_one = { actor: null, pipeline: null, peer: null, target: null } as const

/** The api's epoch in the trail: its first record now and, at a clean end, its last. */
const openEpoch = async (
  audit: AuditRecorder,
  epoch: { readonly version: string; readonly policy_digest: string },
  logger: Logger,
): Promise<AsyncDisposable> => {
  await audit.record('gateway.started', no_one, {
    ...epoch,
    runtime: `node ${process.version}`,
    durability: 'broker',
    reads: 'wait',
    epoch_key: null,
    predecessor: null,
    recovered_records: 0,
  })
  return {
    [Symbol.asyncDispose]: () =>
      audit
        .record('gateway.stopped', no_one, {
          reason: 'stopped',
          records: audit.records + 1,
          sessions: 0,
        })
        .catch((error: unknown) => logger.error({ err: error }, 'the end could not be recorded')),
  }
}

/**
 * Runs the API. Disposing it ends open requests, then the epoch, then the log and ClickHouse connections.
 *
 * @throws CairnError('config_invalid' | 'log_unavailable' | 'audit_unavailable') and the listen errors of node:net
 */
export const startApi = async (config: Config, deps: ApiServiceDeps): Promise<RunningApi> => {
  const { logger } = deps
  openProcessMetrics()
  await using opening = new AsyncDisposableStack()
  const log = opening.use(
    await openLog(config.log, {
      data_dir: config.data_dir,
      onTrouble: (error) => logger.warn({ err: error }, 'the log has trouble'),
    }),
  )
  const store = openStore(opening.use(openClickHouseReader(config.clickhouse)))
  const audit = opening.use(
    openAuditRecorder({
      log,
      deployment: config.deployment,
      epoch: randomBytes(16),
      now_us: () => Date.now() * 1000,
      mono_ns: () => process.hrtime.bigint(),
      onTrouble: (error) => logger.error({ err: error }, 'the log does not take audit notes'),
    }),
  )
  const version = await packageVersion()
  const policy = holdPolicy(loadPolicy(config, policySource(config, deps.config_file)))
  opening.use(
    await openEpoch(audit, { version, policy_digest: policy.current().set.digest }, logger),
  )
  opening.use(
    openPolicyReload({
      config,
      config_file: deps.config_file,
      env: process.env,
      cwd: process.cwd(),
      policy,
      // The gateways record what is in force, and decide; here it is only asked whether a token is worth giving.
      changes: { loaded: () => undefined, broken: () => undefined, mended: () => undefined },
      logger,
    }),
  )

  const authenticator = await openAuthenticator(config, { logger })
  const pipeline = openPipeline({
    log,
    store,
    groups: groupsOf(config.forward.sinks),
    machineMetrics: deps.machineMetrics ?? metricsText,
  })
  const { deployment } = config
  const key = await openSigningKey(config.data_dir, approval_key)
  const book = opening.use(
    await openApprovalBook({
      log,
      deployment,
      key: createPublicKey(key),
      now_ms: Date.now,
      onTrouble: (error) => logger.warn({ err: error }, 'approvals cannot be read from the log'),
    }),
  )
  await book.ready
  for (const webhook of config.approvals.webhooks)
    opening.use(
      await openWebhookSender({
        log,
        webhook,
        now_ms: Date.now,
        onTrouble: (error) => logger.warn({ err: error }, 'a webhook has trouble'),
      }),
    )
  const api_deps: ApiDeps = {
    store,
    approvals: book,
    decide: openDecisions({ book, deployment, key, now_ms: Date.now }),
    callbacks: openCallbacks(config.approvals.webhooks, Date.now),
    exchange: openTokenExchange({
      authenticator,
      signer: await openTokenSigner(config.data_dir, config.deployment),
      authorize: openAuthorization(config, policy, Date.now),
      lifetime_s: config.api.tokens.lifetime_s,
      bindablePeer: openPeerBinding(config),
      clock: Date.now,
      newTokenId: randomUUID,
    }),
    endRun: openRunEnd({ authenticator }),
    readiness: pipeline.readiness,
    metrics: pipeline.metrics,
    version,
    now_ms: Date.now,
  }
  const app = await openApp({
    routes,
    deps: api_deps,
    audit,
    authentication: openAuthentication({
      authenticator,
      isAdminToken: await openAdminToken(config.data_dir),
      roles: config.api.roles,
    }),
    host: config.api.host,
    onError: (error, request) =>
      logger.error({ err: error, ...request }, 'a request failed inside'),
  })
  opening.defer(() => app.close())
  await app.listen({ host: config.api.host, port: config.api.port })
  const { port } = app.server.address() as AddressInfo
  logger.info({ host: config.api.host, port }, 'the api listens')

  const held = opening.move()
  return {
    ports: { api: port },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
