import { createHash, type Hash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FunctionUse } from '#core/sql/catalog-index.ts'
import type { CatalogFunction, CatalogRelation } from '#core/sql/catalog.ts'
import { CairnError } from '#lib/error.ts'
import type { SideQueries } from '../side-queries.ts'
import {
  castsQuery,
  functionsQuery,
  operatorsQuery,
  readFunction,
  readRelation,
  relationsQuery,
  temporaryQuery,
  temporary_version,
  type Row,
} from './queries.ts'

/** Bounds of one catalog; a database with more has none, and what depends on it is refused. */
export type CatalogLimits = {
  readonly relations_max: number
  readonly columns_max: number
  readonly functions_max: number
  /** Characters of view definitions and function bodies, together. */
  readonly text_chars_max: number
}

export const catalog_limits: CatalogLimits = {
  relations_max: 50_000,
  columns_max: 1_000_000,
  functions_max: 50_000,
  text_chars_max: 64 * 1024 * 1024,
}

/** What a database holds, and a digest by which two loads are told apart. */
export type LoadedCatalog = {
  readonly relations: readonly CatalogRelation[]
  readonly functions: readonly CatalogFunction[]
  readonly operators: readonly FunctionUse[]
  readonly casts: readonly FunctionUse[]
  /** Temporary schema by the process id of the session that has it. */
  readonly temporary: ReadonlyMap<number, string>
  readonly digest: string
}

/** Rows asked for at once. View definitions are written out by the server one by one: a page must fit into its statement timeout. */
const page_rows = 500
/** Rows read before other work of the process gets its turn. */
const slice_rows = 100

const tooLarge = (what: string, max: number): CairnError =>
  new CairnError('limit_exceeded', `the target's catalog has too many ${what} (over ${max})`)

/** Reads a query page by page, yielding between slices. */
const readPages = async (
  queries: SideQueries,
  text: string,
  digest: Hash,
  take: (row: Row) => void,
): Promise<void> => {
  let after = '0'
  for (;;) {
    const rows = await queries.query(text, [after, String(page_rows)])
    let count = 0
    for (const row of rows) {
      digest.update(row.join('\0'))
      take(row)
      if (++count % slice_rows === 0) await nextTurn()
    }
    const last = rows.at(-1)?.[0] ?? null
    if (rows.length < page_rows || last === null) return
    after = last
  }
}

/**
 * Loads what a database holds, in one read only transaction, so that it is of one moment.
 * @throws CairnError('target_unavailable' | 'limit_exceeded')
 */
export const loadCatalog = async (
  queries: SideQueries,
  limits: CatalogLimits = catalog_limits,
): Promise<LoadedCatalog> => {
  await queries.query('begin transaction isolation level repeatable read read only')
  const [[version] = []] = await queries.query('show server_version_num')
  const server_version = Number(version)
  const digest = createHash('sha256')
  const relations: CatalogRelation[] = []
  const functions: CatalogFunction[] = []
  let columns = 0
  let chars = 0
  const addText = (text: string | null | undefined): void => {
    chars += text?.length ?? 0
    if (chars > limits.text_chars_max) throw tooLarge('characters', limits.text_chars_max)
  }
  await readPages(queries, relationsQuery, digest, (row) => {
    const relation = readRelation(row)
    columns += relation.columns.length
    addText(relation.definition)
    if (relations.length >= limits.relations_max) throw tooLarge('relations', limits.relations_max)
    if (columns > limits.columns_max) throw tooLarge('columns', limits.columns_max)
    relations.push(relation)
  })
  await readPages(queries, functionsQuery(server_version), digest, (row) => {
    const found = readFunction(row)
    addText(found.source)
    addText(found.definition)
    if (functions.length >= limits.functions_max) throw tooLarge('functions', limits.functions_max)
    functions.push(found)
  })
  const readUses = async (text: string): Promise<readonly FunctionUse[]> => {
    const rows = await queries.query(text)
    return rows.map((row) => {
      digest.update(row.join('\0'))
      return { by: row[0] ?? '', function: Number(row[1]) }
    })
  }
  const operators = await readUses(operatorsQuery)
  const casts = await readUses(castsQuery)
  const temporary = server_version >= temporary_version ? await queries.query(temporaryQuery) : []
  await queries.query('commit')
  return {
    relations,
    functions,
    operators,
    casts,
    temporary: new Map(temporary.map(([schema, pid]) => [Number(pid), schema ?? ''])),
    digest: digest.digest('hex'),
  }
}
