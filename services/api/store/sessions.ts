import { CairnError } from '#lib/error.ts'
import type { Scope } from '../caller.ts'
import {
  all,
  inScope,
  microsOf,
  timeOfMicros,
  whereClause,
  when,
  type Conditions,
} from './condition.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { actorOf, pipelineOf, who_columns, type Actor, type Pipeline, type WhoRow } from './who.ts'
import { microsOfText, timeText } from './time.ts'
import type { QueryReader } from './reader.ts'

export type SessionFilter = {
  readonly target?: string | undefined
  readonly role?: string | undefined
  readonly actor?: string | undefined
  readonly repository?: string | undefined
  readonly run?: string | undefined
  readonly state?: 'open' | 'ended' | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

export type PageRequest = { readonly limit: number; readonly cursor?: string | undefined }
export type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null }

/** A session as the API shows it. */
export type Session = {
  readonly id: string
  readonly state: 'open' | 'ended'
  readonly started_at: string
  readonly ended_at: string | null
  readonly end_reason: string | null
  readonly duration_us: number | null
  readonly gateway: string
  readonly protocol: string
  readonly target: string
  readonly database: string
  readonly role: string
  readonly target_user: string
  readonly rules: readonly string[]
  readonly actor: Actor
  readonly pipeline: Pipeline | null
  readonly peer: {
    readonly address: string
    readonly port: number
    readonly client_software: string
    readonly tls: string
  }
  readonly commands: number
  readonly refused: number
  readonly records: number
}

type StartedRow = WhoRow & {
  readonly session: string
  readonly started_us: number
  readonly gateway: string
  readonly target_protocol: string
  readonly target: string
  readonly target_database: string
  readonly target_role: string
  readonly target_user: string
  readonly rules: readonly string[]
  readonly peer_address: string
  readonly peer_port: number
  readonly peer_software: string
  readonly peer_tls: string
}

type EndedRow = {
  readonly session: string
  readonly ended_us: number
  readonly reason: string
  readonly commands: number
  readonly refused: number
  readonly records: number
  readonly duration_us: number
}

type CountRow = { readonly session: string; readonly count: number }

const started_columns = `session, ${microsOf('time')} AS started_us, gateway, target_protocol, target, target_database, target_role, target_user, rules,
  peer_address, peer_port, peer_software, peer_tls, ${who_columns}`

const filtered = (filter: SessionFilter): Conditions =>
  all(
    when('target = {target:String}', { target: filter.target }),
    when('target_role = {role:String}', { role: filter.role }),
    when('actor_subject = {actor:String} OR actor_name = {actor:String}', { actor: filter.actor }),
    when('pipeline_repository = {repository:String}', { repository: filter.repository }),
    when('pipeline_run = {run:String}', { run: filter.run }),
    when(`time >= ${timeOfMicros('since_us')}`, {
      since_us: filter.since === undefined ? undefined : microsOfText(filter.since),
    }),
    when(`time < ${timeOfMicros('until_us')}`, {
      until_us: filter.until === undefined ? undefined : microsOfText(filter.until),
    }),
    filter.state === undefined
      ? all()
      : {
          where: [
            `session ${filter.state === 'open' ? 'NOT IN' : 'IN'} (SELECT session FROM session_ended)`,
          ],
          params: {},
        },
  )

const behind = (cursor: string | undefined): Conditions => {
  if (cursor === undefined) return all()
  const [cursor_us, cursor_session] = readCursor(cursor)
  return when(`(time, session) < (${timeOfMicros('cursor_us')}, {cursor_session:String})`, {
    cursor_us,
    cursor_session,
  })
}

const sessionOf = (
  row: StartedRow,
  ended: EndedRow | undefined,
  so_far: { readonly commands: number; readonly refused: number; readonly records: number },
): Session => ({
  id: row.session,
  state: ended === undefined ? 'open' : 'ended',
  started_at: timeText(row.started_us),
  ended_at: ended === undefined ? null : timeText(ended.ended_us),
  end_reason: ended?.reason ?? null,
  duration_us: ended?.duration_us ?? null,
  gateway: row.gateway,
  protocol: row.target_protocol,
  target: row.target,
  database: row.target_database,
  role: row.target_role,
  target_user: row.target_user,
  rules: row.rules,
  actor: actorOf(row),
  pipeline: pipelineOf(row),
  peer: {
    address: row.peer_address,
    port: row.peer_port,
    client_software: row.peer_software,
    tls: row.peer_tls,
  },
  commands: ended?.commands ?? so_far.commands,
  refused: ended?.refused ?? so_far.refused,
  records: ended?.records ?? so_far.records,
})

