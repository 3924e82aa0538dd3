import type { CatalogRelation } from '../catalog.ts'
import { child, list, string, type Child, type TreeNode } from '../node.ts'
import { readCondition, together } from './expressions.ts'
import { aliasOf } from './from-items.ts'
import { newNode, type GraphNode } from './graph.ts'
import { readTargets } from './queries.ts'
import { fail, type Reading } from './reading.ts'
import { columnNode, partOf, relationColumns, relationPart } from './relations.ts'
import { emptyPart, type Part, type Query, type Scope } from './scope.ts'

/** INSERT, UPDATE, DELETE, MERGE: what goes where, and what RETURNING gives. */

type Target = {
  readonly relation: CatalogRelation | undefined
  /** `schema.name` */
  readonly name: string
  readonly part: Part
}

const targetOf = (reading: Reading, node: TreeNode, scope: Scope): Target => {
  const schema = string(node, 'schemaname')
  const name = string(node, 'relname')
  const relation = reading.catalog.relation({ schema, name }, scope.setting.search_path)
  const part = relationPart(reading, node, scope.setting, aliasOf('RangeVar', node))
  // Errors of a write show the whole row: "Failing row contains (...)", "Key (email)=(...) already exists".
  for (const item of part.items) reading.reads.push(item.whole.node)
  return { relation, part, name: relation ? `${relation.schema}.${relation.name}` : name }
}

/** A value goes into a column: what is read of the column afterwards depends on it. */
const assign = (
  reading: Reading,
  target: Target,
  column: string,
  node: GraphNode,
  computed: boolean,
): void => {
  const { relation } = target
  const known = relation?.columns.find(({ name }) => name === column)
  const into = relation && known ? columnNode(reading, relation, known) : undefined
  if (relation && !known) fail(reading, `column ${column} of ${target.name} is not known`)
  // What a view shows of the column is what the value is compared with, too.
  const shown = relation
    ? relationColumns(reading, relation).find(({ name }) => name === column)
    : undefined
  const owner = newNode(reading.budget, [...(into ? [into] : []), ...(shown ? [shown.node] : [])])
  reading.flows.push({ into: target.name, into_column: column, node, target: owner, computed })
  for (const own of target.part.columns) if (own.name === column) own.node.edges.push(node)
}

const hiddenPart = (parts: readonly Part[]): Part => ({
  ...emptyPart,
  items: parts.flatMap((part) => part.items),
})

/** The target's row under another name, only to be named with it. */
const rowNamed = (reading: Reading, target: Target, name: string): Part =>
  partOf(reading, name, '', target.part.columns)

/** RETURNING, where the rows before and after go by `old` and `new` or by names of its own. */
const returning = (reading: Reading, at: Child, target: Target, scope: Scope): Query => {
  const clause = child(at.kind, at.node, 'returningClause')
  if (!clause) return { columns: [], rows: scope.rows }
  const names = { RETURNING_OPTION_OLD: 'old', RETURNING_OPTION_NEW: 'new' }
  const options = new Map(Object.entries(names))
  for (const { node } of list(clause.node, 'options'))
    options.set(string(node, 'option'), string(node, 'value'))
  const rows = [...options.values()].map((name) => rowNamed(reading, target, name))
  const inner: Scope = { ...scope, parts: [...scope.parts, hiddenPart(rows)] }
  return { columns: readTargets(reading, list(clause.node, 'exprs'), inner), rows: scope.rows }
}

/** `set a = x, b[1] = y, (c, d) = (select ...)` */
const assignments = (
  reading: Reading,
  targets: readonly Child[],
  target: Target,
  scope: Scope,
): void => {
  let row: readonly GraphNode[] | undefined
  for (const { kind, node } of targets) {
    const value = child(kind, node, 'val')
    if (!value) continue
    const column = string(node, 'name')
    const subscripts = together(reading, subscriptsOf(node), scope)
    const from = newNode(reading.budget, [subscripts])
    let computed = true
    if (value.kind === 'MultiAssignRef') {
      // The tree repeats the row for each of its columns.
      const number = typeof value.node['colno'] === 'number' ? value.node['colno'] : 1
      if (number === 1 || !row) row = assignedRow(reading, value, scope)
      from.edges.push(row[number - 1] ?? rowNode(reading, row))
    } else {
      const read = reading.readers.expression(reading, value, scope)
      from.edges.push(read.node)
      computed = !read.direct
    }
    reading.values.push(from)
    assign(reading, target, column, from, computed)
  }
}

/** The fields of the row on the right, in order. */
const assignedRow = (reading: Reading, at: Child, scope: Scope): readonly GraphNode[] => {
  const source = child(at.kind, at.node, 'source')
  if (!source) return []
  const query = source.kind === 'SubLink' ? child(source.kind, source.node, 'subselect') : undefined
  if (query) {
    const first_read = reading.reads.length
    const { columns, rows } = reading.readers.query(reading, query, scope)
    // Whether there is a row is as good as a value.
    const judged = [rows, ...reading.reads.slice(first_read)]
    return columns.map(({ node }) => newNode(reading.budget, [node, ...judged]))
  }
  const { node, row } = reading.readers.expression(reading, source, scope)
  return row?.map((column) => column.node) ?? [node]
}

