import { addressText, macaddrText, uuidText } from './binary-addresses.ts'
import { bitsText, float4Text, float8Text, numericText } from './binary-numbers.ts'
import { dateText, intervalText, timestampText, timetzText, timeText } from './binary-times.ts'

/** Reads text in the client's encoding. */
export type TextReader = (bytes: Buffer, start: number, end: number) => string

type Decoder = (bytes: Buffer, read: TextReader) => string | undefined

/** `length`: every value of the type has that many bytes; absent where they differ. */
type Type = {
  readonly oid: number
  readonly array: number
  readonly length?: number
  readonly decode: Decoder
}

const readUtf8: TextReader = (bytes, start, end) => bytes.toString('utf8', start, end)

const text: Decoder = (bytes, read) => read(bytes, 0, bytes.length)
const hex = (bytes: Buffer): string => `\\x${bytes.toString('hex')}`

/** One byte; none for zero, octal outside of ASCII. */
const char = (bytes: Buffer): string => {
  const byte = bytes[0] ?? 0
  if (byte === 0) return ''
  return byte < 0x80 ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`
}

/** A version byte, always 1, then the text. */
const jsonb: Decoder = (bytes, read) => (bytes[0] === 1 ? read(bytes, 1, bytes.length) : undefined)

/** Types by their OIDs in pg_type, which never change. */
const types: readonly Type[] = [
  { oid: 16, array: 1000, length: 1, decode: (bytes) => (bytes[0] === 0 ? 'f' : 't') },
  { oid: 17, array: 1001, decode: hex },
  { oid: 18, array: 1002, length: 1, decode: char },
  { oid: 19, array: 1003, decode: text },
  { oid: 20, array: 1016, length: 8, decode: (bytes) => String(bytes.readBigInt64BE(0)) },
  { oid: 21, array: 1005, length: 2, decode: (bytes) => String(bytes.readInt16BE(0)) },
  { oid: 23, array: 1007, length: 4, decode: (bytes) => String(bytes.readInt32BE(0)) },
  { oid: 25, array: 1009, decode: text },
  { oid: 26, array: 1028, length: 4, decode: (bytes) => String(bytes.readUInt32BE(0)) },
  { oid: 28, array: 1011, length: 4, decode: (bytes) => String(bytes.readUInt32BE(0)) },
  { oid: 29, array: 1012, length: 4, decode: (bytes) => String(bytes.readUInt32BE(0)) },
  { oid: 114, array: 199, decode: text },
  { oid: 142, array: 143, decode: text },
  { oid: 650, array: 651, decode: addressText },
  { oid: 700, array: 1021, length: 4, decode: (bytes) => float4Text(bytes.readFloatBE(0)) },
  { oid: 701, array: 1022, length: 8, decode: (bytes) => float8Text(bytes.readDoubleBE(0)) },
  { oid: 705, array: 0, decode: text },
  { oid: 774, array: 775, length: 8, decode: macaddrText },
  { oid: 829, array: 1040, length: 6, decode: macaddrText },
  { oid: 869, array: 1041, decode: addressText },
  { oid: 1042, array: 1014, decode: text },
  { oid: 1043, array: 1015, decode: text },
  { oid: 1082, array: 1182, length: 4, decode: dateText },
  { oid: 1083, array: 1183, length: 8, decode: timeText },
  { oid: 1114, array: 1115, length: 8, decode: timestampText('') },
  { oid: 1184, array: 1185, length: 8, decode: timestampText('+00') },
  { oid: 1186, array: 1187, length: 16, decode: intervalText },
  { oid: 1266, array: 1270, length: 12, decode: timetzText },
  { oid: 1560, array: 1561, decode: bitsText },
  { oid: 1562, array: 1563, decode: bitsText },
  { oid: 1700, array: 1231, decode: numericText },
  { oid: 2950, array: 2951, length: 16, decode: uuidText },
  { oid: 3802, array: 3807, decode: jsonb },
  { oid: 5069, array: 271, length: 8, decode: (bytes) => String(bytes.readBigUInt64BE(0)) },
]

const scalars = new Map(types.map((type) => [type.oid, type]))
const arrays = new Map(types.filter(({ array }) => array !== 0).map((type) => [type.array, type]))

const scalar = (type: Type, bytes: Buffer, read: TextReader): string | undefined =>
  type.length === undefined || type.length === bytes.length ? type.decode(bytes, read) : undefined

const quoted = (element: string): string =>
  element === '' || /[\s{}",\\]/.test(element) || element.toLowerCase() === 'null'
    ? `"${element.replace(/["\\]/g, String.raw`\$&`)}"`
    : element

