import { child, children, list, names, string, type Child } from '../node.ts'
import { pure_operators } from '../pure-lists.ts'
import { callValue } from './calls.ts'
import { columnRef } from './column-refs.ts'
import { newNode, valueOf, type Column, type GraphNode, type Value } from './graph.ts'
import { constantOf, deeper, fail, type Comparison, type Reading } from './reading.ts'
import type { Scope } from './scope.ts'

/** What the value of an expression depends on. */

/** Kinds whose value depends on everything below them and on nothing else. */
const plain_kinds: ReadonlySet<string> = new Set([
  'A_ArrayExpr',
  'BoolExpr',
  'BooleanTest',
  'CaseExpr',
  'CaseWhen',
  'CoalesceExpr',
  'CollateClause',
  'GroupingFunc',
  'GroupingSet',
  'JsonAggConstructor',
  'JsonArgument',
  'JsonArrayAgg',
  'JsonArrayConstructor',
  'JsonArrayQueryConstructor',
  'JsonBehavior',
  'JsonFuncExpr',
  'JsonIsPredicate',
  'JsonKeyValue',
  'JsonObjectAgg',
  'JsonObjectConstructor',
  'JsonParseExpr',
  'JsonScalarExpr',
  'JsonSerializeExpr',
  'JsonValueExpr',
  'List',
  'MinMaxExpr',
  'NamedArgExpr',
  'NullTest',
  'ResTarget',
  'SQLValueFunction',
  'MergeSupportFunc',
  'XmlExpr',
  'XmlSerialize',
])

/** Names, types and settings: they hold no value of an expression. */
const silent_kinds: ReadonlySet<string> = new Set([
  'BitString',
  'Boolean',
  'CurrentOfExpr',
  'Float',
  'Integer',
  'JsonFormat',
  'JsonOutput',
  'JsonReturning',
  'SetToDefault',
  'String',
  'TypeName',
])

export const readExpression = (reading: Reading, at: Child, scope: Scope): Value =>
  deeper(reading, valueOf(newNode(reading.budget)), () => read(reading, at, scope))

const read = (reading: Reading, at: Child, scope: Scope): Value => {
  const { kind, node } = at
  switch (kind) {
    case 'A_Const':
      return valueOf(constant(reading, at, scope))
    case 'ParamRef':
      return parameter(reading, at, scope)
    case 'ColumnRef':
      return columnRef(reading, node, scope)
    case 'A_Indirection':
      return indirection(reading, at, scope)
    case 'FuncCall':
      return callValue(reading, node, scope)
    case 'SubLink':
      return subLink(reading, at, scope, true)
    case 'RowExpr':
      return rowExpr(reading, at, scope)
    case 'A_Expr':
      return operation(reading, at, scope)
    case 'TypeCast':
      return valueOf(together(reading, [child(kind, node, 'arg')], scope))
    case 'MultiAssignRef':
      return valueOf(together(reading, [child(kind, node, 'source')], scope))
    case 'WindowDef':
      return valueOf(readWindow(reading, at, scope))
    case 'SortBy':
      readOperator(reading, names(list(node, 'useOp')))
      return valueOf(together(reading, [child(kind, node, 'node')], scope))
    case 'SelectStmt':
      return subquery(reading, at, scope)
    default:
      return other(reading, at, scope)
  }
}

const other = (reading: Reading, at: Child, scope: Scope): Value => {
  if (silent_kinds.has(at.kind)) return valueOf(newNode(reading.budget))
  if (!plain_kinds.has(at.kind)) fail(reading, `${at.kind} cannot be followed`)
  // What aggregates make depends on how many rows there are.
  const counted = at.kind === 'JsonArrayAgg' || at.kind === 'JsonObjectAgg' ? [scope.rows] : []
  const node = together(reading, children(at.kind, at.node), scope)
  node.edges.push(...counted)
  return valueOf(node)
}

/** One node for the values of several expressions. */
export const together = (
  reading: Reading,
  all: readonly (Child | undefined)[],
  scope: Scope,
): GraphNode => {
  const node = newNode(reading.budget)
  for (const at of all)
    if (at && !silent_kinds.has(at.kind))
      node.edges.push(reading.readers.expression(reading, at, scope).node)
  return node
}

const constant = (reading: Reading, { node }: Child, scope: Scope): GraphNode => {
  const offset = node['location'] ?? 0
  const shown = node['isnull'] === undefined && node['boolval'] === undefined
  if (!scope.setting.own_text || !shown || typeof offset !== 'number' || offset < 0)
    return newNode(reading.budget)
  return constantOf(reading, { kind: 'literal', offset })
}

const parameter = (reading: Reading, { node }: Child, scope: Scope): Value => {
  const number = typeof node['number'] === 'number' ? node['number'] : 0
  const given = scope.setting.parameters?.get(`$${String(number)}`)
  if (given) return given
  if (!scope.setting.own_text) {
    fail(reading, `$${String(number)} of a function is not known`)
    return valueOf(newNode(reading.budget))
  }
  return valueOf(constantOf(reading, { kind: 'parameter', number }))
}

