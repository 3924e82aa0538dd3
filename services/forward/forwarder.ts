import type { SinkConfig } from '#lib/config/schema.ts'
import type { Log, StoredRecord } from '#lib/log/port.ts'
import { openPositions, type OpenBatch } from './position.ts'
import { readRecord } from './record.ts'
import type { Sink, SinkDeps, SinkKind } from './sink.ts'

/** Commits of a partition's position are gathered for so long. */
const commit_gather_ms = 100
/** While a batch waits for room, the log hears from us this often. */
const keepalive_ms = 1_000
/** Records handed out at once: enough to fill a write, few enough to wait for room. */
const batch_records_max = 200
/** How long a sink may take to deliver and prove what it took when the service stops. */
const finish_timeout_ms = 5_000

export type ForwarderOptions = {
  readonly log: Log
  readonly config: SinkConfig
  readonly kind: SinkKind
  readonly deps: SinkDeps
}

/** The consumer group that keeps a sink's position in the log. */
export const sinkGroup = (sink: string): string => `forward-${sink}`

/** Waits for `taken`, with a sign of life to the log each second. */
const patiently = async (taken: Promise<void>, heartbeat: () => Promise<void>): Promise<void> => {
  const timer = setInterval(() => void heartbeat().catch(() => undefined), keepalive_ms)
  try {
    await taken
  } finally {
    clearInterval(timer)
  }
}

/**
 * Delivers the topics of one sink, from the position of its group. Disposing it delivers what is on
 * its way, as far as that goes in five seconds, commits the position and leaves the group; what was
 * not delivered comes again at the next start.
 */
export const openForwarder = async (options: ForwarderOptions): Promise<AsyncDisposable> => {
  const { log, config, kind, deps } = options
  const trouble = (error: unknown): void =>
    deps.logger.warn(
      { error: error instanceof Error ? error.message : String(error) },
      'log trouble',
    )
  const sink: Sink = await kind.open(config, deps)
  const positions = openPositions(commit_gather_ms, trouble)
  const stopping = new AbortController()

  const sendAll = async (records: readonly StoredRecord[], batch: OpenBatch): Promise<void> => {
    for (const record of records) {
      if (batch.ctx.signal.aborted || stopping.signal.aborted) return
      const taken = sink.send(readRecord(record), () => positions.delivered(record, batch))
      if (taken !== null) await patiently(taken, batch.ctx.heartbeat)
    }
  }

  const subscription = await log
    .subscribe({
      group: sinkGroup(config.name),
      topics: config.topics,
      batch_records_max: Math.min(batch_records_max, config.window_events_max),
      from: 'beginning',
      onTrouble: trouble,
      // Returns without done(): the position follows behind the window, while the next batches are
      // on their way.
      onBatch: async ({ records }, ctx) => {
        const { promise: returned, resolve } = Promise.withResolvers<void>()
        try {
          await sendAll(records, { ctx, returned })
        } finally {
          resolve()
        }
      },
    })
    .catch(async (error: unknown) => {
      await sink[Symbol.asyncDispose]()
      throw error
    })
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      await sink.finish(finish_timeout_ms)
      await positions.settled()
      await subscription[Symbol.asyncDispose]()
      await sink[Symbol.asyncDispose]()
    },
  }
}
