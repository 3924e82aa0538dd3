import {
  unresolved,
  type MaskRefusal,
  type OutputMask,
  type StatementMask,
  type TextMasks,
} from '#core/masking/statement-masks.ts'
import type { CopyFormat } from '#core/sql/copy-format.ts'
import type { PendingChange } from '../in-flight.ts'
import type { Names } from '../names.ts'
import { keepsPath, type Portal } from '../prepared.ts'
import type { SessionState } from '../state.ts'
import { nameKey, type StatementText } from '../statement.ts'
import type { MaskSession } from './mask-session.ts'
import { cursors_max, type ColumnSession, type ResultMask } from './column-session.ts'

/** What column rules say about one command. */
export type CommandMask = {
  /** By statement. */
  readonly results: readonly ResultMask[]
  /** Each COPY FROM STDIN: its format, and the rule by column where one is about any. */
  readonly inputs: readonly CopyInputRules[]
  /** What the server says of it may quote masked values. */
  readonly touches: boolean
  /** It only reads, and nothing masked: what the server says of it can be shown. */
  readonly harmless: boolean
  /** Rules that mask its results. */
  readonly rules: readonly string[]
  /** Cursors that it declares, by statement. */
  readonly declares: readonly { readonly name: string; readonly result: ResultMask }[][]
  /** Formats of COPYs, by statement. */
  readonly copies: readonly (CopyFormat | null)[]
  readonly refusal: MaskRefusal | null
}

const moved = unresolved('its names meant something else when it was bound')

const isMoved = (portal: Portal | null, state: SessionState): boolean =>
  portal !== null && !keepsPath(portal, state.naming.current().search_path)

const nothing: ResultMask = { outputs: null, types: [] }

/** Masks of two results that may both be meant: whatever one of them masks. */
const either = (one: ResultMask, other: ResultMask): ResultMask => {
  if (one.outputs === null || other.outputs === null) return nothing
  if (one.outputs.length !== other.outputs.length) return nothing
  const { outputs } = other
  return {
    outputs: one.outputs.map(
      (output, index): OutputMask | null => output ?? outputs[index] ?? null,
    ),
    types: one.types,
  }
}

type Found = { readonly mask: StatementMask | null; readonly result: ResultMask }

/** Looks up what a command continues: statements and cursors that the text itself names come first, then the session's. */
const openLookup = (columns: ColumnSession, state: SessionState) => {
  const prepared = new Map<string, StatementMask>()
  const declared = new Map<string, ResultMask>()

  const found = <Value>(names: Names<Value>, name: string): Value | null | 'wait' => {
    const known = names.lookup(name, state.segment)
    if (known.found) return known.value
    return known.doubt ? 'wait' : null
  }

  const maskOf = (statement: StatementText): StatementMask | MaskRefusal | null => {
    if (statement.unmasked === null) return null
    const read = columns.read(statement.unmasked, state.naming.current())
    return read.ok ? (read.statements[0] ?? null) : read.refusal
  }

  const ofStatement = (name: string): Found | MaskRefusal | 'wait' => {
    const own = prepared.get(name)
    if (own !== undefined) return { mask: own, result: own }
    const known = found(state.statements, name)
    if (known === 'wait') return 'wait'
    const mask = known === null ? null : maskOf(known.statement)
    if (mask === null) return unresolved('it runs a statement that nobody saw being prepared')
    return 'words' in mask ? mask : { mask, result: mask }
  }

  const ofCursor = (name: string): Found | MaskRefusal | 'wait' => {
    const own = declared.get(name)
    if (own !== undefined) return { mask: null, result: own }
    const cursor = found(columns.cursors, name)
    const portal = found(state.portals, name)
    if (cursor === 'wait' || portal === 'wait') return 'wait'
    if (isMoved(portal, state)) return moved
    const bound = portal === null ? null : maskOf(portal.prepared.statement)
    if (bound !== null && 'words' in bound) return bound
    const results = [
      ...(cursor === null ? [] : [cursor.result]),
      ...(bound === null ? [] : [bound]),
    ]
    const [first, second] = results
    if (first === undefined) return unresolved('it reads a cursor that nobody saw being declared')
    return { mask: null, result: second === undefined ? first : either(first, second) }
  }

  return {
    prepares: (name: string, mask: StatementMask): void => void prepared.set(name, mask),
    declares: (name: string, result: ResultMask): void => void declared.set(name, result),
    continued: (verb: string, name: string): Found | MaskRefusal | 'wait' => {
      if (verb === 'execute') return ofStatement(name)
      if (verb.startsWith('cursor')) return ofCursor(name)
      return unresolved(`${verb} of a prepared statement cannot be followed`)
    },
  }
}

const no_copies: readonly never[] = []

const unread = (refusal: MaskRefusal | null): CommandMask => ({
  results: [],
  inputs: [],
  touches: true,
  harmless: false,
  rules: [],
  declares: [],
  copies: no_copies,
  refusal,
})

