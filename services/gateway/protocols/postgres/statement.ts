import { hash } from 'node:crypto'
import { isAscii } from 'node:buffer'
import type { CommandReceived } from '#core/events/types.ts'
import {
  effectOn,
  firstVerb,
  type PreparedText,
  type SqlAnalysed,
  type SqlAnalysis,
} from '#core/sql/analysis.ts'
import { movesOf, type NameMoves } from '#core/sql/name-moves.ts'
import {
  everything_shifted,
  nothing_shifted,
  unknown_naming,
  type Naming,
} from '#core/sql/naming.ts'
import type { Redacted } from '#core/sql/redaction.ts'
import { name_bytes_max } from './frontend-messages.ts'
import { no_masks, type MaskedCounts } from './masking/mask-counts.ts'
import type { MaskSession } from './masking/mask-session.ts'

/** SQL's own PREPARE, EXECUTE and DEALLOCATE share their names with the protocol's prepared statements. */
export type NameActions = {
  /** Per statement of the text. */
  readonly changes: readonly (NameAction | null)[]
  /** Names that EXECUTE runs, anywhere in the text. */
  readonly executes: readonly string[]
}

export type NameAction =
  | { readonly action: 'prepare'; readonly name: string; readonly statement: StatementText }
  | { readonly action: 'deallocate'; readonly name: string }
  | { readonly action: 'deallocate_all' }

/** A text as the session sees and records it. */
export type StatementText = {
  /** As recorded: passwords replaced, cut at the limit. */
  readonly text: string
  readonly text_bytes: number
  readonly text_sha256: Buffer
  readonly verb: string
  readonly fingerprint: string
  readonly statements: CommandReceived['statements']
  readonly parse_error: string
  /** The text itself, which masking reads again whenever names may mean something else; null in a session without masks. Never recorded. */
  readonly unmasked: string | null
  /** What was masked in the text. */
  readonly masked: MaskedCounts
  /** What was replaced in the text, for the command's answers: never recorded. */
  readonly secrets: readonly string[]
  /** The values bound to its parameters are secrets. */
  readonly secret_parameters: boolean
  readonly pure_read: boolean
  /** What the policy looks at. */
  readonly analysis: SqlAnalysis
  /** What its names meant where it was read. */
  readonly naming: Naming
  /** What it may change about names; null for nearly every text. */
  readonly moves: NameMoves | null
  /** Null for nearly every text. */
  readonly names: NameActions | null
  /** It may change what makes the proof of a pure read hold (search path, role, functions ...). */
  readonly unsettling: boolean
  /** Its meaning depends on session settings (encoding, backslashes in literals): read only when those are certain. */
  readonly delicate: boolean
}

/** Cuts a text to at most this many bytes of UTF-8, at a character. */
export const cutText = (text: string, bytes_max: number): string => {
  // A character takes at most three bytes per UTF-16 unit.
  if (text.length * 3 <= bytes_max) return text
  const bytes = Buffer.from(text, 'utf8')
  if (bytes.length <= bytes_max) return text
  let end = bytes_max
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}

/** Analysis of what has no text. */
const no_analysis: SqlAnalysed = {
  ok: true,
  fingerprint: '',
  statements: [],
  pureRead: false,
  steady: true,
  prepares: [],
  executes: [],
  deallocates: [],
  transactions: [],
  sets: [],
  shifts: nothing_shifted,
  unresolved: false,
  secrets: 0,
}

/** What may change when nothing is known of what was run. */
export const anything_moves = movesOf([effectOn('unknown')], [], everything_shifted)

/** What is known of a statement that the gateway never saw. */
export const unknownStatement = (why: string): StatementText => ({
  text: '',
  text_bytes: 0,
  text_sha256: hash('sha256', '', 'buffer'),
  verb: 'unknown',
  fingerprint: '',
  statements: [],
  parse_error: why,
  unmasked: null,
  masked: no_masks,
  secrets: [],
  secret_parameters: false,
  pure_read: false,
  analysis: no_analysis,
  naming: unknown_naming,
  moves: anything_moves,
  names: null,
  unsettling: true,
  delicate: false,
})