/** `(value).field`, `(value)[1]`. */
const indirection = (reading: Reading, { kind, node }: Child, scope: Scope): Value => {
  const arg = child(kind, node, 'arg')
  let value = arg ? reading.readers.expression(reading, arg, scope) : undefined
  if (!value) return valueOf(newNode(reading.budget))
  for (const step of list(node, 'indirection')) {
    if (step.kind === 'String') value = fieldOf(reading, value, string(step.node, 'sval'))
    else if (step.kind === 'A_Indices') {
      const bounds = [child(step.kind, step.node, 'lidx'), child(step.kind, step.node, 'uidx')]
      value = valueOf(newNode(reading.budget, [value.node, together(reading, bounds, scope)]))
    } else if (step.kind !== 'A_Star') fail(reading, `${step.kind} cannot be followed`)
  }
  return value
}

/** A field by its name. What is no field that is known may be a call: `(t).f` is `f(t)`, also of a composite value whose fields nobody can tell. */
export const fieldOf = (reading: Reading, value: Value, name: string): Value => {
  const found = value.row?.filter((column) => column.name === name) ?? []
  const [first] = found
  if (first && found.length === 1) return first
  reading.opaque.add(name)
  return valueOf(value.node)
}

const rowExpr = (reading: Reading, { node }: Child, scope: Scope): Value => {
  const columns: Column[] = []
  for (const at of list(node, 'args')) {
    const expanded = expandedStar(reading, at, scope)
    const values = expanded ?? [reading.readers.expression(reading, at, scope)]
    for (const value of values) columns.push({ ...value, name: `f${String(columns.length + 1)}` })
  }
  const row = newNode(
    reading.budget,
    columns.map((column) => column.node),
  )
  return { node: row, direct: false, row: columns }
}

/** `row(t.*)` has the columns of t. */
const expandedStar = (reading: Reading, at: Child, scope: Scope): readonly Column[] | undefined => {
  if (at.kind !== 'ColumnRef' || list(at.node, 'fields').at(-1)?.kind !== 'A_Star') return undefined
  return reading.readers.expression(reading, at, scope).row
}

/**
 * A query in an expression. Where its value goes on into another value, what its conditions read is part of it: whether there is a row, or
 * which, is as good as a value.
 */
const subLink = (reading: Reading, { kind, node }: Child, scope: Scope, judged: boolean): Value => {
  const first_read = reading.reads.length
  const query = child(kind, node, 'subselect')
  const test = child(kind, node, 'testexpr')
  readOperator(reading, names(list(node, 'operName')))
  const edges: GraphNode[] = []
  let row: readonly Column[] | undefined
  if (query) {
    const { columns, rows } = reading.readers.query(reading, query, scope)
    const type = string(node, 'subLinkType')
    if (type !== 'EXISTS_SUBLINK') edges.push(...columns.map((column) => column.node))
    const [only] = columns
    if (type === 'EXPR_SUBLINK' && columns.length === 1) row = only?.row
    edges.push(rows)
    if (reading.conditions > 0) scope.rows.edges.push(rows)
  }
  if (judged) edges.push(...reading.reads.slice(first_read))
  if (test) edges.push(reading.readers.expression(reading, test, scope).node)
  return { node: newNode(reading.budget, edges), direct: false, row }
}

const subquery = (reading: Reading, at: Child, scope: Scope): Value => {
  const { columns, rows } = reading.readers.query(reading, at, scope)
  const nodes = columns.map((column) => column.node)
  return valueOf(newNode(reading.budget, [rows, ...nodes]))
}

/** Operators of somebody's own run somebody's function. */
export const readOperator = (reading: Reading, parts: readonly string[]): void => {
  const [first = ''] = parts
  const name = parts.at(-1) ?? ''
  if (parts.length === 0) return
  const builtin = parts.length === 1 || first === 'pg_catalog'
  if (!builtin || !pure_operators.has(name)) reading.opaque.add(`operator ${parts.join('.')}`)
}

const operands = ({ kind, node }: Child): readonly Child[] =>
  [child(kind, node, 'lexpr'), child(kind, node, 'rexpr')].filter((at) => at !== undefined)

/** Chains of operators lean to the left and are long: the left side is walked, not called. */
const operation = (reading: Reading, at: Child, scope: Scope): Value => {
  const node = newNode(reading.budget)
  let next: Child | undefined = at
  while (next?.kind === 'A_Expr') {
    readOperator(reading, names(list(next.node, 'name')))
    const right = child(next.kind, next.node, 'rexpr')
    if (right) node.edges.push(reading.readers.expression(reading, right, scope).node)
    next = child(next.kind, next.node, 'lexpr')
  }
  if (next) node.edges.push(reading.readers.expression(reading, next, scope).node)
  return valueOf(node)
}

