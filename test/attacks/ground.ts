import { Client } from 'pg'
import { openLog, type LogConfig } from '#lib/log/open.ts'
import type { Log } from '#lib/log/port.ts'
import { startCairn, type RunningCairn } from '../support/cairn.ts'
import { startCollector } from '../support/collector.ts'
import { eventually } from '../support/eventually.ts'
import { localIssuer, type LocalIssuer } from '../support/local-issuer.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { clickhouseQuery } from '../support/rig.ts'
import { readStatementLog } from '../support/statement-log.ts'
import { openTrailReader, type RecordedEvent } from '../support/trail-reader.ts'
import { login, openSecure, type WireClient } from '../support/wire-client.ts'
import { attackConfig, planted_schema } from './ground-config.ts'

/** The whole of Cairn in front of a real PostgreSQL whose credentials may do anything: only the gateway is in the way. */
export interface Ground extends AsyncDisposable {
  readonly postgres: TestPostgres
  readonly cairn: RunningCairn
  /** Issuer of the jobs' tokens (GitHub's shape). */
  readonly ci: LocalIssuer
  /** Issuer of people's tokens; their groups are in the claim `groups`. */
  readonly people: LocalIssuer
  readonly port: number
  /** A connection to the target past the gateway, as its superuser. */
  readonly direct: Client
  /** Opens a session as a role of the target. */
  open(role: string, options?: OpenOptions): Promise<AttackSession>
  /** The log itself, for who can write to it. */
  readonly log: Log
  /** Events of both topics so far: records, approvals. */
  events(): Promise<readonly RecordedEvent[]>
  /** Waits until the events hold what is wanted. */
  until<Found>(
    what: string,
    find: (events: readonly RecordedEvent[]) => Found | undefined | Promise<Found | undefined>,
  ): Promise<Found>
  /** Texts that the target executed for an application. */
  heard(application: string): Promise<readonly string[]>
  /** Rows of a query at ClickHouse's HTTP interface. */
  query<T extends object>(sql: string): Promise<readonly T[]>
  /** What a SIEM was sent so far. */
  syslog(): Buffer
  /** Calls the API as whoever has the token. */
  api(path: string, token: string, init?: RequestInit): Promise<{ status: number; body: unknown }>
}

export type OpenOptions = {
  readonly token?: string
  readonly parameters?: Readonly<Record<string, string>>
}

export type AttackSession = {
  readonly client: WireClient
  readonly application: string
  /** Says goodbye and returns the session's events, in order. */
  end(): Promise<readonly RecordedEvent[]>
  /** The session's events once it is over, however it ended. */
  ended(): Promise<readonly RecordedEvent[]>
}

export type GroundOptions = {
  /** Sections of the configuration on top: another log, another durability. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const settle_timeout_ms = 30_000

export const startGround = async (options: GroundOptions = {}): Promise<Ground> => {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres({ log: true }))
  const direct = new Client({ connectionString: postgres.url, application_name: 'direct' })
  await direct.connect()
  stack.defer(() => direct.end())
  await direct.query(planted_schema)
  const ci = stack.use(await localIssuer('github'))
  const people = stack.use(await localIssuer('generic'))
  const siem = stack.use(await startCollector())
  const config = attackConfig({ postgres, ci, people, syslog_port: siem.port })
  for (const [section, values] of Object.entries(options.config ?? {}))
    config[section] = { ...(config[section] as object | undefined), ...values }
  const cairn = stack.use(await startCairn({ config }))
  const log_config = {
    kind: 'embedded',
    partitions: 6,
    replication: 1,
    retention_hours: 1,
    ...(config['log'] as Partial<LogConfig> | undefined),
  } as LogConfig
  const { data_dir } = cairn
  const log = stack.use(await openLog(log_config, { data_dir }))
  const topics = ['cairn.audit', 'cairn.approvals']
  const trail = stack.use(await openTrailReader(log_config, data_dir, topics))
  const held = stack.move()
  const port = cairn.ports['postgres']!
  const seen: RecordedEvent[] = []
  let sessions = 0

  const events = async (): Promise<readonly RecordedEvent[]> => {
    seen.push(...(await trail.next()))
    return seen
  }
  const until: Ground['until'] = (what, find) =>
    eventually(what, async () => find(await events()), settle_timeout_ms)
  const endedOf = (application: string): Promise<readonly RecordedEvent[]> =>
    until(`the session ${application} has ended`, (all) => {
      const started = all.find(
        (event) =>
          event.type === 'session.started' && event.context.peer?.client_software === application,
      )
      const own = all.filter(({ session }) => session !== '' && session === started?.session)
      return own.some(({ type }) => type === 'session.ended') ? own : undefined
    })

  return {
    postgres,
    cairn,
    ci,
    people,
    port,
    direct,
    log,
    events,
    until,
    open: async (role, { token, parameters = {} } = {}) => {
      const application = `attack-${++sessions}`
      const client = await openSecure(port)
      const startup = { user: role, database: 'main', application_name: application, ...parameters }
      await login(client, startup, token ?? (await ci.token()))
      return {
        client,
        application,
        end: async () => {
          client.socket.end(Buffer.from([0x58, 0, 0, 0, 4]))
          await client.closed()
          return endedOf(application)
        },
        ended: async () => {
          await client.closed()
          return endedOf(application)
        },
      }
    },
    heard: async (application) =>
      (await readStatementLog(postgres.logFile))
        .filter((statement) => statement.application === application)
        .map(({ text }) => text),
    query: (sql) => clickhouseQuery(cairn.ports['clickhouse'] ?? 0, sql),
    syslog: () => siem.received(),
    api: async (path, token, init = {}) => {
      const response = await fetch(`http://127.0.0.1:${cairn.ports['api']}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}` },
      })
      return { status: response.status, body: await response.json().catch(() => null) }
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
