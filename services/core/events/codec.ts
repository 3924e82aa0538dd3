import type { Type } from 'avsc'
import { avroType } from './avro.ts'
import { bySchemaId, catalogue, olderSchemas } from './catalogue.ts'
import { frame_bytes, readFrame, writeFrame } from './framing.ts'
import type { Context, EventBodies, EventOf, EventType } from './types.ts'
import { varint_bytes_max, writeNatural } from './varint.ts'

/**
 * Values of records. A value is an Avro record of time, context and body; Avro writes a record as
 * its fields one after another, so that the context, constant for a session, is encoded once and
 * its bytes are spliced into every value.
 */

/**
 * Largest value, bytes: a record has to fit the log's own limit of 16 MiB with its key and headers.
 */
export const value_bytes_max = 16 * 1024 * 1024 - 4096

/**
 * A buffer that grows and is used again: values stand in `bytes` from 0 to `length`. Set `length`
 * to 0 to begin anew.
 */
export type ValueBuffer = { bytes: Buffer; length: number }

export type DecodedEvent = {
  [T in EventType]: { readonly type: T; readonly event: EventOf<T> }
}[EventType]

export type DecodedValue =
  | ({ readonly ok: true } & DecodedEvent)
  | {
      readonly ok: false
      readonly reason: 'unknown_schema' | 'bad_framing' | 'bad_body'
      readonly detail: string
    }

/** Finds the full JSON of a writer's schema by its id. */
export type SchemaResolver = (schemaId: number) => string | undefined

type ParsedSchema = { readonly name: string; readonly fields: readonly { readonly name: string }[] }

type Codecs = { readonly whole: Type; readonly body: Type; readonly schemaId: number }

const codecs = new Map<EventType, Codecs>()

/**
 * Types of an event, made when they are first needed: a process that never sees an event never pays
 * for it.
 */
const codecsOf = (type: EventType): Codecs => {
  const known = codecs.get(type)
  if (known !== undefined) return known
  const { schema, schemaId } = catalogue[type]
  const parsed = JSON.parse(schema) as ParsedSchema
  const made = {
    whole: avroType(parsed),
    body: avroType({ ...parsed, fields: parsed.fields.slice(2) }),
    schemaId,
  }
  codecs.set(type, made)
  return made
}

const contextType = avroType(
  (JSON.parse(catalogue['session.started'].schema) as { fields: { type: unknown }[] }).fields[1]
    ?.type,
)

/**
 * Avro bytes of a context; keep them for as long as the context stays the same. Throws when a field
 * is missing or of the wrong type.
 */
export const encodeContext = (context: Context): Buffer => contextType.toBuffer(context)

/** A value buffer with room for `capacity` bytes before it has to grow. */
export const createValueBuffer = (capacity = 64 * 1024): ValueBuffer => ({
  bytes: Buffer.allocUnsafeSlow(capacity),
  length: 0,
})

const grow = (target: ValueBuffer, needed: number): void => {
  const bytes = Buffer.allocUnsafeSlow(Math.max(target.bytes.length * 2, needed))
  target.bytes.copy(bytes, 0, 0, target.length)
  target.bytes = bytes
}

/**
 * Appends an event's value to `target` and returns its length in bytes; the value is
 * `target.bytes.subarray(start, start + length)` with the `target.length` of before the call as
 * start. `bytes` may be replaced by a larger buffer: look at it after the call. Everything is
 * copied.
 *
 * Throws, with `target.length` as it was: an Error for a body that does not fit its schema,
 * RangeError over `value_bytes_max`.
 * @param time_us       microseconds since the Unix epoch
 * @param contextBytes  from `encodeContext`
 */
export const encodeValueInto = <T extends EventType>(
  target: ValueBuffer,
  type: T,
  time_us: number,
  contextBytes: Buffer,
  body: EventBodies[T],
): number => {
  const { body: bodyType, schemaId } = codecsOf(type)
  const start = target.length
  const head_bytes_max = frame_bytes + varint_bytes_max + contextBytes.length
  if (start + head_bytes_max > target.bytes.length) grow(target, start + head_bytes_max)
  writeFrame(target.bytes, start, schemaId)
  const at = writeNatural(target.bytes, start + frame_bytes, time_us)
  target.bytes.set(contextBytes, at)
  const bodyAt = at + contextBytes.length
  let end = bodyType.encode(body, target.bytes, bodyAt)
  if (end < 0) {
    // avsc says how many bytes were missing; what stands before the body moves along.
    const needed = target.bytes.length - end
    if (needed - start > value_bytes_max) throw tooLarge(needed - start)
    target.length = bodyAt
    grow(target, needed)
    target.length = start
    end = bodyType.encode(body, target.bytes, bodyAt)
  }
  if (end - start > value_bytes_max) throw tooLarge(end - start)
  target.length = end
  return end - start
}

