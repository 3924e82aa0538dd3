import type { ShiftedNames } from './naming.ts'

/** One thing a statement does to one object. */
export type Effect = {
  /**
   * `select`, `insert`, `update`, `delete`, `truncate`, `lock`, `explain`, `ddl.create`, `ddl.alter`, `ddl.drop`, `grant`, `revoke`, `set`,
   * `set_role`, `copy.in`, `copy.out`, `references`, `copy.program`, `copy.file`, `file.read`, `file.write`, `call:<function>`, `do_block`, `prepare`, `execute`, `deallocate`, `listen`,
   * `unlisten`, `notify`, `transaction`, `cursor`, `vacuum`, `analyze`, `reindex`, `cluster`, `checkpoint`, `discard`,
   * `show`, `replication`, `terminate`, or `unknown`: something that the parse tree does not show.
   */
  readonly action: string
  /** `schema.name` or `name` as written, names that hold a dot quoted; empty when there is none. */
  readonly object: string
  /** Columns of the object that are read or written, as far as they are known; `*` for all of them; empty where columns mean nothing. */
  readonly columns: readonly string[]
  /** View, rule or function through which it happens; empty when the statement itself names the object. */
  readonly via: string
}

const no_columns: readonly string[] = []

/** An effect that the statement itself names, without columns. */
export const effectOn = (action: string, object = ''): Effect => ({
  action,
  object,
  columns: no_columns,
  via: '',
})

export type StatementAnalysis = {
  /**
   * `select`, `insert`, `update`, `delete`, `merge`, `truncate`, `lock`, `ddl.create|alter|drop`, `grant`, `revoke`, `set`, `set_role`, `show`,
   * `discard`, `copy.in|out|program|file`, `call:<procedure>`, `do_block`, `prepare`, `execute`, `deallocate`, `explain`, `begin`, `commit`,
   * `rollback`, `savepoint`, `release`, `rollback_to`, `prepare_transaction`, `commit_prepared`, `rollback_prepared`, `listen`, `unlisten`,
   * `notify`, `cursor.declare|fetch|close`, `vacuum`, `analyze`, `reindex`, `cluster`, `checkpoint`, `load`, `unknown`.
   */
  readonly verb: string
  /** Bytes in the UTF-8 text, white space and comments before the statement left out. */
  readonly offset: number
  /** Bytes, without the semicolon. */
  readonly length: number
  readonly effects: readonly Effect[]
}

/** SQL-level PREPARE: the name it gives and the statement it will run. */
export type PreparedText = {
  readonly name: string
  /** Text after AS. */
  readonly text: string
  /** What it does when executed. */
  readonly verb: string
  readonly effects: readonly Effect[]
  readonly pureRead: boolean
  /** Settings it changes, and names that mean something else afterwards, when executed. */
  readonly sets: readonly SettingChange[]
  readonly shifts: ShiftedNames
  /** Number of declared parameter types; the rest is inferred by the server. */
  readonly types: number
}

/** SQL-level EXECUTE, also below EXPLAIN and CREATE TABLE AS. */
export type ExecutedName = {
  readonly name: string
  /** Text between the parentheses, empty without arguments. */
  readonly args: string
  /** Planned only, by EXPLAIN without ANALYZE. */
  readonly explained: boolean
}

/** A change of a session setting, by SET, RESET, DISCARD, set_config() or an update of pg_settings. */
export type SettingChange = {
  /** Lower case; `*` for all of them; empty when the text does not tell. */
  readonly name: string
  /** Undefined for RESET, DEFAULT, FROM CURRENT and values that the text does not tell. */
  readonly value: string | undefined
  /** Ends with the transaction (SET LOCAL). */
  readonly local: boolean
}

export type TransactionControl =
  | 'begin'
  | 'commit'
  | 'rollback'
  | 'savepoint'
  | 'release'
  | 'rollback_to'
  | 'prepare_transaction'
  | 'commit_prepared'
  | 'rollback_prepared'

export type SqlAnalysed = {
  readonly ok: true
  /** 16 hex digits: equal for texts that differ in literals only. */
  readonly fingerprint: string
  /** Empty for a text of white space and comments. */
  readonly statements: readonly StatementAnalysis[]
  /** See pure-read.ts. */
  readonly pureRead: boolean
  /** No statement changes what the names in a later one mean. */
  readonly steady: boolean
  readonly prepares: readonly PreparedText[]
  readonly executes: readonly ExecutedName[]
  /** Names, `*` for all. */
  readonly deallocates: readonly string[]
  readonly transactions: readonly TransactionControl[]
  readonly sets: readonly SettingChange[]
  /** Names that mean something else once the text has run. */
  readonly shifts: ShiftedNames
  /** A relation or function is not in the catalog, or there is none. */
  readonly unresolved: boolean
  /** How many literals the tree knows to be secrets (role passwords, user mapping options, connection strings). */
  readonly secrets: number
}

export type SqlUnparsed = {
  readonly ok: false
  /** syntax: refused by PostgreSQL's grammar. limit: too large, too deep, too many statements. unavailable: try again. */
  readonly kind: 'syntax' | 'limit' | 'unavailable'
  /** PostgreSQL's message for syntax errors. May quote the text: goes through redaction before it is recorded. */
  readonly error: string
  /** Character in the text, 1-based as in PostgreSQL's error field P; 0 when unknown. */
  readonly position: number
}

/** What a text does, as far as its parse tree tells. */
export type SqlAnalysis = SqlAnalysed | SqlUnparsed

/** The normalised verb of the first statement; `unknown` if not parsed, `empty` if there is no statement. */
export const firstVerb = (analysis: SqlAnalysis): string =>
  analysis.ok ? (analysis.statements[0]?.verb ?? 'empty') : 'unknown'
