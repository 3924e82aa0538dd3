import type { TreeNode } from '../node.ts'
import type { Column, GraphNode, Value } from './graph.ts'

/** One item of FROM as expressions name it: `alias.column`, `schema.table.column`, `alias.*`, `alias`. */
export type Item = {
  /** What qualifies its columns: the alias, or the table's name. */
  readonly name: string
  /** Of a table without an alias; else empty. */
  readonly schema: string
  readonly columns: readonly Column[]
  /** The item as a value: its row, or the only column of a function that gives scalars. */
  readonly whole: Value
  /** What columns depend on that are not listed; undefined when all are. */
  readonly open: GraphNode | undefined
}

/** One entry of FROM: a joined table has several items, and columns of its own where USING merges two. */
export type Part = {
  readonly items: readonly Item[]
  /** What `*` stands for, and where unqualified names are looked up. */
  readonly columns: readonly Column[]
  /** Undefined unless some item's columns are not all listed. */
  readonly open: GraphNode | undefined
}

/** What a query gives. */
export type Query = {
  readonly columns: readonly Column[]
  /** What the number of its rows depends on. */
  readonly rows: GraphNode
}

/** A query that WITH names. It is read when it is first named, or at the end. */
export type NamedQuery = { readonly name: string; result(): Query }

export type NamedQueries = {
  readonly queries: Map<string, NamedQuery>
  readonly outer: NamedQueries | undefined
}

/** What a text is read as. */
export type Setting = {
  readonly search_path: readonly string[]
  /** Constants of the statement's own text have a place in it; those of a view's or function's do not. */
  readonly own_text: boolean
  /** Arguments of the function whose body this is: `$1` and names. */
  readonly parameters: ReadonlyMap<string, Value> | undefined
}

/** Where an expression stands: what it can name. */
export type Scope = {
  readonly parts: Part[]
  readonly outer: Scope | undefined
  readonly queries: NamedQueries | undefined
  readonly setting: Setting
  /** WINDOW clause. */
  readonly windows: Map<string, TreeNode>
  /** What the number of rows of this query depends on. */
  readonly rows: GraphNode
  /** What ORDER BY, GROUP BY and DISTINCT ON may name besides: columns of the result. */
  readonly results: readonly Column[]
}

export const emptyPart: Part = { items: [], columns: [], open: undefined }

export const namedQuery = (
  queries: NamedQueries | undefined,
  name: string,
): NamedQuery | undefined => {
  for (let at = queries; at; at = at.outer) {
    const found = at.queries.get(name)
    if (found) return found
  }
  return undefined
}

export type Found = {
  readonly columns: readonly Column[]
  readonly open: readonly GraphNode[]
}

/** Columns of a name in the nearest query that has one. Where a FROM item's columns are not known, it may be meant as well. */
export const findColumns = (scope: Scope, name: string): Found => {
  const open: GraphNode[] = []
  for (let at: Scope | undefined = scope; at; at = at.outer) {
    const columns = at.parts.flatMap((part) =>
      part.columns.filter((column) => column.name === name),
    )
    if (columns.length > 0) return { columns, open }
    for (const part of at.parts) if (part.open) open.push(part.open)
  }
  return { columns: [], open }
}

export const findItem = (scope: Scope, schema: string, name: string): Item | undefined => {
  for (let at: Scope | undefined = scope; at; at = at.outer)
    for (const part of at.parts) {
      const found = part.items.find(
        (item) => item.name === name && (schema === '' || item.schema === schema),
      )
      if (found) return found
    }
  return undefined
}
