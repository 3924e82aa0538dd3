import { bytesOf, digits, indexOf, letters, runEnd, type Detector } from '../detector.ts'

/**
 * JSON Web Tokens in compact form (RFC 7515, section 7.1; RFC 7516 for five parts): a header that is a JSON object, so that its base64url begins
 * with `eyJ`, then two to four more parts. The signature may be empty (`alg` none).
 */
const base64url = bytesOf(`${letters}${digits}_-`)
const header = 'eyJ'
const header_chars_min = 10
const payload_chars_min = 4
const dot = 0x2e
const parts_max = 5

const tokenEnd = (bytes: Uint8Array, start: number, end: number): number => {
  let at = runEnd(bytes, start, end, base64url)
  if (at - start < header_chars_min || bytes[at] !== dot || at >= end) return -1
  const payload = at + 1
  at = runEnd(bytes, payload, end, base64url)
  // The second part of an encrypted token may be empty; a signed one has claims.
  if (at - payload < payload_chars_min && at !== payload) return -1
  if (bytes[at] !== dot || at >= end) return -1
  for (let part = 2; part < parts_max && at < end && bytes[at] === dot; part++)
    at = runEnd(bytes, at + 1, end, base64url)
  return at
}

export const jwt: Detector = {
  name: 'jwt',
  needles: [header],
  digits_min: 0,
  numbers: false,
  find: (bytes, start, end, found) => {
    for (let at = indexOf(bytes, start, end, header); at !== -1;) {
      const inside = at > start && base64url[bytes[at - 1]!] === 1
      const stop = inside ? -1 : tokenEnd(bytes, at, end)
      if (stop !== -1) found(at, stop)
      at = indexOf(bytes, Math.max(at + 1, stop), end, header)
    }
  },
}
