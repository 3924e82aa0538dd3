import type { MaskFound } from '#core/masking/found-value.ts'
import { header_bytes } from '../wire.ts'
import type { MaskedBytes } from './masked-bytes.ts'

/** The masking of one result's rows: read one, then write it before the next. */
export interface RowMask {
  /** How many values of the message change; -1: it is not a row of this result. */
  read(buffer: Buffer, start: number, end: number): number
  /** Writes the message that was read, masked; returns its length. */
  write(out: MaskedBytes): number
}

/**
 * Masks rows column by column; null for a column that stays as it is.
 *
 *     DataRow = n:int16 n*(length:int32 bytes)     length -1 is NULL, which stays NULL
 */
export const openRowMask = (columns: readonly (MaskFound | null)[]): RowMask => {
  const count = columns.length
  const masked: (Buffer | null | undefined)[] = Array.from({ length: count })
  let row: Buffer = Buffer.alloc(0)
  let from = 0
  let to = 0
  let length = 0

  const read = (buffer: Buffer, start: number, end: number): number => {
    row = buffer
    from = start
    to = end
    let at = start + header_bytes
    if (at + 2 > end || buffer.readUInt16BE(at) !== count) return -1
    at += 2
    let changed = 0
    length = end - start
    for (let i = 0; i < count; i++) {
      if (at + 4 > end) return -1
      const value_bytes = buffer.readInt32BE(at)
      at += 4
      masked[i] = undefined
      if (value_bytes === -1) continue
      const stop = at + value_bytes
      if (value_bytes < 0 || stop > end) return -1
      const column = columns[i]!
      if (column !== null) {
        const value = column(buffer, at, stop)
        if (value !== undefined) {
          masked[i] = value
          length += (value?.length ?? 0) - value_bytes
          changed++
        }
      }
      at = stop
    }
    return at === end ? changed : -1
  }

  const write = (out: MaskedBytes): number => {
    out.reserve(length)
    out.copy(row, from, from + 1)
    out.int32(length - 1)
    let kept = from + header_bytes
    let at = kept + 2
    for (let i = 0; i < count; i++) {
      const stop = at + 4 + Math.max(0, row.readInt32BE(at))
      const value = masked[i]
      if (value !== undefined) {
        out.copy(row, kept, at)
        out.int32(value === null ? -1 : value.length)
        if (value !== null) out.copy(value, 0, value.length)
        kept = stop
      }
      at = stop
    }
    out.copy(row, kept, to)
    return length
  }

  return { read, write }
}
