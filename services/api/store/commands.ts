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
import type { Page, PageRequest } from './sessions.ts'
import { actorOf, pipelineOf, who_columns, type Actor, type Pipeline, type WhoRow } from './who.ts'
import { microsOfText, timeText } from './time.ts'
import type { QueryReader } from './reader.ts'

export type CommandFilter = {
  /** Text that the command holds, in any case. */
  readonly q?: string | undefined
  readonly target?: string | undefined
  readonly actor?: string | undefined
  readonly repository?: string | undefined
  readonly verb?: string | undefined
  readonly outcome?: 'allow' | 'deny' | 'hold' | 'mask' | undefined
  /** Whole session id. */
  readonly session?: string | undefined
  readonly since?: string | undefined
  readonly until?: string | undefined
}

/** A command as the API shows it. */
export type Command = {
  readonly session: string
  readonly command: number
  readonly at: string
  readonly target: string
  readonly database: string
  readonly role: string
  readonly actor: Actor
  readonly pipeline: Pipeline | null
  readonly kind: string
  readonly verb: string
  readonly text: string
  readonly text_bytes: number
  readonly fingerprint: string
  readonly outcome: string | null
  readonly rules: readonly string[]
  readonly status: string | null
  readonly rows: number | null
  readonly response_bytes: number | null
  readonly duration_us: number | null
  readonly error_code: string | null
  readonly error_message: string | null
}

type ReceivedRow = WhoRow & {
  readonly session: string
  readonly command: number
  readonly time_us: number
  readonly target: string
  readonly target_database: string
  readonly target_role: string
  readonly kind: string
  readonly verb: string
  readonly text: string
  readonly text_bytes: number
  readonly fingerprint: string
}

type DecidedRow = {
  readonly session: string
  readonly command: number
  readonly outcome: string
  readonly rules: readonly string[]
}

type EndedRow = {
  readonly session: string
  readonly command: number
  readonly status: string
  readonly rows: number
  readonly response_bytes: number
  readonly duration_us: number
  readonly error_code: string
  readonly error_message: string
}

/** Characters of a command's text in a list; the whole text is in the session's records. */
const text_chars_max = 4096

/** Letters of other scripts have cases too, which the index over `lower(text)` does not know. */
const ascii_only = /^[\x20-\x7e\s]*$/

/** Commands whose text holds this, in any case; by the index where it can. */
const textHolds = (q: string | undefined): Conditions => {
  if (q === undefined || !ascii_only.test(q))
    return when('positionCaseInsensitiveUTF8(text, {q:String}) > 0', { q })
  const pattern = q.toLowerCase().replaceAll(/[\\%_]/g, (found) => `\\${found}`)
  return when('lower(text) LIKE {q:String}', { q: `%${pattern}%` })
}

const filtered = (filter: CommandFilter): Conditions =>
  all(
    textHolds(filter.q),
    when('target = {target:String}', { target: filter.target }),
    when('actor_subject = {actor:String} OR actor_name = {actor:String}', { actor: filter.actor }),
    when('pipeline_repository = {repository:String}', { repository: filter.repository }),
    when('verb = {verb:String}', { verb: filter.verb }),
    when('session = {session:String}', { session: filter.session }),
    when(`time >= ${timeOfMicros('since_us')}`, {
      since_us: filter.since === undefined ? undefined : microsOfText(filter.since),
    }),
    when(`time < ${timeOfMicros('until_us')}`, {
      until_us: filter.until === undefined ? undefined : microsOfText(filter.until),
    }),
    when(
      `(session, command) IN (SELECT session, command FROM decisions GROUP BY session, command HAVING argMax(outcome, sseq) = {outcome:String})`,
      { outcome: filter.outcome },
    ),
  )

const behind = (cursor: string | undefined): Conditions => {
  if (cursor === undefined) return all()
  const [cursor_us, cursor_session, cursor_command] = readCursor(cursor)
  return when(
    `(time, session, command) < (${timeOfMicros('cursor_us')}, {cursor_session:String}, {cursor_command:UInt64})`,
    { cursor_us, cursor_session, cursor_command },
  )
}

const keyOf = (row: { readonly session: string; readonly command: number }): string =>
  `${row.session} ${row.command}`

const byCommand = <Row extends { readonly session: string; readonly command: number }>(
  rows: readonly Row[],
): ReadonlyMap<string, Row> => new Map(rows.map((row) => [keyOf(row), row]))

const commandOf = (
  row: ReceivedRow,
  decided: DecidedRow | undefined,
  ended: EndedRow | undefined,
): Command => ({
  session: row.session,
  command: row.command,
  at: timeText(row.time_us),
  target: row.target,
  database: row.target_database,
  role: row.target_role,
  actor: actorOf(row),
  pipeline: pipelineOf(row),
  kind: row.kind,
  verb: row.verb,
  text: row.text,
  text_bytes: row.text_bytes,
  fingerprint: row.fingerprint,
  outcome: decided?.outcome ?? null,
  rules: decided?.rules ?? [],
  status: ended?.status ?? null,
  rows: ended === undefined || ended.rows < 0 ? null : ended.rows,
  response_bytes: ended?.response_bytes ?? null,
  duration_us: ended?.duration_us ?? null,
  error_code: ended?.error_code || null,
  error_message: ended?.error_message || null,
})

/** Commands with their last decision and how they ended. The page is found first: decisions and ends are read for its commands only. */
const completed = async (
  reader: QueryReader,
  rows: readonly ReceivedRow[],
): Promise<readonly Command[]> => {
  if (rows.length === 0) return []
  const params = {
    sessions: [...new Set(rows.map(({ session }) => session))],
    commands: [...new Set(rows.map(({ command }) => command))],
  }
  const where = 'WHERE session IN {sessions:Array(String)} AND command IN {commands:Array(UInt64)}'
  const [decisions, ends] = await Promise.all([
    reader.query<DecidedRow>(
      `SELECT session, command, outcome, rules FROM decisions ${where} ORDER BY session, command, sseq DESC LIMIT 1 BY session, command`,
      params,
    ),
    reader.query<EndedRow>(
      `SELECT session, command, status, rows, response_bytes, duration_us, error_code, error_message
       FROM command_ended ${where} ORDER BY session, command, sseq LIMIT 1 BY session, command`,
      params,
    ),
  ])
  const decided = byCommand(decisions)
  const ended = byCommand(ends)
  return rows.map((row) => commandOf(row, decided.get(keyOf(row)), ended.get(keyOf(row))))
}

/** Commands in a scope, the newest first. */
export const listCommands = async (
  reader: QueryReader,
  scope: Scope,
  filter: CommandFilter,
  page: PageRequest,
): Promise<Page<Command>> => {
  const conditions = all(inScope(scope), filtered(filter), behind(page.cursor))
  const rows = await reader.query<ReceivedRow>(
    `SELECT session, command, ${microsOf('time')} AS time_us, target, target_database, target_role, kind, verb,
       substringUTF8(text, 1, ${text_chars_max}) AS text, text_bytes, fingerprint, ${who_columns}
     FROM command_received AS r ${whereClause(conditions)}
     ORDER BY time DESC, session DESC, command DESC LIMIT {limit:UInt32}`,
    { ...conditions.params, limit: page.limit + 1 },
  )
  const shown = rows.slice(0, page.limit)
  const last = shown.at(-1)
  return {
    items: await completed(reader, shown),
    next:
      rows.length > page.limit && last !== undefined
        ? writeCursor([last.time_us, last.session, last.command])
        : null,
  }
}
