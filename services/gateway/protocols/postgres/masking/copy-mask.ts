import type { MaskFound } from '#core/masking/found-value.ts'
import type { CopyFormat } from '#core/sql/copy-format.ts'
import { backend, header_bytes } from '../wire.ts'
import { fieldEnds, fieldOf, fieldValue, type LineFormat } from './copy-fields.ts'

/** The masking of one COPY TO STDOUT. */
export interface CopyMask {
  /** A CopyData message as it goes on; null when nothing in it changes, `broken` when it is not what the statement's options say. */
  mask(buffer: Buffer, start: number, end: number): Buffer | null | 'broken'
}

const copyData = (parts: readonly Buffer[]): Buffer => {
  const header = Buffer.alloc(header_bytes)
  header[0] = backend.copy_data
  header.writeInt32BE(4 + parts.reduce((sum, { length }) => sum + length, 0), 1)
  return Buffer.concat([header, ...parts])
}

const openLineMask = (format: LineFormat, columns: readonly (MaskFound | null)[]): CopyMask => {
  let header = format.header
  return {
    mask: (buffer, start, end) => {
      if (header) {
        // Names, not values.
        header = false
        return null
      }
      const ends = fieldEnds(format, buffer, start + header_bytes, end)
      if (ends === null) return 'broken'
      // A line without columns is empty all the same.
      const none = columns.length === 0 && ends.length === 1
      if (ends.length !== columns.length && !none) return 'broken'
      const parts: Buffer[] = []
      let kept = start + header_bytes
      let from = kept
      for (const [index, to] of ends.entries()) {
        const column = columns[index] ?? null
        const value = column === null ? null : fieldValue(format, buffer, from, to)
        const masked = value === null ? undefined : column?.(value, 0, value.length)
        if (masked !== undefined) {
          parts.push(buffer.subarray(kept, from), fieldOf(format, masked))
          kept = to
        }
        from = to + 1
      }
      if (parts.length === 0) return null
      parts.push(buffer.subarray(kept, end))
      return copyData(parts)
    },
  }
}

/** What binary data begins with. */
const signature = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1')
/** Signature, flags, length of the header's extension. */
const file_header_bytes = signature.length + 8
/** Flags from here on change the format. */
const critical_flags = 0xffff_0000

/** Where the tuples begin behind the header, or -1. */
const headerEnd = (buffer: Buffer, start: number, end: number): number => {
  if (start + file_header_bytes > end) return -1
  if (signature.compare(buffer, start, start + signature.length) !== 0) return -1
  if ((buffer.readUInt32BE(start + signature.length) & critical_flags) !== 0) return -1
  return start + file_header_bytes + buffer.readUInt32BE(start + signature.length + 4)
}

/**
 * Binary COPY: a header, tuples, a trailer.
 *
 *     header = signature flags:int32 n:int32 n*byte     tuple = n:int16 n*(length:int32 bytes)     trailer = -1:int16
 */
const openTupleMask = (columns: readonly (MaskFound | null)[]): CopyMask => {
  let begun = false
  return {
    mask: (buffer, start, end) => {
      let at = start + header_bytes
      if (!begun) {
        begun = true
        at = headerEnd(buffer, at, end)
        if (at === -1 || at > end) return 'broken'
      }
      const parts: Buffer[] = []
      let kept = start + header_bytes
      while (at < end) {
        if (at + 2 > end) return 'broken'
        const count = buffer.readInt16BE(at)
        at += 2
        if (count === -1) return at === end ? finish(parts, buffer, kept, end) : 'broken'
        if (count !== columns.length) return 'broken'
        for (const column of columns) {
          if (at + 4 > end) return 'broken'
          const length = buffer.readInt32BE(at)
          const from = at + 4
          at = from + Math.max(length, 0)
          if (length < -1 || at > end) return 'broken'
          const masked = length === -1 ? undefined : column?.(buffer, from, at)
          if (masked === undefined) continue
          const size = Buffer.alloc(4)
          size.writeInt32BE(masked?.length ?? -1)
          parts.push(buffer.subarray(kept, from - 4), size)
          if (masked !== null) parts.push(masked)
          kept = at
        }
      }
      return finish(parts, buffer, kept, end)
    },
  }
}

const finish = (parts: Buffer[], buffer: Buffer, kept: number, end: number): Buffer | null => {
  if (parts.length === 0) return null
  parts.push(buffer.subarray(kept, end))
  return copyData(parts)
}

/** Opens the masking of a COPY's rows; null for a column that stays as it is. */
export const openCopyMask = (
  format: CopyFormat,
  columns: readonly (MaskFound | null)[],
): CopyMask => (format.kind === 'binary' ? openTupleMask(columns) : openLineMask(format, columns))

/**
 * What a CopyOutResponse says; null when it is none.
 *
 *     CopyOutResponse = format:int8 n:int16 n*format:int16
 */
export const readCopyOut = (
  buffer: Buffer,
  start: number,
  end: number,
): { readonly binary: boolean; readonly columns: number } | null => {
  const at = start + header_bytes
  if (at + 3 > end) return null
  const columns = buffer.readUInt16BE(at + 1)
  return at + 3 + columns * 2 === end ? { binary: buffer[at] === 1, columns } : null
}
