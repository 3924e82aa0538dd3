import { CairnError } from '#lib/error.ts'

/**
 * The Native format as clients of the binary protocol want it over HTTP (clickhouse-go, and with it Grafana's data source, state their revision in
 * `client_protocol_version`). The embedded engine writes the form for revision 0; later revisions differ by a head before each block and a
 * byte before each column's data, which says that the column is written plainly (https://clickhouse.com/docs/interfaces/formats/Native).
 *
 *     block   = [info] columns rows *column           ; info, for a revision above 0: 1, overflow byte, 2, int32 bucket, 0
 *     column  = name type [%x00] data                 ; the byte from revision 54454
 *     counts and the lengths of name and type are varints
 */
const plain_mark_revision = 54_454
const block_info = Buffer.from([1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0])
const plain_mark = Buffer.from([0])

type Place = { at: number }

const cut = (): CairnError =>
  new CairnError('store_unavailable', 'the engine sent a block of Native that ends too early')

const varint = (bytes: Buffer, place: Place): number => {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[place.at++]
    if (byte === undefined) throw cut()
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
  }
}

const skip = (bytes: Buffer, place: Place, count: number): void => {
  place.at += count
  if (place.at > bytes.length) throw cut()
}

const text = (bytes: Buffer, place: Place): string => {
  const length = varint(bytes, place)
  const start = place.at
  skip(bytes, place, length)
  return bytes.toString('utf8', start, place.at)
}

const widths: Readonly<Record<string, number>> = {
  Nothing: 1,
  Bool: 1,
  UInt8: 1,
  Int8: 1,
  Enum8: 1,
  UInt16: 2,
  Int16: 2,
  Enum16: 2,
  Date: 2,
  BFloat16: 2,
  UInt32: 4,
  Int32: 4,
  Float32: 4,
  Date32: 4,
  DateTime: 4,
  IPv4: 4,
  Decimal32: 4,
  UInt64: 8,
  Int64: 8,
  Float64: 8,
  DateTime64: 8,
  Decimal64: 8,
  UInt128: 16,
  Int128: 16,
  UUID: 16,
  IPv6: 16,
  Decimal128: 16,
  UInt256: 32,
  Int256: 32,
  Decimal256: 32,
}

const decimalWidth = (precision: number): number => {
  if (precision <= 9) return 4
  if (precision <= 18) return 8
  return precision <= 38 ? 16 : 32
}

/** Splits a type's arguments at the commas of its own level; quotes may hold anything. */
const typeArguments = (inner: string): readonly string[] => {
  const found: string[] = []
  let depth = 0
  let start = 0
  let quote = ''
  for (let at = 0; at < inner.length; at++) {
    const character = inner[at]!
    if (quote !== '') {
      if (character === '\\') at++
      else if (character === quote) quote = ''
    } else if (character === "'" || character === '`') quote = character
    else if (character === '(') depth++
    else if (character === ')') depth--
    else if (character === ',' && depth === 0) {
      found.push(inner.slice(start, at).trim())
      start = at + 1
    }
  }
  return [...found, inner.slice(start).trim()]
}

