import { reach, type Column, type GraphNode } from './graph.ts'
import type {
  ColumnLiteral,
  ColumnParameter,
  DataFlow,
  OutputColumn,
  SourceColumn,
} from './lineage.ts'
import { fail, type Reading } from './reading.ts'

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

/** What a column gets of itself goes nowhere; it stands apart, since a mask that shows parts of a value shows others once it is moved along. */
export const flowsOf = (reading: Reading): readonly DataFlow[] =>
  reading.flows
    .map(({ into, into_column, node, target, computed = false }): DataFlow => {
      const itself = target ? reach(reading.budget, target, { bonds: false }).sources : new Set()
      const found = sourcesOf(reading, node)
      return {
        into,
        into_column,
        sources: found.filter((source) => !itself.has(source)),
        own: computed ? found.filter((source) => itself.has(source)) : [],
      }
    })
    .filter(({ sources, own }) => sources.length + own.length > 0)

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
  for (const { kind, node } of reading.comparisons) if (kind !== 'identity') note(node, undefined)
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
