import type { CatalogRelation } from '../catalog.ts'
import { child, flag, list, names, string, type Child } from '../node.ts'
import { callValue } from './calls.ts'
import { readDefinition } from './definitions.ts'
import { readCondition } from './expressions.ts'
import { newNode, type Column, type GraphNode } from './graph.ts'
import { fail, type Reading } from './reading.ts'
import { newScope, relationPart } from './relations.ts'
import type { Scope, Setting } from './scope.ts'

/** One statement, whatever it is. */
export type StatementFindings = {
  readonly columns: readonly Column[] | null
  readonly rows: GraphNode | undefined
  readonly copy_in: readonly GraphNode[] | null
  readonly declares: string
  readonly prepares: string
  readonly continues: string
  /** Of EXECUTE. */
  readonly arguments: readonly GraphNode[]
}

const nothing: StatementFindings = {
  columns: null,
  rows: undefined,
  copy_in: null,
  declares: '',
  prepares: '',
  continues: '',
  arguments: [],
}

export const readStatement = (reading: Reading, at: Child, setting: Setting): StatementFindings => {
  const scope = newScope(reading, setting)
  switch (at.kind) {
    case 'SelectStmt':
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      return readData(reading, at, scope)
    case 'CopyStmt':
      return readCopy(reading, at, scope)
    case 'CreateTableAsStmt':
      return readInto(
        reading,
        child(at.kind, at.node, 'query'),
        child(at.kind, at.node, 'into'),
        scope,
      )
    case 'ViewStmt':
      return readView(reading, at, scope)
    case 'ExplainStmt':
      return readExplain(reading, at, setting)
    case 'DeclareCursorStmt': {
      const inner = readInner(reading, at, setting)
      return { ...inner, declares: string(at.node, 'portalname') }
    }
    case 'PrepareStmt': {
      const inner = readInner(reading, at, setting)
      return { ...inner, prepares: string(at.node, 'name') }
    }
    case 'FetchStmt':
      if (flag(at.node, 'ismove')) return nothing
      return { ...nothing, continues: string(at.node, 'portalname') }
    case 'ExecuteStmt': {
      const values = list(at.node, 'params').map(
        (param) => reading.readers.expression(reading, param, scope).node,
      )
      return { ...nothing, continues: string(at.node, 'name'), arguments: values }
    }
    case 'CallStmt':
      return readCall(reading, at, scope)
    case 'VariableShowStmt':
      return readShow(reading, at)
    default:
      readDefinition(reading, at, scope)
      return nothing
  }
}

const readData = (reading: Reading, at: Child, scope: Scope): StatementFindings => {
  const into = intoOf(at)
  if (into) return readInto(reading, at, into, scope)
  const { columns, rows } = reading.readers.query(reading, at, scope)
  const returns = at.kind === 'SelectStmt' || at.node['returningClause'] !== undefined
  return { ...nothing, columns: returns ? columns : null, rows }
}

/** Of a set operation INTO stands in the leftmost query. */
const intoOf = (at: Child): Child | undefined => {
  for (let next: Child | undefined = at; next; next = child(next.kind, next.node, 'larg')) {
    const into = child(next.kind, next.node, 'intoClause')
    if (into) return into
  }
  return undefined
}

const readInner = (reading: Reading, at: Child, setting: Setting): StatementFindings => {
  const query = child(at.kind, at.node, 'query')
  if (!query) {
    fail(reading, `${at.kind} without a statement is not followed`)
    return nothing
  }
  const found = readStatement(reading, query, setting)
  // Whoever runs it later would not be seen to change what names mean.
  if (reading.sets) fail(reading, 'settings that it changes when it runs cannot be followed')
  return found
}

/** CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW: a table is made of what a query gives. */
const readInto = (
  reading: Reading,
  query: Child | undefined,
  into: Child | undefined,
  scope: Scope,
): StatementFindings => {
  const target = into ? child(into.kind, into.node, 'rel') : undefined
  if (!query || !into || !target || query.kind === 'ExecuteStmt') {
    fail(reading, 'what the new table is made of is not followed')
    return nothing
  }
  store(reading, query, target, names(list(into.node, 'colNames')), scope)
  return nothing
}

