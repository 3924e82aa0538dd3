import type { Body } from './environment.ts'
import { unmapped, type Child, type TreeNode } from './node.ts'
import type { SqlParser } from './parser.ts'

/**
 * What a function in PL/pgSQL runs: every SQL statement and expression in its body, by PL/pgSQL's own compiler. Conditions and loops are not followed: all
 * of it may run. Statements that build SQL while they run (EXECUTE, RETURN QUERY EXECUTE, OPEN FOR EXECUTE, FOR IN EXECUTE) make it dynamic.
 */

/** Nodes of one body. */
const nodes_max = 200_000

/** Kinds of nodes that hold nothing but what is looked at anyway. Anything else could run what is not seen. */
const plain_kinds = new Set([
  'PLpgSQL_function',
  'PLpgSQL_var',
  'PLpgSQL_rec',
  'PLpgSQL_row',
  'PLpgSQL_recfield',
  'PLpgSQL_arrayelem',
  'PLpgSQL_type',
  'PLpgSQL_expr',
  'PLpgSQL_nsitem',
  'PLpgSQL_exception',
  'PLpgSQL_exception_block',
  'PLpgSQL_condition',
  'PLpgSQL_case_when',
  'PLpgSQL_if_elsif',
  'PLpgSQL_diag_item',
  'PLpgSQL_raise_option',
  'PLpgSQL_stmt_block',
  'PLpgSQL_stmt_assign',
  'PLpgSQL_stmt_if',
  'PLpgSQL_stmt_case',
  'PLpgSQL_stmt_loop',
  'PLpgSQL_stmt_while',
  'PLpgSQL_stmt_fori',
  'PLpgSQL_stmt_fors',
  'PLpgSQL_stmt_forc',
  'PLpgSQL_stmt_foreach_a',
  'PLpgSQL_stmt_exit',
  'PLpgSQL_stmt_return',
  'PLpgSQL_stmt_return_next',
  'PLpgSQL_stmt_return_query',
  'PLpgSQL_stmt_raise',
  'PLpgSQL_stmt_assert',
  'PLpgSQL_stmt_execsql',
  'PLpgSQL_stmt_perform',
  'PLpgSQL_stmt_call',
  'PLpgSQL_stmt_getdiag',
  'PLpgSQL_stmt_open',
  'PLpgSQL_stmt_fetch',
  'PLpgSQL_stmt_close',
  'PLpgSQL_stmt_commit',
  'PLpgSQL_stmt_rollback',
])

const ending_kinds = new Set(['PLpgSQL_stmt_commit', 'PLpgSQL_stmt_rollback'])

/** RawParseMode of the server: a whole statement, an expression, an assignment to a target of one to three names. */
const parse_modes = { statement: 0, expression: 2, assignment: 3 } as const

type Text = { readonly query: string; readonly mode: number }

const isNode = (value: unknown): value is TreeNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

type Collected = { readonly texts: Text[]; dynamic: boolean; ends_transactions: boolean }

const collect = (root: unknown): Collected => {
  const found: Collected = { texts: [], dynamic: false, ends_transactions: false }
  const stack: unknown[] = [root]
  let left = nodes_max
  for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
    left -= 1
    if (left < 0) return { ...found, dynamic: true }
    if (Array.isArray(value)) stack.push(...(value as readonly unknown[]))
    if (!isNode(value)) continue
    for (const [name, below] of Object.entries(value)) {
      if (name.startsWith('PLpgSQL_')) {
        if (!plain_kinds.has(name)) found.dynamic = true
        if (ending_kinds.has(name)) found.ends_transactions = true
        if (name === 'PLpgSQL_expr' && isNode(below)) {
          const { query, parseMode = 0 } = below
          if (typeof query === 'string' && typeof parseMode === 'number')
            found.texts.push({ query, mode: parseMode })
          else found.dynamic = true
        }
      } else if (name === 'dynquery') found.dynamic = true
      stack.push(below)
    }
  }
  return found
}

/** `target := value` reads value, and what stands in the target's subscripts. */
const assignmentText = (parser: SqlParser, query: string): string | undefined => {
  const bytes = Buffer.from(query)
  let depth = 0
  for (const token of parser.scan(query) ?? []) {
    if (token.text === '(' || token.text === '[') depth += 1
    else if (token.text === ')' || token.text === ']') depth -= 1
    else if (depth === 0 && (token.text === ':=' || token.text === '=')) {
      const target = bytes.toString('utf8', 0, token.start)
      const value = bytes.toString('utf8', token.end)
      return target.includes('[') ? `select ${target}, (${value})` : `select ${value}`
    }
  }
  return undefined
}

const statementText = (parser: SqlParser, { query, mode }: Text): string | undefined => {
  if (mode === parse_modes.statement) return query
  if (mode === parse_modes.expression) return `select ${query}`
  return mode >= parse_modes.assignment ? assignmentText(parser, query) : undefined
}

const wrapped = (stmt: TreeNode | undefined): Child => {
  for (const kind in stmt) return { kind, node: stmt[kind] as TreeNode, field: 'stmt' }
  return { kind: unmapped, node: {}, field: 'stmt' }
}

/** The statements of a text; undefined when it cannot be parsed. */
export const parseStatements = (parser: SqlParser, text: string): readonly Child[] | undefined => {
  if (text.includes('\0')) return undefined
  const parsed = parser.parse(text)
  return parsed.ok ? (parsed.tree.stmts ?? []).map(({ stmt }) => wrapped(stmt)) : undefined
}

/** @param definition a whole CREATE FUNCTION, so that arguments are known */
export const readPlpgsql = (parser: SqlParser, definition: string): Body | undefined => {
  const compiled = parser.plpgsql(definition)
  if (compiled === undefined) return undefined
  const { texts, dynamic, ends_transactions } = collect(compiled)
  const statements: Child[] = []
  for (const text of texts) {
    const sql = statementText(parser, text)
    const parsed = sql === undefined ? undefined : parseStatements(parser, sql)
    if (parsed === undefined) return undefined
    statements.push(...parsed)
  }
  return { statements, dynamic, ends_transactions }
}

/** A DO block, as the function it is run as. */
export const readBlock = (parser: SqlParser, text: string): Body | undefined => {
  let tag = '$cairn$'
  for (let count = 0; text.includes(tag); count += 1) tag = `$cairn${count}$`
  return readPlpgsql(
    parser,
    `create function cairn() returns void language plpgsql as ${tag}${text}${tag}`,
  )
}
