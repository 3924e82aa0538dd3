import type { ClickHouse } from '#lib/clickhouse/port.ts'
import type { LogRange } from '#lib/log/port.ts'
import type { Entry } from './entry.ts'

/** What came of looking for records that were shipped twice. */
export type Sifted = {
  /** Entries that are not in the log before, in order. */
  readonly fresh: readonly Entry[]
  /** How many were left out because the same record (gateway, epoch, gseq, leaf) stands earlier in the partition. */
  readonly duplicates: number
  /** Entries, kept, that share (gateway, epoch, gseq) with an earlier one and have another leaf: somebody lies. */
  readonly equivocations: readonly Entry[]
}

/** Epochs remembered per partition. */
const marks_max = 10_000
/** Names looked up in one query. */
const lookup_max = 1_000

type Partition = { last: bigint; readonly marks: Map<string, number>; complete: boolean }

const nameOf = ({ header }: Entry): string | null =>
  header === null
    ? null
    : `${header.gateway.toString('hex')}:${header.epoch.toString('hex')}:${header.gseq}`

const epochOf = ({ header }: Entry): string =>
  header === null ? '' : `${header.gateway.toString('hex')}:${header.epoch.toString('hex')}`

/**
 * Finds records that a gateway shipped again after a crash: a record is a duplicate if and only if the same one stands at a smaller offset
 * of the same partition, which does not depend on how batches are cut or repeated, so a batch built again is the same batch.
 *
 * In a partition the gseq of an epoch only grows, but for what is shipped again: the largest gseq seen is kept per epoch, and only a
 * record at or under it is looked up in the tables.
 */
export const openDuplicates = (clickhouse: ClickHouse) => {
  const partitions = new Map<string, Partition>()

  const load = async ({ topic, partition, lo }: LogRange): Promise<Partition> => {
    const rows = await clickhouse.query<{ epoch: string; mark: number }>(
      `SELECT concat(gateway_id, ':', epoch) AS epoch, max(gseq) AS mark FROM records
       WHERE topic = {topic:String} AND partition = {partition:UInt16} AND gateway_id != ''
       GROUP BY 1 ORDER BY max(logged) DESC LIMIT ${marks_max + 1}`,
      { topic, partition },
    )
    const marks = new Map(rows.slice(0, marks_max).map(({ epoch, mark }) => [epoch, mark]))
    return { last: lo - 1n, marks, complete: rows.length <= marks_max }
  }

  const partitionOf = async (range: LogRange): Promise<Partition> => {
    const key = `${range.topic}/${range.partition}`
    const known = partitions.get(key)
    // Where offsets do not follow on, another process may have had the partition in between.
    if (known !== undefined && known.last + 1n === range.lo) return known
    const loaded = await load(range)
    partitions.set(key, loaded)
    return loaded
  }

  /** Leaves of earlier records of these names, by name. */
  const lookUp = async (
    { topic, partition, lo }: LogRange,
    names: readonly string[],
  ): Promise<Map<string, Set<string>>> => {
    const found = new Map<string, Set<string>>()
    for (let at = 0; at < names.length; at += lookup_max) {
      const rows = await clickhouse.query<{ name: string; leaf: string }>(
        `SELECT concat(gateway_id, ':', epoch, ':', toString(gseq)) AS name, leaf FROM records
         WHERE topic = {topic:String} AND partition = {partition:UInt16} AND offset < {lo:UInt64}
           AND gseq IN {gseqs:Array(UInt64)} AND name IN {names:Array(String)}`,
        {
          topic,
          partition,
          lo: lo.toString(),
          gseqs: names.slice(at, at + lookup_max).map((name) => Number(name.split(':')[2])),
          names: names.slice(at, at + lookup_max),
        },
      )
      for (const { name, leaf } of rows) add(found, name, leaf)
    }
    return found
  }

  return async (range: LogRange, entries: readonly Entry[]): Promise<Sifted> => {
    const partition = await partitionOf(range)
    const suspects = new Set<string>()
    for (const entry of entries) {
      const { header } = entry
      if (header === null) continue
      const epoch = epochOf(entry)
      const mark = partition.marks.get(epoch)
      const unknown = mark === undefined && !partition.complete
      if (unknown || (mark !== undefined && header.gseq <= mark)) suspects.add(nameOf(entry)!)
      if (mark === undefined || header.gseq > mark) partition.marks.set(epoch, header.gseq)
    }
    forgetOldest(partition)
    partition.last = range.hi
    if (suspects.size === 0) return { fresh: entries, duplicates: 0, equivocations: [] }
    return sift(entries, suspects, await lookUp(range, [...suspects]))
  }
}

const add = (leaves: Map<string, Set<string>>, name: string, leaf: string): void => {
  const known = leaves.get(name)
  if (known === undefined) leaves.set(name, new Set([leaf]))
  else known.add(leaf)
}

const forgetOldest = (partition: Partition): void => {
  for (const epoch of partition.marks.keys()) {
    if (partition.marks.size <= marks_max) return
    partition.marks.delete(epoch)
    partition.complete = false
  }
}

const sift = (
  entries: readonly Entry[],
  suspects: ReadonlySet<string>,
  earlier: Map<string, Set<string>>,
): Sifted => {
  const fresh: Entry[] = []
  const equivocations: Entry[] = []
  for (const entry of entries) {
    const name = nameOf(entry)
    if (name === null || entry.leaf === null || !suspects.has(name)) {
      fresh.push(entry)
      continue
    }
    const leaf = entry.leaf.toString('hex')
    const leaves = earlier.get(name)
    if (leaves?.has(leaf) === true) continue
    if (leaves !== undefined) equivocations.push(entry)
    fresh.push(entry)
    add(earlier, name, leaf)
  }
  return { fresh, duplicates: entries.length - fresh.length, equivocations }
}
