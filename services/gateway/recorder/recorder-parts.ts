import { hash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { encodeContext } from '#core/events/codec.ts'
import { zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies } from '#core/events/types.ts'
import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import { openSystemClock, type Clock } from './clock.ts'
import { openCommitter, type Committer } from './commit.ts'
import { openJournal, type Journal } from './journal.ts'
import { openMint, type Mint } from './mint.ts'
import { openRecorderMetrics, type RecorderMetrics } from './recorder-metrics.ts'
import { segment_head_bytes } from './segment.ts'
import { openShipLag, type ShipLag } from './ship-lag.ts'
import { openShipper, type Shipper } from './shipper.ts'
import type { LogSource } from './shipper-messages.ts'

/** How long records are gathered before they are shipped; with `durability: broker` commands wait for it, so not at all. */
export const ship_linger_ms = 50
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

export const segmentBytes = ({ gateway }: RecorderOptions['config']): number => {
  const { segment_bytes, bytes_max } = gateway.journal
  return Math.max(segment_bytes_min, Math.min(segment_bytes, bytes_max / segments_min))
}

/** How the shipper opens the log. */
export const logSource = ({ log, config }: RecorderOptions): LogSource =>
  log ?? { config: config.log, data_dir: config.data_dir }

/** Everything that the recorder's parts share. */
export type Parts = {
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

/** Tells of trouble and of its end. */
export type Degrade = (component: 'journal' | 'log', state: 'begin' | 'end', reason: string) => void

const openGatewayJournal = (
  options: RecorderOptions,
  gateway: Buffer,
  epoch: Buffer,
): Promise<Journal> => {
  const { config, logger } = options
  return openJournal({
    folder: journalFolder(config.data_dir, options.gateway.name),
    segment_bytes: segmentBytes(config),
    epoch,
    gateway,
    salt: saltFrom(options.randomness ?? randomBytes),
    onTrouble: (error) =>
      error === null
        ? logger.info('journal segments can be made again')
        : logger.warn({ err: error }, 'a journal segment cannot be made'),
    onNote: (message) => logger.warn(message),
  })
}

type ShipperParts = Pick<Parts, 'options' | 'journal' | 'committer' | 'lag' | 'metrics'>

const openGatewayShipper = (parts: ShipperParts, degrade: Degrade): Shipper => {
  const { options, journal, committer, lag, metrics } = parts
  const { config, logger } = options
  const { recovered } = journal
  const by_log = config.gateway.durability === 'broker'
  let log_down = false
  return openShipper({
    folder: journalFolder(config.data_dir, options.gateway.name),
    from: recovered.shipped,
    durable: { segment: recovered.next_segment, offset: segment_head_bytes },
    log: logSource(options),
    linger_ms: by_log ? 0 : ship_linger_ms,
    nice: !by_log,
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
      if (log_down) metrics.troubles.inc({ part: 'log' })
      degrade('log', log_down ? 'begin' : 'end', reason ?? 'the log takes records again')
    },
    onFault: (segment, detail) => {
      const known = recovered.faults.some(
        (fault) => fault.segment === segment && fault.detail === detail,
      )
      journal.markDamaged(segment)
      if (!known) degrade('journal', 'begin', `segment ${segment} is damaged: ${detail}`)
    },
  })
}

/**
 * Opens the parts and puts them together.
 * @throws CairnError('audit_unavailable') the journal is in use by another process or cannot be written
 */
export const openParts = async (
  options: RecorderOptions,
  epoch: Buffer,
  degrade: Degrade,
): Promise<Parts> => {
  const { durability, journal: limits } = options.config.gateway
  const gateway = hash('sha256', options.gateway.name, 'buffer').subarray(0, 16)
  const metrics = openRecorderMetrics()
  const lag = openShipLag()
  const journal = await openGatewayJournal(options, gateway, epoch)
  let counted = 0
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
      metrics.records.inc(mint.records() - counted)
      counted = mint.records()
    },
    onTrouble: (part, reason) => {
      if (reason !== null) metrics.troubles.inc({ part })
      degrade('journal', reason === null ? 'end' : 'begin', reason ?? `${part}: over`)
    },
  })
  const clock = options.clock ?? openSystemClock()
  const mint = openMint({ gateway, epoch, clock, committer })
  const shipper = openGatewayShipper({ options, journal, committer, lag, metrics }, degrade)
  const context = encodeContext(gatewayContext(options))
  return { options, journal, committer, mint, shipper, lag, metrics, context }
}
