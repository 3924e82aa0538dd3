import { indirection, call, doBlock, operator, sortBy, subLink, typeName } from './call-effects.ts'
import type { Effect, SettingChange, TransactionControl } from './analysis.ts'
import {
  columnRef,
  copy,
  join,
  merge,
  modification,
  refresh,
  relation,
  select,
  tableSample,
} from './data-effects.ts'
import {
  createTable,
  drop,
  grant,
  grantRole,
  onRelations,
  onRoles,
  option,
  plain,
  rename,
  role,
  subscription,
  transparent,
} from './definition-effects.ts'
import {
  child,
  children,
  flag,
  list,
  names,
  string,
  unmapped,
  type Child,
  type TreeNode,
} from './node.ts'
import {
  constraints,
  cursor,
  deallocate,
  discard,
  execute,
  explain,
  load,
  prepare,
  set,
  setting_roles,
  transaction,
  transaction_kinds,
  vacuum,
} from './session-effects.ts'
import { no_environment, type Environment } from './environment.ts'
import { nothing_shifted, type ShiftedNames } from './naming.ts'
import { isQuiet, plainVerb, shiftsEverything } from './statement-kinds.ts'
import { readViews } from './views.ts'
import { effectsOf, emit, newWalk, push, type Frame, type Handler, type Walk } from './walk.ts'

/** What a walk over a statement finds. */
export type Findings = {
  readonly verb: string
  readonly effects: readonly Effect[]
  readonly sets: readonly SettingChange[]
  readonly transactions: readonly TransactionControl[]
  readonly deallocates: readonly string[]
  readonly executes: readonly { readonly name: string; readonly explained: boolean }[]
  readonly prepares: readonly {
    readonly name: string
    readonly query: Child
    readonly types: number
  }[]
  readonly secrets: number
  /** Names that mean something else afterwards. */
  readonly shifts: ShiftedNames
  /** A relation or function is not in the catalog, or there is none. */
  readonly unresolved: boolean
  /** Whether another literal in the same place could change the findings. */
  readonly literal_dependent: boolean
}

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['RangeVar', relation],
  ['SelectStmt', select],
  ['InsertStmt', modification('insert')],
  ['UpdateStmt', modification('update')],
  ['DeleteStmt', modification('delete')],
  ['MergeStmt', merge],
  ['IntoClause', onRelations('ddl.create')],
  ['TruncateStmt', onRelations('truncate')],
  ['LockStmt', onRelations('lock')],
  ['DropStmt', drop],
  ['DropRoleStmt', onRoles('ddl.drop')],
  ['DropOwnedStmt', onRoles('ddl.drop')],
  ['ReassignOwnedStmt', onRoles('ddl.alter')],
  ['CreateRoleStmt', role('ddl.create')],
  ['AlterRoleStmt', role('ddl.alter')],
  ['GrantStmt', grant],
  ['GrantRoleStmt', grantRole],
  ['AlterDefaultPrivilegesStmt', onRelations('grant')],
  ['VariableSetStmt', set],
  ['DiscardStmt', discard],
  ['TransactionStmt', transaction],
  ['CopyStmt', copy],
  ['ExplainStmt', explain],
  ['PrepareStmt', prepare],
  ['ExecuteStmt', execute],
  ['DeallocateStmt', deallocate],
  ['DoStmt', doBlock],
  ['VacuumStmt', vacuum],
  ['LoadStmt', load],
  ['CreateSubscriptionStmt', subscription('ddl.create')],
  ['AlterSubscriptionStmt', subscription('ddl.alter')],
  ['DropSubscriptionStmt', subscription('ddl.drop')],
  ['DefElem', option],
  ['ColumnRef', columnRef],
  ['A_Indirection', indirection],
  ['JoinExpr', join],
  ['RefreshMatViewStmt', refresh],
  ['RenameStmt', rename],
  ['FuncCall', call],
  ['RangeTableSample', tableSample],
  ['A_Expr', operator],
  ['SubLink', subLink],
  ['SortBy', sortBy],
  ['TypeName', typeName],
  ['DeclareCursorStmt', cursor],
  ['FetchStmt', cursor],
  ['ClosePortalStmt', cursor],
  ['ConstraintsSetStmt', constraints],
  ['CreateStmt', createTable],
  ['Constraint', onRelations('references')],
  ['TableLikeClause', onRelations('select')],
  ['CallStmt', transparent],
  ['CreateForeignTableStmt', transparent],
  ['CreateTableAsStmt', transparent],
  ['ReplicaIdentityStmt', transparent],
])

