import type { Catalog, CatalogColumn, CatalogFunction, CatalogRelation } from '#core/sql/catalog.ts'

/** A catalog written by hand, for tests that need no server. */
export type RelationNotes = {
  /** Names, with `:oid` for a type that is not text. */
  readonly columns: string
  readonly schema?: string
  readonly kind?: CatalogRelation['kind']
  readonly definition?: string
  readonly parents?: readonly string[]
  readonly generated?: Readonly<Record<string, string>>
}

const text_type = 25
const first_oid = 20_000

/** The server's functions are all there are, but for names that say otherwise. */
const isBuiltin = (name: string): boolean => !/^(?:leak|grade|ssn|unknown|own)/.test(name)

export const handCatalog = (
  notes: Readonly<Record<string, RelationNotes>>,
  functions: readonly CatalogFunction[] = [],
): Catalog => {
  const oids = new Map(Object.keys(notes).map((name, index) => [name, first_oid + index]))
  const relations = Object.entries(notes).map(([name, note]): CatalogRelation => ({
    oid: oids.get(name) ?? 0,
    schema: note.schema ?? 'public',
    name,
    kind: note.kind ?? (note.definition === undefined ? 'table' : 'view'),
    definition: note.definition ?? null,
    parents: (note.parents ?? []).map((parent) => oids.get(parent) ?? 0),
    columns: note.columns.split(' ').map((column, index): CatalogColumn => {
      const [own = '', type] = column.split(':')
      const type_oid = type === undefined ? text_type : Number(type)
      return { name: own, number: index + 1, type_oid, generated: note.generated?.[own] ?? null }
    }),
  }))
  return {
    version: 1,
    relation: ({ schema, name }, search_path) => {
      const schemas = schema === '' ? ['pg_catalog', ...search_path] : [schema]
      for (const at of schemas) {
        const found = relations.find((one) => one.schema === at && one.name === name)
        if (found) return found
      }
      return undefined
    },
    relationByOid: (oid) => relations.find((one) => one.oid === oid),
    children: (oid) => relations.filter(({ parents }) => parents.includes(oid)),
    functions: ({ schema, name }) => {
      const own = functions.filter((one) => one.name === name)
      const builtin = { ...ownFunction(name, 'internal'), schema: 'pg_catalog', builtin: true }
      const has = isBuiltin(name) && (schema === '' || schema === 'pg_catalog')
      return has ? [builtin, ...own] : own
    },
  }
}

export const ownFunction = (
  name: string,
  language = 'plpgsql',
  source: string | null = null,
): CatalogFunction => ({
  oid: first_oid * 2,
  schema: 'public',
  name,
  kind: 'function',
  language,
  source,
  builtin: false,
})
