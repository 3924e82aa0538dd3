import {
  envelope,
  recordsOf,
  type Field,
  type FieldSchema,
  type RecordSchema,
  type Source,
} from './source.ts'

/** Writes `services/core/events/types.ts`: one type per record, and the map from event to body. */

const plain = {
  null: 'null',
  boolean: 'boolean',
  int: 'number',
  long: 'number',
  string: 'string',
  bytes: 'Buffer',
  'cairn.Context': 'Context',
} as const

const oneOf = (values: readonly string[]): string => values.map((value) => `'${value}'`).join(' | ')

const typeOf = (type: FieldSchema): string => {
  if (typeof type === 'string') return plain[type]
  if ('length' in type) return `${typeOf(type[1])} | null`
  if (type.type === 'record') return type.name
  if (type.type === 'array') return `readonly (${typeOf(type.items)})[]`
  if (type.type === 'map') return `Readonly<Record<string, ${typeOf(type.values)}>>`
  if (type.type === 'enum') return oneOf(type.symbols)
  return type.type === 'fixed' ? plain.bytes : plain.long
}

const unit = ({ type }: Field): string => {
  const inner = typeof type === 'object' && 'length' in type ? type[1] : type
  if (typeof inner === 'string') return ''
  if ('size' in inner) return ` ${inner.size} bytes.`
  return 'logicalType' in inner ? ' Microseconds since the Unix epoch.' : ''
}

const comment = (text: string): string => `/** ${text.replaceAll('*/', '* /')} */`

const declaration = ({ name, doc, fields }: RecordSchema, skip: readonly string[]): string =>
  [
    comment(doc),
    `export type ${name} = {`,
    ...fields.flatMap((field) =>
      skip.includes(field.name)
        ? []
        : [
            comment(`${field.doc}${unit(field)}`),
            `readonly ${field.name}: ${field.values === undefined ? typeOf(field.type) : oneOf(field.values)}`,
          ],
    ),
    '}',
  ].join('\n')

/** The text of types.ts, not yet formatted. */
export const typesText = ({ context, events }: Source): string => {
  const nested = new Map(
    [context, ...events]
      .flatMap((schema) => recordsOf(schema).slice(1))
      .map((record) => [record.name, record]),
  )
  return [
    '// Written by schemas/generate.ts from schemas/*.avsc; `npm run generate` writes it again.',
    ...[...nested.values()].map((record) => declaration(record, [])),
    declaration(context, []),
    ...events.map((event) => declaration(event, envelope)),
    comment('Body of each event: its fields without time and context.'),
    'export type EventBodies = {',
    ...events.map((event) => `readonly '${event.event}': ${event.name}`),
    '}',
    comment('Event types.'),
    'export type EventType = keyof EventBodies',
    comment('Event codes; the last letter is the severity class (I, W, E, A).'),
    `export type EventCode = ${events.map(({ code }) => `'${code}'`).join(' | ')}`,
    comment('A whole event: when, in which context, and its body.'),
    'export type EventOf<T extends EventType> = { readonly time: number; readonly context: Context } & EventBodies[T]',
  ].join('\n\n')
}
