import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeValue, type DecodedEvent } from '#core/events/codec.ts'
import { openLog } from '#lib/log/open.ts'
import { configSchema } from '#lib/config/schema.ts'
import { startCairn, type RunningCairn } from '../../support/cairn.ts'
import { eventually } from '../../support/eventually.ts'
import { localIssuer, type LocalIssuer } from '../../support/local-issuer.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { connected, throughGateway } from './clients.ts'

let postgres: TestPostgres
let issuer: LocalIssuer
let data_dir: string
let cairn: RunningCairn

const start = () =>
  startCairn({
    data_dir,
    services: ['gateway'],
    config: {
      gateway: { id: 'gw-crash' },
      issuers: [issuer.config('ci')],
      credentials: [
        { name: 'maker', user: 'maker', password: 'maker-password' },
        {
          name: 'session',
          database_role: {
            admin: 'maker',
            member_of: ['app'],
            grants: ['grant create on schema public to {role}'],
          },
        },
      ],
      targets: [
        {
          name: 'main',
          host: postgres.host,
          port: postgres.port,
          tls: { mode: 'disable' },
          roles: [{ name: 'app', credential: 'session' }],
        },
      ],
      policies: [{ name: 'tests', effect: 'allow', actions: ['*'] }],
    },
  })

beforeAll(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'cairn-crash-'))
  postgres = await startPostgres()
  await using admin = await connected({ connectionString: postgres.url })
  for (const statement of [
    `create role maker login createrole password 'maker-password'`,
    'create role app nologin',
    'grant app to maker with admin option',
    'grant create on schema public to maker with grant option',
  ])
    await admin.client.query(statement)
  issuer = await localIssuer('github')
  cairn = await start()
})
afterAll(async () => {
  await cairn?.stop()
  await issuer?.[Symbol.asyncDispose]()
  await postgres?.stop()
  await rm(data_dir, { recursive: true, force: true })
})

const query = async <Row extends object>(text: string): Promise<readonly Row[]> => {
  await using admin = await connected({ connectionString: postgres.url })
  return (await admin.client.query<Row>(text)).rows
}
const roles = () =>
  query<{ readonly rolname: string }>(`select rolname from pg_roles where rolname like 'cairn\\_%'`)
const backends = () =>
  query<{ readonly pid: number }>(`select pid from pg_stat_activity where usename like 'cairn\\_%'`)

/** Those that do not see that their client is gone. */
const busy = () =>
  query<{ readonly pid: number }>(
    `select pid from pg_stat_activity where usename like 'cairn\\_%' and query like '%pg_sleep%'`,
  )

const revoked = async (principal: string): Promise<DecodedEvent['event'] | undefined> => {
  const { log: settings } = configSchema.parse({})
  await using log = await openLog(settings, { data_dir })
  for (let partition = 0; partition < settings.partitions; partition++)
    for await (const record of log.read('cairn.audit', partition, 0n)) {
      const decoded = decodeValue(record.value)
      if (
        decoded.ok &&
        decoded.type === 'credential.revoked' &&
        decoded.event.principal === principal
      )
        return decoded.event
    }
  return undefined
}

/** A session with an open transaction and a statement that runs for long: the backend does not see that its client is gone. */
const busySession = async () => {
  // Right after a start the listener may not be there yet.
  const session = await eventually('a session', async () =>
    throughGateway(cairn.ports['postgres']!, await issuer.token({}), { user: 'app' }),
  )
  await session.client.query('create table if not exists left_over (id int)').catch(() => undefined)
  session.client.query('select pg_sleep(600)').catch(() => undefined)
  await eventually('it runs', async () => (await busy()).length === 1)
  return session
}

describe('kill -9', () => {
  it('of a gateway process: its next start ends the backend and drops the role, and the trail says so', async () => {
    const session = await busySession()
    const [left] = await roles()
    process.kill((await cairn.processes()).get('gateway') ?? 0, 'SIGKILL')
    await eventually('the role is dropped', async () => (await roles()).length === 0)
    expect(await backends()).toEqual([])
    const event = await eventually('it is recorded', () => revoked(left?.rolname ?? ''))
    expect(event).toMatchObject({
      credential: 'session',
      reason: 'left over by an earlier start of this gateway: role dropped',
      context: { target: { name: 'main' } },
    })
    await session.client.end().catch(() => undefined)
  })

  it('of everything: the same when it is started again', async () => {
    const session = await busySession()
    const [left] = await roles()
    const gateway = (await cairn.processes()).get('gateway') ?? 0
    const ended = cairn.stop('SIGKILL')
    process.kill(gateway, 'SIGKILL')
    await ended
    expect(await roles()).toEqual([left])
    expect(await busy()).toHaveLength(1)
    cairn = await start()
    await eventually('the role is dropped', async () => (await roles()).length === 0)
    expect(await backends()).toEqual([])
    await session.client.end().catch(() => undefined)
  })
})
