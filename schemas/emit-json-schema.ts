import type { EventSchema, Field, FieldSchema, RecordSchema, Source } from './source.ts'

/** Writes `schemas/json/*.json`: JSON Schemas of events as JSON (services/core/events/json.ts). */

type JsonSchema = { readonly [keyword: string]: unknown }

const long_max = Number.MAX_SAFE_INTEGER - 1
const int_max = 2 ** 31 - 1

const primitive = {
  null: { type: 'null' },
  boolean: { type: 'boolean' },
  int: { type: 'integer', minimum: -int_max - 1, maximum: int_max },
  long: { type: 'integer', minimum: -long_max, maximum: long_max },
  string: { type: 'string' },
  bytes: { type: 'string', contentEncoding: 'base64' },
  'cairn.Context': { $ref: 'context.json' },
} as const

const schemaOf = (type: FieldSchema): JsonSchema => {
  if (typeof type === 'string') return primitive[type]
  if ('length' in type) return { anyOf: [schemaOf(type[1]), { type: 'null' }] }
  if (type.type === 'record') return recordSchema(type)
  if (type.type === 'array') return { type: 'array', items: schemaOf(type.items) }
  if (type.type === 'map') return { type: 'object', additionalProperties: schemaOf(type.values) }
  if (type.type === 'enum') return { type: 'string', enum: type.symbols }
  return type.type === 'fixed'
    ? { type: 'string', pattern: `^[0-9a-f]{${type.size * 2}}$` }
    : primitive.long
}

// A set of values may grow, so they are examples and no enumeration: a reader of today must accept
// an event of tomorrow.
const property = (field: Field): readonly [string, JsonSchema] => [
  field.name,
  {
    ...schemaOf(field.type),
    description: field.doc,
    ...(field.values === undefined ? {} : { examples: field.values }),
    'x-sensitivity': field.sensitivity,
  },
]

const recordSchema = (record: RecordSchema): JsonSchema => ({
  type: 'object',
  title: record.name,
  description: record.doc,
  properties: Object.fromEntries(record.fields.map(property)),
  required: record.fields.map(({ name }) => name),
})

const document = (file: string, record: RecordSchema | EventSchema): string =>
  JSON.stringify({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: file,
    ...recordSchema(record),
    ...('code' in record ? { 'x-code': record.code, 'x-topic': record.topic } : {}),
  })

/** The JSON Schemas by file name, not yet formatted. */
export const jsonSchemas = ({ context, events }: Source): ReadonlyMap<string, string> =>
  new Map([
    ['context.json', document('context.json', context)],
    ...events.map((event): [string, string] => [
      `${event.event}.json`,
      document(`${event.event}.json`, event),
    ]),
  ])
