import { isDigit, isWord, type Detector } from '../detector.ts'

/**
 * Social security numbers of the United States, written with dashes or blanks: area, group, serial. Numbers that are never issued (area 000, 666
 * and from 900 on, group 00, serial 0000) are none. Nine bare digits say nothing: a rule for the column is for those.
 */
const length = 11

const at3 = (bytes: Uint8Array, at: number): number =>
  bytes[at]! * 100 + bytes[at + 1]! * 10 + bytes[at + 2]! - 0x30 * 111

const fits = (bytes: Uint8Array, at: number): boolean => {
  const mark = bytes[at + 3]
  if ((mark !== 0x2d && mark !== 0x20) || bytes[at + 6] !== mark) return false
  for (let i = 0; i < length; i++) if (i !== 3 && i !== 6 && !isDigit(bytes[at + i])) return false
  const area = at3(bytes, at)
  if (area === 0 || area === 666 || area >= 900) return false
  if (bytes[at + 4] === 0x30 && bytes[at + 5] === 0x30) return false
  return !(at3(bytes, at + 7) === 0 && bytes[at + 10] === 0x30)
}

export const usSsn: Detector = {
  name: 'us_ssn',
  needles: [],
  digits_min: 9,
  numbers: false,
  find: (bytes, start, end, found) => {
    for (let at = start; at + length <= end; at++) {
      if (!isDigit(bytes[at])) continue
      const stop = at + length
      const before = at > start ? bytes[at - 1] : undefined
      const free = !isWord(before) && before !== 0x2d
      if (free && fits(bytes, at) && (stop === end || !isWord(bytes[stop]))) {
        found(at, stop)
        at = stop
      } else while (at < end && isDigit(bytes[at])) at++
    }
  },
}
