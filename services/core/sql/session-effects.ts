import type { SettingChange, TransactionControl } from './analysis.ts'
import {
  child,
  children,
  constantText,
  flag,
  integerText,
  list,
  qualified,
  relationName,
  string,
  type Child,
  type TreeNode,
} from './node.ts'
import { objectOf, relationOf } from './environment.ts'
import { quotedEntry } from './search-path.ts'
import { emit, push, type Frame, type Handler, type Walk } from './walk.ts'

/** Effects of statements that change the session or run other statements: settings, transactions, PREPARE, EXPLAIN, cursors. */

export const setting_roles = new Set(['role', 'session_authorization'])

/** Settings are named without regard to case. */
export const recordSetting = (walk: Walk, change: SettingChange): void => {
  walk.sets.push(change)
  const { name } = change
  // `*` is DISCARD ALL, which resets the session's user as well; '' could be any setting.
  const is_role = setting_roles.has(name) || name === ''
  if (is_role) emit(walk, 'set_role', name === '' ? '' : (change.value ?? 'default'))
  if (!setting_roles.has(name)) emit(walk, 'set', name)
}

const settingValue = (node: TreeNode): string | undefined => {
  const parts = list(node, 'args').map((at) => {
    if (at.kind === 'TypeCast') return constantText(at)
    if (at.kind !== 'A_Const') return undefined
    const value = children('A_Const', at.node)[0]
    if (!value) return undefined
    const { kind } = value
    if (kind === 'Integer') return integerText(value.node)
    if (kind === 'Float') return string(value.node, 'fval')
    if (kind === 'Boolean') return String(flag(value.node, 'boolval'))
    return kind === 'String' ? string(value.node, 'sval') : undefined
  })
  const known = parts.filter((part) => part !== undefined)
  if (known.length === 0 || known.length < parts.length) return undefined
  const path = string(node, 'name').toLowerCase() === 'search_path'
  return (path ? known.map(quotedEntry) : known).join(', ')
}

export const set: Handler = (walk, frame) => {
  const { node } = frame
  // Below ALTER ROLE, ALTER SYSTEM or a function it is a setting of theirs, not of this session.
  if (frame.field !== 'stmt') return
  const kind = string(node, 'kind')
  const local = flag(node, 'is_local')
  if (kind === 'VAR_RESET_ALL') recordSetting(walk, { name: '*', value: undefined, local })
  else {
    const value = kind === 'VAR_SET_VALUE' ? settingValue(node) : undefined
    recordSetting(walk, { name: string(node, 'name').toLowerCase(), value, local })
  }
  push(walk, frame, children(frame.kind, node))
}

export const discard: Handler = (walk, frame) => {
  const target = string(frame.node, 'target')
  emit(walk, 'discard', target.replace('DISCARD_', '').toLowerCase())
  if (target !== 'DISCARD_ALL') return
  if (frame.inside) {
    emit(walk, 'unknown')
    return
  }
  walk.deallocates.push('*')
  walk.sets.push({ name: '*', value: undefined, local: false })
  emit(walk, 'set_role', 'default')
}

export const transaction_kinds: Readonly<Record<string, TransactionControl>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback_to',
  TRANS_STMT_PREPARE: 'prepare_transaction',
  TRANS_STMT_COMMIT_PREPARED: 'commit_prepared',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollback_prepared',
}

export const transaction: Handler = (walk, frame) => {
  const control = transaction_kinds[string(frame.node, 'kind')]
  if (control && !frame.inside) walk.transactions.push(control)
  if (control) emit(walk, 'transaction', control)
  else emit(walk, 'unknown')
}

const explain_off = new Set(['off', 'false', '0', 'no'])

/** ANALYZE runs the statement. Options count from the last; anything that is not clearly off is on. */
const isAnalyzed = (node: TreeNode): boolean => {
  const option = list(node, 'options').findLast(
    ({ node: at }) => string(at, 'defname') === 'analyze',
  )
  if (!option) return false
  const arg = child('DefElem', option.node, 'arg')
  if (!arg) return true
  const value = arg.kind === 'Integer' ? integerText(arg.node) : string(arg.node, 'sval')
  return !explain_off.has(value.toLowerCase())
}

export const explain: Handler = (walk, frame) => {
  emit(walk, 'explain')
  push(walk, frame, children(frame.kind, frame.node), { explained: !isAnalyzed(frame.node) })
}

export const prepare: Handler = (walk, frame) => {
  const name = string(frame.node, 'name')
  emit(walk, 'prepare', qualified([name]))
  const query = child(frame.kind, frame.node, 'query')
  if (frame.inside) emit(walk, 'unknown')
  // Its own effects come when it is executed.
  else if (query) walk.prepares.push({ name, query, types: list(frame.node, 'argtypes').length })
}

export const execute: Handler = (walk, frame) => {
  const name = string(frame.node, 'name')
  emit(walk, frame.explained ? 'explain' : 'execute', qualified([name]))
  if (frame.inside) emit(walk, 'unknown')
  else walk.executes.push({ name, explained: frame.explained })
  push(walk, frame, children(frame.kind, frame.node))
}

export const deallocate: Handler = (walk, frame) => {
  const name = string(frame.node, 'name')
  if (!frame.inside) walk.deallocates.push(name === '' ? '*' : name)
  emit(walk, 'deallocate', qualified([name === '' ? '*' : name]))
}

/** A relation as VACUUM and ANALYZE name it. */
const relationObject = (walk: Walk, frame: Frame, at: Child | undefined): string => {
  if (at === undefined) return ''
  const relation = relationOf(walk.environment, frame.search_path, at.node)
  return relation === undefined ? relationName(at.node) : objectOf(relation)
}

export const vacuum: Handler = (walk, frame) => {
  const options = list(frame.node, 'options').map(({ node }) => string(node, 'defname'))
  const actions = flag(frame.node, 'is_vacuumcmd') ? ['vacuum'] : ['analyze']
  if (actions[0] === 'vacuum' && options.includes('analyze')) actions.push('analyze')
  const tables = list(frame.node, 'rels')
  for (const action of actions) {
    if (tables.length === 0) emit(walk, action)
    for (const { node } of tables)
      emit(walk, action, relationObject(walk, frame, child('VacuumRelation', node, 'relation')))
  }
}

export const load: Handler = (walk) => void emit(walk, 'unknown')

export const constraints: Handler = (walk) => void emit(walk, 'set', 'constraints')

export const cursor: Handler = (walk, frame) => {
  emit(walk, 'cursor', qualified([string(frame.node, 'portalname') || '*']))
  push(walk, frame, children(frame.kind, frame.node))
}
