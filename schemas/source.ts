import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'

/** The hand-written schemas: what `schemas/*.avsc` holds, read, checked and assembled. */

/**
 * Who may see a field: everyone, people with a reason (personal), nobody (masked already), those
 * who may read content.
 */
const sensitivities = ['public', 'personal', 'secret-masked', 'content'] as const

export type Sensitivity = (typeof sensitivities)[number]

export type FixedSchema = { readonly type: 'fixed'; readonly name: string; readonly size: number }
export type ArraySchema = { readonly type: 'array'; readonly items: FieldSchema }
export type MapSchema = { readonly type: 'map'; readonly values: FieldSchema }
export type EnumSchema = {
  readonly type: 'enum'
  readonly name: string
  readonly symbols: readonly string[]
}
export type LongSchema = { readonly type: 'long'; readonly logicalType: 'timestamp-micros' }

/** What a field's type may be: the part of Avro that the catalogue uses. */
export type FieldSchema =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'string'
  | 'bytes'
  | 'cairn.Context'
  | FixedSchema
  | ArraySchema
  | MapSchema
  | EnumSchema
  | LongSchema
  | RecordSchema
  | readonly ['null', FieldSchema]

export type Field = {
  readonly name: string
  readonly type: FieldSchema
  readonly doc: string
  readonly sensitivity: Sensitivity
  /**
   * All a string may be, where it comes from a fixed set (a string and no Avro enum, so that a set
   * may grow).
   */
  readonly values?: readonly string[]
  readonly default?: unknown
}

export type RecordSchema = {
  readonly type: 'record'
  readonly name: string
  readonly namespace?: string
  readonly doc: string
  readonly fields: readonly Field[]
}

export type EventSchema = RecordSchema & {
  readonly event: string
  readonly code: string
  readonly topic: string
  readonly schemaId: number
}

export type Source = {
  readonly context: RecordSchema
  readonly header: RecordSchema
  /** In the order of their codes. */
  readonly events: readonly EventSchema[]
}

const not_events = new Set(['context.avsc', 'record-header.avsc'])

/** Fields that every event begins with. */
export const envelope = ['time', 'context'] as const

const primitives = new Set(['null', 'boolean', 'int', 'long', 'string', 'bytes'])

/** Records inside a type, itself first. */
const records = (type: FieldSchema): readonly RecordSchema[] => {
  if (typeof type === 'string') return []
  if ('length' in type) return records(type[1])
  if (type.type === 'record') return [type, ...type.fields.flatMap((field) => records(field.type))]
  if (type.type === 'array') return records(type.items)
  return type.type === 'map' ? records(type.values) : []
}

/** Every record of a schema, the nested ones too, in the order in which they stand. */
export const recordsOf = (schema: RecordSchema): readonly RecordSchema[] => records(schema)

const typeProblems = (where: string, type: FieldSchema): readonly string[] => {
  if (typeof type === 'string')
    return primitives.has(type) || type === 'cairn.Context'
      ? []
      : [`${where}: unknown type ${type}`]
  if ('length' in type)
    return type.length === 2 && type[0] === 'null'
      ? typeProblems(where, type[1])
      : [`${where}: a union is ["null", type]`]
  switch (type.type) {
    case 'record':
      return fieldProblems(where, type)
    case 'array':
      return typeProblems(`${where}[]`, type.items)
    case 'map':
      return typeProblems(`${where}{}`, type.values)
    case 'fixed':
      return type.size > 0 ? [] : [`${where}: fixed without a size`]
    case 'enum':
    case 'long':
      return []
    default:
      return [`${where}: unknown type ${JSON.stringify(type)}`]
  }
}

const fieldProblems = (where: string, record: RecordSchema): readonly string[] => [
  ...((record.doc ?? '') === '' ? [`${where}: no doc`] : []),
  ...record.fields.flatMap((field) => {
    const path = `${where}.${field.name}`
    return [
      ...(/^[a-z][a-z0-9_]*$/.test(field.name) ? [] : [`${path}: names are snake_case`]),
      ...((field.doc ?? '') === '' ? [`${path}: no doc`] : []),
      ...(sensitivities.includes(field.sensitivity)
        ? []
        : [`${path}: sensitivity is one of ${sensitivities.join(', ')}`]),
      ...(field.values !== undefined && field.type !== 'string'
        ? [`${path}: values belong to a string`]
        : []),
      ...typeProblems(path, field.type),
    ]
  }),
]

