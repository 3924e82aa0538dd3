import { readFile } from 'node:fs/promises'
import { getHeapSnapshot } from 'node:v8'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema } from '#lib/config/schema.ts'
import { secretOf } from '#lib/config/secret.ts'
import { openLogger } from '#lib/logger.ts'
import { openCredentialBroker } from '../../../services/gateway/credentials/broker.ts'
import type { CredentialBroker } from '../../../services/gateway/credentials/port.ts'
import { roleName } from '../../../services/gateway/credentials/role-names.ts'
import type { Swept } from '../../../services/gateway/credentials/swept.ts'
import { openTargets } from '../../../services/gateway/protocols/postgres/target.ts'
import { connectUpstream } from '../../../services/gateway/protocols/postgres/upstream.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { connected, throughGateway } from './clients.ts'

/** Whether a string of this process holds a text, which is given reversed. */
const heapHolds = async (reversed: Uint8Array): Promise<boolean> => {
  const snapshot = getHeapSnapshot()
  let found = false
  let tail = ''
  for await (const chunk of snapshot.setEncoding('latin1') as AsyncIterable<string>) {
    const text = tail + chunk
    found ||= text.includes(Buffer.from(reversed.toReversed()).toString('latin1'))
    tail = text.slice(-64)
  }
  return found
}

let postgres: TestPostgres

/** The account that makes roles: no superuser. */
const maker = 'role "maker"'

beforeAll(async () => {
  postgres = await startPostgres({ log: true })
  await using admin = await connected({ connectionString: postgres.url })
  for (const statement of [
    `create role "${maker.replaceAll('"', '""')}" login createrole password 'maker-password'`,
    `create role "app ""rw""" nologin`,
    `grant "app ""rw""" to "${maker.replaceAll('"', '""')}" with admin option`,
    'create role keeper nologin',
    `grant keeper to "${maker.replaceAll('"', '""')}" with admin option`,
    'create table orders (id int primary key, what text)',
    `grant select, insert on orders to "app ""rw"""`,
    `grant create on schema public to "app ""rw""", keeper`,
    'create database second',
  ])
    await admin.client.query(statement)
})
afterAll(() => postgres?.stop())

const query = async <Row extends object>(
  text: string,
  values: readonly unknown[] = [],
  database = 'postgres',
): Promise<readonly Row[]> => {
  await using admin = await connected({
    connectionString: postgres.url.replace(/postgres$/, database),
  })
  return (await admin.client.query<Row>(text, [...values])).rows
}

const sessionRoles = async (): Promise<readonly string[]> =>
  (
    await query<{ readonly rolname: string }>(
      `select rolname from pg_roles where rolname like 'cairn\\_%' order by rolname`,
    )
  ).map(({ rolname }) => rolname)

const noRolesLeft = () =>
  eventually('no role is left', async () => (await sessionRoles()).length === 0)

const credentials = (role: Readonly<Record<string, unknown>> = {}) => [
  { name: 'maker', user: maker, password: 'maker-password' },
  {
    name: 'main-admin',
    database_role: {
      admin: 'maker',
      member_of: ['app "rw"', 'keeper'],
      reassign_to: 'keeper',
      ...role,
    },
  },
]