/** An element of a tuple is a type, or a name and a type. */
const elementType = (element: string): string =>
  /^(?:`(?:[^`\\]|\\.)*`|[A-Za-z_]\w*)\s+(.*)$/s.exec(element)?.[1] ?? element

/** A type's name and what stands in its parentheses. */
const typeParts = (type: string): { readonly name: string; readonly inner: string } => {
  const open = type.indexOf('(')
  return open < 0
    ? { name: type, inner: '' }
    : { name: type.slice(0, open), inner: type.slice(open + 1, -1) }
}

/** Types whose values a type is made of. */
const elementTypes = ({ name, inner }: ReturnType<typeof typeParts>): readonly string[] => {
  switch (name) {
    case 'Nullable':
    case 'Array':
      return [inner]
    case 'Map':
      return typeArguments(inner)
    case 'Tuple':
      return typeArguments(inner).map(elementType)
    default:
      return []
  }
}

/** Bytes that stand before all data of a column: the version of each dictionary in it. */
const prefixBytes = (type: string): number => {
  const parts = typeParts(type)
  return parts.name === 'LowCardinality'
    ? 8
    : elementTypes(parts).reduce((sum, element) => sum + prefixBytes(element), 0)
}

const uint64 = (bytes: Buffer, place: Place): number => {
  const at = place.at
  skip(bytes, place, 8)
  return Number(bytes.readBigUInt64LE(at))
}

/** Flags with the width of indexes in the low byte, then keys and indexes, each behind its count. */
const skipDictionary = (bytes: Buffer, place: Place, type: string, rows: number): void => {
  if (rows === 0) return
  const index_bytes = 2 ** (uint64(bytes, place) & 0xff)
  const keys = uint64(bytes, place)
  skipColumn(bytes, place, type.replace(/^Nullable\((.*)\)$/s, '$1'), keys)
  skip(bytes, place, uint64(bytes, place) * index_bytes)
}

/** Moves behind the data of `rows` values. Throws CairnError('unusable_input') for a type whose form is not known here. */
const skipColumn = (bytes: Buffer, place: Place, type: string, rows: number): void => {
  const { name, inner } = typeParts(type)
  const width = widths[name] ?? (name.startsWith('Interval') ? 8 : undefined)
  if (width !== undefined) return skip(bytes, place, width * rows)
  switch (name) {
    case 'String':
      for (let row = 0; row < rows; row++) skip(bytes, place, varint(bytes, place))
      return
    case 'FixedString':
      return skip(bytes, place, Number(inner) * rows)
    case 'Decimal':
      return skip(bytes, place, decimalWidth(Number(typeArguments(inner)[0])) * rows)
    case 'Nullable':
      skip(bytes, place, rows)
      return skipColumn(bytes, place, inner, rows)
    case 'Array':
      return skipArray(bytes, place, [inner], rows)
    case 'Map':
      return skipArray(bytes, place, typeArguments(inner), rows)
    case 'Tuple':
      for (const element of typeArguments(inner))
        skipColumn(bytes, place, elementType(element), rows)
      return
    case 'LowCardinality':
      return skipDictionary(bytes, place, inner, rows)
    case 'SimpleAggregateFunction':
      return skipColumn(bytes, place, typeArguments(inner).slice(1).join(', '), rows)
    default:
      throw new CairnError(
        'unusable_input',
        `type ${type.slice(0, 100)} has no form in Native here`,
      )
  }
}

/** Arrays: where each row ends, counted in elements, then the elements; a map is an array of keys and values. */
const skipArray = (bytes: Buffer, place: Place, types: readonly string[], rows: number): void => {
  if (rows === 0) return
  skip(bytes, place, (rows - 1) * 8)
  const elements = uint64(bytes, place)
  for (const type of types) skipColumn(bytes, place, type, elements)
}

/** Rewrites whole blocks of revision 0 for a client of `revision`. */
export const nativeForRevision = (chunk: Uint8Array, revision: number): Buffer => {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
  const place: Place = { at: 0 }
  const parts: Buffer[] = []
  while (place.at < bytes.length) {
    let start = place.at
    const columns = varint(bytes, place)
    const rows = varint(bytes, place)
    parts.push(block_info, bytes.subarray(start, place.at))
    for (let column = 0; column < columns; column++) {
      start = place.at
      text(bytes, place)
      const type = text(bytes, place)
      parts.push(bytes.subarray(start, place.at))
      if (revision >= plain_mark_revision) parts.push(plain_mark)
      start = place.at
      if (rows > 0) {
        skip(bytes, place, prefixBytes(type))
        skipColumn(bytes, place, type, rows)
      }
      parts.push(bytes.subarray(start, place.at))
    }
  }
  return Buffer.concat(parts)
}
