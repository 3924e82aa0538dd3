import { header_bytes } from '../wire.ts'

/** What RowDescription says of one column of a result. */
export type ColumnShape = {
  readonly name: string
  /** OID of the table or view the column is of; 0 for an expression. */
  readonly table_oid: number
  /** Attribute number in that table; 0 for an expression. */
  readonly column_number: number
  readonly type_oid: number
  readonly binary: boolean
}

export type RowShape = readonly ColumnShape[]

/** Bytes of a column after its name: table, column, type, its size, modifier, format. */
const fixed_bytes = 18

/**
 * Reads a RowDescription; null when the message is not one.
 *
 *     RowDescription = n:int16 n*(name:cstring table:int32 column:int16 type:int32 size:int16 modifier:int32 format:int16)
 */
export const readRowShape = (buffer: Buffer, start: number, end: number): RowShape | null => {
  let at = start + header_bytes
  if (at + 2 > end) return null
  const count = buffer.readUInt16BE(at)
  at += 2
  const columns: ColumnShape[] = []
  for (let i = 0; i < count; i++) {
    const stop = buffer.indexOf(0, at)
    if (stop === -1 || stop + 1 + fixed_bytes > end) return null
    const fixed = stop + 1
    columns.push({
      name: buffer.toString('utf8', at, stop),
      table_oid: buffer.readUInt32BE(fixed),
      column_number: buffer.readInt16BE(fixed + 4),
      type_oid: buffer.readUInt32BE(fixed + 6),
      binary: buffer.readUInt16BE(fixed + 16) === 1,
    })
    at = fixed + fixed_bytes
  }
  return at === end ? columns : null
}

/**
 * The shape with the formats that Bind asks for: none, so text; one for all; or one for each. Null when they do not fit.
 */
export const withFormats = (shape: RowShape, formats: readonly boolean[]): RowShape | null => {
  if (formats.length > 1 && formats.length !== shape.length) return null
  return shape.map((column, index) => ({
    ...column,
    binary: formats[formats.length === 1 ? 0 : index] ?? false,
  }))
}
