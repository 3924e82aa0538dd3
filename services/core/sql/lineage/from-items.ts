import { child, flag, list, names, string, type Child, type TreeNode } from '../node.ts'
import { functionName } from './calls.ts'
import { readCondition, together } from './expressions.ts'
import { figuredName } from './figured-names.ts'
import { newNode, valueOf, type Column, type GraphNode } from './graph.ts'
import { functionColumns } from './known-functions.ts'
import { deeper, fail, type Reading } from './reading.ts'
import { isScalarArray } from './row-arrays.ts'
import { named, openPart, partOf, relationPart } from './relations.ts'
import { emptyPart, namedQuery, type Part, type Scope } from './scope.ts'

/** What stands in FROM. Each item sees the ones before it; only LATERAL ones and functions may name them. */

/** Adds an item to the scope. */
export const readFrom = (reading: Reading, at: Child, scope: Scope): void => {
  scope.parts.push(readPart(reading, at, scope))
}

const readPart = (reading: Reading, at: Child, scope: Scope): Part =>
  deeper(reading, emptyPart, () => {
    const { kind, node } = at
    switch (kind) {
      case 'RangeVar':
        return tablePart(reading, node, scope)
      case 'RangeSubselect':
        return subselectPart(reading, node, scope)
      case 'RangeFunction':
        return functionPart(reading, node, scope)
      case 'RangeTableFunc':
        return xmlTablePart(reading, node, scope)
      case 'JsonTable':
        return jsonTablePart(reading, node, scope)
      case 'JoinExpr':
        return joinPart(reading, node, scope)
      case 'RangeTableSample':
        return samplePart(reading, node, scope)
      default:
        fail(reading, `${kind} in FROM cannot be followed`)
        return emptyPart
    }
  })

export type Alias = { readonly name: string; readonly columns: readonly string[] }

export const aliasOf = (kind: string, node: TreeNode, field = 'alias'): Alias => {
  const alias = child(kind, node, field)
  if (!alias) return { name: '', columns: [] }
  return { name: string(alias.node, 'aliasname'), columns: names(list(alias.node, 'colnames')) }
}

const tablePart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const alias = aliasOf('RangeVar', node)
  const name = string(node, 'relname')
  const query = string(node, 'schemaname') === '' ? namedQuery(scope.queries, name) : undefined
  if (!query) return relationPart(reading, node, scope.setting, alias)
  const { columns, rows } = query.result()
  scope.rows.edges.push(rows)
  return partOf(reading, alias.name || name, '', named(columns, alias.columns))
}

const subselectPart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const query = child('RangeSubselect', node, 'subquery')
  const alias = aliasOf('RangeSubselect', node)
  if (!query) return emptyPart
  const from: Scope = flag(node, 'lateral') ? scope : outside(scope)
  const { columns, rows } = reading.readers.query(reading, query, from)
  scope.rows.edges.push(rows)
  return partOf(reading, alias.name, '', named(columns, alias.columns))
}

/** Without LATERAL an item does not see those beside it. */
const outside = (scope: Scope): Scope => ({ ...scope, parts: [] })

type CalledRows = { readonly part: readonly Column[] | undefined; readonly node: GraphNode }

const functionPart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const alias = aliasOf('RangeFunction', node)
  const calls = list(node, 'functions').map(({ node: pair }) => list(pair, 'items'))
  const alone = calls.length === 1
  const found = calls.map(([call, definitions]) => {
    const own = definitions?.kind === 'List' ? list(definitions.node, 'items') : []
    const defined = own.length > 0 || !alone ? own : list(node, 'coldeflist')
    return calledRows(reading, call, defined, scope, alone ? alias : undefined)
  })
  const names_first = functionAlias(calls[0]?.[0])
  const name = alias.name || names_first
  const nodes = found.map((rows) => rows.node)
  if (found.some(({ part }) => part === undefined)) {
    const known = alias.columns.map((column) => columnOf(reading, column, nodes))
    return openPart(reading, name, known, newNode(reading.budget, nodes))
  }
  const columns = found.flatMap(({ part }) => part ?? [])
  if (flag(node, 'ordinality')) columns.push(columnOf(reading, 'ordinality', []))
  const part = partOf(reading, name, '', named(columns, alias.columns))
  return columns.length === 1 ? scalarPart(part) : part
}

