import type { Effect, SettingChange, TransactionControl } from './analysis.ts'
import { connection_functions, functionEffect, sequence_functions } from './functions.ts'
import {
  child,
  children,
  constantText,
  flag,
  list,
  names,
  qualified,
  relationName,
  string,
  unmapped,
  type Child,
  type TreeNode,
} from './node.ts'
import { nameField, plainVerb } from './statement-kinds.ts'

/** Effects kept of one statement; beyond this one `unknown` stands for the rest. */
export const statement_effects_max = 1000

/** Characters of a file name or program that stand in an effect; the whole of it is in the recorded text. */
const file_object_length_max = 256

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
  /** Whether another literal in the same place could change the findings. */
  readonly literal_dependent: boolean
}

/** Names that WITH gives to queries: they hide relations, from the place where they are visible. */
type Scope = { readonly names: ReadonlySet<string>; readonly outer: Scope | undefined } | undefined

const hides = (scope: Scope, name: string): boolean => {
  for (let at = scope; at; at = at.outer) if (at.names.has(name)) return true
  return false
}

type Frame = {
  readonly kind: string
  readonly node: TreeNode
  readonly field: string
  readonly scope: Scope
  /** What happens to a relation that is named here. */
  readonly action: string
  /** FOR UPDATE and friends apply to the relations in FROM. */
  readonly locked: boolean
  /** Only planned (EXPLAIN without ANALYZE): relations are not touched. */
  readonly explained: boolean
}

type Walk = {
  readonly effects: Map<string, Effect>
  readonly sets: SettingChange[]
  readonly transactions: TransactionControl[]
  readonly deallocates: string[]
  readonly executes: { name: string; explained: boolean }[]
  readonly prepares: { name: string; query: Child; types: number }[]
  readonly stack: Frame[]
  secrets: number
  literal_dependent: boolean
}

const emit = (walk: Walk, action: string, object = ''): void => {
  if (walk.effects.size >= statement_effects_max) {
    walk.effects.set('unknown\0', { action: 'unknown', object: '' })
    return
  }
  const key = `${action}\0${object}`
  if (!walk.effects.has(key)) walk.effects.set(key, { action, object })
}

/** An effect on rows: planned only, it is no more than an explanation. */
const emitData = (walk: Walk, frame: Frame, action: string, object: string): void =>
  emit(walk, frame.explained ? 'explain' : action, object)

type Change = Partial<Omit<Frame, 'kind' | 'node' | 'field'>>

/** Children wait on a stack, last first, so that they are visited in the order of the text and depth costs no call stack. */
const push = (walk: Walk, frame: Frame, next: readonly Child[], change: Change = {}): void => {
  for (let index = next.length - 1; index >= 0; index -= 1) {
    const at = next[index]
    if (at) walk.stack.push({ ...frame, ...change, kind: at.kind, node: at.node, field: at.field })
  }
}

const childrenBut = (frame: Frame, ...fields: readonly string[]): readonly Child[] =>
  children(frame.kind, frame.node).filter(({ field }) => !fields.includes(field))

/** WITH: each query sees the ones before it, or all of them when RECURSIVE; the statement sees all. Returns its scope. */
const openWith = (walk: Walk, frame: Frame): Scope => {
  const clause = child(frame.kind, frame.node, 'withClause')
  if (!clause) return frame.scope
  const queries = list(clause.node, 'ctes')
  const all = queries.map(({ node }) => string(node, 'ctename'))
  const recursive = flag(clause.node, 'recursive')
  queries.forEach((query, index) => {
    const seen = recursive ? all : all.slice(0, index)
    const scope: Scope = { names: new Set(seen), outer: frame.scope }
    push(walk, frame, [query], { scope, action: 'select', locked: false })
  })
  return { names: new Set(all), outer: frame.scope }
}

type Handler = (walk: Walk, frame: Frame) => void

const relation: Handler = (walk, frame) => {
  const { node, action } = frame
  const plain = string(node, 'schemaname') === ''
  if (action === 'select' && plain && hides(frame.scope, string(node, 'relname'))) return
  const object = relationName(node)
  emitData(walk, frame, action, object)
  if (frame.locked && !frame.explained) emit(walk, 'lock', object)
}

const select: Handler = (walk, frame) => {
  const scope = openWith(walk, frame)
  const locking = frame.locked || list(frame.node, 'lockingClause').length > 0
  for (const at of childrenBut(frame, 'withClause', 'lockingClause').toReversed())
    push(walk, frame, [at], {
      scope,
      action: 'select',
      locked: locking && ['fromClause', 'larg', 'rarg'].includes(at.field),
    })
}

/** The view through which settings are changed by UPDATE. */
const isSettingsView = (target: TreeNode): boolean => string(target, 'relname') === 'pg_settings'

