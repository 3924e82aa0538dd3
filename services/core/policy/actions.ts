import { anyOf, type Matcher } from './pattern.ts'

/**
 * Actions of policies: what an effect does, exact or with `*` (`ddl.*`, `call:*`, `*`). A function is named by its name or with its schema:
 * `call:refund`, `call:public.refund`.
 *
 * Opaque actions run what no parse tree shows, or leave the database, or take somebody else's place. A rule that names no actions
 * permits none of them: they have to be named, `*` names them all. A rule that denies or holds is about them without naming them.
 */
const opaque_actions: ReadonlySet<string> = new Set([
  'unknown',
  'do_block',
  'copy.program',
  'copy.file',
  'file.read',
  'file.write',
  'replication',
  'set_role',
  'terminate',
])

export const isOpaque = (action: string): boolean => opaque_actions.has(action)

/** Opaque, and about what it touches nobody can tell anything. (What a DO block or another role does has effects of its own, `unknown` among them.) */
const boundless_actions: ReadonlySet<string> = new Set([
  'unknown',
  'copy.program',
  'copy.file',
  'file.read',
  'file.write',
  'replication',
])

export const isBoundless = (action: string): boolean => boundless_actions.has(action)

const call_prefix = 'call:'

export const isCall = (action: string): boolean => action.startsWith(call_prefix)

/** Actions whose object is no relation, schema or the like: a setting, a statement's name, a channel, a file, a function. */
const other_kinds: ReadonlySet<string> = new Set([
  ...opaque_actions,
  'begin',
  'commit',
  'rollback',
  'savepoint',
  'release',
  'rollback_to',
  'prepare_transaction',
  'commit_prepared',
  'rollback_prepared',
  'checkpoint',
  'copy.in',
  'copy.out',
  'cursor',
  'cursor.declare',
  'cursor.fetch',
  'cursor.close',
  'deallocate',
  'discard',
  'execute',
  'listen',
  'load',
  'notify',
  'prepare',
  'set',
  'show',
  'transaction',
  'unlisten',
])

/** Whether an action is about something that `objects` names, as far as it names relations. */
export const isRelational = (action: string): boolean => !other_kinds.has(action) && !isCall(action)

/** Families of actions whose objects are of another kind, as patterns name them: `copy.*`. */
const other_families: readonly string[] = [call_prefix, 'copy.', 'file.', 'cursor.']

/** These touch nothing when they name nothing: `select 1`, `explain`. Others without a name touch what is not known. */
export const isEmptyHanded = (action: string): boolean =>
  action === 'select' || action === 'explain'

/** Of these an object without schema may be a role, a database or a schema: the search path does not tell. */
export const namesAnything = (action: string): boolean =>
  action.startsWith('ddl.') || action === 'grant' || action === 'revoke'

export type ActionMatcher = {
  /** `object` is the function's name in full for calls. */
  readonly matches: (action: string, object: string) => boolean
  /** Names this very function, without a `*`. */
  readonly namesFunction: (name: string) => boolean
  /** `*` is among the patterns. */
  readonly all: boolean
  /** Some pattern may match an action on relations. */
  readonly relational: boolean
}

/** Compiles patterns of actions: one of them must match. */
export const compileActions = (patterns: readonly string[]): ActionMatcher => {
  const matches: Matcher = anyOf(patterns)
  const exact_calls = new Set(
    patterns.filter((pattern) => isCall(pattern) && !pattern.includes('*')),
  )
  const last = (name: string): string => name.slice(name.lastIndexOf('.') + 1)
  return {
    matches: (action, object) =>
      matches(action) || (isCall(action) && matches(`${call_prefix}${object}`)),
    namesFunction: (name) =>
      exact_calls.has(`${call_prefix}${name}`) || exact_calls.has(`${call_prefix}${last(name)}`),
    all: patterns.includes('*'),
    relational: patterns.some(
      (pattern) =>
        isRelational(pattern) && !other_families.some((family) => pattern.startsWith(family)),
    ),
  }
}
