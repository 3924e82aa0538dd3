import { classes, is, isDigit, isWord, type Detector } from '../detector.ts'

/**
 * International bank account numbers (ISO 13616): country, two check digits, the country's own number; together they leave 1 modulo 97
 * (ISO 7064, MOD 97-10). Also in groups of four with blanks, and in lower case.
 */

/** Length by country (SWIFT's IBAN registry). */
const lengths = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18 ' +
    'FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 ' +
    'MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 ' +
    'SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
)

const isLetter = (byte: number | undefined): boolean =>
  byte !== undefined && (classes[byte]! & is.letter) !== 0

const upper = (byte: number): number => ((classes[byte]! & is.lower) === 0 ? byte : byte - 0x20)

/** Adds a character to a remainder: letters count 10 to 35, two digits. */
const added = (remainder: number, byte: number): number =>
  isDigit(byte) ? (remainder * 10 + byte - 0x30) % 97 : (remainder * 100 + upper(byte) - 0x37) % 97

/** End of the number that begins here, or -1. */
const ibanEnd = (bytes: Uint8Array, start: number, end: number): number => {
  const country = String.fromCharCode(upper(bytes[start]!), upper(bytes[start + 1]!))
  const length = lengths.get(country)
  if (length === undefined) return -1
  let remainder = 0
  let count = 0
  let at = start
  for (; count < length; at++) {
    if (at >= end) return -1
    const byte = bytes[at]!
    if (byte === 0x20 && count % 4 === 0 && count > 0) continue
    if (byte >= 0x80 || !isWord(byte)) return -1
    if (count >= 4) remainder = added(remainder, byte)
    count++
  }
  for (let i = 0; i < 4; i++) remainder = added(remainder, bytes[start + i]!)
  return remainder === 1 && (at === end || !isWord(bytes[at])) ? at : -1
}

export const iban: Detector = {
  name: 'iban',
  needles: [],
  digits_min: 8,
  numbers: false,
  find: (bytes, start, end, found) => {
    for (let at = start + 2; at + 13 <= end; at++) {
      if (!isDigit(bytes[at])) continue
      const first = at - 2
      if (!isDigit(bytes[at + 1]) || !isLetter(bytes[first]) || !isLetter(bytes[first + 1]))
        continue
      if (first > start && isWord(bytes[first - 1])) continue
      const stop = ibanEnd(bytes, first, end)
      if (stop === -1) continue
      found(first, stop)
      at = stop
    }
  },
}
