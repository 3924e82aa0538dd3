import { randomBytes } from 'node:crypto'
import { encodeContext } from '#core/events/codec.ts'
import { zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies } from '#core/events/types.ts'
import { CairnError } from '#lib/error.ts'
import { adoptJournals } from './adoption.ts'
import { newChain, type Mint } from './mint.ts'
import type { Recorder, SessionRecorder } from './port.ts'
import {
  journalFolder,
  logSource,
  openParts,
  segmentBytes,
  ship_linger_ms,
  type Degrade,
  type Parts,
  type RecorderOptions,
} from './recorder-parts.ts'
import type { JournalFault } from './recovery.ts'

const heartbeat_ms = 1_000
/** How long a clean end waits for the log to take what is left; the rest is shipped at the next start. */
const ship_drain_ms = 5_000

const processNames = ({ gateway }: RecorderOptions['config']): string[] =>
  Array.from({ length: gateway.processes }, (_, index) => `${gateway.id}/${index}`)

/** The first gateway process also looks after the journals of processes that are gone. */
const adoptOthers = (
  options: RecorderOptions,
  onFault: (name: string, fault: JournalFault) => void,
): AsyncDisposable | null => {
  const { config, gateway, logger } = options
  const names = processNames(config)
  if (gateway.name !== names[0]) return null
  return adoptJournals({
    folder: journalFolder(config.data_dir, ''),
    in_use: new Set(names),
    segment_bytes: segmentBytes(config),
    log: logSource(options),
    linger_ms: ship_linger_ms,
    logger,
    onFault,
  })
}

/** Says that the epoch opens, what was before it, and what the journal was found to lack. */
const recordStart = ({ options, journal, mint, context }: Parts): void => {
  const { recovered } = journal
  const { durability, reads } = options.config.gateway
  mint.record(
    'gateway.started',
    context,
    {
      ...options.started,
      durability,
      reads,
      predecessor: recovered.predecessor,
      recovered_records: recovered.records,
    },
    null,
  )
  for (const { segment, offset } of recovered.torn)
    options.logger.warn(
      { segment, offset },
      'the journal ended in a write that had not finished: cut, nobody had been told that it was durable',
    )
  for (const { segment, detail } of recovered.faults) {
    const reason = `segment ${segment} is damaged: ${detail}; what can be read is shipped, the segment is kept aside`
    options.logger.error({ segment, detail }, 'durable records are missing from the journal')
    mint.record('gateway.degraded', context, { component: 'journal', state: 'begin', reason }, null)
  }
}

/** Once a second: sizes and lags, so that silence shows. */
const startHeartbeat = (parts: Parts, open_sessions: () => number): NodeJS.Timeout => {
  const { committer, mint, lag, metrics, context } = parts
  return setInterval(() => {
    const ship_lag_ms = lag.lag_ms(performance.now())
    metrics.unshipped_bytes.set(committer.unshipped_bytes())
    metrics.queue_bytes.set(committer.queued_bytes())
    metrics.ship_lag_s.set(ship_lag_ms / 1000)
    metrics.available.set(committer.available() ? 1 : 0)
    // Records that cannot be written only take the room of those that matter.
    if (!committer.available() || committer.congested()) return
    mint.record(
      'gateway.heartbeat',
      context,
      {
        open_sessions: open_sessions(),
        records: mint.records(),
        journal_bytes: committer.unshipped_bytes(),
        ship_lag_ms,
        commands: mint.count('command.received'),
        refused: mint.count('command.refused') + mint.count('session.refused'),
      },
      null,
    )
  }, heartbeat_ms).unref()
}

const openSessionRecorder = (
  mint: Mint,
  context: Context,
  body: EventBodies['session.started'],
): SessionRecorder => {
  const chain = newChain()
  mint.record('session.started', encodeContext({ ...context, session: zero_hash }), body, chain)
  const id = Buffer.from(chain.session)
  const context_bytes = encodeContext({ ...context, session: id })
  let ended = false
  return {
    id,
    append: (type, event) => {
      if (ended) throw new TypeError('a record after session.ended')
      const sseq = mint.record(type, context_bytes, event, chain)
      ended = type === 'session.ended'
      return sseq
    },
    get records() {
      return chain.sseq
    },
    get leaf() {
      return Buffer.from(chain.sprev)
    },
  }
}

/** Ends the epoch: gateway.stopped, durable; then what is left is shipped for as long as `ship_drain_ms`. */
const close = async (parts: Parts): Promise<void> => {
  const { committer, mint, shipper, journal, context, options } = parts
  try {
    const records = mint.records() + 1
    const sessions = mint.count('session.started')
    mint.record('gateway.stopped', context, { reason: 'stopped', records, sessions }, null, true)
    await committer.durable()
  } catch (error) {
    options.logger.error({ err: error }, 'the epoch could not be ended cleanly')
  }
  await committer.close()
  if (!(await shipper.stop(ship_drain_ms)))
    options.logger.warn('the log has not taken all records; the next start ships the rest')
  await journal[Symbol.asyncDispose]()
}

/**
 * Opens the recorder of a gateway process: takes its journal, ships what an earlier process left in it, opens an epoch. Resolves when
 * gateway.started is durable, or could not be made so in time (`available` tells).
 * @throws CairnError('audit_unavailable') the journal is in use by another process or cannot be written
 */
export const openRecorder = async (options: RecorderOptions): Promise<Recorder> => {
  const epoch = (options.randomness ?? randomBytes)(16)
  let parts: Parts | undefined
  const degrade: Degrade = (component, state, reason) => {
    options.logger[state === 'begin' ? 'error' : 'info']({ component, reason }, 'recording')
    // Trouble may show in the middle of minting: its own record comes behind.
    queueMicrotask(() => {
      try {
        parts?.mint.record(
          'gateway.degraded',
          parts.context,
          { component, state, reason },
          null,
          true,
        )
      } catch (error) {
        options.logger.error({ err: error }, 'trouble could not be recorded')
      }
    })
  }
  const opened = await openParts(options, epoch, degrade)
  parts = opened
  const { committer, mint } = opened
  recordStart(opened)
  await committer.durable().catch((error: unknown) => {
    if (!(error instanceof CairnError)) throw error
    options.logger.error({ err: error }, 'the recorder starts without being able to record')
  })
  const adoption = adoptOthers(options, (name, { segment, detail }) =>
    degrade('journal', 'begin', `journal ${name}, segment ${segment} is damaged: ${detail}`),
  )
  const heartbeat = startHeartbeat(
    opened,
    () => mint.count('session.started') - mint.count('session.ended'),
  )
  let closing: Promise<void> | undefined
  return {
    openSession: (session_context, body) => openSessionRecorder(mint, session_context, body),
    append: (type, event_context, body) => {
      mint.record(type, encodeContext(event_context), body, null)
    },
    durable: committer.durable,
    get available() {
      return committer.available()
    },
    get congested() {
      return committer.congested()
    },
    shipped: committer.shipped,
    drained: committer.drained,
    [Symbol.asyncDispose]: () => {
      clearInterval(heartbeat)
      return (closing ??= Promise.resolve(adoption?.[Symbol.asyncDispose]()).then(() =>
        close(opened),
      ))
    },
  }
}
