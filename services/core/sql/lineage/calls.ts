import { child, flag, list, names, type Child, type TreeNode } from '../node.ts'
import { newNode, valueOf, type GraphNode, type Value } from './graph.ts'
import {
  aggregates,
  counting_functions,
  functionKind,
  spreading_functions,
  type FunctionKind,
} from './known-functions.ts'
import { fail, type Reading } from './reading.ts'
import type { Scope } from './scope.ts'

/** Calls of functions. */

export const functionName = (
  node: TreeNode,
): { readonly schema: string; readonly name: string } => {
  const parts = names(list(node, 'funcname'))
  return { schema: parts.length > 1 ? (parts.at(-2) ?? '') : '', name: parts.at(-1) ?? '' }
}

const noteCall = (reading: Reading, kind: FunctionKind, name: string, args: GraphNode): void => {
  switch (kind) {
    case 'pure':
      return
    case 'unreadable':
      fail(reading, `${name} reads what its arguments name`)
      return
    case 'foreign':
      reading.opaque.add(name)
      break
    case 'stateful':
      reading.sets ||= name === 'set_config'
      break
  }
  reading.flows.push({ into: `${name}()`, into_column: '', node: args, target: undefined })
}

/** The value of a call: all that goes into it. */
export const callValue = (reading: Reading, node: TreeNode, scope: Scope): Value => {
  const called = functionName(node)
  const args = list(node, 'args').map((at) => reading.readers.expression(reading, at, scope))
  const [first] = args
  // `f(t)` is `t.f` where t has a column f.
  const field =
    args.length === 1 && called.schema === ''
      ? first?.row?.find((column) => column.name === called.name)
      : undefined
  const value = newNode(
    reading.budget,
    args.map((arg) => arg.node),
  )
  for (const at of [...list(node, 'agg_order'), child('FuncCall', node, 'agg_filter')])
    if (at) value.edges.push(reading.readers.expression(reading, at, scope).node)
  const over = child('FuncCall', node, 'over')
  if (over) value.edges.push(reading.readers.expression(reading, over, scope).node)
  const counts = flag(node, 'agg_star') || over !== undefined || aggregates.has(called.name)
  if (counts) value.edges.push(scope.rows)
  const candidates = reading.catalog.functions(called, scope.setting.search_path)
  const kind = functionKind(called, candidates)
  if (field && kind === 'foreign' && candidates.length === 0) return field
  noteCall(reading, kind, called.name, value)
  noteRows(reading, node, called.name, value, scope)
  return valueOf(value)
}

/** A column, or an array that the text makes of columns. */
const isFixed = ({ kind, node }: Child): boolean => {
  if (kind === 'ColumnRef' || kind === 'A_Const') return true
  return kind === 'A_ArrayExpr' && list(node, 'elements').every(isFixed)
}

/** A function that gives rows makes as many of them as its arguments say. */
const noteRows = (
  reading: Reading,
  node: TreeNode,
  name: string,
  value: GraphNode,
  scope: Scope,
): void => {
  const spreads = spreading_functions.has(name)
  if (!spreads && !counting_functions.has(name)) return
  // How many elements a column's own array has is not what they are.
  if (spreads && list(node, 'args').every(isFixed)) return
  scope.rows.edges.push(value)
}
