import {
  bytesOf,
  digits,
  indexOf,
  isWord,
  letters,
  runEnd,
  standsAt,
  type Detector,
  type Found,
} from '../detector.ts'

/** Keys of clouds, and private keys: each begins with letters of its own. */

const capitals = bytesOf(`ABCDEFGHIJKLMNOPQRSTUVWXYZ${digits}`)
const base64 = bytesOf(`${letters}${digits}+/=`)
const base64url = bytesOf(`${letters}${digits}_-`)
const between = bytesOf(`"'=:> \t`)

/** A beginning and how many bytes of a table follow it. */
type Shape = {
  readonly begins: string
  readonly table: Uint8Array
  readonly min: number
  readonly max: number
}

const findShapes =
  (shapes: readonly Shape[]) =>
  (bytes: Uint8Array, start: number, end: number, found: Found): void => {
    for (const { begins, table, min, max } of shapes)
      for (let at = indexOf(bytes, start, end, begins); at !== -1;) {
        const from = at + begins.length
        const stop = runEnd(bytes, from, end, table)
        const fits = stop - from >= min && stop - from <= max
        const free = at === start || !isWord(bytes[at - 1])
        if (fits && free) found(at, stop)
        at = indexOf(bytes, fits ? stop : from, end, begins)
      }
  }

/** Prefixes of access keys (IAM identifiers: access key, temporary key, bearer token, context credential). */
const aws_prefixes = ['AKIA', 'ASIA', 'ABIA', 'ACCA']
/** A secret key has no form of its own: 40 characters after its name in a file or a document. */
const aws_names = ['secret_access_key', 'secretAccessKey', 'SecretAccessKey', 'SECRET_ACCESS_KEY']
const aws_secret_chars = 40

const awsIds = findShapes(
  aws_prefixes.map((begins) => ({ begins, table: capitals, min: 16, max: 16 })),
)

export const awsKey: Detector = {
  name: 'aws_key',
  needles: aws_prefixes.concat(aws_names),
  digits_min: 0,
  numbers: false,
  find: (bytes, start, end, found) => {
    awsIds(bytes, start, end, found)
    for (const name of aws_names)
      for (let at = indexOf(bytes, start, end, name); at !== -1;) {
        const from = runEnd(bytes, at + name.length, end, between)
        const stop = runEnd(bytes, from, end, base64)
        if (stop - from === aws_secret_chars) found(from, stop)
        at = indexOf(bytes, Math.max(from, stop), end, name)
      }
  },
}

const gcp_shapes: readonly Shape[] = [
  { begins: 'AIza', table: base64url, min: 35, max: 35 },
  { begins: 'ya29.', table: bytesOf(`${letters}${digits}_.-`), min: 20, max: 4096 },
  { begins: 'GOCSPX-', table: base64url, min: 24, max: 40 },
]

/** API keys, access tokens of OAuth, secrets of OAuth clients. A service account's key is a private key. */
export const gcpKey: Detector = {
  name: 'gcp_key',
  needles: gcp_shapes.map(({ begins }) => begins),
  digits_min: 0,
  numbers: false,
  find: findShapes(gcp_shapes),
}

const begin = '-----BEGIN '
const key = 'PRIVATE KEY'
const close = '-----END '
const dashes = '-----'
const label_chars_max = 64

/** Textual keys (RFC 7468; OpenSSH, PGP and older PEM alike). One without an end runs to the end of the value. */
export const privateKey: Detector = {
  name: 'private_key',
  needles: [begin],
  digits_min: 0,
  numbers: false,
  find: (bytes, start, end, found) => {
    for (let at = indexOf(bytes, start, end, begin); at !== -1;) {
      const label_end = Math.min(end, at + begin.length + label_chars_max)
      const label = indexOf(bytes, at + begin.length, label_end, key)
      if (label === -1) {
        at = indexOf(bytes, at + begin.length, end, begin)
        continue
      }
      const last = indexOf(bytes, label, end, close)
      let stop = end
      if (last !== -1) {
        stop = last + close.length
        while (stop < end && !standsAt(bytes, stop, end, dashes)) stop++
        stop = Math.min(end, stop + dashes.length)
      }
      found(at, stop)
      at = indexOf(bytes, stop, end, begin)
    }
  },
}
