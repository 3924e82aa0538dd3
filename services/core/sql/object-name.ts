import {
  child,
  list,
  names,
  integerText,
  qualified,
  relationName,
  string,
  type Child,
  type TreeNode,
} from './node.ts'
import { nameField } from './statement-kinds.ts'

/** A role by name, or `public`, `current_user` and the like. */
export const roleName = (node: TreeNode): string => {
  const name = string(node, 'rolename')
  if (name !== '') return qualified([name])
  return string(node, 'roletype').replace('ROLESPEC_', '').toLowerCase()
}

/** A cast names two types, anything else is a name in parts. */
const listName = (items: readonly Child[]): string =>
  items.some(({ kind }) => kind === 'TypeName')
    ? items.map(objectName).join(' as ')
    : qualified(names(items))

/** The name in a node that names an object, whatever its kind; empty when it names none. */
export const objectName = (at: Child | undefined): string => {
  if (!at) return ''
  const { kind, node } = at
  switch (kind) {
    case 'String':
      return qualified([string(node, 'sval')])
    case 'List':
      return listName(list(node, 'items'))
    case 'TypeName':
      return qualified(names(list(node, 'names')))
    case 'ObjectWithArgs':
      return qualified(names(list(node, 'objname')))
    case 'RangeVar':
      return relationName(node)
    case 'RoleSpec':
      return roleName(node)
    // Large objects.
    case 'Integer':
      return integerText(node)
    case 'Float':
      return string(node, 'fval')
    default:
      return ''
  }
}

/** What a statement names as its object, by the table of statement kinds; undefined when it has no such field. */
export const ownName = (kind: string, node: TreeNode): string | undefined => {
  const field = nameField(kind)
  if (field === undefined) return undefined
  const value = node[field]
  if (typeof value === 'string') return qualified([value])
  if (Array.isArray(value)) return qualified(names(list(node, field)))
  return objectName(child(kind, node, field))
}
