import { nameParts } from '#core/policy/object-pattern.ts'
import { createCatalog } from '#core/sql/catalog-index.ts'
import type { Catalog, CatalogFunction, CatalogRelation } from '#core/sql/catalog.ts'
import { harmless_stable, harmless_volatile } from '#core/sql/harmless-functions.ts'
import { pure_functions } from '#core/sql/pure-lists.ts'
import type { PolicyFile } from '#lib/config/policy-file.ts'

/** Objects of a database's own begin here. */
const first_oid = 16_384
/** text: cases say nothing of types. */
const text_oid = 25

const relationOf = (
  [name, columns]: readonly [string, readonly string[]],
  index: number,
): CatalogRelation => {
  const parts = nameParts(name)
  return {
    oid: first_oid + index,
    schema: parts.at(-2) ?? 'public',
    name: parts.at(-1) ?? '',
    kind: 'table',
    columns: columns.map((column, at) => ({
      name: column,
      number: at + 1,
      type_oid: text_oid,
      generated: null,
    })),
    definition: null,
    parents: [],
  }
}

/** Builtins that do nothing a policy asks about. Every other function is one that nobody knows. */
const builtins: readonly CatalogFunction[] = [
  ...pure_functions,
  ...harmless_stable,
  ...harmless_volatile,
].map((name, index) => ({
  oid: index + 1,
  schema: 'pg_catalog',
  name,
  kind: 'function',
  language: 'internal',
  source: null,
  builtin: true,
}))

/** The tables that the cases of a file speak of, as a database would have them. */
export const caseCatalog = (tables: PolicyFile['tables']): Catalog =>
  createCatalog({
    version: 0,
    relations: Object.entries(tables).map(relationOf),
    functions: builtins,
  })