const eventProblems = (event: EventSchema): readonly string[] => {
  const where = event.name
  return [
    ...(/^[a-z]+\.[a-z]+$/.test(event.event ?? '') ? [] : [`${where}: event is noun.verb`]),
    ...(/^CRN\d{4}[IWEA]$/.test(event.code ?? '')
      ? []
      : [`${where}: code is CRNnnnn and I, W, E or A`]),
    ...(/^cairn\.[a-z]+$/.test(event.topic ?? '') ? [] : [`${where}: topic is cairn.name`]),
    ...(Number.isInteger(event.schemaId) &&
    Math.floor(event.schemaId / 100) === Number(event.code?.slice(3, 7))
      ? []
      : [`${where}: schemaId is the code's digits and a version of two digits`]),
    ...(envelope.every((name, at) => event.fields[at]?.name === name)
      ? []
      : [`${where}: the first fields are ${envelope.join(', ')}`]),
  ]
}

const repeated = (what: string, values: readonly (string | number)[]): readonly string[] =>
  values
    .filter((value, at) => values.indexOf(value) !== at)
    .map((value) => `${what} ${value} stands twice`)

/**
 * One name, one shape: a nested type may stand in several schemas only if it is the same in each.
 */
const shapeProblems = (schemas: readonly RecordSchema[]): readonly string[] => {
  const shapes = new Map<string, string>()
  return schemas.flatMap(recordsOf).flatMap((record) => {
    const shape = JSON.stringify(record)
    const known = shapes.get(record.name)
    shapes.set(record.name, shape)
    return known === undefined || known === shape
      ? []
      : [`${record.name}: two shapes under one name`]
  })
}

/** Everything that is wrong with the schemas, one line each; empty when they are sound. */
export const problems = ({ context, header, events }: Source): readonly string[] => {
  const symbols = header.fields.flatMap(({ type }) =>
    typeof type === 'object' && 'type' in type && type.type === 'enum' ? type.symbols : [],
  )
  return [
    ...[context, header, ...events].flatMap((schema) => fieldProblems(schema.name, schema)),
    ...events.flatMap(eventProblems),
    ...repeated(
      'event',
      events.map(({ event }) => event),
    ),
    ...repeated(
      'code',
      events.map(({ code }) => code.slice(0, 7)),
    ),
    ...repeated(
      'schemaId',
      events.map(({ schemaId }) => schemaId),
    ),
    ...repeated(
      'name',
      events.map(({ name }) => name),
    ),
    ...events
      .filter(({ code }) => !symbols.includes(code))
      .map(({ code }) => `${code}: not a symbol of the record header`),
    ...symbols
      .filter((symbol) => !events.some(({ code }) => code === symbol))
      .map((symbol) => `${symbol}: symbol of the record header without an event`),
    ...shapeProblems([context, ...events]),
  ]
}

/**
 * Reads a folder of schemas. Throws when a file is no JSON or a schema is unsound, naming every
 * problem.
 */
export const readSource = async (folder: string): Promise<Source> => {
  const parsed = async (file: string): Promise<unknown> =>
    JSON.parse(await readFile(join(folder, file), 'utf8'))
  const files = (await readdir(folder)).filter((file) => file.endsWith('.avsc'))
  const events = (await Promise.all(
    files.filter((file) => !not_events.has(basename(file))).map(parsed),
  )) as EventSchema[]
  const source: Source = {
    context: (await parsed('context.avsc')) as RecordSchema,
    header: (await parsed('record-header.avsc')) as RecordSchema,
    events: events.sort((a, b) => (a.code < b.code ? -1 : 1)),
  }
  const found = problems(source)
  if (found.length > 0) throw new TypeError(`unsound schemas:\n${found.join('\n')}`)
  return source
}

/** The schema with the context written out at its first use, so that it stands alone. */
export const assembled = (event: EventSchema, context: RecordSchema): EventSchema => ({
  ...event,
  fields: event.fields.map((field) =>
    field.type === 'cairn.Context' ? { ...field, type: context } : field,
  ),
})

/** The full JSON of an event's schema: what its hash is taken of and what a registry serves. */
export const fullText = (event: EventSchema, context: RecordSchema): string =>
  JSON.stringify(assembled(event, context))