/** `over w`, `over (w order by x)`, `over (partition by x)`: what decides the order of rows decides what is taken from them. */
export const readWindow = (reading: Reading, { kind, node }: Child, scope: Scope): GraphNode => {
  const parts = ['startOffset', 'endOffset'].map((field) => child(kind, node, field))
  const own = together(
    reading,
    [...list(node, 'partitionClause'), ...list(node, 'orderClause'), ...parts],
    scope,
  )
  for (const name of [string(node, 'name'), string(node, 'refname')]) {
    const named = name === '' ? undefined : scope.windows.get(name)
    if (!named || named === node) continue
    const at: Child = { kind: 'WindowDef', node: named, field: 'over' }
    own.edges.push(reading.readers.expression(reading, at, scope).node)
  }
  return own
}

/** A condition: between AND, OR and NOT, what is compared with one another belongs together. */
export const readCondition = (reading: Reading, at: Child, scope: Scope): GraphNode =>
  deeper(reading, newNode(reading.budget), () => {
    if (at.kind === 'BoolExpr') {
      const args = list(at.node, 'args')
      return newNode(
        reading.budget,
        args.map((arg) => readCondition(reading, arg, scope)),
      )
    }
    reading.conditions += 1
    const nodes = comparedWith(reading, at, scope)
    reading.conditions -= 1
    for (const node of nodes) reading.comparisons.push({ node, kind: kindOf(at), rows: scope.rows })
    return newNode(reading.budget, nodes)
  })

/** Rows are compared field by field: one node for each. */
const comparedWith = (reading: Reading, at: Child, scope: Scope): readonly GraphNode[] => {
  if (at.kind === 'SubLink') return comparedWithQuery(reading, at, scope)
  if (at.kind !== 'A_Expr') return [reading.readers.expression(reading, at, scope).node]
  readOperator(reading, names(list(at.node, 'name')))
  const sides = operands(at)
  const fields = comparedFields(sides)
  if (fields) return fields.map((all) => together(reading, all, scope))
  return [
    newNode(
      reading.budget,
      sides.map((side) => operandNode(reading, side, scope)),
    ),
  ]
}

/** Queries that a condition compares with directly are not judged by: the rows that they give say no more than the condition itself. */
const operandNode = (reading: Reading, at: Child, scope: Scope): GraphNode =>
  at.kind === 'SubLink'
    ? subLink(reading, at, scope, false).node
    : reading.readers.expression(reading, at, scope).node

/** `(a, b) = (c, d)` and `(a, b) in ((c, d), (e, f))` as fields that belong together. */
const comparedFields = ([left, right]: readonly Child[]):
  readonly (readonly Child[])[] | undefined => {
  if (left?.kind !== 'RowExpr' || !right) return undefined
  const rows = [left, ...(right.kind === 'List' ? list(right.node, 'items') : [right])]
  if (rows.some(({ kind }) => kind !== 'RowExpr')) return undefined
  const fields = rows.map(({ node }) => list(node, 'args'))
  const width = fields[0]?.length ?? 0
  if (fields.some((all) => all.length !== width || all.some(isRowOfItem))) return undefined
  return Array.from({ length: width }, (_, index) => fields.flatMap((all) => all[index] ?? []))
}

/** `t.*` within a row is as many fields as t has. */
const isRowOfItem = ({ kind, node }: Child): boolean =>
  kind === 'ColumnRef' && list(node, 'fields').at(-1)?.kind === 'A_Star'

/** `(a, b) in (select c, d ...)` */
const comparedWithQuery = (reading: Reading, at: Child, scope: Scope): readonly GraphNode[] => {
  const test = child(at.kind, at.node, 'testexpr')
  const query = child(at.kind, at.node, 'subselect')
  const fields = test?.kind === 'RowExpr' ? list(test.node, 'args') : []
  if (!query || fields.length < 2 || fields.some(isRowOfItem))
    return [subLink(reading, at, scope, false).node]
  readOperator(reading, names(list(at.node, 'operName')))
  const { columns, rows } = reading.readers.query(reading, query, scope)
  if (columns.length !== fields.length) fail(reading, 'a row is compared with another kind of row')
  scope.rows.edges.push(rows)
  return fields.map((field, index) => {
    const { node } = reading.readers.expression(reading, field, scope)
    const column = columns[index]
    return newNode(reading.budget, [node, rows, ...(column ? [column.node] : [])])
  })
}

const equal_kinds = new Set(['AEXPR_OP', 'AEXPR_IN', 'AEXPR_NOT_DISTINCT', 'AEXPR_OP_ANY'])

const kindOf = (at: Child): Comparison['kind'] => (isEquality(at) ? 'equality' : 'other')

const isEquality = ({ kind, node }: Child): boolean => {
  if (kind === 'A_Expr')
    return equal_kinds.has(string(node, 'kind')) && names(list(node, 'name')).join('.') === '='
  if (kind !== 'SubLink' || string(node, 'subLinkType') !== 'ANY_SUBLINK') return false
  const operator = names(list(node, 'operName'))
  return operator.length === 0 || operator.join('.') === '='
}