const modification =
  (action: string): Handler =>
  (walk, frame) => {
    const scope = openWith(walk, frame)
    const target = child(frame.kind, frame.node, 'relation')
    const object = target ? relationName(target.node) : ''
    emitData(walk, frame, action, object)
    const conflict = child(frame.kind, frame.node, 'onConflictClause')
    if (conflict && string(conflict.node, 'action') === 'ONCONFLICT_UPDATE')
      emitData(walk, frame, 'update', object)
    // What comes back is disclosed.
    if (frame.node['returningClause'] !== undefined) emitData(walk, frame, 'select', object)
    if (target && action === 'update' && isSettingsView(target.node)) {
      walk.sets.push({ name: '', value: undefined, local: false })
      emit(walk, 'set')
      emit(walk, 'set_role')
    }
    push(walk, frame, childrenBut(frame, 'withClause', 'relation'), {
      scope,
      action: 'select',
      locked: false,
    })
  }

const merge_actions: Readonly<Record<string, string>> = {
  CMD_INSERT: 'insert',
  CMD_UPDATE: 'update',
  CMD_DELETE: 'delete',
}

const merge: Handler = (walk, frame) => {
  const scope = openWith(walk, frame)
  const target = child(frame.kind, frame.node, 'relation')
  const object = target ? relationName(target.node) : ''
  for (const { node } of list(frame.node, 'mergeWhenClauses')) {
    const command = string(node, 'commandType')
    const action = merge_actions[command]
    if (action) emitData(walk, frame, action, object)
    else if (command !== 'CMD_NOTHING') emit(walk, 'unknown', object)
  }
  // The join reads the target, whatever the branches do.
  emitData(walk, frame, 'select', object)
  push(walk, frame, childrenBut(frame, 'withClause', 'relation'), { scope, action: 'select' })
}

const objectName = (at: Child | undefined): string => {
  if (!at) return ''
  const { kind, node } = at
  switch (kind) {
    case 'String':
      return qualified([string(node, 'sval')])
    case 'List':
      return qualified(
        list(node, 'items').flatMap((item) =>
          item.kind === 'TypeName' ? names(list(item.node, 'names')) : names([item]),
        ),
      )
    case 'TypeName':
      return qualified(names(list(node, 'names')))
    case 'ObjectWithArgs':
      return qualified(names(list(node, 'objname')))
    case 'RangeVar':
      return relationName(node)
    case 'RoleSpec':
      return roleName(node)
    default:
      return ''
  }
}

const roleName = (node: TreeNode): string => {
  const name = string(node, 'rolename')
  if (name !== '') return qualified([name])
  return string(node, 'roletype').replace('ROLESPEC_', '').toLowerCase()
}

const ownName = (kind: string, node: TreeNode): string | undefined => {
  const field = nameField(kind)
  if (field === undefined) return undefined
  const value = node[field]
  if (typeof value === 'string') return qualified([value])
  if (Array.isArray(value)) return qualified(names(list(node, field)))
  return objectName(child(kind, node, field))
}

/** Any statement whose effect is its verb on what it names. */
const plain =
  (verb: string): Handler =>
  (walk, frame) => {
    const name = ownName(frame.kind, frame.node)
    const has_relation = children(frame.kind, frame.node).some(({ kind }) => kind === 'RangeVar')
    if (name !== undefined && name !== '') emit(walk, verb, name)
    else if (!has_relation && frame.kind !== 'CreateStmt') emit(walk, verb)
    const definition = verb.startsWith('ddl.')
    push(walk, frame, children(frame.kind, frame.node), {
      action: definition ? verb : frame.action,
    })
  }

const onRelations =
  (action: string): Handler =>
  (walk, frame) =>
    push(walk, frame, children(frame.kind, frame.node), { action })

const drop: Handler = (walk, frame) => {
  for (const at of list(frame.node, 'objects')) emit(walk, 'ddl.drop', objectName(at))
}

const dropRoles: Handler = (walk, frame) => {
  for (const at of list(frame.node, 'roles')) emit(walk, 'ddl.drop', objectName(at))
}

const role_membership = new Set(['addroleto', 'rolemembers', 'adminmembers'])

const role =
  (verb: string): Handler =>
  (walk, frame) => {
    const name = ownName(frame.kind, frame.node) ?? ''
    emit(walk, verb, name)
    const options = list(frame.node, 'options').map(({ node }) => string(node, 'defname'))
    if (options.some((option) => role_membership.has(option))) emit(walk, 'grant', name)
    push(walk, frame, children(frame.kind, frame.node), { action: verb })
  }

const grant: Handler = (walk, frame) => {
  const action = flag(frame.node, 'is_grant') ? 'grant' : 'revoke'
  const objects = list(frame.node, 'objects')
  for (const at of objects) emit(walk, action, objectName(at))
  if (objects.length === 0) emit(walk, action)
}