const dimensions_max = 6

type Dimension = { readonly length: number; readonly lower: number }

/** int32 dimensions, int32 has-nulls, int32 element OID; then length and lower bound of each; null when it is none. */
const readDimensions = (bytes: Buffer, element: number): readonly Dimension[] | undefined => {
  if (bytes.length < 12 || bytes.readInt32BE(8) !== element) return undefined
  const count = bytes.readInt32BE(0)
  if (count < 0 || count > dimensions_max || bytes.length < 12 + count * 8) return undefined
  const dimensions: Dimension[] = []
  let elements = 1
  for (let index = 0; index < count; index += 1) {
    const length = bytes.readInt32BE(12 + index * 8)
    dimensions.push({ length, lower: bytes.readInt32BE(16 + index * 8) })
    elements *= length
    // Each element takes four bytes at least.
    if (length < 1 || elements * 4 > bytes.length) return undefined
  }
  return dimensions
}

const readElements = (
  type: Type,
  bytes: Buffer,
  from: number,
  read: TextReader,
): readonly string[] | undefined => {
  const elements: string[] = []
  let at = from
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined
    const length = bytes.readInt32BE(at)
    at += 4
    if (length === -1) elements.push('NULL')
    else {
      if (length < 0 || at + length > bytes.length) return undefined
      const value = scalar(type, bytes.subarray(at, at + length), read)
      if (value === undefined) return undefined
      elements.push(quoted(value))
      at += length
    }
  }
  return elements
}

const nested = (elements: readonly string[], dimensions: readonly Dimension[]): string => {
  const [first, ...rest] = dimensions
  if (!first || rest.length === 0) return `{${elements.join(',')}}`
  const size = elements.length / first.length
  const parts = Array.from({ length: first.length }, (_, index) =>
    nested(elements.slice(index * size, (index + 1) * size), rest),
  )
  return `{${parts.join(',')}}`
}

const array = (type: Type, bytes: Buffer, read: TextReader): string | undefined => {
  const dimensions = readDimensions(bytes, type.oid)
  if (!dimensions) return undefined
  const elements = readElements(type, bytes, 12 + dimensions.length * 8, read)
  const expected = dimensions.length === 0 ? 0 : dimensions.reduce((sum, at) => sum * at.length, 1)
  if (!elements || elements.length !== expected) return undefined
  const bounds = dimensions.some(({ lower }) => lower !== 1)
    ? `${dimensions.map(({ length, lower }) => `[${lower}:${lower + length - 1}]`).join('')}=`
    : ''
  return bounds + nested(elements, dimensions)
}

/**
 * A binary value as PostgreSQL itself would print it (times with zone in UTC), or its bytes in hex after `\x` when the type is not
 * known here or the bytes are not such a value. Never throws; takes time and memory in proportion to the bytes.
 *
 * @param oid  type OID in pg_type, 0 if unknown
 * @param read the client's text encoding, UTF-8 by default
 * @see PostgreSQL, src/backend/utils/adt, the functions named `*send` and `*out`
 */
export const decodeBinary = (bytes: Buffer, oid: number, read: TextReader = readUtf8): string => {
  const type = scalars.get(oid)
  if (type) return scalar(type, bytes, read) ?? hex(bytes)
  const element = arrays.get(oid)
  return (element && array(element, bytes, read)) ?? hex(bytes)
}
