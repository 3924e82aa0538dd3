import type { ClickHouseReader } from '#lib/clickhouse/port.ts'
import type { Scope } from '../caller.ts'
import { listCommands, type Command, type CommandFilter } from './commands.ts'
import { guardedReader } from './reader.ts'
import { listRecords, type RecordPage } from './records.ts'
import {
  findSession,
  listSessions,
  type Page,
  type PageRequest,
  type Session,
  type SessionFilter,
} from './sessions.ts'

/** Numbers about the tables, for the metrics. */
export type Totals = {
  readonly sessions: number
  readonly commands: number
  readonly records: number
}

/**
 * What the api reads: ClickHouse tables, with bound values only. Whatever shows sessions takes a scope. Throws CairnError
 * 'store_unavailable' when ClickHouse does not answer, 'not_found' and 'unusable_input' for what a client asked.
 */
export interface Store {
  sessions(scope: Scope, filter: SessionFilter, page: PageRequest): Promise<Page<Session>>
  /** The one session whose id begins so. */
  session(scope: Scope, beginning: string): Promise<Session>
  commands(scope: Scope, filter: CommandFilter, page: PageRequest): Promise<Page<Command>>
  /** Records of a session (whole id, that a scope allowed) behind a sequence number. */
  records(session: string, after: number, limit: number): Promise<RecordPage>
  totals(): Promise<Totals>
  /** Whether ClickHouse answers. */
  answers(): Promise<boolean>
}

/** Opens the store over a reader; the caller disposes the reader. */
export const openStore = (clickhouse: ClickHouseReader): Store => {
  const reader = guardedReader(clickhouse)
  return {
    sessions: (scope, filter, page) => listSessions(reader, scope, filter, page),
    session: (scope, beginning) => findSession(reader, scope, beginning),
    commands: (scope, filter, page) => listCommands(reader, scope, filter, page),
    records: (session, after, limit) => listRecords(reader, session, after, limit),
    totals: async () => {
      const [row] = await reader.query<Totals>(
        `SELECT (SELECT count() FROM session_started) AS sessions, (SELECT count() FROM command_received) AS commands,
         (SELECT count() FROM records) AS records`,
      )
      return row ?? { sessions: 0, commands: 0, records: 0 }
    },
    answers: async () => {
      try {
        await reader.query('SELECT 1 AS one')
        return true
      } catch {
        return false
      }
    },
  }
}