/** The alias of a function that gives scalars is the scalar. */
const scalarPart = (part: Part): Part => {
  const [item] = part.items
  const [column] = part.columns
  if (!item || !column) return part
  const whole = { node: item.whole.node, direct: false, row: column.row }
  return { ...part, items: [{ ...item, whole }] }
}

const columnOf = (reading: Reading, name: string, nodes: readonly GraphNode[]): Column => ({
  ...valueOf(newNode(reading.budget, nodes)),
  name,
})

const functionAlias = (call: Child | undefined): string => (call ? figuredName(call) : '')

const calledRows = (
  reading: Reading,
  call: Child | undefined,
  definitions: readonly Child[],
  scope: Scope,
  alias: Alias | undefined,
): CalledRows => {
  if (!call) return { part: [], node: newNode(reading.budget) }
  const value = reading.readers.expression(reading, call, scope)
  reading.values.push(value.node)
  const { node } = value
  if (definitions.length > 0) {
    const defined = definitions.map((at) => string(at.node, 'colname'))
    return { part: defined.map((name) => columnOf(reading, name, [node])), node }
  }
  const columns = call.kind === 'FuncCall' ? columnsOfCall(reading, call, scope) : 'one'
  if (columns === undefined) return { part: undefined, node }
  if (columns !== 'one')
    return { part: columns.map((name) => columnOf(reading, name, [node])), node }
  const name = alias?.name || functionAlias(call)
  return { part: [columnOf(reading, name, [node])], node }
}

/** Functions of somebody's own, and those of rows whose type nobody knows, may have any columns. */
const columnsOfCall = (
  reading: Reading,
  call: Child,
  scope: Scope,
): readonly string[] | 'one' | undefined => {
  const called = functionName(call.node)
  const args = list(call.node, 'args')
  if (reading.opaque.has(called.name)) return undefined
  if (called.name === 'unnest') {
    if (args.length > 1) return undefined
    const [arg] = args
    // The elements may be rows.
    return arg && isScalarArray(reading, arg, scope) ? 'one' : undefined
  }
  return functionColumns(called.name)
}

const xmlTablePart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const alias = aliasOf('RangeTableFunc', node)
  const inputs = together(
    reading,
    [
      child('RangeTableFunc', node, 'docexpr'),
      child('RangeTableFunc', node, 'rowexpr'),
      ...list(node, 'namespaces'),
    ],
    scope,
  )
  reading.values.push(inputs)
  const columns = list(node, 'columns').map((at) => {
    const own = together(
      reading,
      [child(at.kind, at.node, 'colexpr'), child(at.kind, at.node, 'coldefexpr')],
      scope,
    )
    reading.values.push(own)
    return columnOf(reading, string(at.node, 'colname'), [inputs, own])
  })
  const document = child('RangeTableFunc', node, 'docexpr')
  if (!document || !isColumn(document)) scope.rows.edges.push(inputs)
  return partOf(reading, alias.name || 'xmltable', '', named(columns, alias.columns))
}

/** How many parts a column's own document has is not what they are. */
const isColumn = ({ kind, node }: Child): boolean => {
  if (kind !== 'JsonValueExpr') return kind === 'ColumnRef'
  const value = child(kind, node, 'raw_expr')
  return value?.kind === 'ColumnRef'
}

