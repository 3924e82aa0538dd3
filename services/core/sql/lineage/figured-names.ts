import { child, list, names, string, type Child, type TreeNode } from '../node.ts'

/** The name that PostgreSQL gives a column (FigureColname in parse_target.c), where something could refer to it by that. */
export const figuredName = ({ kind, node }: Child): string => figured(kind, node) || '?column?'

const figured = (kind: string, node: TreeNode): string => {
  switch (kind) {
    case 'ColumnRef':
      return names(list(node, 'fields')).at(-1) ?? ''
    case 'A_Indirection': {
      const field = names(list(node, 'indirection')).at(-1)
      return field ?? ofChild(kind, node, 'arg')
    }
    case 'FuncCall':
      return names(list(node, 'funcname')).at(-1) ?? ''
    case 'A_Expr':
      return string(node, 'kind') === 'AEXPR_NULLIF' ? 'nullif' : ''
    case 'TypeCast': {
      const inner = ofChild(kind, node, 'arg')
      if (inner !== '') return inner
      const type = child(kind, node, 'typeName')
      return type ? (names(list(type.node, 'names')).at(-1) ?? '') : ''
    }
    case 'CollateClause':
      return ofChild(kind, node, 'arg')
    case 'CaseExpr':
      return ofChild(kind, node, 'defresult') || 'case'
    case 'SubLink':
      return ofSubLink(node)
    default:
      return fixed_names[kind] ?? ofOther(kind, node)
  }
}

const fixed_names: Readonly<Record<string, string>> = {
  A_ArrayExpr: 'array',
  CoalesceExpr: 'coalesce',
  GroupingFunc: 'grouping',
  JsonArrayAgg: 'json_arrayagg',
  JsonArrayConstructor: 'json_array',
  JsonArrayQueryConstructor: 'json_array',
  JsonObjectAgg: 'json_objectagg',
  JsonObjectConstructor: 'json_object',
  JsonParseExpr: 'json',
  JsonScalarExpr: 'json_scalar',
  JsonSerializeExpr: 'json_serialize',
  MergeSupportFunc: 'merge_action',
  RowExpr: 'row',
  XmlSerialize: 'xmlserialize',
}

const named_operations: Readonly<Record<string, string>> = {
  IS_GREATEST: 'greatest',
  IS_LEAST: 'least',
  IS_XMLCONCAT: 'xmlconcat',
  IS_XMLELEMENT: 'xmlelement',
  IS_XMLFOREST: 'xmlforest',
  IS_XMLPARSE: 'xmlparse',
  IS_XMLPI: 'xmlpi',
  IS_XMLROOT: 'xmlroot',
  JSON_EXISTS_OP: 'json_exists',
  JSON_QUERY_OP: 'json_query',
  JSON_VALUE_OP: 'json_value',
}

const ofOther = (kind: string, node: TreeNode): string => {
  const operation = string(node, 'op')
  if (kind === 'SQLValueFunction')
    return operation.replace('SVFOP_', '').replace(/_N$/, '').toLowerCase()
  return named_operations[operation] ?? ''
}

const ofChild = (kind: string, node: TreeNode, field: string): string => {
  const at = child(kind, node, field)
  return at ? figured(at.kind, at.node) : ''
}

const ofSubLink = (node: TreeNode): string => {
  const type = string(node, 'subLinkType')
  if (type === 'EXISTS_SUBLINK') return 'exists'
  if (type === 'ARRAY_SUBLINK') return 'array'
  if (type !== 'EXPR_SUBLINK') return ''
  const query = child('SubLink', node, 'subselect')
  const [first] = query ? list(query.node, 'targetList') : []
  if (!first) return ''
  return string(first.node, 'name') || ofChild('ResTarget', first.node, 'val')
}