/** What a session came to stands in its last record; for those that run it is counted. */
const completed = async (
  reader: QueryReader,
  rows: readonly StartedRow[],
): Promise<readonly Session[]> => {
  if (rows.length === 0) return []
  const ids = { ids: rows.map(({ session }) => session) }
  const ends = await reader.query<EndedRow>(
    `SELECT session, ${microsOf('time')} AS ended_us, reason, commands, refused, records, duration_us
     FROM session_ended WHERE session IN {ids:Array(String)} LIMIT 1 BY session`,
    ids,
  )
  const ended = new Map(ends.map((row) => [row.session, row]))
  const open = { ids: ids.ids.filter((id) => !ended.has(id)) }
  const counts = async (sql: string): Promise<ReadonlyMap<string, number>> =>
    open.ids.length === 0
      ? new Map()
      : new Map(
          (await reader.query<CountRow>(sql, open)).map(({ session, count }) => [session, count]),
        )
  const [commands, refused, records] = await Promise.all([
    counts(
      'SELECT session, count() AS count FROM command_received WHERE session IN {ids:Array(String)} GROUP BY session',
    ),
    counts(
      "SELECT session, count() AS count FROM command_ended WHERE session IN {ids:Array(String)} AND status = 'refused' GROUP BY session",
    ),
    counts(
      'SELECT session, count() AS count FROM records WHERE session IN {ids:Array(String)} GROUP BY session',
    ),
  ])
  return rows.map((row) =>
    sessionOf(row, ended.get(row.session), {
      commands: commands.get(row.session) ?? 0,
      refused: refused.get(row.session) ?? 0,
      records: records.get(row.session) ?? 0,
    }),
  )
}

/** Sessions in a scope, the newest first. */
export const listSessions = async (
  reader: QueryReader,
  scope: Scope,
  filter: SessionFilter,
  page: PageRequest,
): Promise<Page<Session>> => {
  const conditions = all(inScope(scope), filtered(filter), behind(page.cursor))
  const rows = await reader.query<StartedRow>(
    `SELECT ${started_columns} FROM session_started ${whereClause(conditions)}
     ORDER BY time DESC, session DESC LIMIT {limit:UInt32}`,
    { ...conditions.params, limit: page.limit + 1 },
  )
  const shown = rows.slice(0, page.limit)
  const last = shown.at(-1)
  return {
    items: await completed(reader, shown),
    next:
      rows.length > page.limit && last !== undefined
        ? writeCursor([last.started_us, last.session, 0])
        : null,
  }
}

/** How many sessions an ambiguous beginning names, at most, in the answer. */
const candidates_max = 5

/**
 * The one session in a scope whose id begins so. Throws CairnError('not_found') for none (also for one outside the scope: whether it
 * exists is not told), CairnError('unusable_input') when several do.
 */
export const findSession = async (
  reader: QueryReader,
  scope: Scope,
  beginning: string,
): Promise<Session> => {
  const conditions = all(
    inScope(scope),
    when('startsWith(session, {beginning:String})', { beginning }),
  )
  const rows = await reader.query<StartedRow>(
    `SELECT ${started_columns} FROM session_started ${whereClause(conditions)} ORDER BY session LIMIT {limit:UInt32}`,
    { ...conditions.params, limit: candidates_max },
  )
  if (rows.length > 1)
    throw new CairnError(
      'unusable_input',
      `several sessions begin with ${beginning}: ${rows.map(({ session }) => session.slice(0, Math.max(12, beginning.length + 4))).join(', ')}${rows.length === candidates_max ? ' ...' : ''}; give more digits`,
    )
  const [session] = await completed(reader, rows)
  if (session === undefined)
    throw new CairnError('not_found', `no session begins with ${beginning}`)
  return session
}