describe('a role for each session, through the gateway', () => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startTestGateway({
      targets: { main: postgres },
      config: {
        credentials: credentials({ settings: { statement_timeout: '7s' }, lifetime_s: 600 }),
      },
    })
  })
  afterAll(() => gateway?.[Symbol.asyncDispose]())

  const open = async (database = 'main') =>
    throughGateway(gateway.port, await gateway.token(), { database })

  it('is made with what it may do, and is gone when the session is over; the trail says so', async () => {
    const names: string[] = []
    {
      await using first = await open()
      await using second = await open()
      for (const { client } of [first, second]) {
        const { rows } = await client.query<{ readonly who: string; readonly timeout: string }>(
          `select session_user::text as who, current_setting('statement_timeout') as timeout`,
        )
        names.push(rows[0]!.who)
        expect(rows[0]!.timeout).toBe('7s')
        await client.query(`insert into orders values ($1, 'x')`, [names.length])
        await expect(client.query('create role other')).rejects.toMatchObject({ code: '42501' })
      }
      expect(new Set(names).size).toBe(2)
      expect((await sessionRoles()).toSorted()).toEqual(names.toSorted())
      const [about] = await query<{ readonly comment: string; readonly seconds: number }>(
        `select shobj_description(oid, 'pg_authid') as comment,
                extract(epoch from rolvaliduntil - now())::int as seconds
           from pg_roles where rolname = $1`,
        [names[0]],
      )
      expect(about?.comment).toContain('Cairn session role, made by gw-1/0 for ')
      expect(about?.seconds).toBeGreaterThan(500)
      expect(about?.seconds).toBeLessThanOrEqual(600)
    }
    await noRolesLeft()
    const records = await gateway.until((all) =>
      all.filter(({ type }) => type === 'session.ended').length === 2 ? all : undefined,
    )
    for (const name of names) {
      const issued = records.find(
        (record) => record.type === 'credential.issued' && record.principal === name,
      )
      expect(issued).toMatchObject({ credential: 'main-admin', kind: 'database_role' })
      const revoked = records.find(
        (record) => record.type === 'credential.revoked' && record.principal === name,
      )
      expect(revoked).toMatchObject({
        reason: 'the session is over: role dropped',
        session: issued?.session,
      })
      const started = records.find(
        (record) => record.type === 'session.started' && record.session === issued?.session,
      )
      expect(started).toMatchObject({ credential: 'main-admin', target_user: name })
    }
  })

  it('hands on what the session made, in each database, and takes its grants away', async () => {
    {
      await using session = await open()
      await session.client.query('create table made_here (id int)')
      await session.client.query('grant select on made_here to public')
    }
    {
      await query('grant create on schema public to public', [], 'second')
      await using session = await open('main/second')
      await session.client.query('create table made_there (id int)')
      await session.client.query('create function made_too() returns int language sql return 1')
    }
    await noRolesLeft()
    const owner = `select pg_get_userbyid(relowner) as owner from pg_class where relname = $1`
    expect(await query(owner, ['made_here'])).toEqual([{ owner: 'keeper' }])
    expect(await query(owner, ['made_there'], 'second')).toEqual([{ owner: 'keeper' }])
  })

  it('what a session leaves behind has no rights that it had not itself', async () => {
    {
      await using session = await open()
      await session.client.query(
        'create function trap() returns text language sql security definer return current_user::text',
      )
    }
    await noRolesLeft()
    const [row] = await query<{ readonly runs_as: string }>('select trap() as runs_as')
    expect(row).toEqual({ runs_as: 'keeper' })
  })

  it('a session that is cut off takes its role with it', async () => {
    const session = await open()
    expect(await sessionRoles()).toHaveLength(1)
    const sleeping = session.client.query('select pg_sleep(60)').catch(() => undefined)
    await eventually(
      'it runs',
      async () =>
        (
          await query(
            `select 1 from pg_stat_activity where query = 'select pg_sleep(60)' and usename like 'cairn%'`,
          )
        ).length === 1,
    )
    Reflect.get(session.client, 'connection').stream.destroy()
    await sleeping
    await noRolesLeft()
    expect(await query(`select 1 from pg_stat_activity where usename like 'cairn%'`)).toEqual([])
  })

  it('a target that refuses the session gets no role that stays; both its events are recorded', async () => {
    await query('revoke connect on database second from public')
    await query(`grant connect on database second to "${maker.replaceAll('"', '""')}"`)
    await expect(open('main/second')).rejects.toMatchObject({ code: '42501' })
    await noRolesLeft()
    const revoked = await gateway.until((all) =>
      all.find(
        (record) =>
          record.type === 'credential.revoked' && record.reason.startsWith('no session used it'),
      ),
    )
    expect(revoked).toMatchObject({
      reason: 'no session used it; the session is over: role dropped',
      session: '',
    })
    await query('grant connect on database second to public')
  })
})

describe('a session that outlives its role', () => {
  it('is ended when the lifetime is over; the client and the trail are told', async () => {
    await using gateway = await startTestGateway({
      targets: { main: postgres },
      config: { credentials: credentials({ lifetime_s: 2 }) },
    })
    await using session = await throughGateway(gateway.port, await gateway.token())
    const ended = new Promise<unknown>((resolve) => session.client.once('error', resolve))
    await session.client.query('select 1')
    expect(await ended).toMatchObject({ code: '57P01' })
    const record = await gateway.until((all) => all.find(({ type }) => type === 'session.ended'))
    expect(record).toMatchObject({
      reason: 'terminated',
      detail: 'the lifetime of its role at the target is over',
    })
    await noRolesLeft()
  })
})

