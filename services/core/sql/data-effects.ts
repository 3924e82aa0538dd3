import type { CatalogRelation } from './catalog.ts'
import { fieldCall } from './call-effects.ts'
import { objectOf, relationOf } from './environment.ts'
import {
  child,
  children,
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
import {
  columnUses,
  itemsOf,
  joinUses,
  tableItem,
  type ColumnUse,
  type Item,
  type Tables,
} from './tables.ts'
import {
  addColumns,
  childrenBut,
  effectKey,
  emit,
  emitData,
  hides,
  openWith,
  push,
  type Frame,
  type Handler,
  type Walk,
} from './walk.ts'

/** Effects on rows: which relations and which of their columns are read and written. */

const every_column: readonly string[] = ['*']

/** Views that came with the server: what they are made of is nobody's own. */
const system_schemas = new Set(['pg_catalog', 'information_schema'])

const isOpenable = (relation: CatalogRelation | undefined): relation is CatalogRelation =>
  relation?.kind === 'view' && !system_schemas.has(relation.schema)

/** A view is looked into at the end, when it is known which of its columns are wanted. */
const openView = (
  walk: Walk,
  frame: Frame,
  relation: CatalogRelation | undefined,
  effect: string,
) => {
  if (isOpenable(relation) && !walk.views.has(effect))
    walk.views.set(effect, { effect, view: relation, frame })
}

/** What is made has the name it is given, what is there has the one the catalog knows. */
const namedObject = (walk: Walk, frame: Frame, node: TreeNode): string => {
  if (frame.action === 'ddl.create' && !frame.quiet) return relationName(node)
  const relation = relationOf(walk.environment, frame.search_path, node)
  if (relation !== undefined) return objectOf(relation)
  walk.unresolved = true
  return relationName(node)
}

export const relation: Handler = (walk, frame) => {
  const { node, action } = frame
  const plain = string(node, 'schemaname') === ''
  if (action === 'select' && plain && hides(frame.scope, string(node, 'relname'))) return
  const object = namedObject(walk, frame, node)
  const effect = emitData(walk, frame, action, object)
  if (frame.locked && !frame.explained) emit(walk, 'lock', object)
  if (action !== 'select') return
  openView(walk, frame, relationOf(walk.environment, frame.search_path, node), effect)
}

const contextOf = (walk: Walk, frame: Frame, scope: Frame['scope']) => ({
  environment: walk.environment,
  search_path: frame.search_path,
  hidden: (name: string) => hides(scope, name),
})

const use = (walk: Walk, frame: Frame, uses: readonly ColumnUse[]): void => {
  const action = frame.explained ? 'explain' : 'select'
  for (const { item, column } of uses)
    addColumns(walk, effectKey(action, item.object, frame.via), [column])
}

export const columnRef: Handler = (walk, frame) => {
  const uses = columnUses(frame.tables, frame.node)
  use(walk, frame, uses)
  const parts = names(list(frame.node, 'fields'))
  const last = parts.at(-1) ?? ''
  const known = uses.some(
    ({ item, column }) => column === '*' || item.columns?.has(column) === true,
  )
  if (parts.length > 1 && !known) fieldCall(walk, frame, last)
}

export const join: Handler = (walk, frame) => {
  use(walk, frame, joinUses(contextOf(walk, frame, frame.scope), frame))
  push(walk, frame, children(frame.kind, frame.node))
}

const fromTables = (
  walk: Walk,
  frame: Frame,
  scope: Frame['scope'],
  fields: readonly string[],
  more: readonly Item[] = [],
): Tables => {
  const context = contextOf(walk, frame, scope)
  const items = fields.flatMap((field) => {
    const one = child(frame.kind, frame.node, field)
    const entries = one === undefined ? list(frame.node, field) : [one]
    return entries.flatMap((at) => itemsOf(context, at))
  })
  return { items: [...more, ...items], outer: frame.tables }
}

/** Which columns of a view's query to leave out: those that nobody wanted, where leaving them out changes nothing else. */
const isUnwanted = (frame: Frame): ((at: Child, index: number) => boolean) => {
  const { wanted, node } = frame
  if (wanted === undefined || list(node, 'distinctClause').length > 0) return () => false
  return (at, index) => at.field === 'targetList' && !wanted.has(index)
}

export const select: Handler = (walk, frame) => {
  const scope = openWith(walk, frame)
  const { node } = frame
  const locking = frame.locked || list(node, 'lockingClause').length > 0
  const arms = node['larg'] !== undefined
  const tables = arms ? frame.tables : fromTables(walk, frame, scope, ['fromClause'])
  const whole_rows = arms && !(string(node, 'op') === 'SETOP_UNION' && flag(node, 'all'))
  const unwanted = isUnwanted(frame)
  let column = 0
  const parts = childrenBut(frame, 'withClause', 'lockingClause').filter((at) => {
    const index = at.field === 'targetList' ? column++ : -1
    return !unwanted(at, index)
  })
  for (const at of parts.toReversed()) {
    const arm = at.field === 'larg' || at.field === 'rarg'
    push(walk, frame, [at], {
      scope,
      tables,
      action: 'select',
      locked: locking && (arm || at.field === 'fromClause'),
      wanted: arm && !whole_rows ? frame.wanted : undefined,
    })
  }
}

/** The view through which settings are changed by UPDATE. */
const isSettingsView = (target: TreeNode): boolean => string(target, 'relname') === 'pg_settings'

const writtenColumns = (node: TreeNode, field: string): readonly string[] =>
  list(node, field).map((target) => string(target.node, 'name'))

/** `old` and `new` of RETURNING, also as WITH (OLD AS ...) calls them, and `excluded` of ON CONFLICT, which is no table. */
const rowNames = (node: TreeNode, target: Item): readonly Item[] => {
  const returning = child('', node, 'returningClause')
  const given = returning === undefined ? [] : list(returning.node, 'options')
  const aliases = given.map((option) => string(option.node, 'value'))
  return ['old', 'new', ...aliases].map((name) => ({
    ...target,
    name,
    schema: '',
    columns: new Set(),
  }))
}

const emptyItem = (name: string): Item => ({
  name,
  schema: '',
  object: '',
  columns: new Set(),
  renamed: new Map(),
  members: [],
})

/** Writing a view writes the table behind it, if there is one; else a trigger or rule of somebody's own does what it likes. */
const writeThrough = (
  walk: Walk,
  frame: Frame,
  relation: CatalogRelation | undefined,
  action: string,
  columns: readonly string[],
): void => {
  if (!isOpenable(relation)) return
  const via = objectOf(relation)
  const query = walk.environment.viewQuery(relation)
  const [only, ...others] = query === undefined ? [] : list(query.node, 'fromClause')
  const base = only?.kind === 'RangeVar' && others.length === 0 ? only : undefined
  const depth = frame.via === via
  if (query === undefined || base === undefined || depth) {
    emit(walk, 'unknown', via)
    return
  }
  const targets = list(query.node, 'targetList')
  const written = columns.includes('*')
    ? every_column
    : columns.map((column) => {
        const index = relation.columns.findIndex(({ name }) => name === column)
        const value = targets[index] && child('ResTarget', targets[index].node, 'val')
        return value?.kind === 'ColumnRef' ? (names(list(value.node, 'fields')).at(-1) ?? '*') : '*'
      })
  const inner: Frame = { ...frame, via, search_path: [], scope: undefined }
  const before = walk.at
  walk.at = inner
  const below = relationOf(walk.environment, [], base.node)
  const object = below === undefined ? relationName(base.node) : objectOf(below)
  addColumns(walk, emitData(walk, inner, action, object), written)
  writeThrough(walk, inner, below, action, written)
  walk.at = before
}

/** One write of a target: its effect, its columns, and what is behind it when it is a view. */
const write = (
  walk: Walk,
  frame: Frame,
  target: TreeNode,
  action: string,
  columns: readonly string[],
): void => {
  const relation = relationOf(walk.environment, frame.search_path, target)
  if (relation === undefined) walk.unresolved = true
  const object = relation === undefined ? relationName(target) : objectOf(relation)
  addColumns(walk, emitData(walk, frame, action, object), columns)
  writeThrough(walk, frame, relation, action, columns)
}

/** What comes back is disclosed, and with it what the statement looked at. */
const disclose = (walk: Walk, frame: Frame, target: TreeNode): void => {
  const relation = relationOf(walk.environment, frame.search_path, target)
  const object = relation === undefined ? relationName(target) : objectOf(relation)
  openView(walk, frame, relation, emitData(walk, frame, 'select', object))
}

const columnsWritten = (action: string, node: TreeNode): readonly string[] => {
  if (action === 'delete') return []
  const columns = writtenColumns(node, action === 'insert' ? 'cols' : 'targetList')
  return columns.length === 0 ? every_column : columns
}

export const modification =
  (action: string): Handler =>
  (walk, frame) => {
    const { node, kind } = frame
    const scope = openWith(walk, frame)
    const target = child(kind, node, 'relation')
    if (target === undefined) return
    write(walk, frame, target.node, action, columnsWritten(action, node))
    const conflict = child(kind, node, 'onConflictClause')
    if (conflict && string(conflict.node, 'action') === 'ONCONFLICT_UPDATE')
      write(walk, frame, target.node, 'update', writtenColumns(conflict.node, 'targetList'))
    if (node['returningClause'] !== undefined) disclose(walk, frame, target.node)
    if (action === 'update' && isSettingsView(target.node)) {
      walk.sets.push({ name: '', value: undefined, local: false })
      emit(walk, 'set')
      emit(walk, 'set_role')
    }
    const own = tableItem(contextOf(walk, frame, undefined), target.node)
    const rows = [own, ...rowNames(node, own), emptyItem('excluded')]
    const tables = fromTables(walk, frame, scope, ['fromClause', 'usingClause'], rows)
    for (const at of childrenBut(frame, 'withClause', 'relation').toReversed())
      push(walk, frame, [at], {
        scope,
        // The rows of an INSERT come from elsewhere.
        tables: at.field === 'selectStmt' ? frame.tables : tables,
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
  const { node, kind } = frame
  const scope = openWith(walk, frame)
  const target = child(kind, node, 'relation')
  if (target === undefined) return
  for (const { node: clause } of list(node, 'mergeWhenClauses')) {
    const command = string(clause, 'commandType')
    const action = merge_actions[command]
    const columns = writtenColumns(clause, 'targetList')
    if (action)
      write(
        walk,
        frame,
        target.node,
        action,
        action === 'delete' ? [] : columns.length === 0 ? every_column : columns,
      )
    else if (command !== 'CMD_NOTHING') emit(walk, 'unknown', relationName(target.node))
  }
  // The join reads the target, whatever the branches do.
  disclose(walk, frame, target.node)
  const own = tableItem(contextOf(walk, frame, undefined), target.node)
  const rows = [own, ...rowNames(node, own)]
  const tables = fromTables(walk, frame, scope, ['sourceRelation'], rows)
  push(walk, frame, childrenBut(frame, 'withClause', 'relation'), {
    scope,
    tables,
    action: 'select',
  })
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
  const target = child(frame.kind, node, 'relation')
  const own = target && tableItem(contextOf(walk, frame, undefined), target.node)
  const tables = own === undefined ? frame.tables : { items: [own], outer: undefined }
  push(walk, frame, childrenBut(frame, 'relation'), { action: 'select', tables })
  if (target === undefined) return
  const listed = names(list(node, 'attlist'))
  const columns = listed.length === 0 ? every_column : listed
  if (into) write(walk, frame, target.node, 'insert', columns)
  else {
    const relation = relationOf(walk.environment, frame.search_path, target.node)
    const read = emitData(walk, frame, 'select', own?.object ?? '')
    addColumns(walk, read, columns)
    openView(walk, frame, relation, read)
  }
}

export const tableSample: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'method'))
  emit(walk, `call:${parts.at(-1) ?? ''}`, qualified(parts))
  push(walk, frame, children(frame.kind, frame.node))
}

/** REFRESH runs the query of a materialized view. */
export const refresh: Handler = (walk, frame) => {
  const target = child(frame.kind, frame.node, 'relation')
  const relation = target && relationOf(walk.environment, frame.search_path, target.node)
  push(walk, frame, children(frame.kind, frame.node), { action: 'ddl.alter' })
  if (relation === undefined) return
  const query = walk.environment.viewQuery(relation)
  if (query === undefined) emit(walk, 'unknown', objectOf(relation))
  else
    push(walk, frame, [query], {
      via: objectOf(relation),
      search_path: [],
      action: 'select',
      scope: undefined,
      tables: undefined,
    })
}
