import { avroType } from '#core/events/avro.ts'
import type { EventSchema, FieldSchema, RecordSchema } from './source.ts'

/**
 * FULL_TRANSITIVE compatibility: a schema reads what every released version of it wrote, and every
 * released version reads what it writes. avsc's resolvers say so (they refuse a field without a
 * default, a narrowed type, a removed symbol); the rest are promises of the catalogue that Avro
 * knows nothing of.
 */

const unreadable = (
  what: string,
  reader: RecordSchema,
  writer: RecordSchema,
): readonly string[] => {
  try {
    avroType(reader).createResolver(avroType(writer))
    return []
  } catch (error) {
    return [`${what}: ${error instanceof Error ? error.message : String(error)}`]
  }
}

/** Paths of all fields with the set of values each is bound to. */
const fieldPaths = (
  schema: FieldSchema,
  prefix = '',
): ReadonlyMap<string, readonly string[] | undefined> => {
  if (typeof schema === 'string') return new Map()
  if ('length' in schema) return fieldPaths(schema[1], prefix)
  if (schema.type === 'array') return fieldPaths(schema.items, `${prefix}[]`)
  if (schema.type === 'map') return fieldPaths(schema.values, `${prefix}{}`)
  if (schema.type !== 'record') return new Map()
  return new Map(
    schema.fields.flatMap((field) => {
      const path = `${prefix}.${field.name}`
      return [[path, field.values] as const, ...fieldPaths(field.type, path)]
    }),
  )
}

const lost = (older: RecordSchema, newer: RecordSchema): readonly string[] => {
  const present = fieldPaths(newer)
  return [...fieldPaths(older)].flatMap(([path, values]) => {
    if (!present.has(path)) return [`${newer.name}${path}: removed`]
    const missing = (values ?? []).filter((value) => !present.get(path)?.includes(value))
    return missing.length === 0
      ? []
      : [`${newer.name}${path}: values removed: ${missing.join(', ')}`]
  })
}

/**
 * What breaks between a released schema and a newer version of the same record; empty when both
 * read each other.
 */
export const recordBreaks = (older: RecordSchema, newer: RecordSchema): readonly string[] => [
  ...unreadable(`${newer.name}: the new reader and the old writer`, newer, older),
  ...unreadable(`${newer.name}: the old reader and the new writer`, older, newer),
  ...lost(older, newer),
]

/**
 * As `recordBreaks`, and the stable attributes of an event; a changed text needs a new schema id.
 * Both with the context written out.
 */
export const eventBreaks = (older: EventSchema, newer: EventSchema): readonly string[] => [
  ...recordBreaks(older, newer),
  ...(['event', 'code', 'topic', 'name'] as const).flatMap((name) =>
    older[name] === newer[name]
      ? []
      : [`${older.event}: ${name} was ${older[name]} and is ${newer[name]}`],
  ),
  ...(older.schemaId === newer.schemaId && JSON.stringify(older) !== JSON.stringify(newer)
    ? [`${older.event}: changed since its release as ${older.schemaId}; it needs the next schemaId`]
    : []),
]

/** What breaks the frozen record header: nothing may change but symbols appended to its enum. */
export const headerBreaks = (older: RecordSchema, newer: RecordSchema): readonly string[] => {
  const symbols = ({ fields }: RecordSchema): readonly string[] =>
    fields.flatMap(({ type }) =>
      typeof type === 'object' && 'symbols' in type ? [...type.symbols] : [],
    )
  const frozen = (record: RecordSchema): string =>
    JSON.stringify(
      record.fields.map(({ name, type }) => [name, type]),
      (key, value: unknown) => (key === 'symbols' ? [] : value),
    )
  return [
    ...(frozen(older) === frozen(newer) ? [] : ['RecordHeader: its fields are frozen']),
    ...symbols(older).flatMap((symbol, at) =>
      symbols(newer)[at] === symbol ? [] : [`RecordHeader: symbol ${at} was ${symbol}`],
    ),
  ]
}
