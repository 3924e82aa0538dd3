import { isAscii } from 'node:buffer'
import {
  databaseEnvironment,
  newDefinitionCache,
  type DefinitionCache,
} from './database-environment.ts'
import type { Environment } from './environment.ts'
import {
  isShifted,
  joinShifted,
  nothing_shifted,
  unknown_naming,
  withoutNames,
  type Naming,
} from './naming.ts'
import { parseSearchPath } from './search-path.ts'
import type {
  ExecutedName,
  PreparedText,
  SqlAnalysis,
  SqlUnparsed,
  StatementAnalysis,
  TransactionControl,
} from './analysis.ts'
import { findEffects, type Findings } from './effects.ts'
import { unmapped, type Child, type TreeNode } from './node.ts'
import type { ParseFailure, ParseTree, SqlParser, SqlToken } from './parser.ts'
import { isPureRead } from './pure-read.ts'

export type SqlLimits = {
  /** Longer texts are not parsed, characters. */
  readonly text_length_max: number
  /** Texts of more tokens (estimated) are not parsed: parsing blocks the process, about 1 µs a token. */
  readonly tokens_max: number
  readonly statements_max: number
}

export const sql_limits: SqlLimits = {
  text_length_max: 16 * 1024 * 1024,
  tokens_max: 200_000,
  statements_max: 10_000,
}

/** A text's analysis, and whether the same analysis holds for other literals of the same classes in the same places. */
export type Analyzed = { readonly analysis: SqlAnalysis; readonly literal_dependent: boolean }

const refused = (kind: SqlUnparsed['kind'], error: string, position = 0): SqlUnparsed => ({
  ok: false,
  kind,
  error,
  position,
})

const limited = (text: string, limits: SqlLimits): SqlUnparsed | undefined => {
  if (text.length > limits.text_length_max)
    return refused('limit', `the text is too large to be analysed (over ${limits.text_length_max})`)
  // The wire ends texts with NUL, and PostgreSQL would read no further.
  if (text.includes('\0')) return refused('syntax', 'invalid character NUL in the text')
  if (text.length > limits.tokens_max && hasMoreTokens(text, limits.tokens_max))
    return refused(
      'limit',
      `the text has too many parts to be analysed (over ${limits.tokens_max})`,
    )
  return undefined
}

/** Words and marks outside of quotes: cheap, never exact, and only there to bound the time that parsing takes. */
const hasMoreTokens = (text: string, tokens_max: number): boolean => {
  const pattern =
    /'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\/|[A-Za-z0-9_]+|[^\s]/g
  let count = 0
  while (count <= tokens_max && pattern.test(text)) count += 1
  return count > tokens_max
}

const failed = ({ kind, error, cursor }: ParseFailure): SqlUnparsed =>
  refused(kind === 'too_deep' ? 'limit' : kind, error, cursor + 1)

type Located = { readonly statement: Child; readonly offset: number; readonly length: number }

const statementOf = (wrapped: TreeNode | undefined): Child => {
  for (const kind in wrapped) return { kind, node: wrapped[kind] as TreeNode, field: 'stmt' }
  return { kind: unmapped, node: {}, field: 'stmt' }
}

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)

const locate = (tree: ParseTree, bytes: Buffer): readonly Located[] =>
  (tree.stmts ?? []).map(({ stmt, stmt_location = 0, stmt_len = 0 }) => {
    let start = stmt_location
    let end = stmt_len === 0 ? bytes.length : stmt_location + stmt_len
    while (start < end && isSpace(bytes[start])) start += 1
    while (end > start && isSpace(bytes[end - 1])) end -= 1
    return { statement: statementOf(stmt), offset: start, length: end - start }
  })

const isKeyword = ({ keywordName, text }: SqlToken, word: string): boolean =>
  keywordName !== 'NO_KEYWORD' && text.toLowerCase() === word

type Tokens = () => readonly SqlToken[]

/** Where `AS` of PREPARE or the arguments of EXECUTE are, by PostgreSQL's own tokens: the tree does not keep it. */
const preparedText = (bytes: Buffer, at: Located, tokens: Tokens): string => {
  let depth = 0
  for (const token of within(tokens(), at)) {
    if (token.tokenName === 'ASCII_40') depth += 1
    else if (token.tokenName === 'ASCII_41') depth -= 1
    else if (depth === 0 && isKeyword(token, 'as'))
      return bytes.toString('utf8', token.end, at.offset + at.length).trim()
  }
  return ''
}

const executedArgs = (bytes: Buffer, at: Located, tokens: Tokens): string => {
  let open = -1
  let depth = 0
  let seen = false
  for (const token of within(tokens(), at)) {
    if (depth === 0 && isKeyword(token, 'execute')) seen = true
    else if (token.tokenName === 'ASCII_40') {
      if (seen && depth === 0 && open < 0) open = token.end
      depth += 1
    } else if (token.tokenName === 'ASCII_41') {
      depth -= 1
      if (depth === 0 && open >= 0) return bytes.toString('utf8', open, token.start).trim()
    }
  }
  return ''
}

const within = (tokens: readonly SqlToken[], { offset, length }: Located): readonly SqlToken[] =>
  tokens.filter(({ start, end }) => start >= offset && end <= offset + length)