const rowNode = (reading: Reading, row: readonly GraphNode[]): GraphNode =>
  newNode(reading.budget, row)

const subscriptsOf = (node: TreeNode): readonly Child[] =>
  list(node, 'indirection')
    .filter(({ kind }) => kind === 'A_Indices')
    .flatMap((at) => [child(at.kind, at.node, 'lidx'), child(at.kind, at.node, 'uidx')])
    .filter((at) => at !== undefined)

const insertedColumns = (cols: readonly Child[], { relation }: Target): readonly string[] =>
  cols.length > 0
    ? cols.map(({ node }) => string(node, 'name'))
    : (relation?.columns.map(({ name }) => name) ?? [])

const readInsert = (reading: Reading, at: Child, target: Target, scope: Scope): Query => {
  const cols = list(at.node, 'cols')
  const columns = insertedColumns(cols, target)
  const query = child(at.kind, at.node, 'selectStmt')
  if (query) {
    const values = reading.readers.query(reading, query, scope)
    if (values.columns.length > columns.length)
      fail(reading, `it has more values than ${target.name} has columns`)
    for (const [index, column] of values.columns.entries()) {
      const name = columns[index]
      if (name !== undefined) assign(reading, target, name, column.node, !column.direct)
    }
  }
  scope.parts.push(target.part)
  const conflict = child(at.kind, at.node, 'onConflictClause')
  if (conflict) readConflict(reading, conflict, target, scope)
  return returning(reading, at, target, scope)
}

const readConflict = (reading: Reading, at: Child, target: Target, scope: Scope): void => {
  const infer = child(at.kind, at.node, 'infer')
  if (infer) {
    for (const { kind, node } of list(infer.node, 'indexElems')) {
      const expression = child(kind, node, 'expr')
      if (expression) reading.readers.expression(reading, expression, scope)
    }
    const where = child(infer.kind, infer.node, 'whereClause')
    if (where) readCondition(reading, where, scope)
  }
  const excluded = hiddenPart([rowNamed(reading, target, 'excluded')])
  const inner: Scope = { ...scope, parts: [...scope.parts, excluded] }
  assignments(reading, list(at.node, 'targetList'), target, inner)
  const where = child(at.kind, at.node, 'whereClause')
  if (where) readCondition(reading, where, inner)
}

const readUpdate = (reading: Reading, at: Child, target: Target, scope: Scope): Query => {
  scope.parts.push(target.part)
  const fields = ['fromClause', 'usingClause']
  for (const item of fields.flatMap((field) => list(at.node, field)))
    reading.readers.from(reading, item, scope)
  const where = child(at.kind, at.node, 'whereClause')
  if (where) readCondition(reading, where, scope)
  assignments(reading, list(at.node, 'targetList'), target, scope)
  return returning(reading, at, target, scope)
}

const readMerge = (reading: Reading, at: Child, target: Target, scope: Scope): Query => {
  const source = child(at.kind, at.node, 'sourceRelation')
  if (source) reading.readers.from(reading, source, scope)
  scope.parts.push(target.part)
  const condition = child(at.kind, at.node, 'joinCondition')
  if (condition) readCondition(reading, condition, scope)
  for (const when of list(at.node, 'mergeWhenClauses')) {
    const only = child(when.kind, when.node, 'condition')
    if (only) readCondition(reading, only, scope)
    const targets = list(when.node, 'targetList')
    if (string(when.node, 'commandType') !== 'CMD_INSERT') {
      assignments(reading, targets, target, scope)
      continue
    }
    const columns = insertedColumns(targets, target)
    for (const [index, value] of list(when.node, 'values').entries()) {
      const { node, direct } = reading.readers.expression(reading, value, scope)
      reading.values.push(node)
      const name = columns[index]
      if (name === undefined) fail(reading, `it has more values than ${target.name} has columns`)
      else assign(reading, target, name, node, !direct)
    }
  }
  return returning(reading, at, target, scope)
}

/** @param scope the statement's own, its WITH read */
export const readWrite = (reading: Reading, at: Child, scope: Scope): Query => {
  const relation = child(at.kind, at.node, 'relation')
  if (!relation) {
    fail(reading, `${at.kind} without a target cannot be followed`)
    return { columns: [], rows: scope.rows }
  }
  const target = targetOf(reading, relation.node, scope)
  switch (at.kind) {
    case 'InsertStmt':
      return readInsert(reading, at, target, scope)
    case 'MergeStmt':
      return readMerge(reading, at, target, scope)
    default:
      return readUpdate(reading, at, target, scope)
  }
}
