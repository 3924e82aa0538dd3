import type { CatalogColumn, CatalogFunction, CatalogRelation } from '#core/sql/catalog.ts'

/**
 * What is asked of a target to know its catalog, and what its rows mean. Read page by page in the order of OIDs, with an empty search path:
 * names mean pg_catalog's, and what the server writes out (view definitions) is qualified.
 */

export type Row = readonly (string | null)[]

/** First OID of what was made after the server came. */
const first_own_oid = 16_384

/** $1: OIDs above; $2: how many. Tables and views, columns and parents as JSON. */
export const relationsQuery = `
select c.oid, n.nspname, c.relname, c.relkind,
  case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
  (select json_agg(json_build_array(a.attname, a.attnum, a.atttypid::bigint,
       case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end) order by a.attnum)
     from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
     where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  (select json_agg(i.inhparent::bigint) from pg_inherits i where i.inhrelid = c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.oid > $1::oid and c.relkind in ('r', 'p', 'f', 'v', 'm', 'S', 'c') and n.nspname <> 'pg_toast'
order by c.oid limit $2::int`

const kinds: Readonly<Record<string, CatalogRelation['kind']>> = {
  r: 'table',
  p: 'partitioned_table',
  f: 'foreign_table',
  v: 'view',
  m: 'materialized_view',
  S: 'sequence',
  c: 'composite',
}

const columnsOf = (json: string | null): readonly CatalogColumn[] =>
  json === null
    ? []
    : (JSON.parse(json) as readonly (readonly [string, number, number, string | null])[]).map(
        ([name, number, type_oid, generated]) => ({ name, number, type_oid, generated }),
      )

export const readRelation = (row: Row): CatalogRelation => {
  const [oid, schema, name, kind, definition, columns = null, parents = null] = row
  return {
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    kind: kinds[kind ?? ''] ?? 'other',
    columns: columnsOf(columns),
    definition: definition ?? null,
    parents: parents === null ? [] : (JSON.parse(parents) as readonly number[]),
  }
}

/**
 * $1: OIDs above; $2: how many. Bodies of functions that came with the server are not asked for. A body in SQL's own syntax (BEGIN ATOMIC) is not in
 * prosrc; servers before 14 have none.
 */
export const functionsQuery = (server_version: number): string => {
  const body =
    server_version >= 140_000 ? 'coalesce(pg_get_function_sqlbody(p.oid), p.prosrc)' : 'p.prosrc'
  return `
select p.oid, n.nspname, p.proname, p.prokind, l.lanname,
  case when p.oid >= ${first_own_oid} and l.lanname in ('sql', 'plpgsql') then ${body} end,
  case when p.oid >= ${first_own_oid} and l.lanname = 'plpgsql' and p.prokind in ('f', 'p') then pg_get_functiondef(p.oid) end,
  (select s.setting from unnest(p.proconfig) as s(setting) where s.setting like 'search\\_path=%' limit 1)
from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
where p.oid > $1::oid
order by p.oid limit $2::int`
}

const function_kinds: Readonly<Record<string, CatalogFunction['kind']>> = {
  f: 'function',
  p: 'procedure',
  a: 'aggregate',
  w: 'window',
}

const builtin_schemas = new Set(['pg_catalog', 'information_schema'])

export const readFunction = (row: Row): CatalogFunction => {
  const [oid, schema, name, kind, language, source, definition = null, setting = null] = row
  return {
    oid: Number(oid),
    schema: schema ?? '',
    name: name ?? '',
    kind: function_kinds[kind ?? ''] ?? 'function',
    language: language ?? '',
    source: source ?? null,
    builtin: Number(oid) < first_own_oid && builtin_schemas.has(schema ?? ''),
    ...(definition === null ? {} : { definition }),
    ...(setting === null ? {} : { search_path: setting.slice('search_path='.length) }),
  }
}

/** Functions behind operators that did not come with the server, where none that did has the symbol. */
export const operatorsQuery = `
select o.oprname, o.oprcode::oid from pg_operator o where o.oid >= ${first_own_oid} and o.oprcode <> 0
  and not exists (select 1 from pg_operator b where b.oid < ${first_own_oid} and b.oprname = o.oprname)
order by o.oid limit 10000`

/** Functions that casts call which did not come with the server. */
export const castsQuery = `
select t.typname, c.castfunc from pg_cast c join pg_type t on t.oid = c.casttarget
where c.oid >= ${first_own_oid} and c.castfunc <> 0 order by c.oid limit 10000`

/** Temporary schemas by the process id of their session; servers before 16 do not tell. */
export const temporaryQuery = `
select n.nspname, pg_stat_get_backend_pid(b.id) from pg_stat_get_backend_idset() as b(id)
join pg_namespace n on n.nspname = 'pg_temp_' || b.id where pg_stat_get_backend_pid(b.id) is not null limit 10000`

export const temporary_version = 160_000
