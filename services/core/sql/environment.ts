import type { Catalog, CatalogFunction, CatalogRelation } from './catalog.ts'
import { qualified, string, type Child, type TreeNode } from './node.ts'

/** Where a statement runs, as far as its analysis asks. */
export type Environment = {
  readonly catalog: Catalog | undefined
  readonly search_path: readonly string[] | undefined
  /** The query of a view; undefined when it has none or cannot be parsed. */
  readonly viewQuery: (view: CatalogRelation) => Child | undefined
  /** What a function runs; undefined when that cannot be told. */
  readonly body: (found: CatalogFunction) => Body | undefined
  /** What a block of PL/pgSQL runs (DO). */
  readonly block: (text: string) => Body | undefined
}

/** Statements that code runs. */
export type Body = {
  readonly statements: readonly Child[]
  /** It builds statements from text while it runs: what they are cannot be told. */
  readonly dynamic: boolean
  /** It ends transactions. */
  readonly ends_transactions: boolean
}

/** Nothing is known of the database. */
export const no_environment: Environment = {
  catalog: undefined,
  search_path: undefined,
  viewQuery: () => undefined,
  body: () => undefined,
  block: () => undefined,
}

type Path = readonly string[] | undefined

/** The relation that a name means; undefined when it is not known. */
export const findRelation = (
  { catalog }: Environment,
  search_path: Path,
  schema: string,
  name: string,
): CatalogRelation | undefined => {
  if (catalog === undefined || (schema === '' && search_path === undefined)) return undefined
  return catalog.relation({ schema, name }, search_path ?? [])
}

export const relationOf = (
  environment: Environment,
  search_path: Path,
  node: TreeNode,
): CatalogRelation | undefined =>
  findRelation(environment, search_path, string(node, 'schemaname'), string(node, 'relname'))

/** As effects name it. A session sees one temporary schema, its own. */
export const objectOf = ({ schema, name }: { readonly schema: string; readonly name: string }) =>
  qualified([schema.replace(/^pg_temp_\d+$/, 'pg_temp'), name])

/** Every function that a name could mean; undefined when that is not known. */
export const findFunctions = (
  { catalog }: Environment,
  search_path: Path,
  parts: readonly string[],
): readonly CatalogFunction[] | undefined => {
  const name = parts.at(-1) ?? ''
  const schema = parts.at(-2) ?? ''
  if (catalog === undefined || (schema === '' && search_path === undefined)) return undefined
  return catalog.functions({ schema, name }, search_path ?? [])
}
