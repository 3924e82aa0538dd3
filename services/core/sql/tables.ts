import { findRelation, objectOf, type Environment } from './environment.ts'
import { child, list, names, relationName, string, type Child, type TreeNode } from './node.ts'

/** What the columns in an expression can belong to: the items of FROM, level by level outwards. */
export type Tables = {
  readonly items: readonly Item[]
  readonly outer: Tables | undefined
}

export type Item = {
  /** What qualifies its columns: the alias, or the table's name. */
  readonly name: string
  /** Of a table without an alias; else empty. */
  readonly schema: string
  /** Object of the effect on a table or view; empty for everything else: what that reads has effects of its own. */
  readonly object: string
  /** Names of its columns; undefined when they are not known. */
  readonly columns: ReadonlySet<string> | undefined
  /** What an alias with a column list calls them; empty where it does not. */
  readonly renamed: ReadonlyMap<string, string>
  /** Items that an alias of a join stands for. */
  readonly members: readonly Item[]
}

/** A column, or `*`, of a table. */
export type ColumnUse = { readonly item: Item; readonly column: string }

type Context = {
  readonly environment: Environment
  readonly search_path: readonly string[] | undefined
  /** Whether a name is one that WITH gave. */
  readonly hidden: (name: string) => boolean
}

const no_names: ReadonlyMap<string, string> = new Map()
const no_items: readonly Item[] = []

/** Columns that every table has. */
const system_columns = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

const aliasOf = (
  node: TreeNode,
): { readonly name: string; readonly columns: readonly string[] } => {
  const alias = child('', node, 'alias')
  return {
    name: string(alias?.node, 'aliasname'),
    columns: alias === undefined ? [] : names(list(alias.node, 'colnames')),
  }
}

/** An alias's column list names the first columns anew; the names they had are gone. */
const renamedColumns = (
  columns: readonly string[] | undefined,
  given: readonly string[],
): Pick<Item, 'columns' | 'renamed'> => {
  if (given.length === 0)
    return { columns: columns === undefined ? undefined : new Set(columns), renamed: no_names }
  // Which column an own name means is not known, so it means all.
  if (columns === undefined)
    return { columns: undefined, renamed: new Map(given.map((name) => [name, '*'])) }
  return {
    columns: new Set([...given, ...columns.slice(given.length)]),
    renamed: new Map(given.map((name, index) => [name, columns[index] ?? '*'])),
  }
}

/** Names of a query's columns; undefined when they do not show. */
const outputNames = (query: Child | undefined): readonly string[] | undefined => {
  let at = query
  while (at?.kind === 'SelectStmt' && at.node['larg'] !== undefined)
    at = child('SelectStmt', at.node, 'larg')
  if (at?.kind !== 'SelectStmt') return undefined
  const found: string[] = []
  for (const target of list(at.node, 'targetList')) {
    const own = string(target.node, 'name')
    const value = child('ResTarget', target.node, 'val')
    if (own !== '') found.push(own)
    else if (value?.kind === 'ColumnRef') {
      const fields = list(value.node, 'fields')
      if (fields.some(({ kind }) => kind === 'A_Star')) return undefined
      found.push(names(fields).at(-1) ?? '')
    } else return undefined
  }
  return found
}

const derived = (node: TreeNode, columns: readonly string[] | undefined): Item => {
  const alias = aliasOf(node)
  return {
    name: alias.name,
    schema: '',
    object: '',
    ...renamedColumns(columns, alias.columns),
    members: no_items,
  }
}

export const tableItem = (context: Context, node: TreeNode): Item => {
  const { environment, search_path } = context
  const alias = aliasOf(node)
  const name = string(node, 'relname')
  const schema = string(node, 'schemaname')
  const own = alias.name === '' ? { name, schema } : { name: alias.name, schema: '' }
  if (schema === '' && context.hidden(name)) return { ...derived(node, undefined), name: own.name }
  const relation = findRelation(environment, search_path, schema, name)
  return {
    ...own,
    object: relation === undefined ? relationName(node) : objectOf(relation),
    ...renamedColumns(
      relation?.columns.map((column) => column.name),
      alias.columns,
    ),
    members: no_items,
  }
}

const joined = (context: Context, { node }: Child): readonly Item[] => {
  const sides = [child('JoinExpr', node, 'larg'), child('JoinExpr', node, 'rarg')]
  const members = sides.flatMap((side) => (side === undefined ? [] : itemsOf(context, side)))
  const alias = aliasOf(node)
  const using = string(child('JoinExpr', node, 'join_using_alias')?.node, 'aliasname')
  const group = (name: string): Item => ({
    name,
    schema: '',
    object: '',
    columns: undefined,
    renamed: new Map(alias.columns.map((column) => [column, '*'])),
    members,
  })
  return [
    ...members,
    ...(alias.name === '' ? [] : [group(alias.name)]),
    ...(using === '' ? [] : [group(using)]),
  ]
}

