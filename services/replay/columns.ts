import { uint_max, type RowWriter, type TuplePart } from '#lib/clickhouse/tab-separated.ts'
import type { Column } from './projection.ts'

/** Makers of columns, by ClickHouse type. LowCardinality is written as what it holds, so it is no type of its own here. */

const one =
  <Value>(type: string, write: (to: RowWriter, value: Value) => void) =>
  <Row>(name: string, get: (row: Row) => Value): Column<Row> => ({
    columns: [{ name, type }],
    write: (to, row) => write(to, get(row)),
  })

export const text = one<string>('String', (to, value) => to.string(value))
export const bytes = one<Uint8Array>('String', (to, value) => to.bytes(value))
/** Bytes as lowercase hex. */
export const hex = one<Buffer>('String', (to, value) => to.hex(value))
export const uint8 = one<number>('UInt8', (to, value) => to.uint(value, uint_max[8]))
export const uint16 = one<number>('UInt16', (to, value) => to.uint(value, uint_max[16]))
export const uint32 = one<number>('UInt32', (to, value) => to.uint(value, uint_max[32]))
export const uint64 = one<number | bigint>('UInt64', (to, value) => to.uint(value, uint_max[64]))
export const int64 = one<number>('Int64', (to, value) => to.int(value))
export const bool = one<boolean>('Bool', (to, value) => to.bool(value))
/** Microseconds since the Unix epoch. */
export const micros = one<number>("DateTime64(6, 'UTC')", (to, value) => to.time(value, 6))
/** Milliseconds since the Unix epoch. */
export const millis = one<number>("DateTime64(3, 'UTC')", (to, value) => to.time(value, 3))
export const texts = one<readonly string[]>('Array(String)', (to, values) => to.strings(values))
export const textMap = one<Readonly<Record<string, string>>>('Map(String, String)', (to, values) =>
  to.map(values),
)

/** An array of tuples; `parts` gives one tuple's values in order. */
export const tuples =
  <Item>(type: string, parts: (item: Item) => readonly TuplePart[]) =>
  <Row>(name: string, get: (row: Row) => readonly Item[]): Column<Row> => ({
    columns: [{ name, type: `Array(Tuple(${type}))` }],
    write: (to, row) => to.tuples(get(row).map(parts)),
  })
