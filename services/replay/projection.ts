import type { EventType } from '#core/events/types.ts'
import type { RowWriter } from '#lib/clickhouse/tab-separated.ts'
import type { Entry, EventEntry } from './entry.ts'

/** A column, or several that are written together: their names and ClickHouse types, and how a row's values are written. */
export type Column<Row> = {
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  readonly write: (to: RowWriter, row: Row) => void
}

/** A table that is fed from entries, one row or none of each. */
export type Projection = {
  readonly table: string
  readonly columns: readonly { readonly name: string; readonly type: string }[]
  /** Writes the entry's row, if the table wants one, and says whether it did. */
  readonly write: (to: RowWriter, entry: Entry) => boolean
}

const writeAll = <Row>(to: RowWriter, columns: readonly Column<Row>[], row: Row): void => {
  const start = to.length
  try {
    for (const column of columns) column.write(to, row)
    to.end()
  } catch (error) {
    to.cut(start)
    throw error
  }
}

/**
 * Defines a table that takes one row of each event of the given types. What it writes depends on the entry alone: a rebuilt table has to
 * come out the same.
 */
export const defineProjection = <T extends EventType>(definition: {
  readonly table: string
  readonly events: readonly T[]
  readonly columns: readonly Column<EventEntry<T>>[]
}): Projection => {
  const wanted: ReadonlySet<EventType> = new Set<EventType>(definition.events)
  return {
    table: definition.table,
    columns: definition.columns.flatMap(({ columns }) => columns),
    write: (to, entry) => {
      if (entry.problem !== null || !wanted.has(entry.event.type)) return false
      writeAll(to, definition.columns, entry as EventEntry<T>)
      return true
    },
  }
}

/** Defines a table that takes one row of every entry, understood or not. */
export const defineRecordProjection = (definition: {
  readonly table: string
  readonly columns: readonly Column<Entry>[]
}): Projection => ({
  table: definition.table,
  columns: definition.columns.flatMap(({ columns }) => columns),
  write: (to, entry) => {
    writeAll(to, definition.columns, entry)
    return true
  },
})
