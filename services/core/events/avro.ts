import avsc from 'avsc'

/**
 * avsc, set up for the catalogue: `T | null` stays plain, strings are well-formed on the way in,
 * and no length that a writer states is believed before the bytes for it are there.
 *
 * Source: Avro specification 1.12, "Binary encoding".
 */

/** avsc's cursor over a buffer. Not in its typings; stable in the pinned version. */
type Tap = {
  readonly buf: Buffer
  pos: number
  readLong(): number
  writeLong(value: number): void
  readString(): string
  writeString(value: string): void
}

/** What every avsc type has beside its typings. */
type Codec = {
  _read(tap: Tap): unknown
  _write(tap: Tap, value: unknown): void
}

/**
 * avsc writes a lone surrogate as three bytes that are no UTF-8 in short strings; ClickHouse and
 * JSON batches choke on that. `isWellFormed` costs nothing on strings that V8 keeps in one byte a
 * character.
 */
const writeText = (tap: Tap, text: string): void => {
  tap.writeString(text.isWellFormed() ? text : text.toWellFormed())
}

class TextType extends avsc.types.StringType {
  _write(tap: Tap, value: unknown): void {
    if (typeof value !== 'string') throw new TypeError(`expected a string, got ${typeof value}`)
    writeText(tap, value)
  }
}

/**
 * Longs that avsc codes exactly: zig-zag makes odd numbers of negative ones, which over 2^53 would
 * be rounded without a word.
 */
const long_min = -(2 ** 52)
const long_max = 2 ** 53 - 2

const exactLong = (value: unknown): number => {
  if (Number.isInteger(value) && (value as number) >= long_min && (value as number) <= long_max)
    return value as number
  throw new RangeError(`expected a whole number from -2^52 to 2^53 - 2, got ${String(value)}`)
}

class ExactLongType extends avsc.types.LongType {
  _read(tap: Tap): number {
    return exactLong(tap.readLong())
  }

  _write(tap: Tap, value: unknown): void {
    tap.writeLong(exactLong(value))
  }
}

/**
 * Items of the next block; 0 at the end. An item takes at least a byte, so a count over the
 * remaining bytes is a lie (a forged value could otherwise make the reader allocate without bound).
 */
const blockItems = (tap: Tap): number => {
  let items = tap.readLong()
  if (items < 0) {
    items = -items
    tap.readLong()
  }
  if (items > tap.buf.length - tap.pos) throw new RangeError('truncated buffer')
  return items
}

class BoundedArrayType extends avsc.types.ArrayType {
  _read(this: { readonly itemsType: Codec }, tap: Tap): unknown[] {
    const values: unknown[] = []
    for (let items = blockItems(tap); items > 0; items = blockItems(tap))
      for (; items > 0; items--) values.push(this.itemsType._read(tap))
    return values
  }
}

class BoundedMapType extends avsc.types.MapType {
  _read(this: { readonly valuesType: Codec }, tap: Tap): Record<string, unknown> {
    const entries: [string, unknown][] = []
    for (let items = blockItems(tap); items > 0; items = blockItems(tap))
      for (; items > 0; items--) entries.push([tap.readString(), this.valuesType._read(tap)])
    // fromEntries defines own properties: a key such as __proto__ stays a key.
    return Object.fromEntries(entries)
  }

  _write(this: { readonly valuesType: Codec }, tap: Tap, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new TypeError('expected an object for a map')
    const entries = Object.entries(value)
    if (entries.length > 0) {
      tap.writeLong(entries.length)
      for (const [key, item] of entries) {
        writeText(tap, key)
        this.valuesType._write(tap, item)
      }
    }
    tap.writeLong(0)
  }
}

const ownTypes = (schema: avsc.Schema, options: avsc.ForSchemaOptions): avsc.Type | undefined => {
  if (schema === 'string') return new TextType()
  if (schema === 'long') return new ExactLongType()
  if (typeof schema !== 'object' || Array.isArray(schema) || !('type' in schema)) return undefined
  switch (schema.type) {
    case 'string':
      return new TextType()
    case 'long':
      return new ExactLongType()
    case 'array':
      return new BoundedArrayType(schema, options)
    case 'map':
      return new BoundedMapType(schema, options)
    default:
      return undefined
  }
}

/** The avsc type of a schema (parsed JSON). Throws when it is no Avro schema. */
export const avroType = (schema: unknown): avsc.Type =>
  avsc.Type.forSchema(schema as avsc.Schema, {
    wrapUnions: 'auto',
    omitRecordMethods: true,
    typeHook: ownTypes,
  })
