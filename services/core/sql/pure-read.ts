import { pure_functions, pure_operators, pure_types } from './pure-lists.ts'
import { children, list, names, type Child, type TreeNode } from './node.ts'

/**
 * Whether the parse tree proves that a statement only reads: for `reads: overlap`, where it may run while its record is
 * being made durable. It must be one SELECT, VALUES or TABLE made of nothing but node kinds, functions, operators and types that are listed:
 * no INTO, no locking clause, no WITH that modifies, no function outside a list of builtins that are immutable or stable and look at
 * nothing but their arguments, the session and the catalogue, no type outside a list of builtin ones.
 *
 * What a parse tree cannot prove, and this function therefore does not: names are resolved by the server. A relation may be a view
 * or have row security, generated columns or a foreign table behind it, whose functions run; a function, operator or cast of
 * somebody's own with a builtin's name may fit the arguments better than the builtin and be taken instead (`pg_catalog` goes first only among
 * equals); `t.f` is a call of `f(t)` when t has no column f. Each of these needs an object that somebody with CREATE made
 * before. Switch overlap on where those who may create functions in a searched schema, or own views, are trusted with what an unrecorded
 * moment allows: the window is the time of one fsync, the answer is held until the record is durable, and only a crash within it leaves
 * a read that ran unrecorded. Bound parameters of types that are not builtin (OID 16384 and up) call their input
 * functions: the caller checks the OIDs.
 */
export const isPureRead = (statement: Child): boolean => {
  if (statement.kind !== 'SelectStmt') return false
  const stack: Child[] = [statement]
  for (let at = stack.pop(); at; at = stack.pop()) {
    if (!isPureNode(at.kind, at.node)) return false
    stack.push(...children(at.kind, at.node))
  }
  return true
}

/** Kinds that read whatever is in them. */
const free_kinds: ReadonlySet<string> = new Set([
  'A_ArrayExpr',
  'A_Const',
  'A_Indices',
  'A_Star',
  'Alias',
  'BitString',
  'BoolExpr',
  'Boolean',
  'BooleanTest',
  'CTECycleClause',
  'CTESearchClause',
  'CaseExpr',
  'CaseWhen',
  'CoalesceExpr',
  'ColumnRef',
  'CommonTableExpr',
  'Float',
  'GroupingFunc',
  'GroupingSet',
  'Integer',
  'JoinExpr',
  'List',
  'MinMaxExpr',
  'NullTest',
  'ParamRef',
  'RangeFunction',
  'RangeSubselect',
  'RangeVar',
  'ResTarget',
  'RowExpr',
  'SQLValueFunction',
  'String',
  'SubLink',
  'WindowDef',
  'WithClause',
])

const isBuiltin = (parts: readonly string[], known: ReadonlySet<string>): boolean => {
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== 'pg_catalog')) return false
  return known.has(parts.at(-1) ?? '')
}

const isPureNode = (kind: string, node: TreeNode): boolean => {
  if (free_kinds.has(kind)) return true
  switch (kind) {
    case 'SelectStmt':
      return node['intoClause'] === undefined && node['lockingClause'] === undefined
    case 'FuncCall':
      return isBuiltin(names(list(node, 'funcname')), pure_functions)
    case 'A_Expr':
      return isBuiltin(names(list(node, 'name')), pure_operators)
    case 'TypeName':
      return isBuiltin(names(list(node, 'names')), pure_types) && node['pct_type'] !== true
    case 'TypeCast':
      return true
    // COLLATE "C" names a collation; reading with it runs nothing. Sorting USING an operator does.
    case 'CollateClause':
      return true
    case 'SortBy':
      return list(node, 'useOp').length === 0
    // (expression)[1] is a subscript; (expression).name may be a call.
    case 'A_Indirection':
      return list(node, 'indirection').every(({ kind: step }) => step === 'A_Indices')
    default:
      return false
  }
}