const tooLarge = (bytes: number): RangeError =>
  new RangeError(`a value of ${bytes} bytes; the limit is ${value_bytes_max}`)

const single = createValueBuffer()

/** An event's value in memory of its own. Throws as `encodeValueInto`. */
export const encodeValue = <T extends EventType>(
  type: T,
  time_us: number,
  contextBytes: Buffer,
  body: EventBodies[T],
): Buffer => {
  single.length = 0
  const bytes = encodeValueInto(single, type, time_us, contextBytes, body)
  return Buffer.from(single.bytes.subarray(0, bytes))
}

type Reader = {
  readonly type: EventType
  readonly decode: (value: Buffer) => { readonly value: unknown; readonly offset: number }
}

const typeByName = new Map(
  Object.values(catalogue).map(({ type, schema }) => [
    (JSON.parse(schema) as ParsedSchema).name,
    type,
  ]),
)

const presentReader = (type: EventType): Reader => {
  const { whole } = codecsOf(type)
  return { type, decode: (value) => whole.decode(value, frame_bytes) }
}

/**
 * Reads what another version of the schema wrote. Throws when the schema is none of ours or cannot
 * be read as it.
 */
const writerReader = (schema: string): Reader => {
  const parsed = JSON.parse(schema) as ParsedSchema
  const type = typeByName.get(parsed.name)
  if (type === undefined) throw new TypeError(`no event is called ${parsed.name}`)
  const { whole } = codecsOf(type)
  const writer = avroType(parsed)
  // avsc gives a resolver that reads the writer's bytes as our record.
  const resolver = whole.createResolver(writer)
  return { type, decode: (value) => whole.decode(value, frame_bytes, resolver) }
}

/** Writers' schemas that were resolved are kept per source of schemas, at most this many each. */
const readers_max = 256
const readers = new WeakMap<SchemaResolver, Map<number, Reader>>()
const released: SchemaResolver = (schemaId) => olderSchemas.get(schemaId)

const readerOf = (schemaId: number, resolve: SchemaResolver): Reader | undefined => {
  const present = bySchemaId.get(schemaId)
  if (present !== undefined) return presentReader(present.type)
  const known = readers.get(resolve) ?? new Map<number, Reader>()
  readers.set(resolve, known)
  const reader = known.get(schemaId)
  if (reader !== undefined) return reader
  const schema = released(schemaId) ?? resolve(schemaId)
  if (schema === undefined) return undefined
  const made = writerReader(schema)
  if (known.size < readers_max) known.set(schemaId, made)
  return made
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Reads a value. Older and newer writers are resolved to the present schema (fields that they lack
 * take their defaults, fields that we lack are left out); what cannot be read is said, never
 * thrown. Buffers in the event are its own and do not alias `value`.
 * @param resolve full JSON of a schema that is not in the catalogue, by id; pass the same function
 * each time, it is the cache's key
 */
export const decodeValue = (value: Buffer, resolve: SchemaResolver = released): DecodedValue => {
  const schemaId = readFrame(value)
  if (schemaId === null)
    return { ok: false, reason: 'bad_framing', detail: 'no 0x00 and schema id at the beginning' }
  let reader: Reader | undefined
  try {
    reader = readerOf(schemaId, resolve)
  } catch (error) {
    const detail = `schema ${schemaId} cannot be resolved: ${message(error)}`
    return { ok: false, reason: 'unknown_schema', detail }
  }
  if (reader === undefined)
    return { ok: false, reason: 'unknown_schema', detail: `no schema has the id ${schemaId}` }
  try {
    const { value: event, offset } = reader.decode(value)
    if (offset < 0) return { ok: false, reason: 'bad_body', detail: 'the value is cut off' }
    if (offset !== value.length)
      return { ok: false, reason: 'bad_body', detail: 'bytes behind the value' }
    return { ok: true, type: reader.type, event } as DecodedValue
  } catch (error) {
    return { ok: false, reason: 'bad_body', detail: message(error) }
  }
}
