import type { Logger } from '#lib/logger.ts'
import type { BatchContext, Log, LogBatch, LogRange, LogSubscription } from '#lib/log/port.ts'
import { batch_bytes_max } from './limits.ts'
import type { ReplayMetrics } from './metrics.ts'
import type { ApplyRange } from './ranges.ts'
import { untilAvailable } from './retry.ts'

export type ConsumerDeps = {
  readonly log: Log
  readonly group: string
  readonly topics: readonly string[]
  readonly apply: ApplyRange
  readonly logger: Logger
  readonly metrics: ReplayMetrics
  readonly now_ms: () => number
  readonly batch_records_max: number
  readonly linger_ms: number
}

const rangeOf = ({ topic, partition, records }: LogBatch): LogRange => ({
  topic,
  partition,
  lo: records[0]!.offset,
  hi: records.at(-1)!.offset,
})

/**
 * Reads the log as a group and makes each batch take effect exactly once: the range is made durable as a plan, then inserted under a token of
 * the range, then done. A crash in between leads to the same range under the same token again.
 */
export const openConsumer = (deps: ConsumerDeps): Promise<LogSubscription> => {
  const { apply, logger, metrics } = deps

  const onBatch = async (batch: LogBatch, ctx: BatchContext): Promise<void> => {
    const begun = deps.now_ms()
    const range = ctx.planned ?? rangeOf(batch)
    if (ctx.planned === null) await ctx.plan(range)
    await untilAvailable(() => apply(range, batch.records), {
      signal: ctx.signal,
      onFailure: async (error, failures) => {
        metrics.retries.inc()
        if (failures === 1)
          logger.warn(
            { err: error, topic: range.topic, partition: range.partition },
            'a batch waits',
          )
        await ctx.heartbeat()
      },
    })
    await ctx.done()
    metrics.batch_seconds.observe((deps.now_ms() - begun) / 1000)
    metrics.age_seconds.set((deps.now_ms() - batch.records.at(-1)!.timestamp_ms) / 1000)
  }

  return deps.log.subscribe({
    group: deps.group,
    topics: deps.topics,
    batch_records_max: deps.batch_records_max,
    batch_bytes_max,
    linger_ms: deps.linger_ms,
    from: 'beginning',
    onBatch,
    onTrouble: (error) => logger.warn({ err: error }, 'reading the log'),
  })
}
