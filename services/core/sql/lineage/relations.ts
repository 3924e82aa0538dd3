import type { CatalogColumn, CatalogRelation } from '../catalog.ts'
import { string, type Child, type TreeNode } from '../node.ts'
import { newNode, sourceNode, valueOf, type Column, type GraphNode } from './graph.ts'
import { deeper, fail, itemColumns, type Reading } from './reading.ts'
import { emptyPart, type Item, type Part, type Scope, type Setting } from './scope.ts'
import { isReadableSystemRelation, isSystemSchema } from './system-relations.ts'

/** Tables and views: what their columns are made of. */

/** A column with the same one of every table above (or below) its own in the inheritance. */
const related = (
  reading: Reading,
  relation: CatalogRelation,
  name: string,
  way: 'up' | 'down',
): GraphNode => {
  const key = `${way}${relation.oid}.${name}`
  const known = reading.relations.get(key)
  if (known) return known
  const node = sourceNode(reading.budget, sourceOf(reading, relation, name))
  reading.relations.set(key, node)
  const next =
    way === 'up'
      ? relation.parents.map((oid) => reading.catalog.relationByOid(oid))
      : reading.catalog.children(relation.oid)
  deeper(reading, undefined, () => {
    for (const other of next)
      if (other?.columns.some((column) => column.name === name))
        node.edges.push(related(reading, other, name, way))
  })
  return node
}

/** One object for each column, however it is reached. */
const sourceOf = (reading: Reading, relation: CatalogRelation, column: string) => {
  const key = `${relation.oid}.${column}`
  const known = reading.sources.get(key)
  if (known) return known
  const source = { relation, column }
  reading.sources.set(key, source)
  return source
}

/** The expression that a column is generated from reads the columns of its own table. */
const generatedFrom = (
  reading: Reading,
  relation: CatalogRelation,
  expression: string,
): GraphNode | undefined => {
  const parsed = reading.parser.parse(`select ${expression}`)
  const select = parsed.ok ? parsed.tree.stmts?.[0]?.stmt?.['SelectStmt'] : undefined
  if (!select) {
    fail(reading, `what ${relation.schema}.${relation.name} generates cannot be read`)
    return undefined
  }
  const setting: Setting = { search_path: [], own_text: false, parameters: undefined }
  const scope = newScope(reading, setting)
  const plain = relation.columns.filter(({ generated }) => generated === null)
  const columns = plain.map((column) => ({
    name: column.name,
    ...valueOf(columnNode(reading, relation, column)),
  }))
  scope.parts.push({ ...emptyPart, columns })
  const at: Child = { kind: 'SelectStmt', node: select as TreeNode, field: 'stmt' }
  const [first] = reading.readers.query(reading, at, scope).columns
  return first?.node
}

export const columnNode = (
  reading: Reading,
  relation: CatalogRelation,
  column: CatalogColumn,
): GraphNode => {
  const key = `=${relation.oid}.${column.name}`
  const known = reading.relations.get(key)
  if (known) return known
  const node = newNode(reading.budget, [
    related(reading, relation, column.name, 'up'),
    related(reading, relation, column.name, 'down'),
  ])
  reading.relations.set(key, node)
  const { generated } = column
  if (generated === null) return node
  const from = deeper(reading, undefined, () => generatedFrom(reading, relation, generated))
  if (from) node.edges.push(from)
  return node
}

export const newScope = (reading: Reading, setting: Setting, outer?: Scope): Scope => ({
  parts: [],
  outer,
  queries: outer?.queries,
  setting,
  windows: new Map(),
  rows: newNode(reading.budget),
  results: [],
})

/** What the definition of a view gives, in the order of its columns. */
const viewColumns = (reading: Reading, relation: CatalogRelation): readonly Column[] => {
  const known = reading.views.get(relation.oid)
  if (known === 'open') {
    fail(reading, `view ${relation.schema}.${relation.name} is made of itself`)
    return []
  }
  if (known) {
    reading.reads.push(known.reads)
    return known.columns
  }
  reading.views.set(relation.oid, 'open')
  const first_read = reading.reads.length
  const columns = readDefinition(reading, relation)
  const reads = newNode(reading.budget, reading.reads.slice(first_read))
  reading.views.set(relation.oid, { columns, reads })
  return columns
}