/** What a session hides in a text that is recorded. */
type Masks = Pick<MaskSession, 'hide'>

export type StatementReader = {
  /**
   * Describes a text. `bytes` are the text's bytes as received, `trusted` false when settings make its meaning uncertain, `masks` what a session
   * hides in what is recorded.
   */
  readonly read: (
    text: string,
    bytes: Buffer,
    trusted: boolean,
    naming: Naming,
    masks: Masks | null,
  ) => StatementText
  /** A statement that was prepared before, with what its names mean now. The same object when that is the same. */
  readonly again: (statement: StatementText, naming: Naming) => StatementText
}

/** A text whose effects cannot be found out again: it may do anything. */
const unreadAgain = (statement: StatementText, naming: Naming): StatementText => ({
  ...statement,
  ...unreadable,
  verb: statement.verb,
  names: statement.names,
  statements: [...statement.statements, ...unreadable.statements],
  naming,
})

export type StatementReaderOptions = {
  readonly analyze: (text: string, naming: Naming) => SqlAnalysis
  /** Replaces literals that are secrets. */
  readonly redact: (text: string, analysis: SqlAnalysis) => Redacted
  /** Bound of a recorded text, bytes. */
  readonly text_bytes_max: number
}

/** Settings that a session may change without making the proof of a pure read doubtful. */
const quiet_settings = new Set([
  'application_name',
  'client_encoding',
  'client_min_messages',
  'datestyle',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'lock_timeout',
  'statement_timeout',
  'timezone',
  'transaction_timeout',
])

/** First words of effects that change neither names nor settings. */
const quiet_actions = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'truncate',
  'lock',
  'transaction',
  'cursor',
  'prepare',
  'execute',
  'deallocate',
  'set',
  'show',
  'listen',
  'unlisten',
  'notify',
  'explain',
  'analyze',
  'vacuum',
  'copy.in',
  'copy.out',
])

const isUnsettling = (analysis: SqlAnalysis): boolean =>
  !analysis.ok ||
  analysis.sets.some(({ name }) => !quiet_settings.has(name)) ||
  (!analysis.pureRead &&
    analysis.statements.some(({ effects }) =>
      effects.some(({ action }) => !quiet_actions.has(action)),
    ))

