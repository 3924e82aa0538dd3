import { child, flag, list, names, string, type Child, type TreeNode } from '../node.ts'
import { newNode, valueOf, type Column, type GraphNode } from './graph.ts'
import { fail, type Reading } from './reading.ts'
import { named } from './relations.ts'
import type { NamedQueries, NamedQuery, Query, Scope } from './scope.ts'

/** WITH: queries are read when they are first named, so that those of WITH RECURSIVE may name later ones and themselves. */
export const withQueries = (
  reading: Reading,
  at: Child,
  scope: Scope,
): NamedQueries | undefined => {
  const clause = child(at.kind, at.node, 'withClause')
  if (!clause) return scope.queries
  const recursive = flag(clause.node, 'recursive')
  const all: NamedQueries = { queries: new Map(), outer: scope.queries }
  const found: NamedQuery[] = []
  let before = scope.queries
  for (const { node } of list(clause.node, 'ctes')) {
    const query = namedBy(reading, node, { ...scope, queries: recursive ? all : before }, recursive)
    found.push(query)
    all.queries.set(query.name, query)
    before = { queries: new Map([[query.name, query]]), outer: before }
  }
  // Those that nobody names are read as well: they may write.
  for (const query of found) query.result()
  return all
}

/** `first`: of a recursive query the part that does not name itself is read; it says what columns there are. */
type State = 'new' | 'first' | 'open' | 'read'

const namedBy = (
  reading: Reading,
  node: TreeNode,
  scope: Scope,
  recursive: boolean,
): NamedQuery => {
  const name = string(node, 'ctename')
  const query = child('CommonTableExpr', node, 'ctequery')
  const rows = newNode(reading.budget)
  let state: State = 'new'
  let result: Query = { columns: [], rows }
  // All that it reads, as one: those who name it read it, too.
  let reads: GraphNode | undefined

  const columnsOf = (columns: readonly Column[]): readonly Column[] =>
    withExtras(reading, node, named(columns, names(list(node, 'aliascolnames'))))

  const read = (): void => {
    if (!query) return
    const first_read = reading.reads.length
    const first = recursive ? child(query.kind, query.node, 'larg') : undefined
    if (first) {
      state = 'first'
      const inner = { ...scope, queries: withQueries(reading, query, scope) }
      const { columns } = reading.readers.query(reading, first, inner)
      const nodes = columns.map((column) => newNode(reading.budget, [column.node]))
      const own = columns.map((column, index) => ({
        ...valueOf(nodes[index] ?? column.node),
        name: column.name,
      }))
      result = { columns: columnsOf(own), rows }
      state = 'open'
      const whole = reading.readers.query(reading, query, scope)
      rows.edges.push(whole.rows)
      for (const [index, column] of whole.columns.entries()) nodes[index]?.edges.push(column.node)
    } else {
      state = 'open'
      const whole = reading.readers.query(reading, query, scope)
      rows.edges.push(whole.rows)
      result = { columns: columnsOf(whole.columns), rows }
    }
    reads = newNode(reading.budget, reading.reads.slice(first_read))
    state = 'read'
  }

  return {
    name,
    result() {
      if (state === 'new') read()
      else if (state === 'first' || (state === 'open' && result.columns.length === 0))
        fail(reading, `${name} names itself where it cannot`)
      else if (reads) reading.reads.push(reads)
      return result
    },
  }
}

/** SEARCH and CYCLE add columns: where a row stands, and the way to it. */
const withExtras = (
  reading: Reading,
  node: TreeNode,
  columns: readonly Column[],
): readonly Column[] => {
  const search = child('CommonTableExpr', node, 'search_clause')
  const cycle = child('CommonTableExpr', node, 'cycle_clause')
  const extras = [
    search ? string(search.node, 'search_seq_column') : '',
    cycle ? string(cycle.node, 'cycle_mark_column') : '',
    cycle ? string(cycle.node, 'cycle_path_column') : '',
  ].filter(Boolean)
  const nodes = columns.map((column) => column.node)
  return [
    ...columns,
    ...extras.map((name) => ({ ...valueOf(newNode(reading.budget, nodes)), name })),
  ]
}
