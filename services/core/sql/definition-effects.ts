import {
  child,
  children,
  constantText,
  flag,
  list,
  names,
  qualified,
  string,
  type Child,
  type TreeNode,
} from './node.ts'
import { findRelation, objectOf } from './environment.ts'
import { objectName, ownName } from './object-name.ts'
import { emit, push, type Frame, type Handler, type Walk } from './walk.ts'

/** Effects of definitions: what is created, altered, dropped, granted. */

/** Any statement whose effect is its verb on what it names. */
export const plain =
  (verb: string): Handler =>
  (walk, frame) => {
    const below = children(frame.kind, frame.node)
    const name = ownName(frame.kind, frame.node) ?? ''
    const named = name === '' ? fallbackName(frame.kind, frame.node) : name
    const has_relation = below.some(({ kind }) => kind === 'RangeVar')
    if (named !== '' || !has_relation) emit(walk, verb, named)
    push(walk, frame, below, { action: verb })
  }

/** Where the table of kinds knows no name: schemas of a role, things that are renamed without a node, settings of the system. */
const fallbackName = (kind: string, node: TreeNode): string => {
  switch (kind) {
    case 'CreateSchemaStmt':
      return objectName(child(kind, node, 'authrole'))
    case 'RenameStmt':
      return node['relation'] === undefined ? qualified([string(node, 'subname')]) : ''
    case 'AlterSystemStmt':
      return string(child(kind, node, 'setstmt')?.node, 'name') || '*'
    default:
      return ''
  }
}

/** The new name means something else, too. */
export const rename: Handler = (walk, frame) => {
  walk.shifted.add(string(frame.node, 'newname'))
  plain('ddl.alter')(walk, frame)
}

/** Nothing of its own: what it holds has the effects. */
export const transparent: Handler = (walk, frame) =>
  push(walk, frame, children(frame.kind, frame.node))

/** CREATE TABLE refers to other tables: as a parent, as a model, as the other side of a foreign key. */
export const createTable: Handler = (walk, frame) => {
  const { node, kind } = frame
  const parents = list(node, 'inhRelations')
  push(walk, frame, parents, { action: 'ddl.alter' })
  const rest = children(kind, node).filter(({ field }) => field !== 'inhRelations')
  push(walk, frame, rest, { action: 'ddl.create' })
}

export const onRelations =
  (action: string): Handler =>
  (walk, frame) =>
    push(walk, frame, children(frame.kind, frame.node), { action })

const relation_types = new Set([
  'OBJECT_TABLE',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
])

/** A relation by the name that the catalog has for it; what is none, or not there, as it is written. */
const knownName = (walk: Walk, frame: Frame, at: Child): string => {
  const parts =
    at.kind === 'RangeVar'
      ? [string(at.node, 'schemaname'), string(at.node, 'relname')]
      : names(list(at.node, 'items'))
  const relation = findRelation(
    walk.environment,
    frame.search_path,
    parts.at(-2) ?? '',
    parts.at(-1) ?? '',
  )
  return relation === undefined ? objectName(at) : objectOf(relation)
}

export const drop: Handler = (walk, frame) => {
  const relations = relation_types.has(string(frame.node, 'removeType'))
  for (const at of list(frame.node, 'objects'))
    emit(walk, 'ddl.drop', relations ? knownName(walk, frame, at) : objectName(at))
}

export const onRoles =
  (verb: string): Handler =>
  (walk, frame) => {
    for (const at of list(frame.node, 'roles')) emit(walk, verb, objectName(at))
  }

/** CREATE ROLE ... IN ROLE a grants a; ROLE b and ADMIN b, and ALTER GROUP ADD USER, grant the role itself. */
const membership = (walk: Walk, option: Child, own: string): void => {
  const name = string(option.node, 'defname')
  if (name === 'rolemembers' || name === 'adminmembers') emit(walk, 'grant', own)
  if (name !== 'addroleto') return
  const roles = child('DefElem', option.node, 'arg')
  for (const role of roles ? list(roles.node, 'items') : []) emit(walk, 'grant', objectName(role))
}

export const role =
  (verb: string): Handler =>
  (walk, frame) => {
    const name = ownName(frame.kind, frame.node) ?? ''
    emit(walk, verb, name)
    for (const option of list(frame.node, 'options')) membership(walk, option, name)
    push(walk, frame, children(frame.kind, frame.node), { action: verb })
  }

export const grant: Handler = (walk, frame) => {
  const action = flag(frame.node, 'is_grant') ? 'grant' : 'revoke'
  const objects = list(frame.node, 'objects')
  for (const at of objects)
    emit(walk, action, at.kind === 'RangeVar' ? knownName(walk, frame, at) : objectName(at))
  if (objects.length === 0) emit(walk, action)
}

export const grantRole: Handler = (walk, frame) => {
  const action = flag(frame.node, 'is_grant') ? 'grant' : 'revoke'
  for (const { node } of list(frame.node, 'granted_roles'))
    emit(walk, action, qualified([string(node, 'priv_name')]))
}

/** Subscriptions connect to another server with what stands in CONNECTION. */
export const subscription =
  (verb: string): Handler =>
  (walk, frame) => {
    emit(walk, verb, qualified([string(frame.node, 'subname')]))
    emit(walk, 'replication')
    if (string(frame.node, 'conninfo') !== '') walk.secrets += 1
  }

const option_secrets = new Set(['password', 'sslpassword', 'passwd'])

export const option: Handler = (walk, frame) => {
  if (option_secrets.has(string(frame.node, 'defname').toLowerCase())) {
    const arg = child('DefElem', frame.node, 'arg')
    if (arg && (arg.kind === 'String' || constantText(arg) !== undefined)) walk.secrets += 1
  }
  push(walk, frame, children(frame.kind, frame.node))
}