const store = (
  reading: Reading,
  query: Child,
  target: Child,
  aliases: readonly string[],
  scope: Scope,
): void => {
  const schema = string(target.node, 'schemaname')
  const name = string(target.node, 'relname')
  const full = schema === '' ? name : `${schema}.${name}`
  const { columns } = reading.readers.query(reading, query, scope)
  for (const [index, column] of columns.entries())
    reading.flows.push({
      into: full,
      into_column: aliases[index] ?? column.name,
      node: column.node,
      target: undefined,
    })
}

/** A view shows data by another name: where no rule knows the name, nothing would mask it. */
const readView = (reading: Reading, at: Child, scope: Scope): StatementFindings => {
  const query = child(at.kind, at.node, 'query')
  const view = child(at.kind, at.node, 'view')
  if (query && view) store(reading, query, view, names(list(at.node, 'aliases')), scope)
  else fail(reading, 'a view without a query is not followed')
  return nothing
}

/** A plan shows what conditions compare with, and how many rows there are: it depends on all that is read. */
const readExplain = (reading: Reading, at: Child, setting: Setting): StatementFindings => {
  const inner = readInner(reading, at, setting)
  if (inner.continues !== '') fail(reading, 'what EXPLAIN EXECUTE explains is not followed')
  const outputs = inner.columns?.map(({ node }) => node) ?? []
  const rows = inner.rows ? [inner.rows] : []
  const node = newNode(reading.budget, [...reading.reads, ...outputs, ...rows])
  const plan: Column = { name: 'QUERY PLAN', node, direct: false, row: undefined }
  return { ...nothing, columns: [plan] }
}

/** A procedure may give a row of its INOUT parameters; it is opaque, so nobody relies on these outputs. */
const readCall = (reading: Reading, at: Child, scope: Scope): StatementFindings => {
  const call = child(at.kind, at.node, 'funccall')
  if (!call) fail(reading, 'a call of nothing is not followed')
  else {
    const { node } = callValue(reading, call.node, scope)
    reading.values.push(node)
    reading.opaque.add(names(list(call.node, 'funcname')).join('.'))
  }
  return nothing
}

const readShow = (reading: Reading, { node }: Child): StatementFindings => {
  const name = string(node, 'name')
  const columns = name === 'all' ? ['name', 'setting', 'description'] : [name]
  return {
    ...nothing,
    columns: columns.map((column) => ({
      name: column,
      node: newNode(reading.budget),
      direct: false,
      row: undefined,
    })),
  }
}

/** Columns of a COPY without a list: all but generated ones. */
const copiedNames = (relation: CatalogRelation, listed: readonly string[]): readonly string[] =>
  listed.length > 0
    ? listed
    : relation.columns.filter(({ generated }) => generated === null).map(({ name }) => name)

const readCopy = (reading: Reading, at: Child, scope: Scope): StatementFindings => {
  const query = child(at.kind, at.node, 'query')
  if (query) {
    const inner = readStatement(reading, query, scope.setting)
    return copiedOut(reading, at, inner.columns ?? [], inner.rows)
  }
  const target = child(at.kind, at.node, 'relation')
  if (!target) {
    fail(reading, 'COPY of nothing is not followed')
    return nothing
  }
  const name = { schema: string(target.node, 'schemaname'), name: string(target.node, 'relname') }
  const relation = reading.catalog.relation(name, scope.setting.search_path)
  const part = relationPart(reading, target.node, scope.setting, { name: '', columns: [] })
  if (!relation) return nothing
  scope.parts.push(part)
  for (const item of part.items) reading.reads.push(item.whole.node)
  const listed = copiedNames(relation, names(list(at.node, 'attlist')))
  const columns = listed.flatMap((column) => {
    const found = part.columns.filter(({ name }) => name === column)
    if (found.length === 0) fail(reading, `column ${column} of ${relation.name} is not known`)
    return found
  })
  if (!flag(at.node, 'is_from')) return copiedOut(reading, at, columns, undefined)
  const where = child(at.kind, at.node, 'whereClause')
  if (where) readCondition(reading, where, scope)
  if (string(at.node, 'filename') !== '' || flag(at.node, 'is_program')) return nothing
  return { ...nothing, copy_in: columns.map(({ node }) => node) }
}

const copiedOut = (
  reading: Reading,
  at: Child,
  columns: readonly Column[],
  rows: GraphNode | undefined,
): StatementFindings => {
  const file = string(at.node, 'filename')
  if (file === '' && !flag(at.node, 'is_program')) return { ...nothing, columns, rows }
  for (const { name, node } of columns)
    reading.flows.push({ into: file, into_column: name, node, target: undefined })
  return nothing
}
