import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, DatabaseError } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { stringify } from 'yaml'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type RecordedEvent, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { readStatementLog } from '../../support/statement-log.ts'

let postgres: TestPostgres
let gateway: TestGateway
let folder: string
let config_file: string

type Policy = Readonly<Record<string, unknown>>

const first_policies: readonly Policy[] = [
  {
    name: 'reader',
    effect: 'allow',
    actions: ['select', 'transaction', 'show', 'set', 'prepare', 'execute', 'insert'],
    objects: ['public.*'],
  },
  { name: 'no-secrets', effect: 'deny', objects: ['*.secrets'], reason: 'ask the owner' },
  { name: 'no-ssn', effect: 'deny', objects: ['public.people'], columns: ['ssn'] },
  { name: 'trial', effect: 'deny', dry_run: true, objects: ['public.tried'] },
  {
    name: 'no-big-values',
    effect: 'deny',
    actions: ['insert'],
    when: 'command.parameters.exists(p, p != null && p.size() > 5)',
  },
]

const writePolicies = (policies: readonly Policy[], more: Policy = {}): Promise<void> =>
  writeFile(config_file, stringify({ policies, ...more }))

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-enforcement-'))
  config_file = join(folder, 'cairn.yaml')
  postgres = await startPostgres({ log: true })
  const direct = new Client(postgres.url)
  await direct.connect()
  await direct.query(
    `create table items (id int, name text); create table secrets (x int); create table tried (x int);
    create table people (id int, ssn text); create view ids as select id from people; create view names as select ssn from people;
    create schema private; create table private.ledger (total int); create table private.items (id int); create view totals as select sum(total) from private.ledger;
    create function known() returns int language sql as 'select max(x) from secrets';
    create function built() returns int language plpgsql as $$ declare n int; begin execute 'select 1' into n; return n; end $$`,
  )
  await direct.end()
  gateway = await startTestGateway({
    targets: { main: postgres },
    config: { policies: first_policies },
    config_file,
  })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await postgres?.stop()
  await rm(folder, { recursive: true, force: true })
})

