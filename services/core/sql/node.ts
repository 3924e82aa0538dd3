/**
 * Reading a parse tree without one type per node. A node field comes wrapped (`{"RangeVar": {...}}`), a field of a fixed
 * type bare (`"relation": {...}`); `children` gives both with their kind.
 */
export type TreeNode = Readonly<Record<string, unknown>>

export type Child = { readonly kind: string; readonly node: TreeNode; readonly field: string }

/** Kind of bare fields, by field name, or `Kind.field` where one name stands for several kinds. From libpg_query's protobuf. */
const bare_kinds: Readonly<Record<string, string>> = {
  action: 'GrantStmt',
  alias: 'Alias',
  argType: 'TypeName',
  authrole: 'RoleSpec',
  base: 'CreateStmt',
  boolval: 'Boolean',
  bound: 'PartitionBoundSpec',
  bsval: 'BitString',
  collClause: 'CollateClause',
  constrrel: 'RangeVar',
  constructor: 'JsonAggConstructor',
  context_item: 'JsonValueExpr',
  cycle_clause: 'CTECycleClause',
  datatype: 'TypeName',
  extname: 'String',
  format: 'JsonFormat',
  fromsql: 'ObjectWithArgs',
  func: 'ObjectWithArgs',
  funccall: 'FuncCall',
  fval: 'Float',
  grantor: 'RoleSpec',
  identitySequence: 'RangeVar',
  infer: 'InferClause',
  into: 'IntoClause',
  intoClause: 'IntoClause',
  ival: 'Integer',
  join_using_alias: 'Alias',
  larg: 'SelectStmt',
  newowner: 'RoleSpec',
  newrole: 'RoleSpec',
  ofTypename: 'TypeName',
  onConflictClause: 'OnConflictClause',
  on_empty: 'JsonBehavior',
  on_error: 'JsonBehavior',
  opername: 'ObjectWithArgs',
  output: 'JsonOutput',
  over: 'WindowDef',
  owner: 'RoleSpec',
  partbound: 'PartitionBoundSpec',
  partspec: 'PartitionSpec',
  pathspec: 'JsonTablePathSpec',
  pktable: 'RangeVar',
  pubtable: 'PublicationTable',
  rarg: 'SelectStmt',
  rel: 'RangeVar',
  relation: 'RangeVar',
  returnType: 'TypeName',
  returning: 'JsonReturning',
  returningClause: 'ReturningClause',
  role: 'RoleSpec',
  search_clause: 'CTESearchClause',
  sequence: 'RangeVar',
  setstmt: 'VariableSetStmt',
  sourcetype: 'TypeName',
  storedtype: 'TypeName',
  sval: 'String',
  table: 'RangeVar',
  targettype: 'TypeName',
  tosql: 'ObjectWithArgs',
  typeName: 'TypeName',
  type_name: 'TypeName',
  typevar: 'RangeVar',
  user: 'RoleSpec',
  view: 'RangeVar',
  withClause: 'WithClause',
  'JsonObjectAgg.arg': 'JsonKeyValue',
  'JsonArrayAgg.arg': 'JsonValueExpr',
  'JsonSerializeExpr.expr': 'JsonValueExpr',
  'JsonParseExpr.expr': 'JsonValueExpr',
  'JsonKeyValue.value': 'JsonValueExpr',
  'JsonArgument.val': 'JsonValueExpr',
  'PLAssignStmt.val': 'SelectStmt',
  'CreateOpClassItem.name': 'ObjectWithArgs',
  'PartitionCmd.name': 'RangeVar',
}

const kindOfBare = new Map(Object.entries(bare_kinds))

/** What stands in the tree where no kind is known for it: analysis treats it as opaque. */
export const unmapped = 'unmapped'

const isNode = (value: unknown): value is TreeNode =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A wrapped node's kind begins with a capital; fields never do. */
const isKind = (name: string): boolean => {
  const first = name.charCodeAt(0)
  return first >= 0x41 && first <= 0x5a
}

const childOf = (value: TreeNode, parent: string, field: string): Child => {
  for (const kind in value) {
    const node = value[kind]
    if (isKind(kind) && isNode(node)) return { kind, node, field }
    break
  }
  const kind = kindOfBare.get(`${parent}.${field}`) ?? kindOfBare.get(field) ?? unmapped
  return { kind, node: value, field }
}

/** The nodes directly below a node, in the order of the tree; lists are flattened. An empty `{}` in a list is none. */
export const children = (kind: string, node: TreeNode): readonly Child[] => {
  const found: Child[] = []
  for (const field in node) {
    const value = node[field]
    if (Array.isArray(value)) {
      for (const item of value)
        if (isNode(item) && Object.keys(item).length > 0) found.push(childOf(item, kind, field))
    } else if (isNode(value)) found.push(childOf(value, kind, field))
  }
  return found
}

/** A node field of any kind, or undefined. */
export const child = (kind: string, node: TreeNode, field: string): Child | undefined => {
  const value = node[field]
  return isNode(value) ? childOf(value, kind, field) : undefined
}

export const list = (node: TreeNode, field: string): readonly Child[] => {
  const value = node[field]
  if (!Array.isArray(value)) return []
  return value.filter(isNode).map((item) => childOf(item, '', field))
}

export const string = (node: TreeNode | undefined, field: string): string => {
  const value = node?.[field]
  return typeof value === 'string' ? value : ''
}

export const flag = (node: TreeNode, field: string): boolean => node[field] === true

/** Names stay unambiguous when joined: one that holds a dot or a quote is quoted. */
const named = (name: string): string =>
  name.includes('.') || name.includes('"') ? `"${name.replaceAll('"', '""')}"` : name

export const qualified = (parts: readonly string[]): string => parts.map(named).join('.')

/** Text of a list of String nodes: a qualified name. */
export const names = (nodes: readonly Child[]): readonly string[] =>
  nodes.map(({ kind, node }) => (kind === 'String' ? string(node, 'sval') : '')).filter(Boolean)

/** `catalog.schema.name` of a RangeVar as written; what the search path adds is not known here. */
export const relationName = (node: TreeNode): string =>
  qualified(
    [string(node, 'catalogname'), string(node, 'schemaname'), string(node, 'relname')].filter(
      Boolean,
    ),
  )

/** The string in a constant (`'x'`, also cast), or undefined when the expression is no string constant. */
export const constantText = (expression: Child | undefined): string | undefined => {
  let at = expression
  while (at?.kind === 'TypeCast') at = child('TypeCast', at.node, 'arg')
  if (at?.kind !== 'A_Const') return undefined
  const value = at.node['sval']
  return isNode(value) ? string(value, 'sval') : undefined
}

/** Zero is left out of a tree. */
export const integerText = (node: TreeNode): string => {
  const value = node['ival']
  return typeof value === 'number' ? String(value) : '0'
}
