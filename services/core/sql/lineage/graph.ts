import type { SourceColumn } from './lineage.ts'

/**
 * What depends on what in one statement. A node is a column of a table, a constant, a column of a FROM item, or the value of an
 * expression; its edges lead to what its value is made of. Bonds lead to what a condition compares it with: `d.n = p.salary`
 * makes d.n tell p.salary, though nothing was computed from it. Conditions go both ways and recursive queries go round, so the
 * graph has cycles: everything is found by reachability, at the end.
 */
export type GraphNode = {
  readonly edges: GraphNode[]
  readonly bonds: GraphNode[]
  readonly source: SourceColumn | undefined
  readonly constant: Constant | undefined
}

/** A literal by the byte in the text where it begins, or a parameter by its number. */
export type Constant =
  | { readonly kind: 'literal'; readonly offset: number }
  | { readonly kind: 'parameter'; readonly number: number }

/** What an expression gives. */
export type Value = {
  readonly node: GraphNode
  /** One column as it is. */
  readonly direct: boolean
  /** The fields, where the value is a row whose fields are known. */
  readonly row: readonly Column[] | undefined
}

export type Column = Value & { readonly name: string }

/** Counts what the work on one statement costs, so that no text makes it cost more. */
export type Budget = { nodes: number; steps: number }

export const newNode = (budget: Budget, edges: readonly GraphNode[] = []): GraphNode => {
  budget.nodes -= 1
  return { edges: [...edges], bonds: [], source: undefined, constant: undefined }
}

export const sourceNode = (budget: Budget, source: SourceColumn): GraphNode => {
  budget.nodes -= 1
  return { edges: [], bonds: [], source, constant: undefined }
}

export const constantNode = (budget: Budget, constant: Constant): GraphNode => {
  budget.nodes -= 1
  return { edges: [], bonds: [], source: undefined, constant }
}

export const valueOf = (node: GraphNode): Value => ({ node, direct: false, row: undefined })

export type Reached = {
  readonly sources: ReadonlySet<SourceColumn>
  readonly constants: ReadonlySet<Constant>
}

export type ReachOptions = {
  /** Follow what conditions compare, too. */
  readonly bonds: boolean
  /** Where to stop: nodes of it are given to `at` and not followed. */
  readonly until?: (node: GraphNode) => boolean
  readonly at?: (node: GraphNode) => void
}

/** Everything that can be reached from a node, itself included. */
export const reach = (budget: Budget, from: GraphNode, options: ReachOptions): Reached => {
  const sources = new Set<SourceColumn>()
  const constants = new Set<Constant>()
  const seen = new Set<GraphNode>([from])
  const stack: GraphNode[] = [from]
  const follow = (next: readonly GraphNode[]): void => {
    for (const node of next) {
      if (seen.has(node)) continue
      seen.add(node)
      stack.push(node)
    }
  }
  for (let node = stack.pop(); node; node = stack.pop()) {
    budget.steps -= 1
    if (budget.steps < 0) break
    if (options.until?.(node)) {
      options.at?.(node)
      continue
    }
    if (node.source) sources.add(node.source)
    if (node.constant) constants.add(node.constant)
    follow(node.edges)
    if (options.bonds) follow(node.bonds)
  }
  return { sources, constants }
}