const connect = async (): Promise<Client> => {
  const client = new Client({
    connectionString: (await gateway.url('main')).replace('sslmode=require', ''),
    ssl: { rejectUnauthorized: false },
  })
  // The gateway may end it after a test has failed.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

/** The refusal's code and words, or `ran`. */
const attempt = async (
  client: Client,
  text: string,
  values?: readonly unknown[],
): Promise<string> => {
  try {
    await client.query(text, values === undefined ? undefined : [...values])
    return 'ran'
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return `${error.code} ${error.detail ?? error.message}`
  }
}

type DecisionMade = Extract<RecordedEvent, { type: 'decision.made' }>

/** The decision about the latest command with this text. */
const decisionOf = (text: string): Promise<DecisionMade> =>
  gateway.until((records) => {
    const command = records.findLast(
      (record) => record.type === 'command.received' && record.text === text,
    )
    // It follows the command among the records of its session.
    const own = records.filter(({ session }) => session === command?.session)
    const next = command === undefined ? undefined : own[own.indexOf(command) + 1]
    return next?.type === 'decision.made' ? next : undefined
  })

describe('a command at the gateway', () => {
  it('runs when its effects are allowed, and is refused with the rule and its reason when not', async () => {
    const client = await connect()
    expect(await attempt(client, 'select count(*) from public.items')).toBe('ran')
    expect(await attempt(client, 'delete from public.items')).toBe(
      '42501 no policy allows delete on "public.items"',
    )
    expect(await attempt(client, 'select * from public.items, secrets')).toMatch(
      /^42501 select on ".*secrets".*: denied by no-secrets \(ask the owner\)$/,
    )
    expect(await attempt(client, 'select 1; drop table items')).toMatch(/^42501 .*ddl\.drop/)
    expect(await attempt(client, 'do $$ begin delete from secrets; end $$')).toMatch(/^42501 /)
    await client.end()
    expect(await decisionOf('select count(*) from public.items')).toMatchObject({
      outcome: 'allow',
      rules: ['reader'],
      dry_run: false,
    })
    const log = (await readStatementLog(postgres.logFile)).map(({ text }) => text).join('\n')
    expect(log).not.toContain('drop table items')
    expect(log).not.toContain('delete from')
  })

  it('is decided by the values bound to it, each time', async () => {
    const client = await connect()
    const insert = { name: 'ins', text: 'insert into public.items values ($1, $2)' }
    const run = (name: string) =>
      client.query({ ...insert, values: [1, name] }).then(
        () => 'ran',
        (error: DatabaseError) => error.code,
      )
    expect([await run('small'), await run('too large'), await run('fine')]).toEqual([
      'ran',
      '42501',
      'ran',
    ])
    await client.end()
  })

  it('runs what only a policy in a dry run denies, and the record says both', async () => {
    const client = await connect()
    expect(await attempt(client, 'select x from public.tried')).toBe('ran')
    await client.end()
    expect(await decisionOf('select x from public.tried')).toMatchObject({
      outcome: 'deny',
      rules: ['trial'],
      dry_run: true,
    })
  })

  it.for([
    ['a name that the search path leads to', 'select id from items', 'ran'],
    ['a view over what is not allowed by itself', 'select * from totals', 'ran'],
    ['a table that only a view shows', 'select * from private.ledger', 'no policy allows select'],
    ['a view that shows the other columns', 'select * from ids', 'ran'],
    ['a view over a column that is denied', 'select * from names', 'denied by no-ssn'],
    ['every column', 'select * from people', 'denied by no-ssn'],
    ['a column in a condition', `select id from people where ssn like '1%'`, 'denied by no-ssn'],
    ['a function over a table that is denied', 'select known()', 'denied by no-secrets'],
    [
      'a function that nobody can read',
      'select built()',
      'unknown on "public.built": denied by no-secrets',
    ],
    ['a function that reads files', `select pg_read_file('PG_VERSION')`, 'denied by no-secrets'],
    ['another role', 'set role postgres', 'no policy allows set_role'],
    ['an EXECUTE of what is denied', 'prepare s as select * from secrets; execute s', 'no-secrets'],
    ['a harmless function', 'select upper(name), now() from items', 'ran'],
  ] as const)('of a role that reads public: %s', async ([, text, expected]) => {
    const client = await connect()
    const said = await attempt(client, text)
    await client.end()
    if (expected === 'ran') expect(said).toBe('ran')
    else expect(said).toMatch(new RegExp(`^42501 .*${expected}`))
  })

  it('is decided by what its names mean when it runs, not when it was prepared', async () => {
    const client = await connect()
    const named = { name: 'moved', text: 'select id from items' }
    const run = () =>
      client.query(named).then(
        () => 'ran',
        (error: DatabaseError) => error.code,
      )
    expect(await run()).toBe('ran')
    expect(await attempt(client, 'prepare again as select id from items')).toBe('ran')
    expect(await attempt(client, 'set search_path = private, public')).toBe('ran')
    expect(await run()).toBe('42501')
    expect(await attempt(client, 'execute again')).toMatch(/^42501/)
    expect(await attempt(client, 'select id from items')).toMatch(/^42501/)
    expect(await attempt(client, 'set search_path = public')).toBe('ran')
    expect(await run()).toBe('ran')
    expect(await attempt(client, 'execute again')).toBe('ran')
    await client.end()
  })
})

describe('a policy that changes', () => {
  const ofType = async <Type extends RecordedEvent['type']>(type: Type) =>
    (await gateway.records()).filter(
      (record): record is Extract<RecordedEvent, { type: Type }> => record.type === type,
    )

  it('decides the next command of a session that was open before', async () => {
    const client = await connect()
    expect(await attempt(client, 'truncate tried')).toMatch(/^42501/)
    await writePolicies([{ name: 'all', effect: 'allow', actions: ['*'] }])
    await eventually(
      'the new policy',
      async () => (await attempt(client, 'truncate tried')) === 'ran',
    )
    await writePolicies([{ name: 'none', effect: 'deny', actions: ['*'], reason: 'freeze' }])
    await eventually(
      'the newest policy',
      async () => (await attempt(client, 'select 1')) === '42501 select: denied by none (freeze)',
    )
    await client.end()
    await expect(connect()).rejects.toMatchObject({ code: '28000' })
    const loaded = await eventually('the records of both', async () => {
      const found = await ofType('policy.loaded')
      return found.length >= 3 && found
    })
    expect(loaded.map(({ loaded_by }) => loaded_by)).toEqual([
      'start',
      'file change',
      'file change',
    ])
    expect(loaded.at(-1)?.source).toBe(config_file)
    expect(JSON.parse(loaded.at(-1)?.text ?? '')).toMatchObject({ policies: [{ name: 'none' }] })
  })

  it('stays in force while the file is broken, which is recorded with its line, and its end too', async () => {
    await writePolicies(first_policies)
    await eventually('a session', () =>
      connect().then(
        (client) => client.end().then(() => true),
        () => false,
      ),
    )
    const client = await connect()
    await writeFile(config_file, 'policies:\n  - { name: x, effect: permit }\n')
    const begin = await eventually('the trouble', async () =>
      (await ofType('gateway.degraded')).at(-1),
    )
    expect(begin).toMatchObject({
      component: 'policy',
      state: 'begin',
      reason: `${config_file}:2:16: policies[0].effect: expected one of allow, deny, hold`,
    })
    expect(await attempt(client, 'select count(*) from public.items')).toBe('ran')
    expect(await attempt(client, 'delete from public.items')).toMatch(/^42501/)
    await writePolicies(first_policies)
    await eventually(
      'its end',
      async () => (await ofType('gateway.degraded')).at(-1)?.state === 'end',
    )
    await client.end()
  })

  it('enforces nothing in a dry run, and what cannot be parsed is still refused', async () => {
    const client = await connect()
    await writePolicies([], { policy_mode: 'dry_run' })
    await eventually(
      'the dry run',
      async () => (await attempt(client, 'delete from tried')) === 'ran',
    )
    expect(await attempt(client, 'selec 1')).toMatch(/^42601/)
    await client.end()
    // The latest attempt may reach the log after one from before the change.
    const last = await eventually('its record', async () => {
      const decision = await decisionOf('delete from tried')
      return decision.dry_run && decision
    })
    expect(last).toMatchObject({ outcome: 'deny', dry_run: true })
  })
})