const grantRole: Handler = (walk, frame) => {
  const action = flag(frame.node, 'is_grant') ? 'grant' : 'revoke'
  for (const { node } of list(frame.node, 'granted_roles'))
    emit(walk, action, qualified([string(node, 'priv_name')]))
}

const setting_roles = new Set(['role', 'session_authorization'])

/** Settings are named without regard to case. */
const recordSetting = (walk: Walk, change: SettingChange): void => {
  walk.sets.push(change)
  const { name } = change
  // `*` is DISCARD ALL, which resets the session's user as well; '' could be any setting.
  const is_role = setting_roles.has(name) || name === ''
  if (is_role) emit(walk, 'set_role', name === '' ? '' : (change.value ?? 'default'))
  if (!setting_roles.has(name)) emit(walk, 'set', name)
}

/** Zero is left out of a tree. */
const integerText = (node: TreeNode): string => {
  const value = node['ival']
  return typeof value === 'number' ? String(value) : '0'
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
  return parts.length === 0 || parts.includes(undefined) ? undefined : parts.join(', ')
}

const set: Handler = (walk, frame) => {
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

const discard: Handler = (walk, frame) => {
  const target = string(frame.node, 'target')
  emit(walk, 'discard', target.replace('DISCARD_', '').toLowerCase())
  if (target !== 'DISCARD_ALL') return
  walk.deallocates.push('*')
  walk.sets.push({ name: '*', value: undefined, local: false })
  emit(walk, 'set_role', 'default')
}

const transaction_kinds: Readonly<Record<string, TransactionControl>> = {
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

const transaction: Handler = (walk, frame) => {
  const control = transaction_kinds[string(frame.node, 'kind')]
  if (!control) return emit(walk, 'unknown')
  walk.transactions.push(control)
  emit(walk, 'transaction', control)
}

const copy: Handler = (walk, frame) => {
  const { node } = frame
  const into = flag(node, 'is_from')
  const filename = string(node, 'filename')
  emit(walk, into ? 'copy.in' : 'copy.out')
  const object = filename.slice(0, file_object_length_max)
  if (flag(node, 'is_program')) emit(walk, 'copy.program', object)
  else if (filename !== '') emit(walk, 'copy.file', object)
  walk.literal_dependent = true
  push(walk, frame, childrenBut(frame, 'relation'), { action: 'select' })
  const target = child(frame.kind, node, 'relation')
  if (target) emit(walk, into ? 'insert' : 'select', relationName(target.node))
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

const explain: Handler = (walk, frame) => {
  emit(walk, 'explain')
  push(walk, frame, children(frame.kind, frame.node), { explained: !isAnalyzed(frame.node) })
}

const prepare: Handler = (walk, frame) => {
  const name = string(frame.node, 'name')
  emit(walk, 'prepare', qualified([name]))
  const query = child(frame.kind, frame.node, 'query')
  // Its own effects come when it is executed.
  if (query) walk.prepares.push({ name, query, types: list(frame.node, 'argtypes').length })
}

const execute: Handler = (walk, frame) => {
  const name = string(frame.node, 'name')
  emit(walk, frame.explained ? 'explain' : 'execute', qualified([name]))
  walk.executes.push({ name, explained: frame.explained })
  push(walk, frame, children(frame.kind, frame.node))
}

const deallocate: Handler = (walk, frame) => {
  const name = string(frame.node, 'name')
  walk.deallocates.push(name === '' ? '*' : name)
  emit(walk, 'deallocate', qualified([name === '' ? '*' : name]))
}

const doBlock: Handler = (walk, frame) => {
  const language = list(frame.node, 'args').find(
    ({ node }) => string(node, 'defname') === 'language',
  )
  const name = language && child('DefElem', language.node, 'arg')
  emit(walk, 'do_block', name ? objectName(name) : 'plpgsql')
}

const vacuum: Handler = (walk, frame) => {
  const options = list(frame.node, 'options').map(({ node }) => string(node, 'defname'))
  const actions = flag(frame.node, 'is_vacuumcmd') ? ['vacuum'] : ['analyze']
  if (actions[0] === 'vacuum' && options.includes('analyze')) actions.push('analyze')
  const tables = list(frame.node, 'rels')
  for (const action of actions) {
    if (tables.length === 0) emit(walk, action)
    for (const { node } of tables)
      emit(walk, action, objectName(child('VacuumRelation', node, 'relation')))
  }
}

const load: Handler = (walk) => emit(walk, 'unknown')

/** Subscriptions connect to another server with what stands in CONNECTION. */
const subscription =
  (verb: string): Handler =>
  (walk, frame) => {
    emit(walk, verb, qualified([string(frame.node, 'subname')]))
    emit(walk, 'replication')
    if (string(frame.node, 'conninfo') !== '') walk.secrets += 1
  }

const option_secrets = new Set(['password', 'sslpassword', 'passwd'])

const option: Handler = (walk, frame) => {
  if (option_secrets.has(string(frame.node, 'defname').toLowerCase())) {
    const arg = child('DefElem', frame.node, 'arg')
    if (arg && (arg.kind === 'String' || constantText(arg) !== undefined)) walk.secrets += 1
  }
  push(walk, frame, children(frame.kind, frame.node))
}

const isTrue = (value: Child | undefined): boolean =>
  value !== undefined && flag(value.node, 'boolval')

const setConfig = (walk: Walk, args: readonly Child[]): void => {
  walk.literal_dependent = true
  const [name, value, local] = args
  const is_local = local?.kind === 'A_Const' && isTrue(child('A_Const', local.node, 'boolval'))
  recordSetting(walk, {
    name: constantText(name)?.toLowerCase() ?? '',
    value: constantText(value),
    local: is_local,
  })
}

/** A procedure's call is seen as `call:` like a function's. */
const call: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'funcname'))
  const name = parts.at(-1) ?? ''
  const args = list(frame.node, 'args')
  // Syntax such as EXTRACT or SUBSTRING(x FROM y) comes as a call in pg_catalog and is no call anyone wrote.
  if (string(frame.node, 'funcformat') !== 'COERCE_SQL_SYNTAX')
    emit(walk, `call:${name}`, qualified(parts))
  const effect = functionEffect(name)
  if (effect) {
    emit(walk, effect, effect === 'unknown' ? '' : name)
    walk.literal_dependent = true
  }
  if (name === 'set_config') setConfig(walk, args)
  if (sequence_functions.has(name)) {
    emit(walk, 'update', constantText(args[0]) ?? '')
    walk.literal_dependent = true
  }
  if (connection_functions.has(name) && args.some((arg) => constantText(arg) !== undefined))
    walk.secrets += 1
  push(walk, frame, children(frame.kind, frame.node), { action: 'select' })
}

