import type { CopyInputRules } from './command-mask.ts'
import type { LineFormat } from './copy-fields.ts'
import type { Finder } from './finder.ts'
import { openMaskCounts, type MaskedCounts } from './mask-counts.ts'

/**
 * What is recorded of the data of a COPY FROM STDIN: every byte of a masked column, and of what a detector finds, is an asterisk there, so that the
 * framing holds; the target gets the data as it is. The client cuts it where it likes: fields are followed across messages. Where detectors are in
 * force, a field that goes on in another piece cannot be searched as a whole, and is masked as a whole.
 */
export interface CopyInputMask {
  /** A piece of the data as it is recorded; null when nothing in it is masked. */
  mask(buffer: Buffer, start: number, end: number): Buffer | null
  /** What was masked since it was last asked. */
  take(): MaskedCounts
}

const asterisk = 0x2a
const backslash = 0x5c
const line_feed = 0x0a
const carriage_return = 0x0d
const split_rule = 'builtin:split-value'

/** Follows fields: where each begins and ends in the pieces, and of which column it is. */
type Follow = (
  buffer: Buffer,
  start: number,
  end: number,
  field: (column: number, from: number, to: number, begins: boolean, ends: boolean) => void,
) => void

const followLines = ({ kind, delimiter, quote, escape }: LineFormat): Follow => {
  let column = 0
  let quoted = false
  let escaped = false
  let begins = true
  return (buffer, start, end, field) => {
    let from = start
    const close = (at: number): void => {
      field(column, from, at, begins, true)
      begins = true
      from = at + 1
    }
    for (let at = start; at < end; at++) {
      const byte = buffer[at]!
      if (kind === 'text') {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === delimiter) {
          close(at)
          column++
        } else if (byte === line_feed || byte === carriage_return) {
          close(at)
          column = 0
        }
      } else if (quoted && escape !== quote && escaped) escaped = false
      else if (quoted && escape !== quote && byte === escape) escaped = true
      else if (byte === quote) quoted = !quoted
      else if (!quoted && byte === delimiter) {
        close(at)
        column++
      } else if (!quoted && (byte === line_feed || byte === carriage_return)) {
        close(at)
        column = 0
      }
    }
    if (from < end) {
      field(column, from, end, begins, false)
      begins = false
    }
  }
}

const header_fixed_bytes = 19

/** Header, then tuples of counted columns with counted bytes. What does not fit is followed no further, and masked. */
const followTuples = (): Follow => {
  let part: 'header' | 'extension' | 'count' | 'length' | 'value' | 'rest' = 'header'
  let wanted = header_fixed_bytes
  let held = Buffer.alloc(0)
  let columns = 0
  let column = 0
  let left = 0
  let begins = true

  const next = (): void => {
    if (column < columns) {
      part = 'length'
      wanted = 4
    } else {
      part = 'count'
      wanted = 2
    }
  }
  /** Takes a number or the header, once it is whole. */
  const settle = (): void => {
    const bytes = held
    held = Buffer.alloc(0)
    if (part === 'header') {
      left = bytes.readUInt32BE(header_fixed_bytes - 4)
      part = 'extension'
    } else if (part === 'count') {
      columns = bytes.readInt16BE(0)
      column = 0
      if (columns < 0) part = 'rest'
      else next()
    } else {
      left = bytes.readInt32BE(0)
      begins = true
      part = 'value'
      if (left < 0) left = 0
    }
  }
  return (buffer, start, end, field) => {
    let at = start
    while (at < end) {
      if (part === 'rest') {
        field(0, at, end, false, false)
        return
      }
      if (part === 'extension' || part === 'value') {
        const stop = Math.min(end, at + left)
        left -= stop - at
        if (part === 'value') field(column, at, stop, begins, left === 0)
        begins = false
        at = stop
        if (left > 0) return
        if (part === 'value') column++
        next()
        continue
      }
      const stop = Math.min(end, at + wanted - held.length)
      held = Buffer.concat([held, buffer.subarray(at, stop)])
      at = stop
      if (held.length === wanted) settle()
      if ((part as string) === 'value' && left === 0) {
        column++
        next()
      }
    }
  }
}

export const openCopyInputMask = (
  { format, columns }: CopyInputRules,
  finder: Finder,
): CopyInputMask => {
  const follow = format.kind === 'binary' ? followTuples() : followLines(format)
  const counts = openMaskCounts(() => undefined)
  let copy: Buffer | null = null

  const hide = (buffer: Buffer, offset: number, from: number, to: number): void => {
    copy ??= Buffer.from(buffer)
    copy.fill(asterisk, from - offset, to - offset)
  }

  return {
    mask: (buffer, start, end) => {
      copy = null
      const piece = buffer.subarray(start, end)
      follow(buffer, start, end, (column, from, to, begins, ends) => {
        // Past the columns that are known nothing is shown.
        const rule =
          columns === null ? null : column < columns.length ? columns[column]! : split_rule
        if (rule !== null) {
          if (to === from) return
          hide(piece, start, from, to)
          if (begins) counts.add(rule)
          return
        }
        if (!finder.active) return
        if (!begins || !ends) {
          if (to === from) return
          hide(piece, start, from, to)
          if (begins) counts.add(split_rule)
          return
        }
        for (const find of finder.finds(buffer.subarray(from, to))) {
          hide(piece, start, from + find.start, from + find.end)
          counts.add(find.rule)
        }
      })
      return copy
    },
    take: () => {
      counts.commit()
      return counts.take()
    },
  }
}
