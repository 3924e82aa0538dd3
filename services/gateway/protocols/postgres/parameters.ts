/**
 * Bound parameters as text: what stands on the wire, decoded by the type the statement gives it. Text format needs the client's encoding
 * only; binary format is decoded for the types drivers send (section "Data Types", the `*recv` functions of PostgreSQL), anything else
 * is shown as bytes in hex.
 */

/** Reads the client's text encoding. */
export type TextReader = (buffer: Buffer, start: number, end: number) => string

type BinaryDecoder = (bytes: Buffer, read: TextReader) => string | null

const hex = (bytes: Buffer): string => `\\x${bytes.toString('hex')}`

const asText: BinaryDecoder = (bytes, read) => read(bytes, 0, bytes.length)

/** Exactly as long as the type is, or not decoded. */
const sized =
  (length: number, decode: (bytes: Buffer) => string): BinaryDecoder =>
  (bytes) =>
    bytes.length === length ? decode(bytes) : null

/**
 * As PostgreSQL prints floats: the shortest digits that are this value, with an exponent below 1e-4 and from `exponent_min` on
 * (15 for 8 bytes, 6 for 4), NaN and Infinity by name.
 */
const float = (value: number, shortest: string, exponent_min: number): string => {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa = '', power = ''] = shortest.split('e')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= exponent_min) {
    const digits = String(Math.abs(exponent)).padStart(2, '0')
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`
  }
  const fraction = Math.max(0, mantissa.replace(/^-?\d\.?/, '').length - exponent)
  return Number(shortest).toFixed(fraction)
}

const float8 = (value: number): string => float(value, value.toExponential(), 15)

const float4 = (value: number): string => {
  for (let digits = 0; digits < 9; digits++) {
    const short = value.toExponential(digits)
    if (Math.fround(Number(short)) === value) return float(value, short, 6)
  }
  return float(value, value.toExponential(), 6)
}

const uuid = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

/** Days from 1970-01-01 to PostgreSQL's day zero, 2000-01-01. */
const epoch_days = 10_957
const day_us = 86_400_000_000n

const two = (value: number): string => String(value).padStart(2, '0')

const date = (days: number): string | null => {
  if (days === 0x7fff_ffff) return 'infinity'
  if (days === -0x8000_0000) return '-infinity'
  const ms = (days + epoch_days) * 86_400_000
  if (Math.abs(ms) > 8.64e15) return null
  const at = new Date(ms)
  const year = at.getUTCFullYear()
  const shown = year > 0 ? String(year).padStart(4, '0') : String(1 - year).padStart(4, '0')
  const era = year > 0 ? '' : ' BC'
  return `${shown}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}${era}`
}

const time = (us: bigint): string => {
  const seconds = Number(us / 1_000_000n)
  const micros = Number(us % 1_000_000n)
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0').replace(/0+$/, '')}`
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${fraction}`
}

const timestamp =
  (zone: string) =>
  (bytes: Buffer): string | null => {
    if (bytes.length !== 8) return null
    const us = bytes.readBigInt64BE(0)
    if (us === 0x7fff_ffff_ffff_ffffn) return 'infinity'
    if (us === -0x8000_0000_0000_0000n) return '-infinity'
    let days = us / day_us
    let rest = us % day_us
    if (rest < 0n) {
      rest += day_us
      days -= 1n
    }
    const day = date(Number(days))
    if (day === null) return null
    const era = day.endsWith(' BC')
    return `${era ? day.slice(0, -3) : day} ${time(rest)}${zone}${era ? ' BC' : ''}`
  }

/** Base-10,000 digits: ndigits, weight, sign, dscale, digits (numeric_send). */
const numeric = (bytes: Buffer): string | null => {
  if (bytes.length < 8) return null
  const count = bytes.readUInt16BE(0)
  const weight = bytes.readInt16BE(2)
  const sign = bytes.readUInt16BE(4)
  const scale = bytes.readUInt16BE(6)
  if (sign === 0xc000) return 'NaN'
  if (sign === 0xd000) return 'Infinity'
  if (sign === 0xf000) return '-Infinity'
  if (bytes.length !== 8 + count * 2 || (sign !== 0 && sign !== 0x4000)) return null
  const digit = (i: number): string =>
    String(i >= 0 && i < count ? bytes.readUInt16BE(8 + i * 2) : 0).padStart(4, '0')
  let whole = ''
  for (let i = 0; i <= weight; i++) whole += digit(i)
  let fraction = ''
  for (let i = weight + 1; fraction.length < scale; i++) fraction += digit(i)
  const integer = whole.replace(/^0+(?=\d)/, '')
  const text = `${integer === '' ? '0' : integer}${scale > 0 ? `.${fraction.slice(0, scale)}` : ''}`
  return sign === 0x4000 ? `-${text}` : text
}

const decoders = new Map<number, BinaryDecoder>([
  [16, sized(1, (bytes) => (bytes[0] === 0 ? 'f' : 't'))],
  [17, hex],
  [18, asText],
  [19, asText],
  [20, sized(8, (bytes) => String(bytes.readBigInt64BE(0)))],
  [21, sized(2, (bytes) => String(bytes.readInt16BE(0)))],
  [23, sized(4, (bytes) => String(bytes.readInt32BE(0)))],
  [25, asText],
  [26, sized(4, (bytes) => String(bytes.readUInt32BE(0)))],
  [114, asText],
  [142, asText],
  [700, sized(4, (bytes) => float4(bytes.readFloatBE(0)))],
  [701, sized(8, (bytes) => float8(bytes.readDoubleBE(0)))],
  [705, asText],
  [1042, asText],
  [1043, asText],
  [1082, (bytes) => (bytes.length === 4 ? date(bytes.readInt32BE(0)) : null)],
  [
    1083,
    (bytes) => {
      const us = bytes.length === 8 ? bytes.readBigInt64BE(0) : -1n
      return us < 0n || us > day_us ? null : time(us)
    },
  ],
  [1114, timestamp('')],
  [1184, timestamp('+00')],
  [1700, numeric],
  [2950, sized(16, uuid)],
  [
    3802,
    (bytes, read) => (bytes.length > 0 && bytes[0] === 1 ? read(bytes, 1, bytes.length) : null),
  ],
])

/** Array type to element type, for the arrays drivers send. */
const elements = new Map<number, number>([
  [1000, 16],
  [1001, 17],
  [1005, 21],
  [1007, 23],
  [1016, 20],
  [1009, 25],
  [1015, 1043],
  [1014, 1042],
  [1021, 700],
  [1022, 701],
  [1115, 1114],
  [1182, 1082],
  [1185, 1184],
  [1231, 1700],
  [1028, 26],
  [2951, 2950],
  [199, 114],
  [3807, 3802],
])

const quoteElement = (text: string): string =>
  text === '' || /[\s{}",\\]/.test(text) || text.toLowerCase() === 'null'
    ? `"${text.replace(/["\\]/g, '\\$&')}"`
    : text

