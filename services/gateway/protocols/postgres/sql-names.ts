import { joinMoves, type NameMoves } from '#core/sql/name-moves.ts'
import { effectOn } from '#core/sql/analysis.ts'
import type { Run } from './batch.ts'
import type { PendingChange } from './in-flight.ts'
import type { Prepared } from './prepared.ts'
import type { SessionState } from './state.ts'
import { anything_moves, nameKey, type NameAction, type StatementText } from './statement.ts'

/** What a text does to the names of prepared statements, statement by statement, and what it really runs. */
export type ResolvedStatement = {
  readonly changes: readonly (readonly PendingChange[])[] | null
  /** With the effects of what EXECUTE runs after those of the text itself. */
  readonly statement: StatementText
  /** The prepared statement an EXECUTE names; empty if none. */
  readonly name: string
}

type Statements = StatementText['statements']

/** A statement that EXECUTE names and the gateway never saw: it may exist all the same (made inside a function). */
const opaque: Statements = [
  { verb: 'unknown', offset: 0, length: 0, effects: [effectOn('unknown')] },
]

/**
 * Follows SQL's own PREPARE, EXECUTE and DEALLOCATE, which share their names with the protocol's prepared statements. The target logs
 * an EXECUTE by its own text, and so does the record; the effects of the statement it runs are added to its own, as are those of a portal
 * that FETCH reads.
 * `doubt`: the name's meaning hangs on answers that are due.
 */
export const nameChanges = (
  run: Pick<Run, 'state' | 'options'>,
  statement: StatementText,
): ResolvedStatement | 'doubt' => {
  const resolved = preparedChanges(run, statement)
  if (resolved === 'doubt') return 'doubt'
  const fetched = fetchedBy(run.state, statement)
  if (fetched === 'doubt') return 'doubt'
  if (fetched.length === 0) return resolved
  return { ...resolved, statement: withFetched(resolved.statement, fetched) }
}

/** The name that FETCH or MOVE gives, as the protocol writes it. */
const cursorName = (object: string): string =>
  nameKey(object.startsWith('"') ? object.slice(1, -1).replaceAll('""', '"') : object)

/** Statements of portals that Bind made and this fetches from: what they do is done then (a DELETE with RETURNING, a function). */
const fetchedBy = (
  state: SessionState,
  statement: StatementText,
): readonly StatementText[] | 'doubt' => {
  const fetched: StatementText[] = []
  for (const { verb, effects } of statement.statements) {
    if (verb !== 'cursor.fetch') continue
    for (const { object } of effects) {
      const found = state.portals.lookup(cursorName(object), state.segment)
      if (!found.found && found.doubt) return 'doubt'
      if (found.found) fetched.push(found.value.prepared.statement)
    }
  }
  return fetched
}

const withFetched = (
  statement: StatementText,
  fetched: readonly StatementText[],
): StatementText => ({
  ...statement,
  pure_read: false,
  moves: fetched.reduce((moves, { moves: own }) => joinMoves(moves, own), statement.moves),
  statements: [...statement.statements, ...fetched.flatMap(({ statements }) => statements)],
})

const preparedChanges = (
  { state, options }: Pick<Run, 'state' | 'options'>,
  statement: StatementText,
): ResolvedStatement | 'doubt' => {
  const { names } = statement
  /** EXECUTE plans it anew where names have changed. */
  const meant = (found: Prepared): StatementText => {
    found.statement = options.statements.again(found.statement, naming)
    return found.statement
  }
  const { naming } = statement
  if (names === null) return { changes: null, statement, name: '' }
  const before: Statements[number][] = []
  let moves: NameMoves | null = null
  for (const name of names.executes) {
    const found = state.statements.lookup(name, state.segment)
    if (!found.found && found.doubt) return 'doubt'
    if (found.found) {
      const known = meant(found.value)
      before.push(...known.statements)
      moves = joinMoves(moves, known.moves)
    }
  }
  const changes = names.changes.map((action) => changesOf(state, action))
  const inner: Statements[number][] = []
  for (const name of names.executes) {
    // The text itself may have changed the name, before or after it runs it: both meanings count.
    const found = state.statements.lookup(name, state.segment)
    if (found.found) {
      const known = meant(found.value)
      inner.push(...known.statements)
      moves = joinMoves(moves, known.moves)
    }
  }
  const run = [...new Set([...before, ...inner])]
  const executes = names.executes.length > 0
  return {
    changes,
    name: names.executes[0] ?? '',
    statement: executes
      ? {
          ...statement,
          pure_read: false,
          moves: joinMoves(statement.moves, run.length > 0 ? moves : anything_moves),
          statements: [...statement.statements, ...(run.length > 0 ? run : opaque)],
        }
      : statement,
  }
}

const changesOf = (state: SessionState, action: NameAction | null): readonly PendingChange[] => {
  const table = state.statements
  const change = (name: string, value: Prepared | null): PendingChange => ({
    table,
    change: table.change(name, value, state.segment),
  })
  switch (action?.action) {
    case 'prepare':
      return [
        change(action.name, {
          name: action.name,
          statement: action.statement,
          oids: [],
          shape: null,
          age: state.disturbances,
        }),
      ]
    case 'deallocate':
      return [change(action.name, null)]
    case 'deallocate_all':
      return table.names().map((name) => change(name, null))
    default:
      return []
  }
}