const visit = (walk: Walk, given: Frame): void => {
  const quiet = isQuiet(given.kind)
  const frame = quiet ? { ...given, quiet } : given
  walk.at = frame
  walk.nodes -= 1
  if (shiftsEverything(frame.kind, frame.node)) walk.shifts_all = true
  const handler = handlers.get(frame.kind)
  if (handler) return handler(walk, frame)
  if (frame.kind === unmapped) return void emit(walk, 'unknown')
  const verb = plainVerb(frame.kind)
  if (verb !== undefined) return plain(verb)(walk, frame)
  // A statement that is in no list is one that this version does not know.
  if (frame.kind.endsWith('Stmt') && !known_inner.has(frame.kind)) emit(walk, 'unknown')
  push(walk, frame, children(frame.kind, frame.node))
}

/** Parts of SQL functions' bodies that are named like statements. */
const known_inner = new Set(['ReturnStmt', 'RawStmt'])

const verbOf = (kind: string, node: TreeNode): string => {
  switch (kind) {
    case 'TransactionStmt':
      return transaction_kinds[string(node, 'kind')] ?? 'unknown'
    case 'VariableSetStmt':
      return setting_roles.has(string(node, 'name').toLowerCase()) ? 'set_role' : 'set'
    case 'GrantStmt':
    case 'GrantRoleStmt':
      return flag(node, 'is_grant') ? 'grant' : 'revoke'
    case 'AlterDefaultPrivilegesStmt': {
      const action = child(kind, node, 'action')
      return action && flag(action.node, 'is_grant') ? 'grant' : 'revoke'
    }
    case 'CopyStmt':
      if (flag(node, 'is_program')) return 'copy.program'
      if (string(node, 'filename') !== '') return 'copy.file'
      return flag(node, 'is_from') ? 'copy.in' : 'copy.out'
    case 'CallStmt': {
      const procedure = child(kind, node, 'funccall')
      return `call:${procedure ? (names(list(procedure.node, 'funcname')).at(-1) ?? '') : ''}`
    }
    case 'VacuumStmt':
      return flag(node, 'is_vacuumcmd') ? 'vacuum' : 'analyze'
    default:
      return plainVerb(kind) ?? 'unknown'
  }
}

/** Walks one statement, and the views and functions behind it as far as the environment knows them. Time and memory grow with the number of nodes; depth costs nothing. */
export const findEffects = (
  statement: Child,
  environment: Environment = no_environment,
): Findings => {
  const walk = newWalk(environment, statement)
  const views = new Map<string, number>()
  do {
    for (let frame = walk.stack.pop(); frame; frame = walk.stack.pop()) {
      if (walk.nodes > 0) visit(walk, frame)
      else emit(walk, 'unknown')
    }
  } while (readViews(walk, views))
  const { sets, transactions, deallocates, executes, prepares, secrets, literal_dependent } = walk
  const { shifts_all: all, shifted: names } = walk
  return {
    verb: verbOf(statement.kind, statement.node),
    effects: effectsOf(walk),
    sets,
    transactions,
    deallocates,
    executes,
    prepares,
    secrets,
    shifts: all || names.size > 0 ? { all, names } : nothing_shifted,
    unresolved: walk.unresolved,
    literal_dependent,
  }
}