const tableSample: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'method'))
  emit(walk, `call:${parts.at(-1) ?? ''}`, qualified(parts))
  push(walk, frame, children(frame.kind, frame.node))
}

/** OPERATOR(schema.symbol): an operator of one's own is a function of one's own. */
const operator: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'name'))
  if (parts.length > 1 && parts[0] !== 'pg_catalog') emit(walk, `call:operator`, qualified(parts))
  push(walk, frame, children(frame.kind, frame.node))
}

/** Precision and length can change the tree itself (float(24) is float4, float(25) float8). */
const typeName: Handler = (walk, frame) => {
  if (list(frame.node, 'typmods').length > 0) walk.literal_dependent = true
  push(walk, frame, children(frame.kind, frame.node))
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
  ['DropRoleStmt', dropRoles],
  ['DropOwnedStmt', dropRoles],
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
  ['FuncCall', call],
  ['RangeTableSample', tableSample],
  ['A_Expr', operator],
  ['TypeName', typeName],
  // EXTRACT(...) of columns and the like: nothing but their children.
  ['CallStmt', (walk, frame) => push(walk, frame, children(frame.kind, frame.node))],
  [
    'DeclareCursorStmt',
    (walk, frame) => {
      emit(walk, 'cursor', qualified([string(frame.node, 'portalname')]))
      push(walk, frame, children(frame.kind, frame.node))
    },
  ],
  [
    'FetchStmt',
    (walk, frame) => emit(walk, 'cursor', qualified([string(frame.node, 'portalname')])),
  ],
  [
    'ClosePortalStmt',
    (walk, frame) => emit(walk, 'cursor', qualified([string(frame.node, 'portalname') || '*'])),
  ],
])

const visit = (walk: Walk, frame: Frame): void => {
  const handler = handlers.get(frame.kind)
  if (handler) return handler(walk, frame)
  if (frame.kind === unmapped) return emit(walk, 'unknown')
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

/** Walks one statement. Time and memory grow with the number of nodes; depth costs nothing. */
export const findEffects = (statement: Child): Findings => {
  const walk: Walk = {
    effects: new Map(),
    sets: [],
    transactions: [],
    deallocates: [],
    executes: [],
    prepares: [],
    stack: [],
    secrets: 0,
    literal_dependent: false,
  }
  walk.stack.push({
    ...statement,
    scope: undefined,
    action: 'select',
    locked: false,
    explained: false,
  })
  for (let frame = walk.stack.pop(); frame; frame = walk.stack.pop()) visit(walk, frame)
  const { stack: _, effects, ...found } = walk
  return { ...found, verb: verbOf(statement.kind, statement.node), effects: [...effects.values()] }
}
