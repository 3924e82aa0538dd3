import { decodeBinary } from '../postgres/binary-values.ts'
import { keyedHash, maskedText, redacted, shown_hash_digits, type Method } from './method.ts'

/**
 * Whole values masked so that they stay values of their type, in text and in binary. Types by their OIDs in pg_type, which never change.
 *
 * | type                                      | redact           | partial          | hash                             | null |
 * | ----------------------------------------- | ---------------- | ---------------- | -------------------------------- | ---- |
 * | text, varchar, char(n), name, xml         | `[masked]`       | both ends, `***` | 32 hex digits                    | NULL |
 * | "char"                                    | `*`              | `*`              | `*`                              | NULL |
 * | json, jsonb                               | `"[masked]"`     | `"[masked]"`     | a JSON string of 32 hex digits   | NULL |
 * | smallint, integer, bigint, numeric, float | 0                | 0                | a positive number of its range   | NULL |
 * | oid, xid, cid, money                      | 0                | 0                | 0                                | NULL |
 * | uuid                                      | zeros            | zeros            | a UUID, version 8                | NULL |
 * | bytea                                     | `[masked]`       | `[masked]`       | 16 bytes                         | NULL |
 * | arrays of all these                       | `{}`             | `{}`             | NULL                             | NULL |
 * | everything else                           | NULL             | NULL             | NULL                             | NULL |
 *
 * Hashes are of the value as text, so that both formats, and columns of different types with equal texts, agree.
 */
export type ValueKind =
  | 'text'
  | 'char'
  | 'json'
  | 'jsonb'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'numeric'
  | 'float4'
  | 'float8'
  | 'int4_like'
  | 'int8_like'
  | 'uuid'
  | 'bytea'
  | 'array'
  | 'other'

const kinds = new Map<number, ValueKind>([
  [17, 'bytea'],
  [18, 'char'],
  [19, 'text'],
  [20, 'int8'],
  [21, 'int2'],
  [23, 'int4'],
  [25, 'text'],
  [26, 'int4_like'],
  [28, 'int4_like'],
  [29, 'int4_like'],
  [114, 'json'],
  [142, 'text'],
  [700, 'float4'],
  [701, 'float8'],
  [705, 'text'],
  [790, 'int8_like'],
  [1042, 'text'],
  [1043, 'text'],
  [1700, 'numeric'],
  [2275, 'text'],
  [2950, 'uuid'],
  [3802, 'jsonb'],
])

/** Array types of pg_catalog to the OID of their elements. */
export const array_elements: ReadonlyMap<number, number> = new Map([
  [143, 142],
  [199, 114],
  [791, 790],
  [1001, 17],
  [1002, 18],
  [1003, 19],
  [1005, 21],
  [1007, 23],
  [1009, 25],
  [1014, 1042],
  [1015, 1043],
  [1016, 20],
  [1021, 700],
  [1022, 701],
  [1028, 26],
  [1231, 1700],
  [2951, 2950],
  [3807, 3802],
])

/** What kind of value a type has, as far as masking it goes. */
export const kindOf = (oid: number): ValueKind =>
  kinds.get(oid) ?? (array_elements.has(oid) ? 'array' : 'other')

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1')

/** A UUID of version 8 (RFC 9562, section 5.8) of a hash's first bytes. */
const uuidOf = (hash: string): Buffer => {
  const bytes = Buffer.from(hash.slice(0, 32), 'hex')
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes
}

const uuidText = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')

/** numeric on the wire: digits of base 10,000, weight of the first, sign, scale (numeric_send). */
const numericBytes = (value: bigint): Buffer => {
  const digits: number[] = []
  for (let rest = value; rest > 0n; rest /= 10_000n) digits.unshift(Number(rest % 10_000n))
  const bytes = Buffer.alloc(8 + digits.length * 2)
  bytes.writeInt16BE(digits.length, 0)
  bytes.writeInt16BE(Math.max(0, digits.length - 1), 2)
  digits.forEach((digit, index) => bytes.writeInt16BE(digit, 8 + index * 2))
  return bytes
}

/** Bits of a hash that a number holds; of a float those that it prints as a whole number. */
const number_bits = {
  int2: 15,
  int4: 31,
  int8: 63,
  numeric: 59,
  float4: 19,
  float8: 49,
} as const

type NumberKind = keyof typeof number_bits

