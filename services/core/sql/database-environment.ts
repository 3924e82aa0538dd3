import type { CatalogFunction, CatalogRelation } from './catalog.ts'
import type { Body, Environment } from './environment.ts'
import type { Naming } from './naming.ts'
import { child, children, list, type Child } from './node.ts'
import type { SqlParser } from './parser.ts'
import { parseStatements, readBlock, readPlpgsql } from './plpgsql.ts'

/** Trees of view definitions and function bodies, as long as the catalog that holds them is kept. Null: cannot be parsed. */
export type DefinitionCache = {
  readonly views: WeakMap<CatalogRelation, Child | null>
  readonly bodies: WeakMap<CatalogFunction, Body | null>
}

export const newDefinitionCache = (): DefinitionCache => ({
  views: new WeakMap(),
  bodies: new WeakMap(),
})

/** Longer bodies are not read, characters. */
const definition_length_max = 1024 * 1024

const readView = (parser: SqlParser, { definition }: CatalogRelation): Child | null => {
  if (definition === null || definition.length > definition_length_max) return null
  const [query, ...others] = parseStatements(parser, definition) ?? []
  return query?.kind === 'SelectStmt' && others.length === 0 ? query : null
}

/** A body in SQL's own syntax is no statement by itself: BEGIN ATOMIC ... END, or RETURN expression. */
const readStandardBody = (parser: SqlParser, source: string): readonly Child[] | undefined => {
  const [made] = parseStatements(parser, `create function cairn() returns void ${source}`) ?? []
  const body =
    made?.kind === 'CreateFunctionStmt' ? child(made.kind, made.node, 'sql_body') : undefined
  if (body === undefined) return undefined
  if (body.kind === 'ReturnStmt') return children(body.kind, body.node)
  return list(body.node, 'items').flatMap(({ kind, node }) =>
    kind === 'List' ? list(node, 'items') : [{ kind, node, field: 'stmt' }],
  )
}

const readFunction = (parser: SqlParser, found: CatalogFunction): Body | null => {
  const { kind, language, source, definition } = found
  if (source === null || source.length > definition_length_max) return null
  if (kind !== 'function' && kind !== 'procedure') return null
  if (language === 'plpgsql')
    return definition === undefined ? null : (readPlpgsql(parser, definition) ?? null)
  if (language !== 'sql') return null
  const statements = /^\s*(?:begin\s+atomic|return)\b/i.test(source)
    ? readStandardBody(parser, source)
    : parseStatements(parser, source)
  if (statements === undefined) return null
  const inner = statements.map(({ kind: own, node }) => ({ kind: own, node, field: 'stmt' }))
  return { statements: inner, dynamic: false, ends_transactions: false }
}

const remembered = <Key extends WeakKey, Value>(
  kept: WeakMap<Key, Value | null>,
  key: Key,
  make: () => Value | null,
): Value | undefined => {
  let value = kept.get(key)
  if (value === undefined) {
    value = make()
    kept.set(key, value)
  }
  return value ?? undefined
}

/** What an analysis may ask of the database that a statement runs in. */
export const databaseEnvironment = (
  parser: SqlParser,
  { catalog, search_path }: Naming,
  cache: DefinitionCache,
): Environment => ({
  catalog,
  search_path,
  viewQuery: (view) => remembered(cache.views, view, () => readView(parser, view)),
  body: (found) => remembered(cache.bodies, found, () => readFunction(parser, found)),
  block: (text) => (text.length > definition_length_max ? undefined : readBlock(parser, text)),
})