/** The rules for a COPY FROM STDIN. */
export type CopyInputRules = {
  readonly format: CopyFormat
  readonly columns: readonly (string | null)[] | null
}

const inputsOf = (
  verbs: readonly string[],
  copies: readonly (CopyFormat | null)[],
  statements: readonly StatementMask[],
): readonly CopyInputRules[] =>
  copies.flatMap((format, index) => {
    if (format === null || verbs[index] !== 'copy.in') return []
    const columns = statements[index]?.copy_in ?? null
    return [{ format, columns: columns?.some((rule) => rule !== null) === true ? columns : null }]
  })

/** Without column rules only the format of COPY data is of interest. */
const withoutColumns = (
  verbs: readonly string[],
  copies: readonly (CopyFormat | null)[],
): CommandMask => ({
  ...unread(null),
  touches: false,
  harmless: true,
  inputs: inputsOf(verbs, copies, []),
  copies,
})

const verbsOf = ({ analysis }: StatementText): readonly string[] =>
  analysis.ok ? analysis.statements.map(({ verb }) => verb) : []

const readStatements = (
  read: Extract<TextMasks, { ok: true }>,
  columns: ColumnSession,
  state: SessionState,
  verbs: readonly string[],
): CommandMask | 'wait' => {
  const lookup = openLookup(columns, state)
  const results: ResultMask[] = []
  const declares: { name: string; result: ResultMask }[][] = []
  const rules = new Set<string>()
  let refusal: MaskRefusal | null = null
  let touches = false
  for (const [index, statement] of read.statements.entries()) {
    let result: ResultMask = statement
    refusal ??= statement.refusal
    touches ||= statement.touches
    if (statement.prepares !== '') lookup.prepares(nameKey(statement.prepares), statement)
    declares.push([])
    if (statement.declares !== '') {
      const cursor = { name: nameKey(statement.declares), result }
      lookup.declares(cursor.name, result)
      declares.at(-1)?.push(cursor)
      if (columns.cursors.size >= cursors_max)
        refusal ??= unresolved(`there are too many cursors (${cursors_max})`)
    }
    if (statement.continues !== '') {
      const found = lookup.continued(verbs[index] ?? '', nameKey(statement.continues))
      if (found === 'wait') return 'wait'
      if ('words' in found) refusal ??= found
      else {
        ;({ result } = found)
        refusal ??= found.mask?.refusal ?? null
        touches ||= found.mask?.touches ?? true
      }
    }
    for (const output of result.outputs ?? []) if (output !== null) rules.add(output.rule)
    results.push(result)
  }
  return {
    results,
    inputs: [],
    touches: touches || rules.size > 0,
    harmless: !touches && rules.size === 0 && verbs.every((verb) => verb === 'select'),
    rules: [...rules],
    declares,
    copies: no_copies,
    refusal,
  }
}

const unknown_format = unresolved('the format of its data is not known')

/**
 * What masking has to know of a command; null in a session without masks. `wait`: it continues something whose meaning hangs on answers that
 * are due.
 */
export const commandMask = (
  masks: MaskSession | null,
  state: SessionState,
  statement: StatementText,
  portal: Portal | null = null,
): CommandMask | 'wait' | null => {
  if (masks === null) return null
  const { columns } = masks
  if (columns !== null && isMoved(portal, state)) return unread(moved)
  const { unmasked } = statement
  // Nothing that has no text runs; what cannot be parsed is refused in the server's own words.
  if (unmasked === null || !statement.analysis.ok) return unread(null)
  const copies = verbsOf(statement).some((verb) => verb.startsWith('copy'))
    ? masks.copies(unmasked)
    : no_copies
  if (copies === null) return unread(unknown_format)
  if (columns === null) return withoutColumns(verbsOf(statement), copies)
  const read = columns.read(unmasked, statement.naming)
  if (!read.ok) {
    state.naming.missed()
    return unread(read.refusal)
  }
  const mask = readStatements(read, columns, state, verbsOf(statement))
  if (mask === 'wait' || copies.length === 0) return mask
  return { ...mask, copies, inputs: inputsOf(verbsOf(statement), copies, read.statements) }
}

/** The cursors of a command take their names; settled like every change of a name. */
export const declareCursors = (
  columns: ColumnSession | null,
  state: SessionState,
  mask: CommandMask | null,
  changes: readonly (readonly PendingChange[])[] | null,
): readonly (readonly PendingChange[])[] | null => {
  if (columns === null || mask === null || mask.declares.every(({ length }) => length === 0))
    return changes
  const table = columns.cursors
  return mask.declares.map((cursors, index) => [
    ...(changes?.[index] ?? []),
    ...cursors.map((cursor): PendingChange => ({
      table,
      change: table.change(cursor.name, cursor, state.segment),
    })),
  ])
}
