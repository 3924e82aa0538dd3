import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { configSchema, type Config } from '#lib/config/schema.ts'
import { openLog } from '#lib/log/open.ts'
import { openLogger } from '#lib/logger.ts'
import { startGateway } from '../../services/gateway/main.ts'
import { localIssuer, type LocalIssuer } from './local-issuer.ts'
import type { TestPostgres } from './postgres.ts'
import { recordedEvent, type RecordedEvent } from './trail-reader.ts'

/** How long a record may take from the gateway into the log. */
const record_timeout_ms = 20_000

export type { RecordedEvent }

export type TestGatewayOptions = {
  /** Targets by name; each has the role `admin`, which is the server's superuser. */
  readonly targets: Readonly<Record<string, TestPostgres>>
  /** Keys of the role on top of the test's own. */
  readonly role?: Readonly<Record<string, unknown>>
  /** Sections of the configuration on top of the defaults. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Claims that the one policy wants; default none. */
  readonly claims?: Readonly<Record<string, string>>
  /** File that the policies are read from when it changes. */
  readonly config_file?: string
}

export interface TestGateway extends AsyncDisposable {
  readonly port: number
  readonly issuer: LocalIssuer
  readonly config: Config
  readonly data_dir: string
  /** A token of the issuer that the policy allows. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
  /** `postgres://` URL for role `admin` at a target, token included; TLS without verification. */
  url(target: string): Promise<string>
  /** Every event in the log so far, in the order of the gateway. */
  records(): Promise<readonly RecordedEvent[]>
  /** Waits until the records hold what is wanted, and returns what `find` made of them. */
  until<Found>(find: (records: readonly RecordedEvent[]) => Found | undefined): Promise<Found>
  /** Drains and stops the gateway; the data stays until dispose. */
  stop(): Promise<void>
  /** The same configuration and data in a new process epoch, after stop(). */
  restart(): Promise<void>
}

const targetConfig = (
  name: string,
  target: TestPostgres,
  role: Readonly<Record<string, unknown>>,
): Record<string, unknown> => ({
  name,
  host: target.host,
  port: target.port,
  tls:
    target.ca_file === undefined
      ? { mode: 'disable' }
      : { mode: 'verify-full', ca_file: target.ca_file },
  default_database: target.database,
  // Most tests show a token more than once.
  roles: [{ name: 'admin', credential: `${name}-admin`, sessions_per_token: 1000, ...role }],
})

/** Runs the gateway in this process: real recorder, journal, embedded log and identity, an issuer of its own. */
export const startTestGateway = async (options: TestGatewayOptions): Promise<TestGateway> => {
  const data_dir = await mkdtemp(join(tmpdir(), 'cairn-gateway-'))
  const issuer = await localIssuer('github')
  const names = Object.entries(options.targets)
  const config: Config = configSchema.parse({
    data_dir,
    listeners: { postgres: { port: 0 } },
    issuers: [issuer.config('ci')],
    targets: names.map(([name, target]) => targetConfig(name, target, options.role ?? {})),
    credentials: names.map(([name, target]) => ({
      name: `${name}-admin`,
      user: target.user,
      password: target.password,
    })),
    policies: [{ name: 'tests', effect: 'allow', claims: options.claims ?? {}, actions: ['*'] }],
    ...options.config,
  })
  const start = async (): Promise<{ stop: () => Promise<void>; port: number }> => {
    const abort = new AbortController()
    const running = await startGateway(config, {
      logger: openLogger('gateway', process.env['CAIRN_LOG_LEVEL'] ?? 'silent'),
      signal: abort.signal,
      index: 0,
      config_file: options.config_file,
    })
    return {
      port: running.ports['postgres']!,
      stop: async () => {
        abort.abort()
        await running[Symbol.asyncDispose]()
      },
    }
  }
  let running: Awaited<ReturnType<typeof start>> | undefined = await start()
  let { port } = running

  const records = async (): Promise<RecordedEvent[]> => {
    await using log = await openLog(config.log, { data_dir })
    const found: RecordedEvent[] = []
    for (let partition = 0; partition < config.log.partitions; partition++)
      for await (const record of log.read('cairn.audit', partition, 0n))
        found.push(recordedEvent(record))
    return found
  }

  const stop = async (): Promise<void> => {
    await running?.stop()
    running = undefined
  }

  const token: TestGateway['token'] = (claims) => issuer.token(claims)
  return {
    get port() {
      return port
    },
    issuer,
    config,
    data_dir,
    token,
    url: async (target) =>
      `postgres://admin:${await token()}@127.0.0.1:${port}/${target}?sslmode=require`,
    records,
    until: async (find) => {
      const deadline = Date.now() + record_timeout_ms
      for (;;) {
        const all = await records()
        const found = find(all)
        if (found !== undefined) return found
        if (Date.now() > deadline)
          throw new Error(
            `not recorded within ${record_timeout_ms} ms; there is: ${all.map(({ type }) => type).join(' ')}`,
          )
        await delay(50)
      }
    },
    stop,
    restart: async () => {
      running = await start()
      ;({ port } = running)
    },
    async [Symbol.asyncDispose]() {
      await stop()
      await issuer[Symbol.asyncDispose]()
      await rm(data_dir, { recursive: true, force: true })
    },
  }
}