/** The server keeps 63 bytes of a name. Keys here hold one character per byte. */
export const nameKey = (name: string): string => {
  const bytes = Buffer.from(name, 'utf8')
  let end = Math.min(bytes.length, name_bytes_max)
  while (end < bytes.length && end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.toString('latin1', 0, end)
}

/** Joins the lists of an analysis to its statements, which stand in the same order. */
const nameActions = (
  analysis: SqlAnalysed,
  prepared: (inner: PreparedText) => StatementText,
): NameActions | null => {
  const { prepares, deallocates, executes, statements } = analysis
  if (prepares.length + deallocates.length + executes.length === 0) return null
  let nextPrepare = 0
  let nextDeallocate = 0
  const changes = statements.map(({ verb }): NameAction | null => {
    if (verb === 'prepare') {
      const inner = prepares[nextPrepare++]
      if (inner !== undefined)
        return { action: 'prepare', name: nameKey(inner.name), statement: prepared(inner) }
    } else if (verb === 'deallocate' || verb === 'discard') {
      const name = deallocates[nextDeallocate]
      // DISCARD PLANS and its like touch no name.
      if (name === undefined || (verb === 'discard' && name !== '*')) return null
      nextDeallocate++
      return name === '*'
        ? { action: 'deallocate_all' }
        : { action: 'deallocate', name: nameKey(name) }
    }
    return null
  })
  return { changes, executes: executes.map(({ name }) => nameKey(name)) }
}

const sha256 = (bytes: Buffer): Buffer => hash('sha256', bytes, 'buffer')

/** Prepares texts for the record. The recorded text is bounded, the analysis sees all of it. */
const no_statements: StatementText['statements'] = []

export const openStatementReader = (options: StatementReaderOptions): StatementReader => {
  const { analyze, redact, text_bytes_max } = options

  /** What is recorded of a text: values and passwords replaced, cut at the limit. */
  const record = (
    text: string,
    bytes: Buffer,
    analysis: SqlAnalysis,
    naming: Naming,
    masks: Masks | null,
  ) => {
    const hidden = masks?.hide(text, analysis, naming) ?? null
    const redacted = redact(hidden?.text ?? text, hidden?.analysis ?? analysis)
    const same = redacted.count === 0 && hidden === null
    const recorded = {
      text: cutText(redacted.text, text_bytes_max).toWellFormed(),
      text_bytes: bytes.length,
      unmasked: masks === null ? null : text,
      masked: hidden?.masked ?? no_masks,
      secrets: hidden === null ? redacted.secrets : [...hidden.secrets, ...redacted.secrets],
      secret_parameters: redacted.secret_parameters,
      // The hash of a text with a password in it would let the password be guessed: then it is the redacted text's.
      text_sha256: sha256(same ? bytes : Buffer.from(redacted.text, 'utf8')),
    }
    return { redacted, recorded }
  }

  const preparedWith =
    (naming: Naming, masks: Masks | null) =>
    (inner: PreparedText): StatementText => {
      const bytes = Buffer.from(inner.text, 'utf8')
      return {
        ...record(inner.text, bytes, analyze(inner.text, naming), naming, masks).recorded,
        verb: inner.verb,
        fingerprint: '',
        statements: [{ verb: inner.verb, offset: 0, length: bytes.length, effects: inner.effects }],
        parse_error: '',
        pure_read: inner.pureRead,
        analysis: no_analysis,
        naming,
        moves: movesOf(inner.effects, inner.sets, inner.shifts),
        names: null,
        unsettling: !inner.pureRead,
        delicate: false,
      }
    }

  return {
    again: (statement, naming) => {
      const unread = statement.parse_error !== '' || statement.statements.length !== 1
      if (statement.naming === naming || unread) return statement
      const analysis = analyze(statement.unmasked ?? statement.text, naming)
      const [now] = analysis.ok ? analysis.statements : no_statements
      if (!analysis.ok || now === undefined) return unreadAgain(statement, naming)
      return {
        ...statement,
        statements: statement.statements.map((before) => ({ ...before, effects: now.effects })),
        pure_read: statement.pure_read && analysis.pureRead,
        analysis: statement.analysis === no_analysis ? no_analysis : analysis,
        naming,
        moves: movesOf(now.effects, analysis.sets, analysis.shifts),
        unsettling: isUnsettling(analysis),
      }
    },
    read: (text, bytes, trusted, given, masks) => {
      const analysis = analyze(text, given)
      // What is changed halfway is known to nobody who looks at the whole.
      const naming = analysis.ok && !analysis.steady ? unknown_naming : given
      const { redacted, recorded } = record(text, bytes, analysis, naming, masks)
      const delicate = !isAscii(bytes) || text.includes('\\')
      const certain = trusted || !delicate
      if (!analysis.ok || !certain)
        return {
          ...recorded,
          ...unreadable,
          analysis: analysis.ok ? analysis : { ...analysis, error: redacted.error },
          naming,
          delicate,
          parse_error: analysis.ok ? backslashes_in_doubt : redacted.error.toWellFormed(),
        }
      return {
        ...recorded,
        verb: firstVerb(analysis),
        fingerprint: analysis.fingerprint,
        statements: redacted.statements,
        parse_error: '',
        pure_read: analysis.pureRead,
        analysis,
        naming,
        moves: movesOf(
          analysis.statements.flatMap(({ effects }) => effects),
          analysis.sets,
          analysis.shifts,
        ),
        names: nameActions(analysis, preparedWith(naming, masks)),
        unsettling: isUnsettling(analysis),
        delicate,
      }
    },
  }
}

const backslashes_in_doubt =
  'standard_conforming_strings is off: what a backslash means is not certain'

const unreadable = {
  verb: 'unknown',
  fingerprint: '',
  statements: [{ verb: 'unknown', offset: 0, length: 0, effects: [effectOn('unknown')] }],
  pure_read: false,
  moves: anything_moves,
  names: null,
  unsettling: true,
}
