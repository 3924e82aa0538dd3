import type { QueryParams } from '#lib/clickhouse/port.ts'
import type { Scope } from '../caller.ts'

/** Conditions of a query and the values that they bind: values never stand in the SQL. */
export type Conditions = {
  readonly where: readonly string[]
  readonly params: QueryParams
}

/** A condition with its values; none when the value is not given. */
export const when = (
  sql: string,
  params: Readonly<Record<string, string | number | undefined>>,
): Conditions => {
  const given = Object.entries(params).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  return given.length < Object.keys(params).length
    ? { where: [], params: {} }
    : { where: [sql], params: Object.fromEntries(given) }
}

/** All of these. */
export const all = (...conditions: readonly Conditions[]): Conditions => ({
  where: conditions.flatMap(({ where }) => where),
  params: Object.assign({}, ...conditions.map(({ params }) => params)) as QueryParams,
})

/** What a caller may see, for tables with the actor's columns. */
export const inScope = (scope: Scope): Conditions =>
  scope.kind === 'all'
    ? { where: [], params: {} }
    : when('actor_issuer = {scope_issuer:String} AND actor_subject = {scope_subject:String}', {
        scope_issuer: scope.issuer,
        scope_subject: scope.subject,
      })

/** `WHERE ...` of conditions; nothing when there are none. */
export const whereClause = ({ where }: Conditions): string =>
  where.length === 0 ? '' : `WHERE ${where.map((one) => `(${one})`).join(' AND ')}`

/** Microseconds since 1970 of a DateTime64(6) column, and back. */
export const microsOf = (column: string): string => `toUnixTimestamp64Micro(${column})`
export const timeOfMicros = (name: string): string =>
  `fromUnixTimestamp64Micro({${name}:Int64}, 'UTC')`
