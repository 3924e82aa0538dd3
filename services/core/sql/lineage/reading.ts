import type { Catalog } from '../catalog.ts'
import type { Child } from '../node.ts'
import type { SqlParser } from '../parser.ts'
import type { Budget, Column, Constant, GraphNode, Value } from './graph.ts'
import type { SourceColumn } from './lineage.ts'
import { constantNode, newNode } from './graph.ts'
import type { Query, Scope } from './scope.ts'

/** What one statement may cost. */
export type LineageLimits = {
  /** Nodes of its graph. */
  readonly nodes_max: number
  /** Steps through the graph. */
  readonly steps_max: number
  /** Nesting of queries, expressions, views and functions. */
  readonly depth_max: number
  /** Characters; longer texts are not read. */
  readonly text_length_max: number
}

export const lineage_limits: LineageLimits = {
  nodes_max: 100_000,
  steps_max: 4_000_000,
  depth_max: 700,
  text_length_max: 4 * 1024 * 1024,
}

/** Values that decide together which rows there are, or in which order. */
export type Comparison = {
  readonly node: GraphNode
  /**
   * `equality`: as many rows as there are matches. `identity`: rows that are the same become one or none (GROUP BY, DISTINCT, UNION), which
   * compares only where values of tables are mixed with those of the text. `other`: anything else between two ANDs and ORs.
   */
  readonly kind: 'equality' | 'identity' | 'other'
  /** What the number of rows depends on; undefined: only their order. */
  readonly rows: GraphNode | undefined
}

/** A column of a FROM item. */
export type ItemColumn = {
  /** The columns of the item, itself included. */
  readonly beside: readonly GraphNode[]
  /** One column of a table as it is. */
  readonly direct: boolean
}

export type PendingFlow = {
  readonly into: string
  readonly into_column: string
  readonly node: GraphNode
  /** The column it goes into, where the catalog has it. */
  readonly target: GraphNode | undefined
  /** The value is made of columns, not one column as it is. */
  readonly computed?: boolean
}

/** The parts that need one another: queries hold expressions, which hold queries. */
export type Readers = {
  query(reading: Reading, at: Child, scope: Scope): Query
  expression(reading: Reading, at: Child, scope: Scope): Value
  from(reading: Reading, at: Child, scope: Scope): void
  /** INSERT, UPDATE, DELETE, MERGE: what RETURNING gives. */
  write(reading: Reading, at: Child, scope: Scope): Query
}

/** The work on one statement. */
export type Reading = {
  readonly parser: SqlParser
  readonly catalog: Catalog
  readonly limits: LineageLimits
  readonly readers: Readers
  readonly budget: Budget
  depth: number
  /** Conditions that are being read: whatever a query in one gives decides which rows there are. */
  conditions: number
  /** Why it cannot be followed; empty while it can. The first reason counts. */
  failure: string
  /** Columns of relations, by OID and name. */
  readonly relations: Map<string, GraphNode>
  readonly sources: Map<string, SourceColumn>
  readonly views: Map<
    number,
    { readonly columns: readonly Column[]; readonly reads: GraphNode } | 'open'
  >
  /** Columns as they are named, in order. */
  readonly reads: GraphNode[]
  readonly flows: PendingFlow[]
  readonly comparisons: Comparison[]
  /** Expressions with the constants in them. */
  readonly values: GraphNode[]
  readonly opaque: Set<string>
  /** It calls a function that changes settings. */
  sets: boolean
  readonly items: Map<GraphNode, ItemColumn>
  readonly constants: Map<string, GraphNode>
}

export type ReadingOptions = Pick<Reading, 'parser' | 'catalog' | 'limits' | 'readers'>

export const newReading = (options: ReadingOptions): Reading => ({
  ...options,
  budget: { nodes: options.limits.nodes_max, steps: options.limits.steps_max },
  depth: 0,
  conditions: 0,
  failure: '',
  relations: new Map(),
  sources: new Map(),
  views: new Map(),
  reads: [],
  flows: [],
  comparisons: [],
  values: [],
  opaque: new Set(),
  sets: false,
  items: new Map(),
  constants: new Map(),
})

/** Ends the work: whatever comes out of it is not told. */
export const fail = (reading: Reading, reason: string): void => {
  if (reading.failure === '') reading.failure = reason
}

/** Runs a reader one level deeper, and not at all once the work has failed or grown too large. */
export const deeper = <T>(reading: Reading, otherwise: T, read: () => T): T => {
  if (reading.depth >= reading.limits.depth_max) fail(reading, 'it is nested too deeply')
  else if (reading.budget.nodes < 0 || reading.budget.steps < 0) fail(reading, 'it is too large')
  if (reading.failure !== '') return otherwise
  reading.depth += 1
  const result = read()
  reading.depth -= 1
  return result
}

/** The node of a constant: one for each place in the text, however often the tree repeats it. */
export const constantOf = (reading: Reading, constant: Constant): GraphNode => {
  const key =
    constant.kind === 'literal' ? `l${String(constant.offset)}` : `p${String(constant.number)}`
  const known = reading.constants.get(key)
  if (known) return known
  const node = constantNode(reading.budget, constant)
  reading.constants.set(key, node)
  return node
}

/** A column of a FROM item: a node of its own, so that what a condition says of it stays with this use of the table. */
export const itemColumns = (reading: Reading, columns: readonly Column[]): readonly Column[] => {
  const own = columns.map((column) => ({ ...column, node: newNode(reading.budget, [column.node]) }))
  const beside = own.map(({ node }) => node)
  for (const { node, direct } of own) reading.items.set(node, { beside, direct })
  return own
}
