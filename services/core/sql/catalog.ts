/**
 * What is in a database, as far as reading commands needs it: relations with their columns and definitions, functions with their bodies.
 * Pure data, loaded by a protocol's gateway from the target and made anew when the target changes; `version` tells two apart.
 */
export interface Catalog {
  /** Grows with every load; caches of what was read with a catalog are keyed by it. */
  readonly version: number
  /** The relation that a name means: with a schema exactly that one, without one the first along the search path. */
  relation(name: CatalogName, search_path: readonly string[]): CatalogRelation | undefined
  /** The relation with an OID, as RowDescription names it. */
  relationByOid(oid: number): CatalogRelation | undefined
  /** Tables that inherit from a table, or are partitions of it, directly: reading it reads them. */
  children(oid: number): readonly CatalogRelation[]
  /** Every function of a name that could be meant: along the search path when the schema is not given. */
  functions(name: CatalogName, search_path: readonly string[]): readonly CatalogFunction[]
  /** Functions behind operators of somebody's own with this symbol, where no builtin has it. Absent: none is known. */
  operators?(symbol: string): readonly CatalogFunction[]
  /** Functions that casts of somebody's own to types of this name call. Absent: none is known. */
  casts?(type: string): readonly CatalogFunction[]
}

/** A name as a statement writes it. `schema` is empty when it does not say. */
export type CatalogName = { readonly schema: string; readonly name: string }

export type CatalogRelation = {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind:
    | 'table'
    | 'partitioned_table'
    | 'foreign_table'
    | 'view'
    | 'materialized_view'
    | 'sequence'
    | 'composite'
    | 'other'
  /** In the order of their numbers, dropped ones left out; system columns (ctid, tableoid ...) are not listed. */
  readonly columns: readonly CatalogColumn[]
  /** SELECT text of a view or materialized view, names qualified (pg_get_viewdef with an empty search path); null for everything else. */
  readonly definition: string | null
  /** Tables that this one inherits from or is a partition of: OIDs. */
  readonly parents: readonly number[]
}

export type CatalogColumn = {
  readonly name: string
  /** attnum. */
  readonly number: number
  readonly type_oid: number
  /** Expression of a generated column, stored or virtual, names qualified (pg_get_expr); null for every other column. */
  readonly generated: string | null
}

export type CatalogFunction = {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: 'function' | 'procedure' | 'aggregate' | 'window'
  readonly language: string
  /** Body of an SQL or PL/pgSQL function; null for everything else. A body in SQL's own syntax begins with BEGIN ATOMIC or RETURN. */
  readonly source: string | null
  /** The whole CREATE FUNCTION of a PL/pgSQL function. */
  readonly definition?: string
  /** Value of the setting search_path that the function brings along (SET search_path); absent: its caller's. */
  readonly search_path?: string
  /** Came with the server (OID below 16384 and schema pg_catalog or information_schema). */
  readonly builtin: boolean
}
