import type { SchemaResolver } from '#core/events/codec.ts'
import type { ClickHouse } from '#lib/clickhouse/port.ts'
import type { Logger } from '#lib/logger.ts'
import type { Log, LogRange, StoredRecord } from '#lib/log/port.ts'
import { sendDeadLetters } from './dead-letters.ts'
import { openDuplicates } from './duplicates.ts'
import { openEntryReader, type BrokenEntry, type Entry } from './entry.ts'
import { openInserts } from './inserts.ts'
import { ranges_running_max } from './limits.ts'
import type { ReplayMetrics } from './metrics.ts'
import type { Projection } from './projection.ts'

export type RangesDeps = {
  readonly log: Log
  readonly clickhouse: ClickHouse
  readonly projections: readonly Projection[]
  readonly logger: Logger
  readonly metrics: ReplayMetrics
  /** Finds a writer's schema that this version does not know. */
  readonly resolve?: SchemaResolver
}

/** Records read between two turns of the event loop. */
const slice_records = 1_000

/** Lets `max` pieces of work run at a time. */
const openGate = (max: number) => {
  let running = 0
  const waiting: (() => void)[] = []
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= max) await new Promise<void>((resolve) => void waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}

/**
 * Makes a range of the log take effect in the tables: reads its records, leaves out what was shipped twice, inserts, and sends what was not
 * understood to the dead letters. Calling it again for the same range changes nothing.
 * Throws CairnError('store_unavailable' | 'log_unavailable' ...): call it again for the same range.
 */
export const openRanges = (deps: RangesDeps) => {
  const { clickhouse, log, logger, metrics } = deps
  const readEntry = openEntryReader(deps.resolve)
  const sift = openDuplicates(clickhouse)
  const insert = openInserts(clickhouse, deps.projections)
  const gate = openGate(ranges_running_max)

  const readAll = async (records: readonly StoredRecord[]): Promise<Entry[]> => {
    const entries: Entry[] = []
    for (let at = 0; at < records.length; at += slice_records) {
      for (const record of records.slice(at, at + slice_records)) entries.push(readEntry(record))
      await new Promise((resolve) => setImmediate(resolve))
    }
    return entries
  }

  const apply = async (range: LogRange, records: readonly StoredRecord[]): Promise<void> => {
    const { fresh, duplicates, equivocations } = await sift(range, await readAll(records))
    const refused = await insert(range, fresh)
    const broken = [
      ...fresh.filter((entry): entry is BrokenEntry => entry.problem !== null),
      ...refused,
    ]
    await sendDeadLetters(log, broken)

    const { topic } = range
    metrics.records.inc({ topic }, records.length)
    if (duplicates > 0) metrics.duplicates.inc({ topic }, duplicates)
    for (const { problem } of broken) metrics.dead_letters.inc({ reason: problem })
    for (const { stored, header } of equivocations) {
      metrics.equivocations.inc({ topic })
      logger.error(
        { topic, partition: stored.partition, offset: String(stored.offset), gseq: header?.gseq },
        'two records with one sequence number: a gateway was copied, or records are forged',
      )
    }
    if (broken.length > 0)
      logger.warn(
        {
          topic,
          partition: range.partition,
          first: String(broken[0]?.stored.offset),
          count: broken.length,
          reason: broken[0]?.problem,
        },
        'records went to the dead letters',
      )
  }

  return (range: LogRange, records: readonly StoredRecord[]): Promise<void> =>
    gate(() => apply(range, records))
}

export type ApplyRange = ReturnType<typeof openRanges>
