import { catalogue } from './catalogue.ts'
import type { EventOf, EventType } from './types.ts'

/**
 * Events as JSON, for people, SIEMs and the API: ids and hashes (Avro `fixed`) in lower-case hex,
 * `bytes` in base64, everything else as it is; times stay microseconds since the Unix epoch.
 * schemas/json/*.json describes the result.
 */
export type JsonObject = { readonly [name: string]: unknown }

type AvroJson =
  | string
  | readonly AvroJson[]
  | {
      readonly type: string
      readonly fields?: readonly { readonly name: string; readonly type: AvroJson }[]
      readonly items?: AvroJson
      readonly values?: AvroJson
    }

/** Null where JSON.stringify already does the right thing. */
type Convert = ((value: unknown) => unknown) | null

const recordConverter = (
  fields: readonly { readonly name: string; readonly type: AvroJson }[],
): Convert => {
  const changed = fields.flatMap(({ name, type }) => {
    const convert = converter(type)
    return convert === null ? [] : [[name, convert] as const]
  })
  if (changed.length === 0) return null
  return (value) => {
    const copy: Record<string, unknown> = { ...(value as JsonObject) }
    for (const [name, convert] of changed) copy[name] = convert(copy[name])
    return copy
  }
}

const converter = (type: AvroJson): Convert => {
  if (type === 'bytes') return (value) => (value as Buffer).toString('base64')
  if (typeof type === 'string') return null
  if (!('type' in type)) {
    const convert = converter(type[1] ?? 'null')
    return convert === null ? null : (value) => (value === null ? null : convert(value))
  }
  if (type.type === 'fixed') return (value) => (value as Buffer).toString('hex')
  if (type.type === 'record') return recordConverter(type.fields ?? [])
  const convert = converter(type.items ?? type.values ?? 'null')
  if (convert === null) return null
  return type.type === 'array'
    ? (value) => (value as readonly unknown[]).map(convert)
    : (value) =>
        Object.fromEntries(Object.entries(value as JsonObject).map(([k, v]) => [k, convert(v)]))
}

const converters = new Map<EventType, Convert>()

/** An event as JSON data, fields in the order of the schema. */
export const eventJson = <T extends EventType>(type: T, event: EventOf<T>): JsonObject => {
  let convert = converters.get(type)
  if (convert === undefined) {
    convert = converter(JSON.parse(catalogue[type].schema) as AvroJson)
    converters.set(type, convert)
  }
  return (convert === null ? event : convert(event)) as JsonObject
}
