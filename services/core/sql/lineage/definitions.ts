import type { CatalogRelation } from '../catalog.ts'
import { child, children, flag, list, names, string, type Child, type TreeNode } from '../node.ts'
import { functionName } from './calls.ts'
import { readCondition, readOperator } from './expressions.ts'
import { newNode, valueOf, type Column, type GraphNode } from './graph.ts'
import { functionKind } from './known-functions.ts'
import { fail, type Reading } from './reading.ts'
import { columnNode, relationColumns, relationPart } from './relations.ts'
import { emptyPart, type Scope } from './scope.ts'

/** Statements that define things: they return no rows, and may give data another name or place. */

const relationOf = (reading: Reading, node: TreeNode, scope: Scope): CatalogRelation | undefined =>
  reading.catalog.relation(
    { schema: string(node, 'schemaname'), name: string(node, 'relname') },
    scope.setting.search_path,
  )

/**
 * Their errors show rows: "Key (email)=(...) is duplicated", "invalid input syntax for type integer: ...". What they call runs then or later
 * (an index over a function, a default), and may do anything with what it is given.
 */
const readNamed = (reading: Reading, at: Child, scope: Scope): void => {
  const stack: Child[] = [at]
  for (let next = stack.pop(); next; next = stack.pop()) {
    if (next.kind === 'RangeVar') {
      const relation = relationOf(reading, next.node, scope)
      if (relation)
        reading.reads.push(...relationColumns(reading, relation).map(({ node }) => node))
    }
    if (next.kind === 'FuncCall') noteCallee(reading, next.node, scope)
    if (next.kind === 'A_Expr') readOperator(reading, names(list(next.node, 'name')))
    reading.budget.steps -= 1
    stack.push(...children(next.kind, next.node))
  }
}

const noteCallee = (reading: Reading, node: TreeNode, scope: Scope): void => {
  const called = functionName(node)
  const candidates = reading.catalog.functions(called, scope.setting.search_path)
  const kind = functionKind(called, candidates)
  if (kind === 'unreadable') fail(reading, `${called.name} reads what its arguments name`)
  if (kind === 'foreign') reading.opaque.add(called.name)
}

const flow = (reading: Reading, into: string, into_column: string, node: GraphNode): void => {
  reading.flows.push({ into, into_column, node, target: undefined })
}

/** Every column of a relation goes by another name from now on, where no rule may know it. */
const moved = (reading: Reading, relation: CatalogRelation, into: string): void => {
  for (const { name, node } of relationColumns(reading, relation)) flow(reading, into, name, node)
}

const readRename = (reading: Reading, { node }: Child, scope: Scope): void => {
  const to = string(node, 'newname')
  const target = child('RenameStmt', node, 'relation')
  switch (string(node, 'renameType')) {
    case 'OBJECT_SCHEMA':
      fail(reading, 'what is in a schema that gets another name cannot be told')
      return
    case 'OBJECT_COLUMN':
    case 'OBJECT_ATTRIBUTE': {
      const relation = target ? relationOf(reading, target.node, scope) : undefined
      const column = relation?.columns.find(({ name }) => name === string(node, 'subname'))
      if (relation && column)
        flow(
          reading,
          `${relation.schema}.${relation.name}`,
          to,
          columnNode(reading, relation, column),
        )
      return
    }
    case 'OBJECT_TABLE':
    case 'OBJECT_VIEW':
    case 'OBJECT_MATVIEW':
    case 'OBJECT_FOREIGN_TABLE': {
      const relation = target ? relationOf(reading, target.node, scope) : undefined
      if (relation) moved(reading, relation, `${relation.schema}.${to}`)
      return
    }
    default:
  }
}

const readMove = (reading: Reading, { node }: Child, scope: Scope): void => {
  const target = child('AlterObjectSchemaStmt', node, 'relation')
  const relation = target ? relationOf(reading, target.node, scope) : undefined
  if (relation) moved(reading, relation, `${string(node, 'newschema')}.${relation.name}`)
}

/** Commands that put a table under another, or take it away: what it holds is read by another name. */
const inherits = new Set([
  'AT_AddInherit',
  'AT_DropInherit',
  'AT_AttachPartition',
  'AT_DetachPartition',
  'AT_DetachPartitionFinalize',
])

const readAlter = (reading: Reading, { node }: Child, scope: Scope): void => {
  const target = child('AlterTableStmt', node, 'relation')
  if (!target) return
  const relation = relationOf(reading, target.node, scope)
  if (!relation) return
  const part = relationPart(reading, target.node, scope.setting, { name: '', columns: [] })
  const added = addedColumns(reading, list(node, 'cmds'))
  const inner: Scope = { ...scope, parts: [part, { ...emptyPart, columns: added }] }
  const into = `${relation.schema}.${relation.name}`
  for (const command of list(node, 'cmds')) {
    const definition = child(command.kind, command.node, 'def')
    if (!definition) continue
    if (inherits.has(string(command.node, 'subtype'))) {
      moved(reading, relation, into)
      const other =
        definition.kind === 'PartitionCmd'
          ? child(definition.kind, definition.node, 'name')
          : definition
      const child_relation = other ? relationOf(reading, other.node, scope) : undefined
      if (child_relation) moved(reading, child_relation, into)
      continue
    }
    const column = string(command.node, 'name') || string(definition.node, 'colname')
    const own = relation.columns.find(({ name }) => name === column)
    const target_node = own ? columnNode(reading, relation, own) : undefined
    for (const { computes, expression } of expressionsOf(command, definition)) {
      const { node: made } = reading.readers.expression(reading, expression, inner)
      reading.values.push(made)
      if (computes)
        reading.flows.push({ into, into_column: column, node: made, target: target_node })
    }
  }
}

