import type { Type } from 'avsc'
import { avroType } from '#core/events/avro.ts'
import { bySchemaId, catalogue } from '#core/events/catalogue.ts'
import { encodeContext, decodeValue, type SchemaResolver } from '#core/events/codec.ts'
import { frame_bytes, readFrame } from '#core/events/framing.ts'
import { readNatural } from '#core/events/varint.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'

/** An event's type with its body: what a projection sees. */
export type EventBody<T extends EventType = EventType> = {
  [K in T]: { readonly type: K; readonly body: EventBodies[K] }
}[T]

export type ReadBody =
  | {
      readonly ok: true
      readonly event: EventBody
      readonly time_us: number
      readonly context: Context
    }
  | { readonly ok: false; readonly reason: string; readonly detail: string }

/** Sessions whose context is remembered; the ones not seen for longest go first. */
const contexts_max = 10_000

const bodyTypes = new Map<EventType, Type>()

const bodyTypeOf = (type: EventType): Type => {
  const known = bodyTypes.get(type)
  if (known !== undefined) return known
  const parsed = JSON.parse(catalogue[type].schema) as { fields: readonly unknown[] }
  const made = avroType({ ...parsed, fields: parsed.fields.slice(2) })
  bodyTypes.set(type, made)
  return made
}

type Known = { readonly bytes: Buffer; readonly context: Context }

/**
 * Reads values. Every value of a session begins with the same context, so it is read once and recognised by its bytes from then on: what
 * is left to read is the body, about half of the work of the whole.
 * @param resolve finds a writer's schema that this version does not know
 */
export const openBodyReader = (resolve?: SchemaResolver) => {
  const contexts = new Map<string, Known>()

  const remember = (session: string, context: Context): void => {
    if (contexts.size >= contexts_max) contexts.delete(contexts.keys().next().value ?? '')
    contexts.set(session, { bytes: encodeContext(context), context })
  }

  const readKnown = (session: string, value: Buffer): ReadBody | null => {
    const known = contexts.get(session)
    const entry = bySchemaId.get(readFrame(value) ?? -1)
    if (known === undefined || entry === undefined) return null
    const time = readNatural(value, frame_bytes)
    if (time === null) return null
    const bodyAt = time.next + known.bytes.length
    if (known.bytes.compare(value, time.next, bodyAt) !== 0) return null
    try {
      const read = bodyTypeOf(entry.type).decode(value, bodyAt)
      // Anything odd is left to the full reader, which says what is wrong with it.
      if (read.offset !== value.length) return null
      const event = { type: entry.type, body: read.value } as EventBody
      return { ok: true, event, time_us: time.value, context: known.context }
    } catch {
      return null
    }
  }

  return (session: string, value: Buffer): ReadBody => {
    const quick = readKnown(session, value)
    if (quick !== null) return quick
    const read = decodeValue(value, resolve)
    if (!read.ok) return read
    const { time, context, ...body } = read.event
    if (session !== '') remember(session, context)
    return { ok: true, event: { type: read.type, body } as EventBody, time_us: time, context }
  }
}
