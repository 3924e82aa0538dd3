import { isAscii } from 'node:buffer'
import { backend, header_bytes } from './wire.ts'

/**
 * Secrets of a command in what the target answers: errors quote the statement that failed (CONTEXT, QUERY, "at or near"), and a function may give
 * back what it was given. In the recorded copy each becomes as many asterisks, so that the framing holds; the client's bytes stay.
 */
export type SecretBytes = {
  /** Longest first. */
  readonly needles: readonly Buffer[]
  readonly texts: readonly string[]
}

const asterisk = 0x2a

/** A secret inside literals of SQL, one deep and two deep. */
const forms = (secret: string): readonly string[] =>
  secret.includes("'")
    ? [secret, secret.replaceAll("'", "''"), secret.replaceAll("'", "''''")]
    : [secret]

/** Null for nearly every command. An empty text is no secret, and stands everywhere. */
export const secretBytes = (secrets: readonly string[]): SecretBytes | null => {
  if (secrets.length === 0) return null
  const texts = [...new Set(secrets.flatMap(forms))]
    .filter((text) => text !== '')
    .toSorted((a, b) => b.length - a.length)
  if (texts.length === 0) return null
  const needles = texts.flatMap((text) => {
    const bytes = Buffer.from(text, 'utf8')
    // The answers are in the client's encoding.
    return isAscii(bytes) ? [bytes] : [bytes, Buffer.from(text, 'latin1')]
  })
  return { needles, texts }
}

/** The text without the secrets. */
export const maskText = (text: string, { texts }: SecretBytes): string => {
  let masked = text
  for (const secret of texts) masked = masked.replaceAll(secret, '*'.repeat(secret.length))
  return masked
}

/** Ranges of a message that hold values, so that a match never covers lengths or types. Pairs of start and end. */
const valueRanges = (type: number, buffer: Buffer, start: number, end: number): number[] => {
  const ranges: number[] = []
  let at = start
  if (type === backend.data_row) {
    at += 2
    while (at + 4 <= end) {
      const length = buffer.readInt32BE(at)
      at += 4
      if (length > 0) ranges.push(at, Math.min(end, at + length))
      at += Math.max(length, 0)
    }
  } else if (type === backend.error || type === backend.notice) {
    while (at < end && buffer[at] !== 0) {
      const stop = buffer.indexOf(0, at + 1)
      if (stop === -1 || stop >= end) break
      ranges.push(at + 1, stop)
      at = stop + 1
    }
  } else if (type === backend.row_description) {
    at += 2
    while (at < end) {
      const stop = buffer.indexOf(0, at)
      if (stop === -1 || stop >= end) break
      ranges.push(at, stop)
      // Table, column, type, its size and modifier, format.
      at = stop + 19
    }
  } else if (type === backend.copy_data || type === backend.parameter_status) ranges.push(at, end)
  return ranges
}

/** Length of the longest beginning of a secret that the range ends with. */
const begun = (buffer: Buffer, start: number, end: number, needle: Buffer): number => {
  for (let length = Math.min(needle.length - 1, end - start); length > 0; length--)
    if (buffer.compare(needle, 0, length, end - length, end) === 0) return length
  return 0
}

export type SecretMask = {
  /** The piece as it is recorded, or null when nothing of it is a secret. */
  mask(
    secrets: SecretBytes,
    piece: {
      readonly type: number
      readonly buffer: Buffer
      readonly start: number
      readonly end: number
      readonly first: boolean
      readonly last: boolean
    },
  ): { readonly bytes: Buffer; readonly count: number } | null
}

/** Opens the masking of one target's stream: it remembers the end of a message that comes in several pieces. */
export const openSecretMask = (): SecretMask => {
  let tail: Buffer = Buffer.alloc(0)
  /** The latest search, and where each secret stands next in its buffer: rows of one buffer are not searched to its end each. */
  let searched: SecretBytes | null = null
  let searchedBuffer: Buffer | null = null
  let searchedFrom = 0
  let nexts: number[] = []

  const stands = (secrets: SecretBytes, buffer: Buffer, start: number, end: number): boolean => {
    if (searched !== secrets || searchedBuffer !== buffer || start < searchedFrom)
      nexts = secrets.needles.map(() => -1)
    searched = secrets
    searchedBuffer = buffer
    searchedFrom = start
    return secrets.needles.some((needle, index) => {
      if (nexts[index]! < start) {
        const next = buffer.indexOf(needle, start)
        nexts[index] = next === -1 ? Number.POSITIVE_INFINITY : next
      }
      return nexts[index]! < end
    })
  }

  return {
    mask: (secrets, { type, buffer, start, end, first, last }) => {
      if (first && last && !stands(secrets, buffer, start, end)) {
        tail = Buffer.alloc(0)
        return null
      }
      const before = first ? Buffer.alloc(0) : tail
      const source = Buffer.concat([before, buffer.subarray(start, end)])
      const body = first ? Math.min(header_bytes, source.length) : 0
      const ranges =
        first && last ? valueRanges(type, source, body, source.length) : [body, source.length]
      const longest = secrets.needles.reduce((most, { length }) => Math.max(most, length), 0)
      tail = last
        ? Buffer.alloc(0)
        : Buffer.from(source.subarray(Math.max(body, source.length - longest + 1)))
      const masked = Buffer.from(source)
      let count = 0
      for (let i = 0; i < ranges.length; i += 2) {
        const to = ranges[i + 1]!
        for (const needle of secrets.needles) {
          for (let at = source.indexOf(needle, ranges[i]); at !== -1 && at + needle.length <= to;) {
            masked.fill(asterisk, at, at + needle.length)
            count++
            at = source.indexOf(needle, at + needle.length)
          }
          if (last) continue
          // It may go on in the next piece.
          const open = begun(source, ranges[i]!, to, needle)
          if (open > 0) {
            masked.fill(asterisk, to - open, to)
            count++
          }
        }
      }
      return count === 0 ? null : { bytes: masked.subarray(before.length), count }
    },
  }
}
