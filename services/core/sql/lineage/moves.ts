import type { Catalog } from '../catalog.ts'
import { constantText, list, string, type Child, type TreeNode } from '../node.ts'
import type { Reading } from './reading.ts'
import type { StatementFindings } from './statements.ts'

/** What names mean to a statement of a text. */
export type Names = {
  readonly catalog: Catalog
  readonly search_path: readonly string[]
  /** Cursors and statements that the text itself named: they change no settings, or it would have been refused. */
  readonly own: ReadonlySet<string>
}

/**
 * What names mean after a statement of the same text has run: the server reads each statement when the one before it is done. A new search path
 * that the text tells is taken; what cannot be told leaves names that nobody can resolve.
 */
export const namesAfter = (
  at: Child,
  reading: Reading,
  found: StatementFindings,
  names: Names,
): Names => {
  const { continues, declares, prepares } = found
  if (declares !== '' || prepares !== '')
    return { ...names, own: new Set([...names.own, declares, prepares]) }
  // What a prepared statement or a cursor runs that came with another text is not told here, nor what functions set.
  const unseen = continues !== '' && !names.own.has(continues)
  if (unseen || reading.opaque.size > 0 || reading.sets) return withoutPath(names)
  switch (at.kind) {
    case 'VariableSetStmt':
      return afterSet(at.node, names)
    case 'TransactionStmt':
      return starting.has(string(at.node, 'kind')) ? names : withoutPath(names)
    case 'SelectStmt':
      return found.columns === null ? withoutNames(names) : names
    default:
      return still.has(at.kind) ? names : withoutNames(names)
  }
}

/** Nothing that was set before is undone by them. */
const starting = new Set(['TRANS_STMT_BEGIN', 'TRANS_STMT_START', 'TRANS_STMT_SAVEPOINT'])

/** They leave every name what it was. */
const still = new Set([
  'ClosePortalStmt',
  'CommentStmt',
  'ConstraintsSetStmt',
  'CopyStmt',
  'DeallocateStmt',
  'ExecuteStmt',
  'DeleteStmt',
  'ExplainStmt',
  'FetchStmt',
  'GrantStmt',
  'InsertStmt',
  'ListenStmt',
  'LockStmt',
  'MergeStmt',
  'NotifyStmt',
  'TruncateStmt',
  'UnlistenStmt',
  'UpdateStmt',
  'VacuumStmt',
  'VariableShowStmt',
])

/** Settings on which the search path hangs: `$user` is in it, under the name that the session found. */
const path_settings = new Set(['search_path', 'role', 'session_authorization'])

const afterSet = (node: TreeNode, names: Names): Names => {
  const name = string(node, 'name')
  const kind = string(node, 'kind')
  if (kind === 'VAR_RESET_ALL') return withoutPath(names)
  if (!path_settings.has(name)) return names
  if (kind !== 'VAR_SET_VALUE' || name !== 'search_path') return withoutPath(names)
  const schemas = list(node, 'args').map(constantText)
  if (schemas.some((schema) => schema === undefined || schema === '$user'))
    return withoutPath(names)
  const temporary = names.search_path.filter((schema) => schema.startsWith('pg_temp'))
  const listed = schemas.filter((schema) => schema !== undefined)
  if (listed.some((schema) => schema.startsWith('pg_temp'))) return withoutPath(names)
  return { ...names, search_path: [...temporary, ...listed] }
}

const withoutPath = ({ catalog, search_path, own }: Names): Names => ({
  own,
  search_path,
  catalog: {
    ...catalog,
    relation: (name, path) => (name.schema === '' ? undefined : catalog.relation(name, path)),
    functions: (name, path) => (name.schema === '' ? [] : catalog.functions(name, path)),
  },
})

const withoutNames = ({ catalog, search_path, own }: Names): Names => ({
  own,
  search_path,
  catalog: { ...catalog, relation: () => undefined, functions: () => [] },
})
