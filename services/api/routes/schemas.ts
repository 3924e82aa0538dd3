import { z } from 'zod'
import { bySchemaId, catalogue, olderSchemas } from '#core/events/catalogue.ts'
import { CairnError } from '#lib/error.ts'
import { defineRoute } from '../deps.ts'

/**
 * A read-only schema registry in Confluent's form ("Schema Registry API Reference"): whoever reads the topics (ClickHouse's
 * AvroConfluent, Connect, kcat) resolves the ids in the values here. Subjects are the record names; an id is a schema's for ever. Its last two
 * digits count the versions of a schema, from 01.
 */

const registry_content_type = 'application/vnd.schemaregistry.v1+json'
const headers = { 'content-type': registry_content_type }

type Entry = {
  readonly subject: string
  readonly version: number
  readonly id: number
  readonly schema: string
}

const entryOf = (id: number, schema: string): Entry => {
  const { name, namespace } = JSON.parse(schema) as {
    readonly name: string
    readonly namespace?: string
  }
  return {
    subject: namespace === undefined ? name : `${namespace}.${name}`,
    version: id % 100,
    id,
    schema,
  }
}

const entries: readonly Entry[] = [
  ...Object.values(catalogue).map(({ schemaId, schema }) => entryOf(schemaId, schema)),
  ...[...olderSchemas].map(([id, schema]) => entryOf(id, schema)),
].toSorted((a, b) => a.subject.localeCompare(b.subject) || a.version - b.version)

const noSubject = (): CairnError => new CairnError('not_found', 'Subject not found')

const ofSubject = (subject: string): readonly Entry[] => {
  const found = entries.filter((entry) => entry.subject === subject)
  if (found.length === 0) throw noSubject()
  return found
}

const id = z.coerce.number().int().min(1).max(2_147_483_647)
const subject = z
  .string()
  .min(1)
  .max(128)
  .describe('Full name of the record, for example cairn.CommandReceived.')

const common = {
  method: 'GET',
  tag: 'schemas',
  access: { kind: 'open' },
  effect: 'none',
} as const

export const schemaById = defineRoute({
  ...common,
  path: '/schemas/ids/{id}',
  summary: 'The Avro schema with an id',
  description: 'The id stands in the five bytes before every value of the log.',
  params: z.strictObject({ id: id.describe('Schema id.') }),
  responses: {
    200: {
      description: 'The schema, as JSON in a string.',
      content_type: registry_content_type,
      schema: z.strictObject({ schema: z.string() }),
    },
  },
  handle: async ({ params }) => {
    const schema = bySchemaId.get(params.id)?.schema ?? olderSchemas.get(params.id)
    if (schema === undefined) throw new CairnError('not_found', 'Schema not found')
    return { headers, body: { schema } }
  },
})

export const subjects = defineRoute({
  ...common,
  path: '/subjects',
  summary: 'Names of all schemas',
  description: 'Full names of the records.',
  responses: {
    200: {
      description: 'Names.',
      content_type: registry_content_type,
      schema: z.array(z.string()),
    },
  },
  handle: async () => ({ headers, body: [...new Set(entries.map((entry) => entry.subject))] }),
})

export const subjectVersions = defineRoute({
  ...common,
  path: '/subjects/{subject}/versions',
  summary: 'Versions of a schema',
  description: 'Numbers of the versions, the oldest first.',
  params: z.strictObject({ subject }),
  responses: {
    200: { description: 'Numbers.', content_type: registry_content_type, schema: z.array(z.int()) },
  },
  handle: async ({ params }) => ({
    headers,
    body: ofSubject(params.subject).map(({ version }) => version),
  }),
})

export const subjectVersion = defineRoute({
  ...common,
  path: '/subjects/{subject}/versions/{version}',
  summary: 'One version of a schema',
  description: '`latest` is the newest.',
  params: z.strictObject({
    subject,
    version: z
      .string()
      .regex(/^(latest|[1-9]\d{0,5})$/)
      .describe('Number, or latest.'),
  }),
  responses: {
    200: {
      description: 'The schema with its id.',
      content_type: registry_content_type,
      schema: z.strictObject({
        subject: z.string(),
        version: z.int(),
        id: z.int(),
        schema: z.string(),
      }),
    },
  },
  handle: async ({ params }) => {
    const found = ofSubject(params.subject)
    const entry =
      params.version === 'latest'
        ? found.at(-1)
        : found.find(({ version }) => version === Number(params.version))
    if (entry === undefined) throw new CairnError('not_found', 'Version not found')
    return { headers, body: entry }
  },
})