/** The items that an entry of FROM brings. */
export const itemsOf = (context: Context, at: Child): readonly Item[] => {
  switch (at.kind) {
    case 'RangeVar':
      return [tableItem(context, at.node)]
    case 'JoinExpr':
      return joined(context, at)
    case 'RangeTableSample': {
      const relation = child(at.kind, at.node, 'relation')
      return relation === undefined ? [] : itemsOf(context, relation)
    }
    case 'RangeSubselect':
      return [derived(at.node, outputNames(child(at.kind, at.node, 'subquery')))]
    default:
      return [derived(at.node, undefined)]
  }
}

const usesOf = (item: Item, column: string): readonly ColumnUse[] => {
  if (item.members.length > 0)
    return item.members.flatMap((member) =>
      column === '*' || member.columns?.has(column) !== false || item.renamed.has(column)
        ? usesOf(member, item.renamed.get(column) ?? column)
        : [],
    )
  if (item.object === '') return []
  return [{ item, column: item.renamed.get(column) ?? column }]
}

const findItem = (tables: Tables | undefined, schema: string, name: string): Item | undefined => {
  for (let at = tables; at; at = at.outer) {
    const found = at.items.find(
      (item) =>
        item.name === name && (schema === '' || item.schema === schema || item.schema === ''),
    )
    if (found) return found
  }
  return undefined
}

/** A name without qualifier: the nearest level that has such a column. Where columns are not known, it may be theirs. */
const unqualified = (tables: Tables | undefined, name: string): readonly ColumnUse[] => {
  const uses: ColumnUse[] = []
  for (let at = tables; at; at = at.outer) {
    const own = at.items.filter(({ members }) => members.length === 0)
    const having = own.filter(({ columns }) => columns?.has(name) === true)
    const possible = having.length > 0 ? having : own.filter(({ columns }) => columns === undefined)
    uses.push(...possible.flatMap((item) => usesOf(item, name)))
    if (having.length > 0) return uses
    if (system_columns.has(name)) uses.push(...own.flatMap((item) => usesOf(item, name)))
  }
  // A table's name alone is its row.
  const item = findItem(tables, '', name)
  if (item !== undefined) uses.push(...usesOf(item, '*'))
  return uses
}

/** Which tables' columns a ColumnRef reads. */
export const columnUses = (tables: Tables | undefined, node: TreeNode): readonly ColumnUse[] => {
  const fields = list(node, 'fields')
  const star = fields.some(({ kind }) => kind === 'A_Star')
  const parts = names(fields)
  if (star && parts.length === 0)
    return (tables?.items ?? []).flatMap((item) =>
      item.members.length > 0 ? [] : usesOf(item, '*'),
    )
  if (!star && parts.length === 1) return unqualified(tables, parts[0] ?? '')
  const qualifier = star ? parts : parts.slice(0, -1)
  const item = findItem(tables, qualifier.at(-2) ?? '', qualifier.at(-1) ?? '')
  if (item !== undefined) return usesOf(item, star ? '*' : (parts.at(-1) ?? ''))
  // A column of a composite type, written without the parentheses that PostgreSQL asks for: not a column of a table.
  return []
}

/** What USING and NATURAL compare. */
export const joinUses = (context: Context, at: Child): readonly ColumnUse[] => {
  const sides = ['larg', 'rarg'].map((field) => {
    const side = child('JoinExpr', at.node, field)
    return side === undefined
      ? []
      : itemsOf(context, side).filter(({ members }) => members.length === 0)
  })
  const using = names(list(at.node, 'usingClause'))
  if (at.node['isNatural'] === true) {
    const [left = [], right = []] = sides
    const namesOf = (items: readonly Item[]) =>
      items.every(({ columns }) => columns !== undefined)
        ? new Set(items.flatMap(({ columns }) => [...(columns ?? [])]))
        : undefined
    const [one, other] = [namesOf(left), namesOf(right)]
    if (one === undefined || other === undefined)
      return sides.flat().flatMap((item) => usesOf(item, '*'))
    return [...one.intersection(other)].flatMap((name) =>
      sides.flat().flatMap((item) => (item.columns?.has(name) === true ? usesOf(item, name) : [])),
    )
  }
  return using.flatMap((name) =>
    sides.flat().flatMap((item) => (item.columns?.has(name) !== false ? usesOf(item, name) : [])),
  )
}
