import type { DatabaseRoleConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import { sqlstateOf, type SideQueries } from '../protocols/postgres/side-queries.ts'
import type { Administration } from './admin-connection.ts'
import { quoteIdentifier } from './role-statements.ts'

/** How long one backend of a removed role may take to end, milliseconds. */
const backend_end_ms = 3_000
/** "undefined_object": the role is gone already. */
const undefined_object = '42704'

/** What the account that makes and drops roles may do, and how the server wants to be spoken to. */
export type ServerFacts = {
  /** The target's clock, seconds since 1970. */
  readonly now_s: number
  /** server_version_num: 180004. */
  readonly version: number
  readonly superuser: boolean
}

export const readServer = async (queries: SideQueries): Promise<ServerFacts> => {
  const [row] = await queries.query(
    `select pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp()))::pg_catalog.int8,
            pg_catalog.current_setting('server_version_num'),
            (select rolsuper from pg_catalog.pg_roles where rolname = current_user)`,
  )
  const [now, version, superuser] = row ?? []
  return { now_s: Number(now), version: Number(version), superuser: superuser === 't' }
}

/** Databases in which something belongs to the role, or is granted to it. */
const databasesOf = async (queries: SideQueries, role: string): Promise<readonly string[]> => {
  const rows = await queries.query(
    `select distinct d.datname
       from pg_catalog.pg_shdepend s
       join pg_catalog.pg_roles r on r.oid = s.refobjid
       join pg_catalog.pg_database d on d.oid = s.dbid
      where s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
        and r.rolname = $1 and d.datallowconn`,
    [role],
  )
  return rows.flatMap(([name]) => (typeof name === 'string' ? [name] : []))
}

const endBackends = (queries: SideQueries, role: string, { version }: ServerFacts) =>
  queries.query(
    version >= 140_000
      ? `select pg_catalog.pg_terminate_backend(pid, ${backend_end_ms}) from pg_catalog.pg_stat_activity where usename = $1`
      : `select pg_catalog.pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usename = $1`,
    [role],
  )

/** What decides about the objects of a role that is removed. */
export type RoleObjects = Pick<DatabaseRoleConfig, 'objects' | 'member_of' | 'reassign_to'>

/**
 * Who gets what a session made. One of the roles that it was a member of: as that one it could have made everything itself. Anybody else, and
 * a function SECURITY DEFINER or a view that a session leaves behind would run with rights that it never had.
 */
const heirOf = ({ member_of, reassign_to }: RoleObjects): string | undefined =>
  reassign_to === undefined ? member_of[0] : member_of.find((role) => role === reassign_to)

/** What it owns goes to somebody who stays, or away; what was granted to it goes away. Only the current database is concerned. */
const clearDatabase = async (
  queries: SideQueries,
  role: string,
  config: RoleObjects,
): Promise<void> => {
  const name = quoteIdentifier(role)
  if (config.objects === 'reassign') {
    const heir = heirOf(config)
    if (heir === undefined)
      throw new CairnError('target_unavailable', 'nobody is named who gets what the session made')
    await queries.query(`reassign owned by ${name} to ${quoteIdentifier(heir)}`)
  }
  await queries.query(`drop owned by ${name}`)
}

export type Removal = {
  readonly role: string
  /** Where most of it is: the database of its session. */
  readonly database: string
  readonly config: RoleObjects
  readonly signal: AbortSignal
}

/** No login from now on, and nobody logged in. False when the role is gone already. */
const closeRole = async (queries: SideQueries, role: string): Promise<boolean> => {
  const name = quoteIdentifier(role)
  try {
    await queries.query(`alter role ${name} nologin`)
  } catch (error) {
    if (sqlstateOf(error) === undefined_object) return false
    throw error
  }
  const server = await readServer(queries)
  // Who made the role with CREATEROLE alone has the admin option on it, and takes the right to act for it by that.
  if (!server.superuser)
    await queries.query(
      `grant ${name} to current_user${server.version >= 160_000 ? ' with inherit true' : ''}`,
    )
  await endBackends(queries, role, server)
  return true
}

/**
 * Removes a session's role: no login any more, its backends ended, what it owns reassigned or dropped in every database, the role dropped. Each
 * step may be repeated, so a removal that was cut off is finished by the next one. Resolves false when the role was gone already.
 *
 * @throws CairnError('target_unavailable' | 'limit_exceeded')
 */
export const removeRole = async (
  administration: Administration,
  { role, database, config, signal }: Removal,
): Promise<boolean> => {
  const drop = `drop role if exists ${quoteIdentifier(role)}`
  const first = await administration.with({ database, signal }, async (queries) => {
    if (!(await closeRole(queries, role))) return null
    await clearDatabase(queries, role, config)
    const others = await databasesOf(queries, role)
    if (others.length === 0) await queries.query(drop)
    return others
  })
  if (first === null) return false
  if (first.length === 0) return true
  for (const other of first)
    await administration.with({ database: other, signal }, (queries) =>
      clearDatabase(queries, role, config),
    )
  await administration.with({ database, signal }, (queries) => queries.query(drop))
  return true
}
