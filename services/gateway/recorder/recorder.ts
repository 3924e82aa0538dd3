import { hash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { encodeContext } from '#core/events/codec.ts'
import { zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies } from '#core/events/types.ts'
import type { Config } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import { openSystemClock, type Clock } from './clock.ts'
import { openCommitter, type Committer, type Trouble } from './commit.ts'
import { openJournal, type Journal } from './journal.ts'
import { newChain, openMint, type Mint } from './mint.ts'
import type { Recorder, SessionRecorder } from './port.ts'
import { openRecorderMetrics, type RecorderMetrics } from './recorder-metrics.ts'
import { segment_head_bytes } from './segment.ts'
import { adoptJournals } from './adoption.ts'
import type { JournalFault } from './recovery.ts'
import { openShipLag, type ShipLag } from './ship-lag.ts'
import { openShipper, type Shipper } from './shipper.ts'
import type { LogSource } from './shipper-messages.ts'

const heartbeat_ms = 1_000
/** How long records are gathered before they are shipped; with `durability: broker` commands wait for it, so not at all. */
const ship_linger_ms = 50
/** How long a clean end waits for the log to take what is left; the rest is shipped at the next start. */
const ship_drain_ms = 5_000
/** A journal is at least so many segments: those before the last one can be let go. */
const segments_min = 4
const segment_bytes_min = 64 * 1024

export type RecorderOptions = {
  /** Name of the gateway process, unique in the deployment: `<gateway.id>/<index>`. */
  readonly gateway: { readonly name: string }
  readonly config: Pick<Config, 'deployment' | 'data_dir' | 'log'> & {
    readonly gateway: Pick<
      Config['gateway'],
      'id' | 'processes' | 'durability' | 'reads' | 'journal'
    >
  }
  /** What gateway.started says of the process. */
  readonly started: Pick<
    EventBodies['gateway.started'],
    'version' | 'runtime' | 'policy_digest' | 'epoch_key'
  >
  /** How the shipper opens the log; default: as `config` says. */
  readonly log?: LogSource
  readonly logger: Logger
  readonly clock?: Clock
  /** Random bytes: epoch and salts. */
  readonly randomness?: (bytes: number) => Buffer
}

/** Folder of a gateway process's journal. */
export const journalFolder = (data_dir: string, gateway_name: string): string =>
  join(data_dir, 'journal', gateway_name)

const saltFrom = (randomness: (bytes: number) => Buffer) => (): number => {
  // 0 would make zeros look like a frame.
  for (;;) {
    const salt = randomness(4).readUInt32LE()
    if (salt !== 0) return salt
  }
}

const segmentBytes = ({ gateway }: RecorderOptions['config']): number => {
  const { segment_bytes, bytes_max } = gateway.journal
  return Math.max(segment_bytes_min, Math.min(segment_bytes, bytes_max / segments_min))
}

const logSource = ({ log, config }: RecorderOptions): LogSource =>
  log ?? { config: config.log, data_dir: config.data_dir }

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

/** Everything that the recorder's parts share. */
type Parts = {
  readonly options: RecorderOptions
  readonly journal: Journal
  readonly committer: Committer
  readonly mint: Mint
  readonly shipper: Shipper
  readonly lag: ShipLag
  readonly metrics: RecorderMetrics
  /** Avro bytes of the gateway's own context. */
  readonly context: Buffer
}

const gatewayContext = (options: RecorderOptions): Context => ({
  deployment: options.config.deployment,
  gateway: options.gateway.name,
  session: zero_hash,
  actor: null,
  pipeline: null,
  peer: null,
  target: null,
})

const openParts = async (
  options: RecorderOptions,
  epoch: Buffer,
  degrade: (component: 'journal' | 'log', state: 'begin' | 'end', reason: string) => void,
): Promise<Parts> => {
  const { config, logger } = options
  const { journal: limits, durability } = config.gateway
  const randomness = options.randomness ?? randomBytes
  const gateway = hash('sha256', options.gateway.name, 'buffer').subarray(0, 16)
  const metrics = openRecorderMetrics()
  const lag = openShipLag()
  const folder = journalFolder(config.data_dir, options.gateway.name)
  const trouble = (part: Trouble | 'log' | 'file', reason: string | null, over: string): void => {
    const component = part === 'log' ? 'log' : 'journal'
    if (reason !== null) metrics.troubles.inc({ part })
    degrade(component, reason === null ? 'end' : 'begin', reason ?? over)
  }
  const journal = await openJournal({
    folder,
    segment_bytes: segmentBytes(config),
    epoch,
    gateway,
    salt: saltFrom(randomness),
    onTrouble: (error) =>
      error === null
        ? logger.info('journal segments can be made again')
        : logger.warn({ err: error }, 'a journal segment cannot be made'),
    onNote: (message) => logger.warn(message),
  })
  let minted = 0
  const committer = openCommitter({
    journal,
    durability,
    queue_bytes_max: limits.queue_bytes_max,
    bytes_max: limits.bytes_max,
    durable_timeout_ms: limits.durable_timeout_ms,
    onWritten: (end, bytes, took_ms) => {
      shipper.announce(end)
      lag.written(journal.linear(end), performance.now())
      metrics.bytes.inc(bytes)
      metrics.commit_s.observe(took_ms / 1000)
      metrics.records.inc(mint.records() - minted)
      minted = mint.records()
    },
    onTrouble: (part, reason) => trouble(part, reason, `${part}: over`),
  })
  const mint = openMint({
    gateway,
    epoch,
    clock: options.clock ?? openSystemClock(),
    committer,
  })
  let log_down = false
  const shipper = openShipper({
    folder,
    from: journal.recovered.shipped,
    durable: { segment: journal.recovered.next_segment, offset: segment_head_bytes },
    log: logSource(options),
    linger_ms: durability === 'broker' ? 0 : ship_linger_ms,
    nice: durability !== 'broker',
    logger,
    onAcked: (position, records) => {
      lag.acked(journal.linear(position))
      metrics.shipped.inc(records)
      committer.acknowledge(position)
      void journal.release(position)
    },
    onTrouble: (reason) => {
      if ((reason !== null) === log_down) return
      log_down = reason !== null
      trouble('log', reason, 'the log takes records again')
    },
    onFault: (segment, detail) => {
      const known = journal.recovered.faults.some(
        (fault) => fault.segment === segment && fault.detail === detail,
      )
      journal.markDamaged(segment)
      if (!known) degrade('journal', 'begin', `segment ${segment} is damaged: ${detail}`)
    },
  })
  return {
    options,
    journal,
    committer,
    mint,
    shipper,
    lag,
    metrics,
    context: encodeContext(gatewayContext(options)),
  }
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
  const degrade = (component: 'journal' | 'log', state: 'begin' | 'end', reason: string): void => {
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
    drained: committer.drained,
    [Symbol.asyncDispose]: () => {
      clearInterval(heartbeat)
      return (closing ??= Promise.resolve(adoption?.[Symbol.asyncDispose]()).then(() =>
        close(opened),
      ))
    },
  }
}
