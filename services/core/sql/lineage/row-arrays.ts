import { child, list, names, type Child } from '../node.ts'
import { functionName } from './calls.ts'
import { reach } from './graph.ts'
import type { Reading } from './reading.ts'
import type { Scope } from './scope.ts'

/** Arrays whose elements are surely no rows: `unnest` gives one column of them. Of an array of rows it gives a column for each field. */

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/).filter(Boolean))

const plain_types = words(`
bigint bool boolean bpchar bytea char cidr date float4 float8 inet int int2 int4 int8 integer interval json jsonb macaddr money name numeric oid
smallint text time timestamp timestamptz timetz uuid varchar xml
`)

/** They give arrays of text or numbers, whatever they are called with. */
const array_functions = words(`
array_positions current_schemas regexp_match regexp_split_to_array string_to_array tsvector_to_array
`)

/** Types from here on are of somebody's own. */
const own_types_from = 16_384
/** record[], and tsvector, which unnest takes apart into three columns. */
const of_rows: ReadonlySet<number> = new Set([2287, 3614])

const isPlainType = ({ kind, node }: Child): boolean => {
  const type = child(kind, node, 'typeName')
  const [first = '', second] = type ? names(list(type.node, 'names')) : []
  return second === undefined
    ? plain_types.has(first)
    : first === 'pg_catalog' && plain_types.has(second)
}

/** A column as it is, of a type that came with the server and is no row. */
const isPlainColumn = (reading: Reading, at: Child, scope: Scope): boolean => {
  const { node, direct } = reading.readers.expression(reading, at, scope)
  const { sources } = reach(reading.budget, node, { bonds: false })
  const types = [...sources].map(
    ({ relation, column }) =>
      relation.columns.find(({ name }) => name === column)?.type_oid ?? own_types_from,
  )
  return (
    direct && types.length > 0 && types.every((oid) => oid < own_types_from && !of_rows.has(oid))
  )
}

/** Elements that are no rows for sure. */
const isScalar = (reading: Reading, at: Child, scope: Scope): boolean => {
  if (at.kind === 'A_Const') return true
  if (at.kind === 'TypeCast') return isPlainType(at)
  if (at.kind === 'ColumnRef') return isPlainColumn(reading, at, scope)
  if (at.kind !== 'A_ArrayExpr') return false
  return list(at.node, 'elements').every((element) => isScalar(reading, element, scope))
}

export const isScalarArray = (reading: Reading, at: Child, scope: Scope): boolean => {
  switch (at.kind) {
    case 'TypeCast':
      return isPlainType(at)
    case 'A_ArrayExpr':
      return isScalar(reading, at, scope)
    case 'FuncCall':
      return array_functions.has(functionName(at.node).name)
    case 'ColumnRef':
      return isPlainColumn(reading, at, scope)
    default:
      return false
  }
}