const jsonTablePart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const alias = aliasOf('JsonTable', node)
  const parts = [child('JsonTable', node, 'context_item'), ...list(node, 'passing')]
  const inputs = together(reading, parts, scope)
  reading.values.push(inputs)
  if (!parts.every((at) => at === undefined || isColumn(at))) scope.rows.edges.push(inputs)
  const columns = jsonColumns(reading, list(node, 'columns'), inputs, scope)
  return partOf(reading, alias.name || 'json_table', '', named(columns, alias.columns))
}

const jsonColumns = (
  reading: Reading,
  columns: readonly Child[],
  inputs: GraphNode,
  scope: Scope,
): readonly Column[] =>
  columns.flatMap(({ kind, node }) => {
    const nested = list(node, 'columns')
    if (nested.length > 0) return jsonColumns(reading, nested, inputs, scope)
    const defaults = ['on_empty', 'on_error'].map((field) => child(kind, node, field))
    const own = together(reading, defaults, scope)
    return [columnOf(reading, string(node, 'name'), [inputs, own])]
  })

const samplePart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const relation = child('RangeTableSample', node, 'relation')
  const repeatable = child('RangeTableSample', node, 'repeatable')
  scope.rows.edges.push(together(reading, [...list(node, 'args'), repeatable], scope))
  return relation ? readPart(reading, relation, scope) : emptyPart
}

const joinPart = (reading: Reading, node: TreeNode, scope: Scope): Part => {
  const [larg, rarg] = [child('JoinExpr', node, 'larg'), child('JoinExpr', node, 'rarg')]
  if (!larg || !rarg) return emptyPart
  const left = readPart(reading, larg, scope)
  // What is on the right of a join may be LATERAL to its left.
  scope.parts.push(left)
  const right = readPart(reading, rarg, scope)
  scope.parts.push(right)
  const quals = child('JoinExpr', node, 'quals')
  if (quals) readCondition(reading, quals, scope)
  scope.parts.splice(-2)
  const using = flag(node, 'isNatural')
    ? sharedNames(reading, left, right)
    : names(list(node, 'usingClause'))
  const merged = using.map((name) => mergedColumn(reading, name, left, right, scope))
  const isOther = ({ name }: Column): boolean => !using.includes(name)
  const columns = [...merged, ...left.columns.filter(isOther), ...right.columns.filter(isOther)]
  const opens = [left.open, right.open].filter((at) => at !== undefined)
  const open = opens.length > 0 ? newNode(reading.budget, opens) : undefined
  const items = [...left.items, ...right.items]
  const using_alias = aliasOf('JoinExpr', node, 'join_using_alias')
  if (using_alias.name !== '') items.push(...partOf(reading, using_alias.name, '', merged).items)
  const alias = aliasOf('JoinExpr', node)
  if (alias.name === '') return { items, columns, open }
  const renamed = named(columns, alias.columns)
  return open
    ? openPart(reading, alias.name, renamed, open)
    : partOf(reading, alias.name, '', renamed)
}

const sharedNames = (reading: Reading, left: Part, right: Part): readonly string[] => {
  if (left.open || right.open) fail(reading, 'what NATURAL JOIN joins by is not known')
  const others = new Set(right.columns.map(({ name }) => name))
  return left.columns.map(({ name }) => name).filter((name) => others.has(name))
}

/** USING: one column, compared and merged. */
const mergedColumn = (
  reading: Reading,
  name: string,
  left: Part,
  right: Part,
  scope: Scope,
): Column => {
  const both = [left, right].flatMap((part) => {
    const found = part.columns.filter((column) => column.name === name)
    return found.length > 0 || !part.open ? found : [{ ...valueOf(part.open), name }]
  })
  if (both.length < 2) fail(reading, `column ${name} of USING is not known`)
  const nodes = both.map((column) => column.node)
  const node = newNode(reading.budget, nodes)
  reading.reads.push(...nodes)
  reading.comparisons.push({ node, kind: 'equality', rows: scope.rows })
  return { ...valueOf(node), name }
}
