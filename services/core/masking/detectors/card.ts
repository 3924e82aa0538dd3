import { isDigit, isWord, type Detector } from '../detector.ts'

/**
 * Payment card numbers (ISO/IEC 7812-1): 12 to 19 digits, one blank or dash between groups allowed, first digits of a known network, check
 * digit by Luhn's algorithm (annex B). A run of digits that is longer, or part of a word, is none.
 */
const digits_min = 13
const digits_max = 19

/** First digit(s) and lengths of the networks: Visa, Mastercard, American Express, Diners, Discover, JCB, UnionPay, Maestro. */
const ofNetwork = (first: number, count: number): boolean => {
  const two = Math.floor(first / 100)
  const three = Math.floor(first / 10)
  if (two >= 40 && two <= 49) return count === 13 || count === 16 || count === 19
  if ((two >= 51 && two <= 55) || (first >= 2221 && first <= 2720)) return count === 16
  if (two === 34 || two === 37) return count === 15
  if ((three >= 300 && three <= 305) || two === 36 || two === 38 || two === 39)
    return count >= 14 && count <= 19
  if (two === 35 || two === 64 || two === 65 || first === 6011) return count >= 16
  if (two === 62 || two === 81) return count >= 16
  return two === 50 || (two >= 56 && two <= 69) ? count >= 13 : false
}

const number = new Uint8Array(digits_max)

const luhn = (count: number): boolean => {
  let sum = 0
  for (let i = count - 1, double = false; i >= 0; i--, double = !double) {
    const digit = number[i]!
    sum += double ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit
  }
  return sum % 10 === 0
}

const isCard = (count: number): boolean =>
  count >= digits_min &&
  ofNetwork(number[0]! * 1000 + number[1]! * 100 + number[2]! * 10 + number[3]!, count) &&
  luhn(count)

const isSeparator = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x2d

/** End of the longest card number that begins with the group at `start`, or -1. */
const cardEnd = (bytes: Uint8Array, start: number, end: number): number => {
  let count = 0
  let best = -1
  for (let at = start; at < end;) {
    while (at < end && isDigit(bytes[at])) {
      if (count === digits_max) return best
      number[count++] = bytes[at++]! - 0x30
    }
    if (!isWord(bytes[at]) || at === end) {
      if (isCard(count)) best = at
    } else return best
    if (!(isSeparator(bytes[at]) && at + 1 < end && isDigit(bytes[at + 1]))) return best
    at++
  }
  return best
}

export const card: Detector = {
  name: 'card',
  needles: [],
  digits_min,
  numbers: true,
  find: (bytes, start, end, found) => {
    for (let at = start; at < end;) {
      if (!isDigit(bytes[at])) {
        at++
        continue
      }
      const free = at === start || !isWord(bytes[at - 1])
      const stop = free ? cardEnd(bytes, at, end) : -1
      if (stop !== -1) {
        found(at, stop)
        at = stop
      } else while (at < end && isDigit(bytes[at])) at++
    }
  },
}
