import { list, string, type TreeNode } from '../node.ts'
import { newNode, valueOf, type Column, type Value } from './graph.ts'
import { fail, type Reading } from './reading.ts'
import { findColumns, findItem, type Item, type Scope } from './scope.ts'

/** Names of columns, and of rows. */

/** Every table has them; none holds what a row says. */
const system_columns: ReadonlySet<string> = new Set([
  'ctid',
  'tableoid',
  'xmin',
  'xmax',
  'cmin',
  'cmax',
])

const merged = (reading: Reading, columns: readonly Column[]): Value => {
  const [first] = columns
  if (first && columns.length === 1) return first
  const nodes = columns.map(({ node }) => node)
  return valueOf(newNode(reading.budget, nodes))
}

/** A reference, and the note that it was read. */
export const columnRef = (reading: Reading, node: TreeNode, scope: Scope): Value => {
  const value = resolved(reading, node, scope)
  reading.reads.push(value.node)
  return value
}

const resolved = (reading: Reading, node: TreeNode, scope: Scope): Value => {
  const fields = list(node, 'fields')
  const parts = fields.map((field) => (field.kind === 'String' ? string(field.node, 'sval') : '*'))
  const star = fields.at(-1)?.kind === 'A_Star'
  const [first = '', second = '', third = ''] = parts
  switch (parts.length) {
    case 1:
      return star ? everything(reading, scope) : plain(reading, first, scope)
    case 2:
      return ofItem(reading, { schema: '', name: first }, star ? '' : second, scope)
    case 3:
      return ofItem(reading, { schema: first, name: second }, star ? '' : third, scope)
    case 4:
      return ofItem(reading, { schema: second, name: third }, star ? '' : (parts[3] ?? ''), scope)
    default:
      return unknown(reading, parts.join('.'))
  }
}

const unknown = (reading: Reading, name: string): Value => {
  fail(reading, `${name} is not known`)
  return valueOf(newNode(reading.budget))
}

const plain = (reading: Reading, name: string, scope: Scope): Value => {
  const { columns, open } = findColumns(scope, name)
  const item = findItem(scope, '', name)
  if (columns.length > 0 && open.length === 0) return merged(reading, columns)
  const parameter = scope.setting.parameters?.get(name)
  // Where a FROM item has columns that nobody knows, the name may be one of them: it is all that it could be.
  if (columns.length > 0 || open.length > 0) {
    const edges = [...columns.map(({ node }) => node), ...open]
    if (item) edges.push(item.whole.node)
    if (parameter) edges.push(parameter.node)
    return valueOf(newNode(reading.budget, edges))
  }
  if (item) return item.whole
  if (parameter) return parameter
  const result = scope.results.filter((column) => column.name === name)
  if (result.length > 0) return merged(reading, result)
  if (system_columns.has(name)) return valueOf(newNode(reading.budget))
  return unknown(reading, `column ${name}`)
}

type ItemName = { readonly schema: string; readonly name: string }

/** A column of an item, or with an empty name its row. */
const ofItem = (reading: Reading, of: ItemName, column: string, scope: Scope): Value => {
  const item = findItem(scope, of.schema, of.name)
  if (item) return column === '' ? item.whole : itemColumn(reading, item, column)
  const parameter = of.schema === '' ? scope.setting.parameters?.get(of.name) : undefined
  if (parameter) return valueOf(parameter.node)
  return unknown(reading, [of.schema, of.name, column].filter(Boolean).join('.'))
}

const itemColumn = (reading: Reading, item: Item, name: string): Value => {
  const found = item.columns.filter((column) => column.name === name)
  if (found.length > 0) return merged(reading, found)
  if (item.open) return valueOf(item.open)
  if (system_columns.has(name)) return valueOf(newNode(reading.budget))
  // `t.f` is `f(t)` where t has no column f.
  reading.opaque.add(name)
  return valueOf(item.whole.node)
}

/** `*` in an expression, as in count(*) over nothing: everything that there is. */
const everything = (reading: Reading, scope: Scope): Value => {
  const columns = scope.parts.flatMap((part) => part.columns)
  const open = scope.parts.flatMap((part) => (part.open ? [part.open] : []))
  const nodes = columns.map(({ node }) => node)
  const node = newNode(reading.budget, [...nodes, ...open])
  return { node, direct: false, row: open.length === 0 ? columns : undefined }
}
