import { Worker } from 'node:worker_threads'
import type { Revocation } from '#core/identity/token-index.ts'
import type { ClaimRefusal, ClaimRequest, ClaimResult } from '#lib/identity/token-ledger.ts'
import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import { pause } from '#lib/log/pause.ts'
import { counter, histogram } from '#lib/metrics.ts'
import { packSecrets } from '../recorder/secret-clone.ts'
import type { LedgerOrder, LedgerReport, LedgerStart } from './ledger-messages.ts'
import { openLeases, type TokenLease } from './leases.ts'

/** How soon a thread that died is started again, milliseconds. */
const restart_ms = 500
/** How long the start waits for the ledger to know what stands in the log, milliseconds. */
const catch_up_ms = 10_000
/** How long the thread may take to end its epoch, milliseconds. */
const stop_ms = 2_000
/** Claims under way; more are refused. */
const claims_max = 2_000
/** A claim that the thread does not answer (it waits less itself), milliseconds. */
const answer_ms = 12_000
/** Trouble is logged at most so often, milliseconds. */
const trouble_ms = 5_000

export type LedgerOptions = {
  readonly config: Pick<Config, 'log' | 'data_dir' | 'deployment'>
  /** Name of the gateway process. */
  readonly gateway_name: string
  readonly version: string
  readonly policy_digest: string
  readonly logger: Logger
  /** Monotonic clock, milliseconds with fractions. */
  readonly now_ms: () => number
}

/** A claim that won has a lease: it ends when token, run or session are ended. */
export type Claimed = { readonly ok: true; readonly lease: TokenLease } | ClaimRefusal

/** The gateway's end of the ledger. */
export interface GatewayLedger extends AsyncDisposable {
  /** Claims one use of a token. Never rejects. */
  claim(request: ClaimRequest): Promise<Claimed>
}

const unavailable = (detail: string): ClaimRefusal => ({
  ok: false,
  reason: 'ledger_unavailable',
  detail,
})

const openMetrics = () => ({
  claims: counter({
    name: 'gateway_token_claims_total',
    help: 'Tokens shown for a session, by what the ledger said.',
    labels: ['outcome'],
  }),
  seconds: histogram({
    name: 'gateway_token_claim_seconds',
    help: 'Time until the ledger answered.',
  }),
})

type Waiting = { readonly settle: (result: ClaimResult) => void }

/** Starts the ledger's thread and waits, for a while, until it knows what stands in the log. */
export const openGatewayLedger = async (options: LedgerOptions): Promise<GatewayLedger> => {
  const { config, logger, now_ms } = options
  const metrics = openMetrics()
  const waiting = new Map<number, Waiting>()
  const leases = openLeases()
  const caughtUp = Promise.withResolvers<void>()
  const stopped = Promise.withResolvers<void>()
  let next_id = 0
  let worker: Worker
  let stopping = false
  let restart: NodeJS.Timeout | undefined
  let troubled_ms = Number.NEGATIVE_INFINITY

  const onTrouble = (reason: string): void => {
    if (now_ms() - troubled_ms < trouble_ms) return
    troubled_ms = now_ms()
    logger.warn({ reason }, 'the ledger of tokens has trouble')
  }

  const onRevoked = (revocation: Revocation): void => {
    const { kind, session } = revocation
    const ended = leases.revoke(revocation)
    if (ended.length > 0)
      logger.info({ kind, sessions: ended.length }, 'sessions end: somebody ended them')
    // Whoever was in the session shall not come back with the same token.
    if (kind === 'session')
      for (const { token, run } of ended) order({ type: 'revoke', token, run, session })
  }

  const onReport = (report: LedgerReport): void => {
    switch (report.type) {
      case 'result':
        waiting.get(report.id)?.settle(report.result)
        break
      case 'revoked':
        onRevoked(report.revocation)
        break
      case 'caught_up':
        caughtUp.resolve()
        break
      case 'trouble':
        onTrouble(report.reason)
        break
      case 'stopped':
        stopped.resolve()
        break
    }
  }

  const run = (): void => {
    restart = undefined
    const workerData: LedgerStart = {
      log: packSecrets(config.log) as LedgerStart['log'],
      data_dir: config.data_dir,
      deployment: config.deployment,
      name: `${options.gateway_name}/tokens`,
      version: options.version,
      policy_digest: options.policy_digest,
    }
    worker = new Worker(new URL('./ledger.worker.ts', import.meta.url), { workerData })
    worker.on('message', onReport)
    worker.on('error', (error) => logger.error({ err: error }, 'the ledger of tokens failed'))
    worker.once('exit', () => {
      for (const { settle } of waiting.values())
        settle(unavailable('the ledger of tokens has failed'))
      if (stopping) stopped.resolve()
      else restart = setTimeout(run, restart_ms).unref()
    })
    // The gateway's life does not hang on the ledger's.
    worker.unref()
  }
  run()

  // The empty list is for the linter, which takes a thread for a browser's window.
  const order = (message: LedgerOrder): void => worker.postMessage(message, [])

  const ask = (request: ClaimRequest): Promise<Claimed> =>
    new Promise((resolve) => {
      if (stopping || waiting.size >= claims_max) {
        resolve(
          unavailable(stopping ? 'the gateway shuts down' : 'too many tokens are being shown'),
        )
        return
      }
      const id = next_id++
      const settle = (result: ClaimResult): void => {
        clearTimeout(timer)
        waiting.delete(id)
        if (!result.ok) {
          resolve(result)
          return
        }
        // In the same turn: a revocation that comes next has to find the lease.
        const { claim } = result
        const lease = leases.open(request, () => order({ type: 'give_back', claim, request }))
        resolve({ ok: true, lease })
      }
      const timer = setTimeout(
        () => settle(unavailable('the ledger of tokens does not answer')),
        answer_ms,
      )
      waiting.set(id, { settle })
      order({ type: 'claim', id, request })
    })

  const waited = new AbortController()
  const ready = await Promise.race([
    caughtUp.promise.then(() => true),
    pause(catch_up_ms, waited.signal).then(() => false),
  ])
  waited.abort()
  if (!ready)
    logger.error('the ledger of tokens is not ready: sessions are refused until the log answers')

  return {
    claim: async (request) => {
      const begun_ms = now_ms()
      const claimed = await ask(request)
      metrics.seconds.observe((now_ms() - begun_ms) / 1000)
      metrics.claims.inc({ outcome: claimed.ok ? 'ok' : claimed.reason })
      return claimed
    },
    [Symbol.asyncDispose]: async () => {
      stopping = true
      clearTimeout(restart)
      for (const { settle } of waiting.values()) settle(unavailable('the gateway shuts down'))
      worker.ref()
      order({ type: 'stop' })
      const timer = setTimeout(stopped.resolve, stop_ms)
      await stopped.promise
      clearTimeout(timer)
      await worker.terminate()
    },
  }
}