type Found = {
  readonly at: Located
  readonly findings: Findings
  readonly environment: Environment
}

/** Where unqualified names are looked up after a statement; undefined: not known. */
const pathAfter = (
  search_path: readonly string[] | undefined,
  { sets, transactions }: Findings,
): readonly string[] | undefined => {
  const moving = sets.filter(({ name }) => moving_settings.has(name))
  // The end of a transaction undoes what was set in it.
  if (transactions.some((control) => ending_controls.has(control))) return undefined
  const [only, ...others] = moving
  if (only === undefined) return search_path
  if (only.name !== 'search_path' || only.value === undefined || others.length > 0) return undefined
  const schemas = parseSearchPath(only.value)
  return schemas?.includes('$user') === true ? undefined : schemas
}

/** Settings that decide what an unqualified name means. */
const moving_settings = new Set(['search_path', 'role', 'session_authorization', '*', ''])
const ending_controls = new Set<TransactionControl>([
  'commit',
  'rollback',
  'rollback_to',
  'prepare_transaction',
])

/** Statement by statement: what comes before may change what the names in the next one mean. */
const findAll = (
  places: readonly Located[],
  environmentOf: (naming: Naming) => Environment,
  start: Naming,
): { readonly found: readonly Found[]; readonly steady: boolean } => {
  let { search_path } = start
  let shifts = nothing_shifted
  let environment = environmentOf(start)
  let steady = true
  const found = places.map((at, index): Found => {
    const findings = findEffects(at.statement, environment)
    const one = { at, findings, environment }
    const next = pathAfter(search_path, findings)
    if (index === places.length - 1 || (!isShifted(findings.shifts) && next === search_path))
      return one
    steady = false
    search_path = next
    shifts = joinShifted(shifts, findings.shifts)
    const catalog = start.catalog && withoutNames(start.catalog, shifts)
    environment = environmentOf({ catalog, search_path })
    return one
  })
  return { found, steady }
}

/** The tree proves it, and so do the views and functions behind it, where they are known. */
const onlyReads = ({ at, findings }: Found): boolean =>
  isPureRead(at.statement) &&
  findings.effects.every(({ action }) => action === 'select' || action.startsWith('call:'))

const prepares = (found: readonly Found[], bytes: Buffer, tokens: Tokens): PreparedText[] =>
  found.flatMap(({ at, findings, environment }) =>
    findings.prepares.map(({ name, query, types }) => {
      const { verb, effects, sets, shifts } = findEffects(query, environment)
      const text = preparedText(bytes, at, tokens)
      return { name, types, text, verb, effects, sets, shifts, pureRead: isPureRead(query) }
    }),
  )

const executes = (found: readonly Found[], bytes: Buffer, tokens: Tokens): ExecutedName[] =>
  found.flatMap(({ at, findings }) =>
    findings.executes.map((executed) => ({ ...executed, args: executedArgs(bytes, at, tokens) })),
  )

/** Analyses a text without any cache but that of definitions; about 100 µs for a short one. Never throws. */
export const analyzeText = (
  parser: SqlParser,
  text: string,
  limits: SqlLimits = sql_limits,
  naming: Naming = unknown_naming,
  cache: DefinitionCache = newDefinitionCache(),
): Analyzed => {
  const literal_dependent = true
  const refusal = limited(text, limits)
  if (refusal) return { analysis: refusal, literal_dependent }
  const parsed = parser.parse(text)
  if (!parsed.ok) return { analysis: failed(parsed), literal_dependent }
  if ((parsed.tree.stmts?.length ?? 0) > limits.statements_max)
    return { analysis: refused('limit', 'the text has too many statements'), literal_dependent }
  const bytes = Buffer.from(text)
  const { found, steady } = findAll(
    locate(parsed.tree, bytes),
    (at) => databaseEnvironment(parser, at, cache),
    naming,
  )
  let scanned: readonly SqlToken[] | undefined
  const tokens: Tokens = () => (scanned ??= parser.scan(text) ?? [])
  const [first, second] = found
  const statements = found.map(({ at, findings }): StatementAnalysis => {
    const { verb, effects } = findings
    return { verb, offset: at.offset, length: at.length, effects }
  })
  return {
    analysis: {
      ok: true,
      fingerprint: found.length === 0 ? '' : parsed.fingerprint,
      statements,
      pureRead: first !== undefined && second === undefined && onlyReads(first),
      steady,
      prepares: prepares(found, bytes, tokens),
      executes: executes(found, bytes, tokens),
      deallocates: found.flatMap(({ findings }) => findings.deallocates),
      transactions: found.flatMap(({ findings }) => findings.transactions),
      sets: found.flatMap(({ findings }) => findings.sets),
      shifts: found.reduce(
        (shifts, { findings }) => joinShifted(shifts, findings.shifts),
        nothing_shifted,
      ),
      unresolved: found.some(({ findings }) => findings.unresolved),
      secrets: found.reduce((sum, { findings }) => sum + findings.secrets, 0),
    },
    literal_dependent:
      found.length !== 1 ||
      !isAscii(bytes) ||
      found.some(({ findings }) => findings.literal_dependent || !reusable.has(findings.verb)),
  }
}

/** Verbs whose findings are the same whatever literals of the same class stand in the text. */
const reusable = new Set(['select', 'insert', 'update', 'delete', 'merge'])
