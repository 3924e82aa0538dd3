import { CairnError } from '#lib/error.ts'
import { stringLiteral } from '#lib/clickhouse/identifier.ts'
import type { ClickHouseReader } from '#lib/clickhouse/port.ts'
import { readAllowedFunctions, type MayCall } from './functions.ts'
import { sqlTokens, type Token } from './sql-tokens.ts'

/** A statement that may run, as the engine's formatter prints it. */
export type AdmittedQuery = {
  readonly sql: string
  /** Format that the statement itself asks for. */
  readonly format: string | null
}

/** Longest statement, bytes; the engine's own limit (`max_query_size`) is the same. */
export const query_bytes_max = 256 * 1024

/** What a reader's statement may begin with. */
const beginnings: ReadonlySet<string> = new Set([
  'SELECT',
  'WITH',
  'SHOW',
  'DESCRIBE',
  'EXPLAIN',
  'EXISTS',
])

/** Words that stand before a parenthesis without being called. */
const keywords: ReadonlySet<string> = new Set(
  `ALL AND ANY ARRAY AS ASC BETWEEN BY CASE COLUMNS CUBE DESC DISTINCT DIV ELSE EXCEPT EXISTS EXPLAIN FILTER FROM GLOBAL GROUP HAVING
   ILIKE IN INTERSECT INTERVAL IS JOIN LIKE LIMIT MOD NOT NULLS OFFSET ON OR ORDER OVER PARTITION PREWHERE QUALIFY REPLACE ROLLUP SELECT
   SETS STEP TABLE THEN TO TOTALS UNION USING WHEN WHERE WINDOW WITH APPLY DESCRIBE STRICT`.split(
    /\s+/,
  ),
)

/** Tables of the engine's own that tell of tables, columns, functions and formats; what others run and where files lie is nobody's. */
const system_tables: ReadonlySet<string> = new Set(
  `aggregate_function_combinators asynchronous_metrics build_options collations columns data_skipping_indices data_type_families databases
   events formats functions keywords merges metrics numbers numbers_mt one parts projections settings table_engines table_functions tables
   time_zones zeros`.split(/\s+/),
)

const refuse = (why: string): CairnError => new CairnError('forbidden', why)

const isName = (token: Token | undefined): token is Token =>
  token?.kind === 'word' || token?.kind === 'quoted'

const isMark = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'mark' && token.text === text

const isWord = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'word' && token.text.toUpperCase() === text

/** Names that are called: before a parenthesis, and behind APPLY, which calls what it names. */
const calledNames = (tokens: readonly Token[]): readonly string[] =>
  tokens.flatMap((token, at) => {
    if (isWord(token, 'APPLY')) {
      const next = isMark(tokens[at + 1], '(') ? tokens[at + 2] : tokens[at + 1]
      return isName(next) ? [next.text] : []
    }
    if (!isName(token) || !isMark(tokens[at + 1], '(')) return []
    return token.kind === 'word' && keywords.has(token.text) ? [] : [token.text]
  })

const formatOf = (tokens: readonly Token[]): string | null => {
  for (let at = tokens.length - 2; at >= 0; at--) {
    const name = tokens[at + 1]
    if (isWord(tokens[at], 'FORMAT') && isName(name)) return name.text
  }
  return null
}

const check = (tokens: readonly Token[] | null, mayCall: MayCall): readonly Token[] => {
  if (tokens === null) throw refuse('the statement cannot be checked')
  const first = tokens.find((token) => !isMark(token, '('))
  if (first?.kind !== 'word' || !beginnings.has(first.text))
    throw refuse(`only SELECT, SHOW, DESCRIBE, EXPLAIN and EXISTS, not ${first?.text ?? 'this'}`)
  tokens.forEach((token, at) => {
    if (isWord(token, 'OUTFILE') || isWord(token, 'INFILE')) throw refuse('no files')
    if (isWord(token, 'PARALLEL') && isWord(tokens[at + 1], 'WITH'))
      throw refuse('one statement at a time')
    if (isMark(token, ';')) throw refuse('one statement at a time')
    if (isWord(token, 'PROCESSLIST')) throw refuse('what others run is not open to readers')
    const name = tokens[at + 2]
    if (isName(token) && token.text === 'system' && isMark(tokens[at + 1], '.') && isName(name)) {
      if (!system_tables.has(name.text))
        throw refuse(`table system.${name.text} is not open to readers`)
    }
  })
  for (const name of calledNames(tokens))
    if (!mayCall(name)) throw refuse(`function ${name} is not open to readers`)
  return tokens
}

/**
 * Lets through what only reads our tables. The engine itself parses the statement (as a string that it formats, not as a statement), so that
 * what is checked is what runs: one statement, no comments, no tricks of spelling. This is the outer of three walls: behind it the query
 * runs with `readonly = 1`, and the engine's only user has no right outside the database.
 *
 * The gate throws CairnError('forbidden') for what readers may not do, CairnError('unusable_input') for what the engine cannot parse,
 * CairnError('limit_exceeded') for a statement over `query_bytes_max`.
 */
export const openQueryGate = async (
  clickhouse: ClickHouseReader,
): Promise<(sql: string) => Promise<AdmittedQuery>> => {
  const mayCall = await readAllowedFunctions(clickhouse)
  return async (sql) => {
    if (Buffer.byteLength(sql) > query_bytes_max)
      throw new CairnError('limit_exceeded', `a query of more than ${query_bytes_max} bytes`)
    const [row] = await clickhouse.query<{ sql: string }>(
      `SELECT formatQuerySingleLine(${stringLiteral(sql)}) AS sql`,
    )
    const formatted = row?.sql ?? ''
    return { sql: formatted, format: formatOf(check(sqlTokens(formatted), mayCall)) }
  }
}
