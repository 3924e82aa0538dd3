import {
  envelope,
  type EventSchema,
  type Field,
  type FieldSchema,
  type RecordSchema,
  type Source,
} from './source.ts'

/** Writes `schemas/CATALOGUE.md`: every code with its fields and a golden example. */

/** Golden examples as JSON, by schema id. */
export type Examples = ReadonlyMap<number, unknown>

const typeName = (type: FieldSchema): string => {
  if (typeof type === 'string') return type
  if ('length' in type) return `${typeName(type[1])} or null`
  if (type.type === 'array') return `list of ${typeName(type.items)}`
  if (type.type === 'map') return `map of ${typeName(type.values)}`
  if (type.type === 'fixed') return `${type.size} bytes`
  if (type.type === 'long') return 'time, µs'
  return type.type === 'record' ? 'record' : 'enum'
}

const inner = (type: FieldSchema): RecordSchema | null => {
  if (typeof type === 'string') return null
  if ('length' in type) return inner(type[1])
  if (type.type === 'record') return type
  return type.type === 'array' ? inner(type.items) : null
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*')

const rows = (fields: readonly Field[], prefix: string): readonly string[] =>
  fields.flatMap((field) => {
    const nested = inner(field.type)
    const values = field.values === undefined ? '' : ` One of: ${field.values.join(', ')}.`
    return [
      `| \`${prefix}${field.name}\` | ${typeName(field.type)} | ${field.sensitivity} | ${cell(field.doc + values)} |`,
      ...(nested === null ? [] : rows(nested.fields, `${prefix}${field.name}.`)),
    ]
  })

const table = (fields: readonly Field[]): readonly string[] =>
  fields.length === 0
    ? []
    : ['| field | type | sensitivity | meaning |', '|---|---|---|---|', ...rows(fields, ''), '']

const section = (event: EventSchema, examples: Examples): readonly string[] => {
  const example = examples.get(event.schemaId)
  return [
    `## ${event.code} ${event.event}`,
    '',
    event.doc,
    '',
    `Topic \`${event.topic}\`, schema id ${event.schemaId}, record \`cairn.${event.name}\`.`,
    '',
    ...table(event.fields.slice(envelope.length)),
    ...(example === undefined ? [] : ['```json', JSON.stringify(example, null, 2), '```', '']),
  ]
}

/** The text of CATALOGUE.md, not yet formatted. */
export const pageText = ({ context, events }: Source, examples: Examples): string =>
  [
    '# Events',
    '',
    '<!-- Written by schemas/generate.ts from schemas/*.avsc; `npm run generate` writes it again. -->',
    '',
    'Types and codes are stable for ever; fields are only added, with defaults. The last letter of a code is its severity class:',
    'I information, W warning, E failure, A alert. Sensitivity says who may see a field: `public` everyone who may read the trail,',
    '`personal` data about a person, `content` what was said to and by a target, `secret-masked` secrets that were masked before.',
    'In the examples, as in every JSON form of an event, ids and hashes are hex, bytes are base64, times are microseconds since the Unix epoch.',
    '',
    '| code | type | topic | when |',
    '|---|---|---|---|',
    ...events.map((e) => `| ${e.code} | ${e.event} | ${e.topic} | ${cell(e.doc)} |`),
    '',
    '## Every event',
    '',
    'begins with `time`, when it was minted (µs, wall clock of who minted it), and `context`:',
    '',
    ...table(context.fields),
    ...events.flatMap((event) => section(event, examples)),
  ].join('\n')
