import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { embeddedLogPath } from '#lib/log/open.ts'
import type { Log } from '#lib/log/port.ts'
import { startCairn, type CommandResult, type RunningCairn } from './cairn.ts'
import { eventually } from './eventually.ts'
import { localIssuer, type LocalIssuer } from './local-issuer.ts'
import { startPostgres, type TestPostgres } from './postgres.ts'
import { clickhouseQuery } from './rig.ts'

/** A whole Cairn whose policy holds ALTER TABLE for people of the group dba, with the people. */
export interface ApprovalRig extends AsyncDisposable {
  readonly postgres: TestPostgres
  readonly cairn: RunningCairn
  /** Issuer of the jobs. */
  readonly ci: LocalIssuer
  /** Issuer of the people. */
  readonly people: LocalIssuer
  readonly log: Log
  /** A token of a person of these groups. */
  person(subject: string, groups?: readonly string[]): Promise<string>
  /** A client of a job, connected; notices are collected. */
  client(claims?: Readonly<Record<string, unknown>>): Promise<HeldClient>
  /** Asks the API. */
  ask(path: string, token: string, init?: RequestInit): Promise<Asked>
  /** The newest approval that waits, once there is one. */
  waiting(token: string, text: string): Promise<ApprovalAnswer>
  /** Decides by the API. */
  decide(id: string, token: string, form?: Readonly<Record<string, string>>): Promise<Asked>
  cli(token: string, ...args: string[]): Promise<CommandResult>
  query<T extends object>(sql: string): Promise<readonly T[]>
}

export type Asked = {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
  readonly json: any
}

export type ApprovalAnswer = {
  readonly id: string
  readonly state: string
  readonly session: string
  readonly command: number
  readonly text: string
  readonly estimated_rows: number
}

export interface HeldClient extends AsyncDisposable {
  readonly pg: pg.Client
  readonly notices: readonly {
    readonly message?: string | undefined
    readonly detail?: string | undefined
    readonly hint?: string | undefined
  }[]
}

const configuration = (postgres: TestPostgres, ci: LocalIssuer, people: LocalIssuer) => ({
  deployment: 'test',
  gateway: { id: 'gw-test' },
  issuers: [ci.config('ci'), people.config('people')],
  credentials: [{ name: 'main', user: postgres.user, password: postgres.password }],
  targets: [
    {
      name: 'shop',
      host: postgres.host,
      port: postgres.port,
      tls: { mode: 'disable' },
      default_database: postgres.database,
      roles: [{ name: 'migrator', credential: 'main' }],
    },
  ],
  policies: [
    { name: 'jobs', effect: 'allow', issuers: ['ci', 'people'], actions: ['*'] },
    {
      name: 'migrations',
      effect: 'hold',
      actions: ['ddl.alter', 'delete', 'truncate'],
      reason: 'migrations are approved by dba',
      hold: { groups: ['dba'], quorum: 1, expires_s: 600 },
    },
    {
      name: 'two-for-drop',
      effect: 'hold',
      actions: ['ddl.drop'],
      hold: { groups: ['dba'], quorum: 2, expires_s: 600 },
    },
  ],
  clickhouse: { insert: { linger_ms: 50 } },
  api: {
    roles: [
      { role: 'approver', issuers: ['people'], groups: ['dba', 'dev'] },
      { role: 'auditor', issuers: ['people'], groups: ['audit'] },
    ],
  },
})

export type ApprovalRigOptions = {
  readonly config?: Readonly<Record<string, unknown>>
  readonly services?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

export const startApprovalRig = async (options: ApprovalRigOptions = {}): Promise<ApprovalRig> => {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres({ log: true }))
  const ci = stack.use(await localIssuer('github'))
  const people = stack.use(await localIssuer('generic'))
  const cairn = stack.use(
    await startCairn({
      config: { ...configuration(postgres, ci, people), ...options.config },
      ...(options.services === undefined ? {} : { services: options.services }),
      ...(options.env === undefined ? {} : { env: options.env }),
    }),
  )
  const log = stack.use(
    openEmbeddedLog({ path: embeddedLogPath(cairn.data_dir), now_ms: Date.now, id: randomUUID }),
  )
  const url = `http://127.0.0.1:${cairn.ports['api']}`
  const ask: ApprovalRig['ask'] = async (path, token, init = {}) => {
    const response = await fetch(new URL(path, url), {
      ...init,
      headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
    })
    return { status: response.status, json: await response.json() }
  }
  const held = stack.move()
  return {
    postgres,
    cairn,
    ci,
    people,
    log,
    person: (subject, groups = ['dba']) =>
      people.token({ sub: subject, name: subject, email: `${subject}@acme.example`, groups }),
    client: async (claims = {}) => {
      const client = new pg.Client({
        host: '127.0.0.1',
        port: cairn.ports['postgres']!,
        user: 'migrator',
        database: 'shop',
        password: await ci.token(claims),
        ssl: { rejectUnauthorized: false },
      })
      const notices: {
        message?: string | undefined
        detail?: string | undefined
        hint?: string | undefined
      }[] = []
      client.on('notice', ({ message, detail, hint }) => notices.push({ message, detail, hint }))
      client.on('error', () => undefined)
      await client.connect()
      return { pg: client, notices, [Symbol.asyncDispose]: () => client.end() }
    },
    ask,
    waiting: (token, text) =>
      eventually(`${text} waits`, async () => {
        const { json } = await ask('/v1/approvals?state=waiting', token)
        return (json.items as ApprovalAnswer[]).find((one) => one.text.includes(text))
      }),
    decide: (id, token, form = { decision: 'approve' }) =>
      ask(`/v1/approvals/${id}/decision`, token, {
        method: 'POST',
        body: new URLSearchParams(form),
      }),
    cli: async (token, ...args) => cairn.cliAs({ CAIRN_API_TOKEN: token }, ...args),
    query: (sql) => clickhouseQuery(cairn.ports['clickhouse'] ?? 0, sql),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
