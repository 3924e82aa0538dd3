import { child, flag, list, string, unmapped, type Child, type TreeNode } from '../node.ts'
import { readCondition, together } from './expressions.ts'
import { newNode, reach, valueOf, type Column, type GraphNode } from './graph.ts'
import { deeper, fail, itemColumns, type Reading } from './reading.ts'
import { figuredName } from './figured-names.ts'
import { newScope } from './relations.ts'
import type { Query, Scope } from './scope.ts'
import { withQueries } from './with.ts'

/** SELECT, VALUES, TABLE, set operations and WITH. */

const no_columns: readonly Column[] = []

/** Columns of a result (MaxTupleAttributeNumber of PostgreSQL's htup_details.h). */
const result_columns_max = 1664

const kinds_with_rows = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
])

/** @param scope where the query stands: what it can name outside of itself */
export const readQuery = (reading: Reading, at: Child, scope: Scope): Query => {
  const nothing: Query = { columns: no_columns, rows: scope.rows }
  return deeper(reading, nothing, () => {
    if (!kinds_with_rows.has(at.kind)) {
      fail(reading, `${at.kind} cannot be followed`)
      return nothing
    }
    const inner = newScope(reading, scope.setting, scope)
    const own = { ...inner, queries: withQueries(reading, at, inner) }
    return at.kind === 'SelectStmt'
      ? readSelect(reading, at.node, own)
      : reading.readers.write(reading, at, own)
  })
}

/** Names of columns and the values of one list of targets. */
export const readTargets = (
  reading: Reading,
  targets: readonly Child[],
  scope: Scope,
): readonly Column[] => {
  const columns: Column[] = []
  for (const { kind, node } of targets) {
    const value = child(kind, node, 'val')
    if (!value) continue
    for (const column of target(reading, value, string(node, 'name'), scope)) columns.push(column)
    if (columns.length > result_columns_max) {
      fail(reading, `it has more than ${String(result_columns_max)} columns`)
      return no_columns
    }
  }
  return columns
}

const isStar = ({ kind, node }: Child): boolean => {
  if (kind === 'ColumnRef') return list(node, 'fields').at(-1)?.kind === 'A_Star'
  if (kind === 'A_Indirection') return list(node, 'indirection').at(-1)?.kind === 'A_Star'
  return false
}

const target = (reading: Reading, at: Child, name: string, scope: Scope): readonly Column[] => {
  const value = reading.readers.expression(reading, at, scope)
  if (isStar(at)) {
    if (value.row) return value.row
    fail(reading, 'what * stands for is not known')
    return no_columns
  }
  reading.values.push(value.node)
  return [{ ...value, name: name || figuredName(at) }]
}

const readSelect = (reading: Reading, node: TreeNode, scope: Scope): Query => {
  const values = list(node, 'valuesLists')
  const left = child('SelectStmt', node, 'larg')
  const right = child('SelectStmt', node, 'rarg')
  const columns =
    left && right
      ? setOperation(reading, node, left, right, scope)
      : values.length > 0
        ? valueLists(reading, values, scope)
        : plainSelect(reading, node, scope)
  readOrder(reading, node, columns, scope)
  return { columns: limited(reading, node, columns, scope), rows: scope.rows }
}

const plainSelect = (reading: Reading, node: TreeNode, scope: Scope): readonly Column[] => {
  for (const at of list(node, 'fromClause')) reading.readers.from(reading, at, scope)
  for (const { node: window } of list(node, 'windowClause'))
    scope.windows.set(string(window, 'name'), window)
  const where = child('SelectStmt', node, 'whereClause')
  if (where) readCondition(reading, where, scope)
  const columns = readTargets(reading, list(node, 'targetList'), scope)
  const keys = readGroups(reading, list(node, 'groupClause'), columns, scope)
  for (const key of keys) sameness(reading, key, scope)
  for (const at of list(node, 'windowClause'))
    reading.values.push(reading.readers.expression(reading, at, scope).node)
  const having = child('SelectStmt', node, 'havingClause')
  if (having) readHaving(reading, having, keys, scope)
  return columns
}

/** Rows with the same value of it become one, or none. */
const sameness = (reading: Reading, node: GraphNode, scope: Scope): void => {
  const shown = scope.outer?.outer === undefined
  // How many rows a whole statement shows of a few constants among the values says no more than a condition on each.
  reading.comparisons.push({ node, kind: 'identity', rows: shown ? undefined : scope.rows })
}

/** Which groups there are, by a condition on each: it says something of what they are grouped by. */
const readHaving = (
  reading: Reading,
  having: Child,
  keys: readonly GraphNode[],
  scope: Scope,
): void => {
  const condition = readCondition(reading, having, scope)
  const node = newNode(reading.budget, [condition, ...keys])
  reading.comparisons.push({ node, kind: 'identity', rows: scope.rows })
}

