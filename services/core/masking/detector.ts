/**
 * Finds sensitive values in bytes. Works on the client's encoding as it is: every encoding that the gateway speaks agrees with ASCII below
 * 0x80, and everything looked for here is ASCII. Detectors never decode a value, and take time in proportion to its length.
 */

/** Told of each find: first byte and the one behind the last, within the range that was asked for. */
export type Found = (start: number, end: number) => void

export type Detector = {
  /** Stands in rules and records. */
  readonly name: string
  /** One of these stands in every find; none: `digits_min` decides, or every value is looked at. */
  readonly needles: readonly string[]
  /** A find holds at least so many digits. */
  readonly digits_min: number
  /** Numbers of the database can be a find, not only texts. */
  readonly numbers: boolean
  /** Looks at the bytes from `start` to `end`. */
  readonly find: (bytes: Uint8Array, start: number, end: number, found: Found) => void
}

/** Bits of a byte's class. */
export const is = { digit: 1, upper: 2, lower: 4, letter: 6, word: 7, wide: 8 } as const

/** Classes of bytes: `is` bits; `wide` for everything beyond ASCII. */
export const classes = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  if (byte >= 0x30 && byte <= 0x39) classes[byte] = is.digit
  else if (byte >= 0x41 && byte <= 0x5a) classes[byte] = is.upper
  else if (byte >= 0x61 && byte <= 0x7a) classes[byte] = is.lower
  else if (byte >= 0x80) classes[byte] = is.wide
}

export const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 0x30 && byte <= 0x39

/** Letter, digit or part of a character beyond ASCII: what a find must not touch, or it is a piece of something longer. */
export const isWord = (byte: number | undefined): boolean =>
  byte !== undefined && classes[byte] !== 0

/** A set of bytes as a table. */
export const bytesOf = (characters: string): Uint8Array => {
  const table = new Uint8Array(256)
  for (const character of characters) table[character.charCodeAt(0)] = 1
  return table
}

export const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
export const digits = '0123456789'

/** End of the run of bytes of a table. */
export const runEnd = (
  bytes: Uint8Array,
  start: number,
  end: number,
  table: Uint8Array,
): number => {
  let at = start
  while (at < end && table[bytes[at]!] === 1) at++
  return at
}

/** Whether the ASCII text stands at a place. */
export const standsAt = (bytes: Uint8Array, at: number, end: number, text: string): boolean => {
  if (at + text.length > end) return false
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

/** First place of an ASCII text in a range, or -1. */
export const indexOf = (bytes: Uint8Array, start: number, end: number, text: string): number => {
  const first = text.charCodeAt(0)
  for (let at = start; at + text.length <= end; at++)
    if (bytes[at] === first && standsAt(bytes, at, end, text)) return at
  return -1
}
