import { reach, type Column, type GraphNode } from './graph.ts'
import type {
  ColumnLiteral,
  ColumnParameter,
  DataFlow,
  OutputColumn,
  SourceColumn,
} from './lineage.ts'
import { fail, type Comparison, type Reading } from './reading.ts'

/** What the graph of a statement says, once all of it is there. */

const sourcesOf = (reading: Reading, node: GraphNode): readonly SourceColumn[] => [
  ...reach(reading.budget, node, { bonds: true }).sources,
]

export const outputsOf = (reading: Reading, columns: readonly Column[]): readonly OutputColumn[] =>
  columns.map(({ name, node, direct }) => ({ name, direct, sources: sourcesOf(reading, node) }))

export const sourcesOfAll = (
  reading: Reading,
  nodes: readonly GraphNode[],
  bonds: boolean,
): readonly SourceColumn[] => {
  const all: GraphNode = { edges: [...nodes], bonds: [], source: undefined, constant: undefined }
  return [...reach(reading.budget, all, { bonds }).sources]
}

/** What a column gets of itself goes nowhere. */
export const flowsOf = (reading: Reading): readonly DataFlow[] =>
  reading.flows
    .map(({ into, into_column, node, target }): DataFlow => {
      const own = target ? reach(reading.budget, target, { bonds: false }).sources : new Set()
      const sources = sourcesOf(reading, node).filter((source) => !own.has(source))
      return { into, into_column, sources }
    })
    .filter(({ sources }) => sources.length > 0)

/** The columns of FROM items that a comparison names, also inside the queries in it. */
const comparedColumns = (reading: Reading, node: GraphNode): readonly GraphNode[] => {
  const found: GraphNode[] = []
  const until = (at: GraphNode): boolean => reading.items.has(at)
  reach(reading.budget, node, { bonds: false, until, at: (column) => found.push(column) })
  return found
}

type Origin = { readonly key: string; readonly made: boolean }

/** Which base columns a column is made of; `made` of none: of constants and functions, by whoever wrote the text. */
const originOf = (
  reading: Reading,
  origins: Map<GraphNode, Origin>,
  names: Map<SourceColumn, number>,
  node: GraphNode,
): Origin => {
  const known = origins.get(node)
  if (known) return known
  const { sources } = reach(reading.budget, node, { bonds: false })
  const numbers = [...sources].map((source) => {
    const number = names.get(source) ?? names.size
    names.set(source, number)
    return number
  })
  const origin = {
    key: numbers.sort((one, other) => one - other).join(),
    made: numbers.length === 0,
  }
  origins.set(node, origin)
  return origin
}

/**
 * Ties what conditions compare. `d.n = p.salary` shows the salary as d.n, so both depend on both; columns beside d.n that were made up in the
 * text (`values (1, 'a'), (2, 'b')`) show it as well. Any other condition between two items than equality of their own columns makes as
 * many rows as the values say (`d.n <= p.salary`).
 */
export const tieComparisons = (reading: Reading): void => {
  const origins = new Map<GraphNode, Origin>()
  const names = new Map<SourceColumn, number>()
  const origin = (node: GraphNode): Origin => originOf(reading, origins, names, node)
  const ties: (() => void)[] = []
  for (const comparison of reading.comparisons) {
    const columns = comparedColumns(reading, comparison.node)
    if (columns.length < 2) continue
    const made = columns.filter((column) => origin(column).made)
    const beside = reading.items.get(columns[0] ?? comparison.node)
    const same_item = columns.every((column) => reading.items.get(column) === beside)
    // Columns of one row: only equality says the one by the other.
    if (same_item && !comparison.equal) continue
    const siblings = made.flatMap((column) => reading.items.get(column) ?? [])
    const tied = new Set([...columns, ...siblings.filter((column) => origin(column).made)])
    const counted = !same_item && isCounted(comparison, columns.map(origin))
    ties.push(() => {
      for (const column of tied) column.bonds.push(comparison.node)
      if (counted) comparison.rows.edges.push(comparison.node)
    })
  }
  // Not before every origin is known: ties would be part of it.
  for (const tie of ties) tie()
}

const isCounted = ({ equal }: Comparison, origins: readonly Origin[]): boolean => {
  if (new Set(origins.map(({ key }) => key)).size < 2) return false
  return !equal || origins.some(({ made }) => made)
}

type Owned = {
  readonly literals: Map<number, Set<SourceColumn>>
  readonly parameters: Map<number, Set<SourceColumn>>
}

const own = (
  owned: Map<number, Set<SourceColumn>>,
  key: number,
  sources: Iterable<SourceColumn>,
): void => {
  const known = owned.get(key) ?? new Set()
  for (const source of sources) known.add(source)
  owned.set(key, known)
}

/** Which columns the constants belong to: those in the same comparison or expression, and those they are written into. */
export const ownedConstants = (reading: Reading): Owned => {
  const owned: Owned = { literals: new Map(), parameters: new Map() }
  const note = (node: GraphNode, target: GraphNode | undefined): void => {
    if (target === undefined && node.edges.length === 0 && node.bonds.length === 0) return
    const { sources, constants } = reach(reading.budget, node, { bonds: true })
    if (constants.size === 0) return
    const into = target ? reach(reading.budget, target, { bonds: false }).sources : []
    const all = [...sources, ...into]
    if (all.length === 0) return
    for (const constant of constants)
      if (constant.kind === 'literal') own(owned.literals, constant.offset, all)
      else own(owned.parameters, constant.number, all)
  }
  for (const { node } of reading.comparisons) note(node, undefined)
  for (const node of reading.values) note(node, undefined)
  for (const { node, target } of reading.flows) note(node, target)
  return owned
}

export const parametersOf = ({ parameters }: Owned): readonly ColumnParameter[] =>
  [...parameters]
    .map(([number, sources]) => ({ number, sources: [...sources] }))
    .sort((one, other) => one.number - other.number)

/** Finds where a literal ends. Undefined: what begins there is no literal (`year` of extract). */
export type LiteralEnd = (offset: number) => number | undefined | 'unknown'

export const literalsOf = (
  reading: Reading,
  { literals }: Owned,
  endOf: LiteralEnd,
): readonly ColumnLiteral[] =>
  [...literals]
    .flatMap(([offset, sources]): readonly ColumnLiteral[] => {
      const end = endOf(offset)
      if (end === 'unknown') fail(reading, 'where a literal ends cannot be told')
      if (end === undefined || end === 'unknown') return []
      return [{ offset, length: end - offset, sources: [...sources] }]
    })
    .sort((one, other) => one.offset - other.offset)