const numberBytes = (kind: NumberKind, value: bigint, binary: boolean): Buffer => {
  if (!binary) return latin1(String(value))
  if (kind === 'numeric') return numericBytes(value)
  const bytes = Buffer.alloc(kind === 'int2' ? 2 : kind === 'int4' || kind === 'float4' ? 4 : 8)
  if (kind === 'int2') bytes.writeInt16BE(Number(value))
  else if (kind === 'int4') bytes.writeInt32BE(Number(value))
  else if (kind === 'int8') bytes.writeBigInt64BE(value)
  else if (kind === 'float4') bytes.writeFloatBE(Number(value))
  else bytes.writeDoubleBE(Number(value))
  return bytes
}

const jsonVersion = Buffer.from([1])

const jsonBytes = (kind: 'json' | 'jsonb', text: string, binary: boolean): Buffer => {
  const bytes = Buffer.from(JSON.stringify(text), 'latin1')
  return kind === 'jsonb' && binary ? Buffer.concat([jsonVersion, bytes]) : bytes
}

/** No dimensions, no NULLs, type of the elements (array_send). */
const emptyArray = (element: number): Buffer => {
  const bytes = Buffer.alloc(12)
  bytes.writeInt32BE(element, 8)
  return bytes
}

/** The value without what it is: for `redact`, and for `partial` where a part means nothing. Null: NULL. */
const plain = (kind: ValueKind, oid: number, binary: boolean): Buffer | null => {
  switch (kind) {
    case 'text':
      return latin1(redacted)
    case 'char':
      return latin1('*')
    case 'json':
    case 'jsonb':
      return jsonBytes(kind, redacted, binary)
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'float4':
    case 'float8':
      return numberBytes(kind, 0n, binary)
    case 'int4_like':
      return binary ? Buffer.alloc(4) : latin1('0')
    case 'int8_like':
      return binary ? Buffer.alloc(8) : latin1('0')
    case 'uuid':
      return binary ? Buffer.alloc(16) : latin1(uuidText(Buffer.alloc(16)))
    case 'bytea':
      return latin1(binary ? redacted : `\\x${Buffer.from(redacted).toString('hex')}`)
    case 'array':
      return binary ? emptyArray(array_elements.get(oid) ?? 0) : latin1('{}')
    default:
      return null
  }
}

const hashed = (kind: ValueKind, hash: string, binary: boolean): Buffer | null => {
  const shown = hash.slice(0, shown_hash_digits)
  switch (kind) {
    case 'json':
    case 'jsonb':
      return jsonBytes(kind, shown, binary)
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'float4':
    case 'float8':
      return numberBytes(
        kind,
        BigInt.asUintN(number_bits[kind], BigInt(`0x${hash.slice(0, 16)}`)),
        binary,
      )
    case 'uuid':
      return binary ? uuidOf(hash) : latin1(uuidText(uuidOf(hash)))
    case 'bytea':
      return binary ? Buffer.from(shown, 'hex') : latin1(`\\x${shown}`)
    default:
      return null
  }
}

/** Kinds that are too small for a hash, or internal to the server. */
const unhashed = new Set<ValueKind>(['char', 'int4_like', 'int8_like'])

/** Masks one whole value: its bytes on the wire in, the masked ones out, null for NULL. */
export type MaskValue = (value: Buffer) => Buffer | null

/** What every value becomes, where that does not depend on the value: null for NULL. Undefined: it does. */
export const fixedMask = (
  method: Method,
  oid: number,
  binary: boolean,
): Buffer | null | undefined => {
  if (method.kind === 'null') return null
  const kind = kindOf(oid)
  if (method.kind === 'hash' && !unhashed.has(kind)) return undefined
  return method.kind === 'partial' && kind === 'text' ? undefined : plain(kind, oid, binary)
}

/** The masking of a column's values, all of one type and format. */
export const valueMask = (method: Method, oid: number, binary: boolean): MaskValue => {
  const fixed = fixedMask(method, oid, binary)
  if (fixed !== undefined) return () => fixed
  const kind = kindOf(oid)
  if (kind === 'text' || method.kind !== 'hash') return (value) => maskedText(method, value)
  const { key } = method
  return (value) =>
    hashed(
      kind,
      keyedHash(key, binary ? Buffer.from(decodeBinary(value, oid), 'utf8') : value),
      binary,
    )
}
