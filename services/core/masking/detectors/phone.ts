import { isDigit, isWord, type Detector } from '../detector.ts'

/**
 * Phone numbers: international with a plus (ITU-T E.164, 8 to 15 digits, single blanks, dots, dashes, slashes and brackets between them), and those of
 * North America as they are written there: `(212) 555-0123`, `212-555-0123`, `212.555.0123`. Bare digits say nothing.
 */
const digits_min = 8
const digits_max = 15
const chars_max = 24

const isBetween = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x2d || byte === 0x2e || byte === 0x2f || byte === 0x28 || byte === 0x29

/** `+` and digits. */
const internationalEnd = (bytes: Uint8Array, start: number, end: number): number => {
  let count = 0
  let stop = -1
  let marks = 0
  const last = Math.min(end, start + chars_max)
  for (let at = start + 1; at < last; at++) {
    if (isDigit(bytes[at])) {
      count++
      marks = 0
      stop = at + 1
    } else if (isBetween(bytes[at]) && ++marks <= 2 && count > 0) continue
    else break
  }
  const whole = stop === end || !isWord(bytes[stop])
  return count >= digits_min && count <= digits_max && whole ? stop : -1
}

const areDigits = (bytes: Uint8Array, start: number, count: number): boolean => {
  for (let at = start; at < start + count; at++) if (!isDigit(bytes[at])) return false
  return true
}

/** Area code and exchange begin with 2 to 9 (NANP). */
const begins = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 0x32 && byte <= 0x39

/** Length of a North American number at a place, 0 if there is none. */
const americanLength = (bytes: Uint8Array, at: number, end: number): number => {
  const open = bytes[at] === 0x28
  const area = open ? at + 1 : at
  let next = area + 3
  if (!areDigits(bytes, area, 3) || !begins(bytes[area])) return 0
  let mark = 0x2d
  if (open) {
    if (bytes[next] !== 0x29) return 0
    next += bytes[next + 1] === 0x20 ? 2 : 1
  } else {
    mark = bytes[next]!
    if (mark !== 0x2d && mark !== 0x2e) return 0
    next++
  }
  const stop = next + 8
  const fits =
    stop <= end &&
    areDigits(bytes, next, 3) &&
    begins(bytes[next]) &&
    bytes[next + 3] === mark &&
    areDigits(bytes, next + 4, 4)
  return fits && (stop === end || !isWord(bytes[stop])) ? stop - at : 0
}

export const phone: Detector = {
  name: 'phone',
  needles: [],
  digits_min,
  numbers: false,
  find: (bytes, start, end, found) => {
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!
      const plus = byte === 0x2b
      if (!plus && byte !== 0x28 && !isDigit(byte)) continue
      const before = at > start ? bytes[at - 1] : undefined
      const free = plus ? !isDigit(before) : !isWord(before) && before !== 0x2d && before !== 0x2e
      const length = !free
        ? 0
        : plus
          ? Math.max(0, internationalEnd(bytes, at, end) - at)
          : americanLength(bytes, at, end)
      if (length > 0) {
        found(at, at + length)
        at += length - 1
      } else if (isDigit(byte)) while (isDigit(bytes[at + 1]) && at + 1 < end) at++
    }
  },
}