/** `order by 2`, `group by name`: what a column of the result is called or numbered. */
const resultNode = (at: Child, columns: readonly Column[]): GraphNode | undefined => {
  if (at.kind === 'ColumnRef') {
    const fields = list(at.node, 'fields')
    const [field] = fields
    if (!field || fields.length > 1) return undefined
    return columns.find(({ name }) => name === string(field.node, 'sval'))?.node
  }
  if (at.kind !== 'A_Const') return undefined
  const number = at.node['ival'] as { readonly ival?: number } | undefined
  return columns[(number?.ival ?? 0) - 1]?.node
}

const readGroups = (
  reading: Reading,
  groups: readonly Child[],
  columns: readonly Column[],
  scope: Scope,
): readonly GraphNode[] =>
  groups.flatMap((at) => {
    if (at.kind === 'GroupingSet')
      return readGroups(reading, list(at.node, 'content'), columns, scope)
    const result = at.kind === 'A_Const' ? resultNode(at, columns) : undefined
    if (result) return [result]
    const key = together(reading, [at], { ...scope, results: columns })
    reading.values.push(key)
    return [key]
  })

/** By position; a value of either side may be the one that is shown. */
const setOperation = (
  reading: Reading,
  node: TreeNode,
  left: Child,
  right: Child,
  scope: Scope,
): readonly Column[] => {
  const sides = [left, right].map((side) => {
    const { columns, rows } = reading.readers.query(reading, side, scope)
    scope.rows.edges.push(rows)
    return itemColumns(reading, columns)
  })
  const columns = joined(reading, sides)
  // UNION ALL shows what there is; everything else compares the rows.
  if (string(node, 'op') !== 'SETOP_UNION' || !flag(node, 'all'))
    for (const { node: column } of columns) {
      sameness(reading, column, scope)
      reading.values.push(column)
    }
  return columns
}

const joined = (reading: Reading, all: readonly (readonly Column[])[]): readonly Column[] => {
  const [first = no_columns] = all
  if (all.some((columns) => columns.length !== first.length)) {
    fail(reading, 'its parts have different numbers of columns')
    return no_columns
  }
  return first.map(({ name }, index) => {
    const nodes = all.flatMap((columns) => columns[index]?.node ?? [])
    return { ...valueOf(newNode(reading.budget, nodes)), name }
  })
}

const valueLists = (reading: Reading, rows: readonly Child[], scope: Scope): readonly Column[] => {
  const nodes: GraphNode[] = []
  for (const { node } of rows) {
    const items = list(node, 'items')
    items.forEach((at, index) => {
      const column = (nodes[index] ??= newNode(reading.budget))
      const value = reading.readers.expression(reading, at, scope).node
      reading.values.push(value)
      column.edges.push(value)
    })
  }
  return nodes.map((node, index) => ({ ...valueOf(node), name: `column${String(index + 1)}` }))
}

const readOrder = (
  reading: Reading,
  node: TreeNode,
  columns: readonly Column[],
  scope: Scope,
): void => {
  const inner = { ...scope, results: columns }
  // DISTINCT without ON is a list of one empty node.
  const distinct = list(node, 'distinctClause').filter(({ kind }) => kind !== unmapped)
  if (node['distinctClause'] !== undefined && distinct.length === 0)
    for (const column of columns) sameness(reading, column.node, scope)
  const sorted = list(node, 'sortClause')
  for (const at of [...sorted, ...distinct]) {
    const by = at.kind === 'SortBy' ? child(at.kind, at.node, 'node') : at
    const result = by ? resultNode(by, columns) : undefined
    const value = by?.kind === 'A_Const' ? newNode(reading.budget) : together(reading, [at], inner)
    if (result) value.edges.push(result)
    else reading.values.push(value)
    // What comes first says how its value compares with others.
    reading.comparisons.push({ node: value, kind: 'other', rows: undefined })
  }
}

/** A number of rows that a column tells is that column: which rows come, and how many, is as good as its value. */
const limited = (
  reading: Reading,
  node: TreeNode,
  columns: readonly Column[],
  scope: Scope,
): readonly Column[] => {
  const limits = ['limitOffset', 'limitCount'].map((field) => child('SelectStmt', node, field))
  const limit = together(reading, limits, scope)
  if (reach(reading.budget, limit, { bonds: false }).sources.size === 0) return columns
  scope.rows.edges.push(limit)
  return columns.map((column) => ({
    ...column,
    node: newNode(reading.budget, [column.node, limit]),
  }))
}