const readDefinition = (reading: Reading, relation: CatalogRelation): readonly Column[] => {
  const name = `${relation.schema}.${relation.name}`
  const parsed = reading.parser.parse(relation.definition ?? '')
  const statement = parsed.ok ? parsed.tree.stmts?.[0]?.stmt?.['SelectStmt'] : undefined
  if (!statement) {
    fail(reading, `the definition of view ${name} cannot be read`)
    return []
  }
  const setting: Setting = { search_path: [], own_text: false, parameters: undefined }
  const at: Child = { kind: 'SelectStmt', node: statement as TreeNode, field: 'stmt' }
  const { columns } = reading.readers.query(reading, at, newScope(reading, setting))
  if (columns.length !== relation.columns.length) {
    fail(reading, `the definition of view ${name} has other columns than the view`)
    return []
  }
  return relation.columns.map((column, index): Column => {
    const made = columns[index]
    const node = newNode(reading.budget, [columnNode(reading, relation, column)])
    if (made) node.edges.push(made.node)
    return { name: column.name, node, direct: made?.direct ?? false, row: made?.row }
  })
}

/** The columns of a relation as it is stored or defined; not those of one use of it. */
export const relationColumns = (reading: Reading, relation: CatalogRelation): readonly Column[] => {
  if (relation.definition !== null && !isSystemSchema(relation.schema))
    return deeper(reading, [], () => viewColumns(reading, relation))
  return relation.columns.map((column) => ({
    name: column.name,
    node: columnNode(reading, relation, column),
    direct: true,
    row: undefined,
  }))
}

/** A relation as an item of FROM; undefined (and a failure) when the catalog does not have it. */
export const relationPart = (
  reading: Reading,
  node: TreeNode,
  setting: Setting,
  alias: { readonly name: string; readonly columns: readonly string[] },
): Part => {
  const schema = string(node, 'schemaname')
  const name = string(node, 'relname')
  const relation = reading.catalog.relation({ schema, name }, setting.search_path)
  const full = schema === '' ? name : `${schema}.${name}`
  if (!relation) {
    const system =
      isSystemSchema(schema) || schema === '' ? isReadableSystemRelation(schema, name) : false
    if (!system) fail(reading, `relation ${full} is not known`)
    return openPart(reading, alias.name || name)
  }
  if (isSystemSchema(relation.schema) && !isReadableSystemRelation(relation.schema, relation.name))
    fail(reading, `what ${full} holds could be anything`)
  const item_schema = alias.name === '' ? relation.schema : ''
  const columns = named(relationColumns(reading, relation), alias.columns)
  return partOf(reading, alias.name || name, item_schema, columns, relation)
}

/** Aliases of columns replace as many names as there are. */
export const named = (columns: readonly Column[], names: readonly string[]): readonly Column[] =>
  names.length === 0
    ? columns
    : columns.map((column, index) => ({ ...column, name: names[index] ?? column.name }))

/** An item whose columns are all known. */
export const partOf = (
  reading: Reading,
  name: string,
  schema: string,
  from: readonly Column[],
  relation?: CatalogRelation,
): Part => {
  const columns = itemColumns(reading, from)
  const row = newNode(
    reading.budget,
    columns.map(({ node }) => node),
  )
  if (relation) row.edges.push(sourceNode(reading.budget, sourceOf(reading, relation, '*')))
  const whole = { node: row, direct: false, row: columns }
  const item: Item = { name, schema, columns, whole, open: undefined }
  return { items: [item], columns, open: undefined }
}

/** An item whose columns are not known, or not all: whatever is named of it depends on all that went in. */
export const openPart = (
  reading: Reading,
  name: string,
  from: readonly Column[] = [],
  node: GraphNode = newNode(reading.budget),
): Part => {
  const columns = itemColumns(reading, from)
  const [open] = itemColumns(reading, [{ name: '', ...valueOf(node) }])
  const rest = open?.node ?? node
  const row = newNode(reading.budget, [rest, ...columns.map((column) => column.node)])
  const item: Item = { name, schema: '', columns, whole: valueOf(row), open: rest }
  return { items: [item], columns, open: rest }
}