/** Columns that the statement adds: its checks may name them. */
const addedColumns = (reading: Reading, commands: readonly Child[]): readonly Column[] =>
  commands.flatMap((command) => {
    const definition = child(command.kind, command.node, 'def')
    if (string(command.node, 'subtype') !== 'AT_AddColumn' || !definition) return []
    return [{ ...valueOf(newNode(reading.budget)), name: string(definition.node, 'colname') }]
  })

type Defined = { readonly expression: Child; readonly computes: boolean }

/** Expressions in what a command defines; those that compute values of the column, and checks. */
const expressionsOf = (command: Child, definition: Child): readonly Defined[] => {
  const { kind, node } = definition
  if (computing.has(string(command.node, 'subtype')))
    return [{ expression: definition, computes: true }]
  const constraints = kind === 'Constraint' ? [definition] : list(node, 'constraints')
  const found = constraints.flatMap((at): readonly Defined[] => {
    const expression = child(at.kind, at.node, 'raw_expr')
    const computes = string(at.node, 'contype') !== 'CONSTR_CHECK'
    return expression ? [{ expression, computes }] : []
  })
  const value = kind === 'ColumnDef' ? child(kind, node, 'raw_default') : undefined
  return value ? [{ expression: value, computes: true }, ...found] : found
}

/** Commands whose definition is an expression itself. */
const computing = new Set(['AT_ColumnDefault', 'AT_CookedColumnDefault', 'AT_SetExpression'])

/** What an index is over, and of which rows: its constants are compared with columns. */
const readIndex = (reading: Reading, { node }: Child, scope: Scope): void => {
  const target = child('IndexStmt', node, 'relation')
  if (!target || !relationOf(reading, target.node, scope)) return
  const part = relationPart(reading, target.node, scope.setting, { name: '', columns: [] })
  const inner: Scope = { ...scope, parts: [part] }
  for (const at of list(node, 'indexParams')) {
    const expression = child(at.kind, at.node, 'expr')
    if (!expression) continue
    reading.values.push(reading.readers.expression(reading, expression, inner).node)
  }
  const where = child('IndexStmt', node, 'whereClause')
  if (where) readCondition(reading, where, inner)
}

/** Code that runs when nobody calls it by name. */
const hidden_code = new Set(['RuleStmt', 'CreateTrigStmt', 'CreateEventTrigStmt'])

/** They give nothing another name, and leave nothing behind that would run unseen. */
const plain_definitions = new Set([
  'AlterDatabaseSetStmt',
  'AlterDatabaseStmt',
  'AlterDefaultPrivilegesStmt',
  'AlterDomainStmt',
  'AlterEnumStmt',
  'AlterExtensionStmt',
  'AlterOwnerStmt',
  'AlterRoleSetStmt',
  'AlterRoleStmt',
  'AlterSeqStmt',
  'AlterStatsStmt',
  'AlterSystemStmt',
  'AlterTableSpaceOptionsStmt',
  'CheckPointStmt',
  'ClosePortalStmt',
  'ClusterStmt',
  'CommentStmt',
  'CompositeTypeStmt',
  'ConstraintsSetStmt',
  'CreateDomainStmt',
  'CreateEnumStmt',
  'CreateExtensionStmt',
  'CreateRoleStmt',
  'CreateSeqStmt',
  'CreateStatsStmt',
  'CreateStmt',
  'CreateTableSpaceStmt',
  'DeallocateStmt',
  'DiscardStmt',
  'DropOwnedStmt',
  'DropRoleStmt',
  'DropStmt',
  'DropdbStmt',
  'GrantRoleStmt',
  'GrantStmt',
  'ListenStmt',
  'LockStmt',
  'NotifyStmt',
  'ReassignOwnedStmt',
  'RefreshMatViewStmt',
  'ReindexStmt',
  'SecLabelStmt',
  'TransactionStmt',
  'TruncateStmt',
  'UnlistenStmt',
  'VacuumStmt',
  'VariableSetStmt',
])

/** A statement that is no query; a failure for what is on no list. */
export const readDefinition = (reading: Reading, at: Child, scope: Scope): void => {
  readNamed(reading, at, scope)
  switch (at.kind) {
    case 'RenameStmt':
      readRename(reading, at, scope)
      return
    case 'AlterObjectSchemaStmt':
      readMove(reading, at, scope)
      return
    case 'IndexStmt':
      readIndex(reading, at, scope)
      return
    case 'AlterTableStmt':
      readAlter(reading, at, scope)
      return
    case 'CreateSchemaStmt':
      if (list(at.node, 'schemaElts').length > 0)
        fail(reading, 'what CREATE SCHEMA creates within it is not followed')
      return
    case 'CreateFunctionStmt':
      // Replaced code may be what a trigger runs.
      if (flag(at.node, 'replace')) reading.opaque.add(names(list(at.node, 'funcname')).join('.'))
      return
    default:
      if (hidden_code.has(at.kind)) fail(reading, 'it leaves code behind that runs unseen')
      else if (!plain_definitions.has(at.kind)) fail(reading, `${at.kind} is not followed`)
  }
}
