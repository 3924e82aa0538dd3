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
  type Child,
  type TreeNode,
} from './node.ts'
import { redactContent } from './redaction.ts'
import { recordSetting } from './session-effects.ts'
import {
  childrenBut,
  emit,
  emitData,
  hides,
  openWith,
  push,
  type Handler,
  type Walk,
} from './walk.ts'

/** Effects on rows, and of the functions and operators in expressions. */

export const relation: Handler = (walk, frame) => {
  const { node, action } = frame
  const plain = string(node, 'schemaname') === ''
  if (action === 'select' && plain && hides(frame.scope, string(node, 'relname'))) return
  const object = relationName(node)
  emitData(walk, frame, action, object)
  if (frame.locked && !frame.explained) emit(walk, 'lock', object)
}

export const select: Handler = (walk, frame) => {
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

export const modification =
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

export const merge: Handler = (walk, frame) => {
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

/** Characters of a file name or program that stand in an effect; the whole of it is in the recorded text. */
const file_object_length_max = 256

export const copy: Handler = (walk, frame) => {
  const { node } = frame
  const into = flag(node, 'is_from')
  const filename = string(node, 'filename')
  emit(walk, into ? 'copy.in' : 'copy.out')
  const object = redactContent(filename).slice(0, file_object_length_max)
  if (flag(node, 'is_program')) emit(walk, 'copy.program', object)
  else if (filename !== '') emit(walk, 'copy.file', object)
  walk.literal_dependent = true
  push(walk, frame, childrenBut(frame, 'relation'), { action: 'select' })
  const target = child(frame.kind, node, 'relation')
  if (target) emit(walk, into ? 'insert' : 'select', relationName(target.node))
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
export const call: Handler = (walk, frame) => {
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

export const tableSample: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'method'))
  emit(walk, `call:${parts.at(-1) ?? ''}`, qualified(parts))
  push(walk, frame, children(frame.kind, frame.node))
}

/** OPERATOR(schema.symbol): an operator of one's own is a function of one's own. */
export const operator: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'name'))
  if (parts.length > 1 && parts[0] !== 'pg_catalog') emit(walk, `call:operator`, qualified(parts))
  push(walk, frame, children(frame.kind, frame.node))
}

/** Precision and length can change the tree itself (float(24) is float4, float(25) float8). */
export const typeName: Handler = (walk, frame) => {
  if (list(frame.node, 'typmods').length > 0) walk.literal_dependent = true
  push(walk, frame, children(frame.kind, frame.node))
}
