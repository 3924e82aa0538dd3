import type { ClickHouse } from '#lib/clickhouse/port.ts'
import type { Log, LogRange, StoredRecord, TopicLag } from '#lib/log/port.ts'
import { refill_range } from './limits.ts'
import type { ApplyRange } from './ranges.ts'

export type RefillDeps = {
  readonly log: Log
  readonly clickhouse: ClickHouse
  readonly group: string
  readonly topics: readonly string[]
  readonly apply: ApplyRange
  readonly signal: AbortSignal
}

/** First offset of each partition that `records` does not reach, by "topic/partition". */
const reached = async (clickhouse: ClickHouse): Promise<Map<string, bigint>> => {
  const rows = await clickhouse.query<{ name: string; next: string }>(
    `SELECT concat(topic, '/', toString(partition)) AS name, toString(max(offset) + 1) AS next
     FROM records GROUP BY topic, partition`,
  )
  return new Map(rows.map(({ name, next }) => [name, BigInt(next)]))
}

const refillPartition = async (
  { log, apply, signal }: RefillDeps,
  { topic, partition }: TopicLag,
  from: bigint,
  to: bigint,
): Promise<number> => {
  let records: StoredRecord[] = []
  let bytes = 0
  let count = 0
  const flush = async (): Promise<void> => {
    const [first, last] = [records[0], records.at(-1)]
    if (first === undefined || last === undefined) return
    const range: LogRange = { topic, partition, lo: first.offset, hi: last.offset }
    await apply(range, records)
    count += records.length
    records = []
    bytes = 0
  }
  for await (const record of log.read(topic, partition, from, to)) {
    signal.throwIfAborted()
    const size = record.key.length + record.value.length
    if (records.length >= refill_range.records || bytes + size > refill_range.bytes) await flush()
    records.push(record)
    bytes += size
  }
  await flush()
  return count
}

/**
 * Fills the tables up to the group's position from the log: after they were dropped, after their folder was lost, and after a refill that was
 * broken off. Where nothing is missing it reads nothing. Rows come out the same as the first time, as far as the log still goes back.
 * @returns how many records were read
 */
export const refill = async (deps: RefillDeps): Promise<number> => {
  const have = await reached(deps.clickhouse)
  let count = 0
  for (const lag of await deps.log.lag(deps.group, deps.topics)) {
    if (lag.committed === null) continue
    const next = have.get(`${lag.topic}/${lag.partition}`) ?? 0n
    const from = next > lag.low ? next : lag.low
    if (from < lag.committed) count += await refillPartition(deps, lag, from, lag.committed - 1n)
  }
  return count
}
