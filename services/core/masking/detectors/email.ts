import {
  bytesOf,
  classes,
  digits,
  is,
  isWord,
  letters,
  runEnd,
  type Detector,
} from '../detector.ts'

/**
 * Addresses as people write them (RFC 5322, section 3.4.1, dot-atom; RFC 6531 for what is beyond ASCII): no quoted local parts, no comments,
 * no address literals.
 *
 *     address = local "@" label *("." label) "." top          local <= 64 bytes, domain <= 253
 */
const local = bytesOf(`${letters}${digits}.!#$%&*+/=?^_\`{|}~-`)
const domain = bytesOf(`${letters}${digits}.-`)
for (let byte = 0x80; byte < 256; byte++) {
  local[byte] = 1
  domain[byte] = 1
}

const local_bytes_max = 64
const at_sign = 0x40
const dot = 0x2e
const dash = 0x2d

/** End of the domain that begins here; -1 if there is none. */
const domainEnd = (bytes: Uint8Array, start: number, end: number): number => {
  let stop = runEnd(bytes, start, end, domain)
  while (stop > start && (bytes[stop - 1] === dot || bytes[stop - 1] === dash)) stop--
  for (let at = start; at + 1 < stop; at++)
    if (bytes[at] === dot && bytes[at + 1] === dot) stop = at
  let top = stop
  while (top > start && bytes[top - 1] !== dot) top--
  if (top <= start + 1 || !isWord(bytes[start])) return -1
  // A top level of two letters at least, or of anything beyond ASCII.
  let count = 0
  for (let at = top; at < stop; at++)
    if ((classes[bytes[at]!]! & (is.letter | is.wide)) !== 0) count++
  return count >= 2 ? stop : -1
}

export const email: Detector = {
  name: 'email',
  needles: ['@'],
  digits_min: 0,
  numbers: false,
  find: (bytes, start, end, found) => {
    let from = start
    for (let at = bytes.indexOf(at_sign, start); at !== -1 && at < end;) {
      let first = at
      const lowest = Math.max(from, at - local_bytes_max)
      while (first > lowest && local[bytes[first - 1]!] === 1) first--
      while (first < at && bytes[first] === dot) first++
      const stop = first === at ? -1 : domainEnd(bytes, at + 1, end)
      if (stop !== -1) {
        found(first, stop)
        from = stop
      }
      at = bytes.indexOf(at_sign, Math.max(at + 1, stop))
    }
  },
}
