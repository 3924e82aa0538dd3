import { startCairn, type RunningCairn, type StartCairn } from './cairn.ts'
import { localIssuer, type LocalIssuer } from './issuer.ts'
import { startPostgres, type TestPostgres, type TestPostgresOptions } from './postgres.ts'

/** A whole Cairn in front of a real PostgreSQL, with an issuer of GitHub-shaped tokens that may use it. */
export interface Rig extends AsyncDisposable {
  readonly postgres: TestPostgres
  readonly issuer: LocalIssuer
  readonly cairn: RunningCairn
  /** A fresh token that the policy accepts. */
  token(): Promise<string>
  /** Environment for libpq programs: host, port, role, target, token, TLS. */
  libpq(): Promise<NodeJS.ProcessEnv>
  /** Rows of a query at the engine's HTTP interface. */
  query<T extends object>(sql: string): Promise<readonly T[]>
}

export type RigOptions = Omit<StartCairn, 'config'> & {
  readonly postgres?: TestPostgresOptions
  /** Keys of the role on top of the rig's own. */
  readonly role?: Readonly<Record<string, unknown>>
  /** Sections on top of the rig's own, merged by section. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** The one target, role and job of the rig. */
export const rig_target = 'main'
export const rig_role = 'app'

const configuration = (
  postgres: TestPostgres,
  issuer: LocalIssuer,
  role: Readonly<Record<string, unknown>> = {},
) => ({
  deployment: 'test',
  gateway: { id: 'gw-test' },
  listeners: { postgres: { cleartext: 'refuse' } },
  issuers: [issuer.config('ci')],
  credentials: [{ name: 'main', user: postgres.user, password: postgres.password }],
  targets: [
    {
      name: rig_target,
      protocol: 'postgres',
      host: postgres.host,
      port: postgres.port,
      tls:
        postgres.ca_file === undefined
          ? { mode: 'disable' }
          : { mode: 'verify-full', ca_file: postgres.ca_file },
      default_database: postgres.database,
      // Most tests show a token more than once.
      roles: [{ name: rig_role, credential: 'main', sessions_per_token: 1000, ...role }],
    },
  ],
  policies: [
    {
      name: 'the-job',
      effect: 'allow',
      issuers: ['ci'],
      claims: { repository: 'acme/shop' },
      targets: [rig_target],
      roles: [rig_role],
      actions: ['*'],
    },
  ],
})

/** Queries ClickHouse's HTTP interface. */
export const clickhouseQuery = async <T extends object>(
  port: number,
  sql: string,
): Promise<readonly T[]> => {
  const response = await fetch(`http://127.0.0.1:${port}/?default_format=JSONEachRow`, {
    method: 'POST',
    body: sql,
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status}: ${text}`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T)
}

export const startRig = async (options: RigOptions = {}): Promise<Rig> => {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres(options.postgres ?? { log: true }))
  const issuer = stack.use(await localIssuer('github'))
  const base: Record<string, unknown> = configuration(postgres, issuer, options.role)
  for (const [section, values] of Object.entries(options.config ?? {}))
    base[section] = { ...(base[section] as object | undefined), ...values }
  const { postgres: _, config: __, role: ___, ...rest } = options
  const cairn = stack.use(await startCairn({ ...rest, config: base }))
  const held = stack.move()
  const token = () => issuer.token({})
  return {
    postgres,
    issuer,
    cairn,
    token,
    libpq: async () => ({
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(cairn.ports['postgres']),
      PGUSER: rig_role,
      PGDATABASE: rig_target,
      PGPASSWORD: await token(),
      PGSSLMODE: 'require',
    }),
    query: (sql) => clickhouseQuery(cairn.ports['clickhouse'] ?? 0, sql),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
