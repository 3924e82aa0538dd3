import { hash } from 'node:crypto'
import { CairnError } from '#lib/error.ts'
import type { ClickHouse } from '#lib/clickhouse/port.ts'
import { openTabSeparated } from '#lib/clickhouse/tab-separated.ts'
import type { LogRange } from '#lib/log/port.ts'
import type { BrokenEntry, Entry } from './entry.ts'
import type { Projection } from './projection.ts'

/** Entries encoded between two turns of the event loop, so that queries are answered meanwhile. */
const slice_entries = 500

const yieldLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * The deduplication token of a range: its place in the log, and a digest of what stands there, so that a log that was made anew and counts
 * from 0 again does not look like the one before it.
 */
const tokenOf = (range: LogRange, entries: readonly Entry[]): string => {
  const parts = entries.map(({ header_bytes, stored }) =>
    header_bytes.length === 0 ? stored.value : header_bytes,
  )
  const digest = hash('sha256', Buffer.concat(parts)).slice(0, 16)
  return `${range.topic}:${range.partition}:${range.lo}-${range.hi}:${digest}`
}

const asRefused = (entry: Entry, detail: string): BrokenEntry => {
  const { stored, header_bytes, header, leaf, session, schema_id, time_us } = entry
  const read = { stored, header_bytes, header, leaf, session, schema_id, time_us }
  return { ...read, problem: 'refused', detail }
}

const rangeOf = (entries: readonly Entry[], whole: LogRange): LogRange => ({
  topic: whole.topic,
  partition: whole.partition,
  lo: entries[0]?.stored.offset ?? whole.lo,
  hi: entries.at(-1)?.stored.offset ?? whole.hi,
})

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Inserts a range's entries into every table, each with the range's token: as often as it is called for the same range, the tables come out
 * the same. A row that a table refuses is found by halving; its entry becomes `refused` in `records`.
 */
export const openInserts = (clickhouse: ClickHouse, projections: readonly Projection[]) => {
  // One buffer for all: encoding happens between two awaits.
  const writer = openTabSeparated(1024 * 1024)

  type Encoded = { readonly rows: number; readonly data: Buffer; readonly refused: BrokenEntry[] }

  const encode = async (projection: Projection, entries: readonly Entry[]): Promise<Encoded> => {
    const parts: Buffer[] = []
    const refused: BrokenEntry[] = []
    let rows = 0
    for (let at = 0; at < entries.length; at += slice_entries) {
      writer.cut(0)
      for (const entry of entries.slice(at, at + slice_entries)) {
        try {
          if (projection.write(writer, entry)) rows++
        } catch (error) {
          const broken = asRefused(entry, `${projection.table}: ${message(error)}`)
          refused.push(broken)
          if (projection.write(writer, broken)) rows++
        }
      }
      if (writer.length > 0) parts.push(writer.take())
      await yieldLoop()
    }
    return { rows, data: parts.length === 1 ? parts[0]! : Buffer.concat(parts), refused }
  }

  /** Inserts into one table and returns the entries whose rows it refused. */
  const insertTable = async (
    projection: Projection,
    range: LogRange,
    entries: readonly Entry[],
  ): Promise<readonly BrokenEntry[]> => {
    const { rows, data, refused } = await encode(projection, entries)
    if (rows === 0) return refused
    try {
      await clickhouse.insert({
        table: projection.table,
        columns: projection.columns.map(({ name }) => name),
        rows,
        data,
        token: tokenOf(range, entries),
      })
      return refused
    } catch (error) {
      const final =
        error instanceof CairnError &&
        (error.code === 'unusable_input' || error.code === 'limit_exceeded')
      if (!final) throw error
      const [only] = entries
      if (entries.length === 1 && only !== undefined) {
        const broken = asRefused(only, `${projection.table}: ${message(error)}`)
        // `records` takes it once more, with nothing in it but what came from the log.
        if (only.problem === null) await insertTable(projection, range, [broken])
        return [broken]
      }
      const middle = Math.ceil(entries.length / 2)
      const [first, second] = [entries.slice(0, middle), entries.slice(middle)]
      return [
        ...(await insertTable(projection, rangeOf(first, range), first)),
        ...(await insertTable(projection, rangeOf(second, range), second)),
      ]
    }
  }

  /**
   * Throws CairnError('store_unavailable'): some tables may have the range and others not; call it again for the same range.
   * @returns the entries that a table refused; their other rows are there
   */
  return async (range: LogRange, entries: readonly Entry[]): Promise<readonly BrokenEntry[]> => {
    if (entries.length === 0) return []
    const refused = new Map<bigint, BrokenEntry>()
    for (const projection of projections) {
      const current =
        refused.size === 0
          ? entries
          : entries.map((entry) => refused.get(entry.stored.offset) ?? entry)
      // Only `records` takes an entry that has a problem.
      for (const entry of await insertTable(projection, range, current))
        if (!refused.has(entry.stored.offset)) refused.set(entry.stored.offset, entry)
    }
    return [...refused.values()]
  }
}