/** One-dimensional arrays: ndim, flags, element type, (length, lower bound), elements (array_send). */
const array = (bytes: Buffer, element: number, read: TextReader): string | null => {
  if (bytes.length < 12) return null
  const dimensions = bytes.readInt32BE(0)
  if (dimensions === 0) return '{}'
  if (dimensions !== 1 || bytes.length < 20 || bytes.readInt32BE(8) !== element) return null
  const count = bytes.readInt32BE(12)
  const decode = decoders.get(element)
  if (decode === undefined || bytes.readInt32BE(16) !== 1) return null
  const texts: string[] = []
  let at = 20
  for (let i = 0; i < count; i++) {
    if (at + 4 > bytes.length) return null
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < 0) texts.push('NULL')
    else {
      if (at + length > bytes.length) return null
      const text = decode(bytes.subarray(at, at + length), read)
      if (text === null) return null
      texts.push(quoteElement(text))
      at += length
    }
  }
  return at === bytes.length ? `{${texts.join(',')}}` : null
}

/**
 * A binary value as text, or hex with a leading `\x` when its type is not known here or the bytes do not fit it.
 * @param oid  type OID, 0 if unknown
 * @param read the client's text encoding
 */
export const decodeBinary = (bytes: Buffer, oid: number, read: TextReader): string => {
  const element = elements.get(oid)
  const text =
    element === undefined ? (decoders.get(oid)?.(bytes, read) ?? null) : array(bytes, element, read)
  return text ?? hex(bytes)
}
