import type { Catalog, CatalogRelation } from './catalog.ts'

/**
 * What the names in a text mean where it runs. Never changed in place: a session whose database or search path changed has another one, so
 * what was read with it can be told by identity.
 */
export type Naming = {
  /** Undefined: nothing is known of the database, and names stay as they are written. */
  readonly catalog: Catalog | undefined
  /**
   * Schemas that unqualified names are looked up in, in order; `$user` replaced. The server's own additions are left to the catalog: pg_catalog
   * goes first where it is not listed. A session's temporary schema is listed by its real name (`pg_temp_3`).
   * Undefined: not known, so that no unqualified name can be resolved.
   */
  readonly search_path: readonly string[] | undefined
}

/** Nothing is known. */
export const unknown_naming: Naming = { catalog: undefined, search_path: undefined }

/** Names that may have changed their meaning since the catalog was loaded. */
export type ShiftedNames = {
  /** Anything may have changed. */
  readonly all: boolean
  /** Unqualified, whatever the schema. */
  readonly names: ReadonlySet<string>
}

export const nothing_shifted: ShiftedNames = { all: false, names: new Set() }

export const everything_shifted: ShiftedNames = { all: true, names: new Set() }

/** Names kept; more count as all of them. */
const shifted_names_max = 1000

export const isShifted = ({ all, names }: ShiftedNames): boolean => all || names.size > 0

export const joinShifted = (one: ShiftedNames, other: ShiftedNames): ShiftedNames => {
  if (!isShifted(other)) return one
  if (!isShifted(one)) return other
  const names = one.names.union(other.names)
  return { all: one.all || other.all || names.size > shifted_names_max, names }
}

/**
 * A catalog that knows nothing of some names: views are replaced, tables created and functions dropped in transactions that nobody else
 * sees yet. What cannot be found cannot be resolved wrongly.
 */
export const withoutNames = (catalog: Catalog, { all, names }: ShiftedNames): Catalog => {
  const known = (relation: CatalogRelation | undefined): CatalogRelation | undefined =>
    relation === undefined || all || names.has(relation.name) ? undefined : relation
  return {
    version: catalog.version,
    relation: (name, search_path) => {
      // One that was created since may stand before the one that is known.
      if (all || names.has(name.name)) return undefined
      return catalog.relation(name, search_path)
    },
    relationByOid: (oid) => known(catalog.relationByOid(oid)),
    children: (oid) => catalog.children(oid),
    operators: (symbol) => catalog.operators?.(symbol) ?? [],
    casts: (type) => catalog.casts?.(type) ?? [],
    functions: (name, search_path) =>
      all || names.has(name.name) ? [] : catalog.functions(name, search_path),
  }
}
