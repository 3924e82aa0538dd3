import { reach, type GraphNode } from './graph.ts'
import type { SourceColumn } from './lineage.ts'
import type { Comparison, Reading } from './reading.ts'

/**
 * What conditions say of columns. `d.n = p.salary` shows the salary as d.n, so both depend on both; columns beside d.n that were made up
 * in the text (`values (1, 'a'), (2, 'b')`) show it as well. A condition on what a query computed (`where q.matches`) is one on what it was
 * computed from.
 */

type Origin = { readonly key: string; readonly made: boolean }

type Ties = {
  readonly reading: Reading
  readonly origins: Map<GraphNode, Origin>
  readonly numbers: Map<SourceColumn, number>
  readonly leaves: Map<GraphNode, readonly GraphNode[]>
}

/** Which base columns a column is made of; `made` of none: of constants and functions, by whoever wrote the text. */
const originOf = ({ reading, origins, numbers }: Ties, node: GraphNode): Origin => {
  const known = origins.get(node)
  if (known) return known
  const { sources } = reach(reading.budget, node, { bonds: false })
  const key = [...sources].map((source) => {
    const number = numbers.get(source) ?? numbers.size
    numbers.set(source, number)
    return number
  })
  const origin = { key: key.sort((one, other) => one - other).join(), made: sources.size === 0 }
  origins.set(node, origin)
  return origin
}

/** The columns of FROM items at the bottom of a value: of tables as they are, or made up in the text. */
const leavesOf = (ties: Ties, node: GraphNode): readonly GraphNode[] => {
  const { reading, leaves } = ties
  const found = new Set<GraphNode>()
  const until = (at: GraphNode): boolean => at !== node && reading.items.has(at)
  const at = (column: GraphNode): void => {
    if (reading.items.get(column)?.direct) found.add(column)
    else for (const leaf of columnLeaves(ties, column)) found.add(leaf)
  }
  const known = leaves.get(node)
  if (known) return known
  // A query that names itself adds nothing of its own.
  leaves.set(node, [])
  reach(reading.budget, node, { bonds: false, until, at })
  const all = [...found]
  leaves.set(node, all)
  return all
}

/** A computed column is what is below it; one with no column below is a leaf itself. */
const columnLeaves = (ties: Ties, column: GraphNode): readonly GraphNode[] => {
  const below = leavesOf(ties, column)
  return below.length > 0 ? below : [column]
}

const besides = ({ reading }: Ties, column: GraphNode): readonly GraphNode[] =>
  reading.items.get(column)?.beside ?? []

/** What one comparison ties; undefined when it says nothing that its columns do not say alone. */
const tieOf = (ties: Ties, comparison: Comparison): (() => void) | undefined => {
  const item = ties.reading.items.get(comparison.node)
  const columns = item?.direct ? [comparison.node] : columnLeaves(ties, comparison.node)
  if (columns.length < 2) return undefined
  const isMade = (column: GraphNode): boolean => originOf(ties, column).made
  const made = columns.filter(isMade)
  if (comparison.kind === 'identity' && made.length === 0) return undefined
  const [first = comparison.node] = columns
  const same_item = columns.every((column) => besides(ties, column) === besides(ties, first))
  // Columns of one row: only equality says the one by the other.
  if (same_item && comparison.kind !== 'equality') return undefined
  const siblings = made.flatMap((column) => besides(ties, column)).filter(isMade)
  const tied = new Set([...columns, ...siblings])
  const origins = new Set(columns.map((column) => originOf(ties, column).key))
  // Equality of columns of tables makes as many rows as there are matches; everything else as many as the values say.
  const counted =
    !same_item && origins.size > 1 && (comparison.kind !== 'equality' || made.length > 0)
  return () => {
    for (const column of tied) column.bonds.push(comparison.node)
    if (counted) comparison.rows?.edges.push(comparison.node)
  }
}

/** Ties what the statement compares. Not before every origin is known: ties would be part of it. */
export const tieComparisons = (reading: Reading): void => {
  const ties: Ties = { reading, origins: new Map(), numbers: new Map(), leaves: new Map() }
  const all = reading.comparisons.map((comparison) => tieOf(ties, comparison))
  for (const tie of all) tie?.()
}
