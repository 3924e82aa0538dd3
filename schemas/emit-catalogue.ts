import { createHash } from 'node:crypto'
import { fullText, type Source } from './source.ts'

/**
 * Writes `services/core/events/catalogue.ts`: code, topic, schema id and full schema of every
 * event.
 */

/** An older version of a schema, as it was released. */
export type Released = { readonly schemaId: number; readonly text: string }

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/**
 * The text of catalogue.ts, not yet formatted. `older` are released schemas that are no longer the
 * present ones.
 */
export const catalogueText = (source: Source, older: readonly Released[]): string => {
  const context = JSON.stringify(source.context)
  const symbols = source.header.fields.flatMap(({ type }) =>
    typeof type === 'object' && 'type' in type && type.type === 'enum' ? type.symbols : [],
  )
  const entries = source.events.map((event) => {
    const text = fullText(event, source.context)
    const at = text.indexOf(context)
    return `'${event.event}': {
      type: '${event.event}', code: '${event.code}', topic: '${event.topic}', schemaId: ${event.schemaId},
      schema: [${quoted(text.slice(0, at))}, context, ${quoted(text.slice(at + context.length))}].join(''),
      schemaHash: Buffer.from('${sha256(text)}', 'hex'),
    },`
  })
  return `// Written by schemas/generate.ts from schemas/*.avsc; \`npm run generate\` writes it again.
import type { EventCode, EventType } from './types.ts'

/** What stands fixed about an event. */
export type CatalogueEntry = {
  readonly type: EventType
  readonly code: EventCode
  readonly topic: string
  /** Id of the schema on the wire. */
  readonly schemaId: number
  /** Full JSON of the schema, every type written out. */
  readonly schema: string
  /** SHA-256 of the schema's UTF-8 bytes: the record header's \`schema\`. */
  readonly schemaHash: Buffer
}

const context = ${quoted(context)}

/** Every event, by type. */
export const catalogue: Readonly<Record<EventType, CatalogueEntry>> = {
  ${entries.join('\n')}
}

/** Every event, by code. */
export const byCode: ReadonlyMap<string, CatalogueEntry> = new Map(
  Object.values(catalogue).map((entry) => [entry.code, entry]),
)

/** Every event, by the id of its present schema. */
export const bySchemaId: ReadonlyMap<number, CatalogueEntry> = new Map(
  Object.values(catalogue).map((entry) => [entry.schemaId, entry]),
)

/** Schemas of earlier releases, by id: what older writers wrote with. */
export const olderSchemas: ReadonlyMap<number, string> = new Map([
  ${older.map(({ schemaId, text }) => `[${schemaId}, ${quoted(text)}],`).join('\n')}
])

/** Codes in the order of the record header's enum; only ever appended to. */
export const headerCodes: readonly EventCode[] = [${symbols.map((symbol) => `'${symbol}'`).join(', ')}]
`
}
