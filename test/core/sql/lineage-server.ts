import type { Client } from 'pg'
import type { Catalog, CatalogColumn, CatalogFunction, CatalogRelation } from '#core/sql/catalog.ts'

/** The catalog of a real server, read plainly: whole and once. */

type RelationRow = readonly [
  number,
  string,
  string,
  string,
  string | null,
  readonly (readonly [string, number, number, string | null])[] | null,
  readonly number[] | null,
]

type FunctionRow = readonly [number, string, string, string, string, string | null]

const relations_query = `
select c.oid::int8::int4, n.nspname, c.relname, c.relkind::text,
  case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
  (select json_agg(json_build_array(a.attname, a.attnum, a.atttypid::int8,
       case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end) order by a.attnum)
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  (select json_agg(i.inhparent::int8) from pg_inherits i where i.inhrelid = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c') and n.nspname <> 'pg_toast'`

const functions_query = `
select p.oid::int8::int4, n.nspname, p.proname, p.prokind::text, l.lanname,
  case when p.oid >= 16384 and l.lanname = 'sql' then coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) end
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang`

const kinds: Readonly<Record<string, CatalogRelation['kind']>> = {
  r: 'table',
  p: 'partitioned_table',
  f: 'foreign_table',
  v: 'view',
  m: 'materialized_view',
  S: 'sequence',
  c: 'composite',
}

const rows = async <T>(client: Client, text: string): Promise<readonly T[]> => {
  const result = await client.query({ text, rowMode: 'array' })
  return result.rows as unknown as readonly T[]
}

export const loadServerCatalog = async (client: Client): Promise<Catalog> => {
  await client.query('set search_path to pg_catalog')
  const relations = (await rows<RelationRow>(client, relations_query)).map(
    ([oid, schema, name, kind, definition, columns, parents]): CatalogRelation => ({
      oid,
      schema,
      name,
      kind: kinds[kind] ?? 'other',
      definition,
      parents: parents ?? [],
      columns: (columns ?? []).map(([column, number, type_oid, generated]): CatalogColumn => ({
        name: column,
        number,
        type_oid,
        generated,
      })),
    }),
  )
  const functions = (await rows<FunctionRow>(client, functions_query)).map(
    ([oid, schema, name, , language, source]): CatalogFunction => ({
      oid,
      schema,
      name,
      kind: 'function',
      language,
      source,
      builtin: oid < 16_384,
    }),
  )
  await client.query('reset search_path')
  const path = (schema: string, search_path: readonly string[]): readonly string[] =>
    schema === '' ? ['pg_catalog', ...search_path] : [schema]
  return {
    version: 1,
    relation: ({ schema, name }, search_path) => {
      for (const at of path(schema, search_path)) {
        const found = relations.find((one) => one.schema === at && one.name === name)
        if (found) return found
      }
      return undefined
    },
    relationByOid: (oid) => relations.find((one) => one.oid === oid),
    children: (oid) => relations.filter(({ parents }) => parents.includes(oid)),
    functions: ({ schema, name }, search_path) =>
      functions.filter(
        (one) => one.name === name && path(schema, search_path).includes(one.schema),
      ),
  }
}
