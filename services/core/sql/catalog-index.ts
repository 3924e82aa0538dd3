import type { Catalog, CatalogFunction, CatalogName, CatalogRelation } from './catalog.ts'

export type CatalogContent = {
  readonly version: number
  readonly relations: Iterable<CatalogRelation>
  readonly functions: Iterable<CatalogFunction>
  /** Symbol and OID of the function. */
  readonly operators?: Iterable<FunctionUse>
  /** Name of the target type and OID of the function. */
  readonly casts?: Iterable<FunctionUse>
}

/** What calls a function without its name. */
export type FunctionUse = { readonly by: string; readonly function: number }

const isTemporary = (schema: string): boolean => /^pg_temp(?:_\d+)?$/.test(schema)

/**
 * The schemas in the order the server looks (PostgreSQL documentation, `search_path`): the temporary one first and pg_catalog second where
 * they are not listed.
 */
const effectivePath = (search_path: readonly string[]): readonly string[] => {
  if (search_path.includes('pg_catalog')) return search_path
  const [first, ...rest] = search_path
  return first !== undefined && isTemporary(first)
    ? [first, 'pg_catalog', ...rest]
    : ['pg_catalog', ...search_path]
}

/** `pg_temp` is whichever temporary schema the session has. */
const schemasOf = ({ schema }: CatalogName, search_path: readonly string[]): readonly string[] => {
  if (schema === 'pg_temp') return search_path.filter(isTemporary)
  return schema === '' ? effectivePath(search_path) : [schema]
}

/** Indexes what was loaded. Where two relations have one name, the later counts. */
export const createCatalog = ({
  version,
  relations,
  functions,
  operators = [],
  casts = [],
}: CatalogContent): Catalog => {
  const byName = new Map<string, Map<string, CatalogRelation>>()
  const byOid = new Map<number, CatalogRelation>()
  for (const relation of relations) {
    const schemas = byName.get(relation.name) ?? new Map<string, CatalogRelation>()
    schemas.set(relation.schema, relation)
    byName.set(relation.name, schemas)
    byOid.set(relation.oid, relation)
  }
  const children = new Map<number, CatalogRelation[]>()
  for (const relation of byOid.values())
    for (const parent of relation.parents) {
      const found = children.get(parent)
      if (found === undefined) children.set(parent, [relation])
      else found.push(relation)
    }
  const functionsByName = new Map<string, CatalogFunction[]>()
  for (const found of functions) {
    const same = functionsByName.get(found.name)
    if (same === undefined) functionsByName.set(found.name, [found])
    else same.push(found)
  }
  const byUse = (uses: Iterable<FunctionUse>): ReadonlyMap<string, CatalogFunction[]> => {
    const wanted = [...uses]
    const oids = new Set(wanted.map((use) => use.function))
    const known = new Map<number, CatalogFunction>()
    if (oids.size > 0)
      for (const same of functionsByName.values())
        for (const found of same) if (oids.has(found.oid)) known.set(found.oid, found)
    const found = new Map<string, CatalogFunction[]>()
    for (const { by, function: oid } of wanted) {
      const one = known.get(oid)
      if (one !== undefined) found.set(by, [...(found.get(by) ?? []), one])
    }
    return found
  }
  const byOperator = byUse(operators)
  const byCast = byUse(casts)
  return {
    version,
    operators: (symbol) => byOperator.get(symbol) ?? [],
    casts: (type) => byCast.get(type) ?? [],
    relation: (name, search_path) => {
      const schemas = byName.get(name.name)
      if (schemas === undefined) return undefined
      for (const schema of schemasOf(name, search_path)) {
        const relation = schemas.get(schema)
        if (relation !== undefined) return relation
      }
      return undefined
    },
    relationByOid: (oid) => byOid.get(oid),
    children: (oid) => children.get(oid) ?? [],
    functions: (name, search_path) => {
      const same = functionsByName.get(name.name)
      if (same === undefined) return []
      const schemas = schemasOf(name, search_path)
      return same.filter(({ schema }) => schemas.includes(schema))
    },
  }
}
