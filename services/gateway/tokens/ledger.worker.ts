import { randomBytes, randomUUID } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'
import { CairnError } from '#lib/error.ts'
import { ledgerKey, openTokenLedger, type TokenLedger } from '#lib/identity/token-ledger.ts'
import { openLog } from '#lib/log/open.ts'
import { pause } from '#lib/log/pause.ts'
import type { Log } from '#lib/log/port.ts'
import { openLogRecorder, type LogRecorder } from '#lib/log/recorder.ts'
import { unpackSecrets } from '../recorder/secret-clone.ts'
import type { LedgerOrder, LedgerReport, LedgerStart } from './ledger-messages.ts'

/** The ledger's thread: the embedded log blocks for as long as a disk write takes, which the gateway's own thread must not. */
const retry_ms = { first: 50, max: 2_000 } as const

const start = workerData as LedgerStart
const port = parentPort
if (port === null) throw new TypeError('ledger.worker.ts runs as a thread')
const stop = new AbortController()

const tell = (report: LedgerReport): void => port.postMessage(report)
const trouble = (error: unknown): void =>
  tell({ type: 'trouble', reason: error instanceof Error ? error.message : String(error) })

/** Opens the log, again and again while it does not answer; null when the thread is to end. */
const insist = async (): Promise<Log | null> => {
  const config = unpackSecrets(start.log) as LedgerStart['log']
  let wait_ms: number = retry_ms.first
  while (!stop.signal.aborted) {
    try {
      return await openLog(config, { data_dir: start.data_dir, onTrouble: trouble })
    } catch (error) {
      if (error instanceof CairnError && error.code === 'config_invalid') throw error
      trouble(error)
      await pause(wait_ms, stop.signal)
      wait_ms = Math.min(wait_ms * 2, retry_ms.max)
    }
  }
  return null
}

const no_one = { actor: null, pipeline: null, peer: null, target: null } as const

const recordStart = (recorder: LogRecorder): void => {
  const { version, policy_digest } = start
  recorder
    .record('gateway.started', no_one, {
      version,
      policy_digest,
      runtime: `node ${process.version}`,
      durability: 'broker',
      reads: 'wait',
      epoch_key: null,
      predecessor: null,
      recovered_records: 0,
    })
    .catch(trouble)
}

/** The epoch is ended cleanly where the log takes it at once. */
const recordStop = (recorder: LogRecorder): Promise<void> =>
  recorder
    .record('gateway.stopped', no_one, {
      reason: 'stopped',
      records: recorder.records + 1,
      sessions: 0,
    })
    .catch(trouble)

const revokeToken = (
  recorder: LogRecorder,
  { token, run, session }: Extract<LedgerOrder, { type: 'revoke' }>,
): void => {
  recorder
    .record(
      'token.revoked',
      no_one,
      {
        kind: 'token',
        token,
        run: '',
        session: '',
        reason: 'a session that it opened was ended',
        revoked_by: `session ${session}`,
      },
      ledgerKey(run, token),
    )
    .catch(trouble)
}

/** Orders that came before the ledger was open. */
const early: LedgerOrder[] = []
let ledger: { readonly open: TokenLedger; readonly recorder: LogRecorder } | null = null

const obey = ({ open, recorder }: NonNullable<typeof ledger>, order: LedgerOrder): void => {
  if (order.type === 'claim')
    void open.claim(order.request).then((result) => tell({ type: 'result', id: order.id, result }))
  else if (order.type === 'give_back') open.giveBack(order.claim, order.request)
  else if (order.type === 'revoke') revokeToken(recorder, order)
}

port.on('message', (order: LedgerOrder) => {
  if (order.type === 'stop') stop.abort()
  else if (ledger === null) early.push(order)
  else obey(ledger, order)
})

const run = async (): Promise<void> => {
  const log = await insist()
  if (log === null) return
  await using closing = new AsyncDisposableStack()
  closing.use(log)
  const recorder = closing.use(
    openLogRecorder({
      log,
      deployment: start.deployment,
      name: start.name,
      epoch: randomBytes(16),
      now_us: () => Date.now() * 1000,
      mono_ns: () => process.hrtime.bigint(),
      onTrouble: trouble,
    }),
  )
  recordStart(recorder)
  const open = closing.use(
    openTokenLedger({
      log,
      recorder,
      now_ms: Date.now,
      newId: randomUUID,
      onRevoked: (revocation) => tell({ type: 'revoked', revocation }),
      onTrouble: trouble,
    }),
  )
  ledger = { open, recorder }
  for (const order of early.splice(0)) obey(ledger, order)
  void open.caughtUp.then(() => tell({ type: 'caught_up' }))
  if (!stop.signal.aborted)
    await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }))
  await recordStop(recorder)
}

await run()
tell({ type: 'stopped' })
port.close()