describe('the source of session roles', () => {
  type Opened = CredentialBroker & { readonly swept: readonly Swept[] }
  const openBroker = async (
    role: Readonly<Record<string, unknown>> = {},
    more: { readonly gateway?: string; readonly target?: TestPostgres } = {},
  ): Promise<Opened> => {
    const target = more.target ?? postgres
    const config = configSchema.parse({
      targets: [
        {
          name: 'main',
          host: target.host,
          port: target.port,
          tls: { mode: 'disable' },
          default_database: 'postgres',
          connect_timeout_ms: 2000,
          roles: [{ name: 'app', credential: 'main-admin' }],
        },
      ],
      credentials: credentials(role),
    })
    const swept: Swept[] = []
    const broker = await openCredentialBroker(config, {
      gateway_name: more.gateway ?? 'gw-source/0',
      targets: await openTargets(config),
      env: {},
      onSwept: (one) => void swept.push(one),
      logger: openLogger('gateway', 'silent'),
      now_ms: () => Date.now(),
    })
    return Object.assign(broker, { swept })
  }
  const request = (more: { readonly actor?: string; readonly signal?: AbortSignal } = {}) => ({
    target: 'main',
    role: 'app',
    database: 'postgres',
    actor: 'somebody',
    signal: new AbortController().signal,
    ...more,
  })
  const issue = async (broker: CredentialBroker, more: Parameters<typeof request>[0] = {}) => {
    const credential = await broker.issue(request(more))
    if (credential === undefined) throw new Error('no such role')
    return credential
  }
  const login = ({ user, password }: Awaited<ReturnType<typeof issue>>) =>
    connected({
      host: '127.0.0.1',
      port: postgres.port,
      database: 'postgres',
      user,
      password: password.reveal(),
    })

  it('shows the password to nobody: the target’s log has only the verifier, and it is let go at the end', async () => {
    await using broker = await openBroker()
    const credential = await issue(broker)
    const password = credential.password.reveal()
    {
      await using session = await login(credential)
      await session.client.query('select 1')
    }
    expect(password).toMatch(/^[\w-]{43}$/)
    const log = await readFile(postgres.logFile, 'utf8')
    expect(log).toContain(credential.user)
    expect(log).toContain('SCRAM-SHA-256$4096:')
    expect(log).not.toContain(password)
    expect(await credential.revoke()).toBe('the session is over: role dropped')
    expect(credential.password.reveal()).toBe('')
    await expect(login({ ...credential, password: secretOf(password) })).rejects.toMatchObject({
      code: '28P01',
    })
  })

  it('is not in memory any more when the session is over', async () => {
    await using broker = await openBroker()
    const credential = await issue(broker)
    // Neither the test nor a driver of its own must hold it.
    const reversed = Buffer.from(credential.password.reveal()).toReversed()
    const connection = await connectUpstream({
      host: postgres.host,
      port: postgres.port,
      tls: null,
      user: credential.user,
      password: credential.password,
      database: 'postgres',
      parameters: new Map(),
      timeout_ms: 5000,
      signal: new AbortController().signal,
    })
    if (!connection.ok) throw new Error(connection.detail)
    connection.upstream.stream.destroy()
    const held = await heapHolds(reversed)
    await credential.revoke()
    expect({ held, after: await heapHolds(reversed) }).toEqual({ held: true, after: false })
    expect(credential.user).toMatch(/^cairn_/)
  })

  it('ends with its lifetime, and its session is told', async () => {
    await using broker = await openBroker({ lifetime_s: 1 })
    const credential = await issue(broker)
    await eventually('it is lost', () => credential.lost.aborted)
    expect(credential.lost.reason).toBe('the lifetime of its role at the target is over')
    await credential.revoke()
    expect(await sessionRoles()).toEqual([])
  })

  it('names from a token cannot break out of the statements', async () => {
    await using broker = await openBroker()
    const actor = `x' ; drop table orders; --\\\u0000\n${'é'.repeat(300)}`
    const credential = await issue(broker, { actor })
    const [row] = await query<{ readonly comment: string }>(
      `select shobj_description(oid, 'pg_authid') as comment from pg_roles where rolname = $1`,
      [credential.user],
    )
    expect(row?.comment).toContain(`for x' ; drop table orders; --\\??éé`)
    expect(await query(`select 1 from orders limit 0`)).toEqual([])
    await credential.revoke()
  })

  it('a grant that fails leaves no half-made role, and says why without a secret', async () => {
    await using broker = await openBroker({ grants: ['grant select on nowhere to {role}'] })
    const failure = await issue(broker).catch((error: unknown) => error)
    expect(String(failure)).toContain('credential main-admin: no role could be made')
    expect(String(failure)).toContain('SQLSTATE 42P01')
    expect(await sessionRoles()).toEqual([])
  })

  it('a client that goes while its role is being made leaves none', async () => {
    await using broker = await openBroker()
    const gone = new AbortController()
    const issuing = issue(broker, { signal: gone.signal }).catch((error: unknown) => error)
    gone.abort()
    expect(String(await issuing)).toContain('main-admin')
    await noRolesLeft()
  })

  it('many sessions at once share few connections to the target', async () => {
    await using broker = await openBroker()
    const credentialsOfAll = await Promise.all(Array.from({ length: 24 }, () => issue(broker)))
    expect(new Set(credentialsOfAll.map(({ user }) => user)).size).toBe(24)
    await Promise.all(credentialsOfAll.map((credential) => credential.revoke()))
    expect(await sessionRoles()).toEqual([])
  })

  it('a second start of a gateway drops what its first one left, backends and all, and records it', async () => {
    const first = await openBroker()
    const credential = await issue(first)
    await using left = await login(credential)
    await left.client.query('create table left_over (id int)')
    await using other = await openBroker({}, { gateway: 'gw-other/0' })
    const used = await issue(other)
    await using session = await login(used)
    await using second = await openBroker()
    await noneOf(credential.user)
    expect(await sessionRoles()).toEqual([used.user])
    expect(second.swept).toEqual([
      {
        target: 'main',
        credential: 'main-admin',
        principal: credential.user,
        reason: 'left over by an earlier start of this gateway: role dropped',
      },
    ])
    await session.client.query('select 1')
    await expect(left.client.query('select 1')).rejects.toThrow()
    expect(await credential.revoke()).toBe('the session is over: the role was gone already')
    await first[Symbol.asyncDispose]()
  })
  const noneOf = (name: string) =>
    eventually(`${name} is gone`, async () => !(await sessionRoles()).includes(name))

  it('a gateway that is gone and stays away leaves nothing for long', async () => {
    const maker_of = { deployment: 'local', credential: 'main-admin', boot: '00000001' }
    const now_s = Math.floor(Date.now() / 1000)
    const named = (gateway: string, age_s: number, random: string): string =>
      roleName({ ...maker_of, gateway }, now_s - age_s, random)
    const old = named('gw-gone/0', 3600, '000000000001')
    const fresh = named('gw-gone/0', 1, '000000000002')
    const expired = named('gw-gone/0', 3600, '000000000003')
    const used = named('gw-gone/0', 3600, '000000000004')
    await using admin = await connected({
      host: '127.0.0.1',
      port: postgres.port,
      user: maker,
      database: 'postgres',
      password: 'maker-password',
    })
    for (const [name, until] of [
      [old, '1 day'],
      [fresh, '1 day'],
      [expired, '1 day'],
      [used, '1 day'],
    ] as const)
      await admin.client.query(
        `do $$ begin execute format('create role "${name}" login password ''p'' valid until %L', now() + interval '${until}'); end $$`,
      )
    const as = (user: string) =>
      connected({
        host: '127.0.0.1',
        port: postgres.port,
        user,
        database: 'postgres',
        password: 'p',
      })
    await using _expired = await as(expired)
    await using stays = await as(used)
    await admin.client.query(`alter role "${expired}" valid until '2020-01-01'`)
    await using broker = await openBroker()
    await eventually('two are dropped', () => broker.swept.length === 2)
    expect(await sessionRoles()).toEqual([fresh, used].toSorted())
    expect(new Map(broker.swept.map(({ principal, reason }) => [principal, reason]))).toEqual(
      new Map([
        [old, 'left over by a gateway that is gone: nobody is logged in as it: role dropped'],
        [expired, 'left over beyond its lifetime: role dropped'],
      ]),
    )
    await stays.client.query('select 1')
    for (const name of [fresh, used]) await query(`drop role "${name}"`)
  })

  it('what could not be dropped when its session ended is dropped by a sweep', async () => {
    await using broker = await openBroker({ sweep_s: 5 })
    const credential = await issue(broker)
    {
      await using session = await login(credential)
      await session.client.query('create function kept() returns int language sql return 1')
    }
    // The heir may not own functions in this schema: the role cannot be dropped.
    await query('revoke create on schema public from keeper')
    const words = await credential.revoke()
    expect(words).toContain('could not be dropped yet and will be by a sweep')
    const [closed] = await query<{ readonly rolcanlogin: boolean }>(
      'select rolcanlogin from pg_roles where rolname = $1',
      [credential.user],
    )
    expect(closed).toEqual({ rolcanlogin: false })
    await query('grant create on schema public to keeper')
    await noneOf(credential.user)
    await eventually('it is recorded', () => broker.swept.length === 1)
    expect(broker.swept[0]?.reason).toBe('left over when its session ended: role dropped')
  })
})
