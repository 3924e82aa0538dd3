import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { filesBelow } from '../support/files-below.ts'
import { startTestGateway, type RecordedEvent, type TestGateway } from '../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { readStatementLog } from '../support/statement-log.ts'
import {
  fieldsOf,
  login,
  openRaw,
  openSecure,
  wire,
  type WireClient,
} from '../support/wire-client.ts'

/**
 * Attacks on a running gateway over the wire; each checks what the client got, what the target heard, and what stands in the log.
 * Rows of the attack list that need policy on effects, masking or approvals come with those.
 */
let postgres: TestPostgres
let gateway: TestGateway

beforeAll(async () => {
  postgres = await startPostgres({ log: true })
  gateway = await startTestGateway({
    targets: { main: postgres },
    claims: { repository: 'acme/shop' },
  })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await postgres?.stop()
})

type Of<Type extends RecordedEvent['type']> = Extract<RecordedEvent, { type: Type }>

let sessions = 0

const openSession = async (
  more: Readonly<Record<string, string>> = {},
  at: TestGateway = gateway,
): Promise<{ client: WireClient; name: string }> => {
  const name = `attack-${++sessions}`
  const client = await openSecure(at.port)
  const parameters = { user: 'admin', database: 'main', application_name: name, ...more }
  await login(client, parameters, await at.token())
  return { client, name }
}

const recordsOf = (name: string, at: TestGateway = gateway): Promise<RecordedEvent[]> =>
  at.until((records) => {
    const started = records.find(
      (record) =>
        record.type === 'session.started' && record.context.peer?.client_software === name,
    )
    const own = records.filter(({ session }) => session !== '' && session === started?.session)
    return own.some(({ type }) => type === 'session.ended') ? own : undefined
  })

const ofType = <Type extends RecordedEvent['type']>(
  records: readonly RecordedEvent[],
  type: Type,
): Of<Type>[] => records.filter((record): record is Of<Type> => record.type === type)

const goodbye = async (client: WireClient, name: string): Promise<RecordedEvent[]> => {
  client.send(wire.terminate())
  await client.closed()
  return recordsOf(name)
}

const heard = async (name: string): Promise<string[]> =>
  (await readStatementLog(postgres.logFile))
    .filter(({ application }) => application === name)
    .map(({ text }) => text)

const effectsOf = (records: readonly RecordedEvent[]): string[] =>
  ofType(records, 'command.received').flatMap(({ statements }) =>
    statements.flatMap(({ effects }) => effects.map(({ action, object }) => `${action} ${object}`)),
  )

describe('identity and secrets', () => {
  it('a session id or an origin that the client chooses is not taken', async () => {
    for (const parameters of [
      { 'cairn.session': 'a'.repeat(64) },
      { 'cairn.actor': 'root' },
      { options: '-c cairn.origin=10.0.0.1' },
    ])
      await expect(openSession(parameters)).rejects.toThrow(/"cairn\.\w+" is unknown/)
    const { client, name } = await openSession({
      'trail.session': 'a'.repeat(64),
      'trail.actor': 'root',
      options: '-c trail.origin=10.0.0.1',
    })
    const [started] = ofType(await goodbye(client, name), 'session.started')
    expect(started?.session).not.toBe('a'.repeat(64))
    expect(started?.context.actor?.subject).toBe('repo:acme/shop:environment:production')
    expect(started?.context.peer?.address).toBe('127.0.0.1')
  })

  it('neither the token nor the target’s password is on disk anywhere', async () => {
    const token = await gateway.token()
    const client = await openSecure(gateway.port)
    await login(client, { user: 'admin', database: 'main' }, token)
    client.send(wire.query('select 1'), wire.terminate())
    await client.closed()
    await using failing = await openSecure(gateway.port)
    const wrong = `${token.slice(0, -6)}AAAAAA`
    failing.send(wire.startup({ user: 'admin', database: 'main' }), wire.password(wrong))
    await failing.closed()
    await gateway.until(
      (records) =>
        records.some((r) => r.type === 'session.refused' && r.reason === 'bad_signature') ||
        undefined,
    )
    const [, claims] = token.split('.')
    for (const [path, bytes] of await filesBelow(gateway.data_dir))
      for (const secret of [token, wrong, claims!, postgres.password])
        expect(bytes.includes(secret), path).toBe(false)
  })

  it('a token in the wrong field is not on disk either', async () => {
    const token = await gateway.token()
    const fields: Record<string, string>[] = [
      { database: token },
      { user: token.slice(0, 60) },
      { database: `main/${token.slice(0, 200)}`, application_name: token },
      { application_name: token },
    ]
    for (const field of fields) {
      const client = await openSecure(gateway.port)
      const parameters = { user: 'admin', database: 'main', ...field }
      await login(client, parameters, token).catch(() => undefined)
      client.send(wire.terminate())
      await client.closed()
    }
    const shown = await gateway.until((records) => {
      const found = ofType(records, 'session.started').filter(
        ({ context }) => context.peer?.client_software === '[redacted]',
      )
      return found.length > 0 ? found : undefined
    })
    expect(shown[0]?.parameters).toMatchObject({ application_name: '[redacted]' })
    for (const record of await gateway.records())
      expect(JSON.stringify(record)).not.toContain(token.slice(0, 30))
  })

  it('names with line ends and control characters stay inside of their fields', async () => {
    const evil = 'x\r\n{"event":"forged"}\u001b[2J'
    await using client = await openSecure(gateway.port)
    client.send(wire.startup({ user: evil, database: evil, application_name: evil }))
    client.send(wire.password(await gateway.token()))
    const error = (await client.closed()).find(({ type }) => type === 'E')!
    expect(fieldsOf(error)).toMatchObject({ C: '28000' })
    const refused = await gateway.until((records) =>
      ofType(records, 'session.refused').find(({ requested_role }) => requested_role === evil),
    )
    expect(refused.requested_target).toBe(evil)
  })
})

describe('hiding what runs', () => {
  it('a 9 MB query with a DROP behind its padding is recorded with the DROP', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('create table victim (a int)'))
    await client.ready()
    client.send(wire.query(`select 1; ${' '.repeat(9 * 1024 * 1024)} drop table victim`))
    await client.ready()
    const records = await goodbye(client, name)
    expect(effectsOf(records)).toContain('ddl.drop public.victim')
    expect(ofType(records, 'command.received').at(-1)?.text_bytes).toBeGreaterThan(9_000_000)
  })

  it('leading comments do not push the statement out of what is recorded of it', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('create table victim2 (a int)'))
    await client.ready()
    client.send(wire.query(`/* ${'harmless '.repeat(300_000)} */ drop table victim2`))
    await client.ready()
    const records = await goodbye(client, name)
    expect(ofType(records, 'command.received').at(-1)).toMatchObject({ verb: 'ddl.drop' })
  })

  it('every statement of a text counts, not the first alone', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('select 1; create table w (a int); drop table w'))
    await client.ready()
    const records = await goodbye(client, name)
    expect(ofType(records, 'command.received')[0]?.statements.map(({ verb }) => verb)).toEqual([
      'select',
      'ddl.create',
      'ddl.drop',
    ])
  })

  it('Sync and Query in one packet are both commands, recorded before either runs', async () => {
    const { client, name } = await openSession()
    client.send(
      Buffer.concat([
        wire.parse('select 1'),
        wire.bind(),
        wire.execute(),
        wire.sync(),
        wire.query('select 2'),
      ]),
    )
    await client.ready(2)
    const records = await goodbye(client, name)
    const kinds = records.map(({ type }) => type)
    expect(ofType(records, 'command.received').map(({ text }) => text)).toEqual([
      'select 1',
      'select 2',
    ])
    expect(kinds.lastIndexOf('decision.made')).toBeLessThan(kinds.indexOf('response.chunk'))
  })

  it('fifty executions of one prepared statement are fifty commands', async () => {
    const { client, name } = await openSession()
    client.send(wire.parse('select $1::int', 's'))
    for (let i = 0; i < 50; i++) client.send(wire.bind([String(i)], 's'), wire.execute())
    client.send(wire.sync())
    await client.ready()
    const executed = ofType(await goodbye(client, name), 'command.received').filter(
      ({ kind }) => kind === 'execute',
    )
    expect(executed.map(({ parameters }) => parameters[0]?.value)).toEqual(
      Array.from({ length: 50 }, (_, i) => String(i)),
    )
    expect(await heard(name)).toHaveLength(50)
  })

  it('two names that the server cuts to one are one in the record too', async () => {
    const { client, name } = await openSession()
    const long = 'n'.repeat(63)
    client.send(wire.parse("select 'shown'", `${long}A`), wire.sync())
    await client.ready()
    client.send(wire.close('S', `${long}B`), wire.parse("select 'hidden'", `${long}B`))
    client.send(wire.bind([], `${long}A`), wire.execute(), wire.sync())
    await client.ready()
    const executed = ofType(await goodbye(client, name), 'command.received').filter(
      ({ kind }) => kind === 'execute',
    )
    expect(executed.map(({ text }) => text)).toEqual(await heard(name))
  })

  it.each([
    ['fails', 'select 1/(select 0)', "select 'first'"],
    ['does not fail', 'select 1/(select 1)', "select 'second'"],
  ])(
    'a name that a segment changes unless it fails is recorded as what really runs: it %s',
    async (_, hinge, runs) => {
      const { client, name } = await openSession()
      client.send(
        Buffer.concat([
          wire.parse("select 'first'", 's'),
          wire.sync(),
          wire.parse(hinge, 'hinge'),
          wire.bind([], 'hinge'),
          wire.execute(),
          wire.close('S', 's'),
          wire.parse("select 'second'", 's'),
          wire.sync(),
          wire.bind([], 's'),
          wire.execute(),
          wire.sync(),
        ]),
      )
      await client.ready(3)
      const executed = ofType(await goodbye(client, name), 'command.received').filter(
        ({ kind }) => kind === 'execute',
      )
      expect(executed.map(({ text }) => text)).toEqual(await heard(name))
      expect(executed.at(-1)?.text).toBe(runs)
    },
  )

  it('an encoding in which a quote can hide inside of a character is not spoken', async () => {
    await expect(openSession({ client_encoding: 'SJIS' })).rejects.toThrow('not supported')
    const { client, name } = await openSession()
    client.send(
      Buffer.concat([
        wire.query("set client_encoding to 'SJIS'"),
        wire.message(
          'Q',
          Buffer.from([
            ...Buffer.from("select E'"),
            0x83,
            0x5c,
            ...Buffer.from("'; drop table x --'\0"),
          ]),
        ),
      ]),
    )
    await client.closed()
    expect(ofType(await recordsOf(name), 'session.ended')[0]).toMatchObject({
      reason: 'gateway_error',
    })
    expect((await heard(name)).join()).not.toContain('drop table x')
  })

  it('with backslashes switched to escapes, a text whose meaning hangs on them is refused', async () => {
    const { client, name } = await openSession()
    client.send(
      Buffer.concat([
        wire.query('set standard_conforming_strings = off'),
        wire.query("select '\\'; drop table x; --'"),
        wire.query('select 1'),
      ]),
    )
    const answers = await client.ready(3)
    expect(fieldsOf(answers.find(({ type }) => type === 'E')!)).toMatchObject({ C: '0A000' })
    const records = await goodbye(client, name)
    expect(ofType(records, 'command.refused')[0]).toMatchObject({ reason: 'ambiguous_text' })
    expect((await heard(name)).join()).not.toContain('drop table x')
  })

  it('a text with a zero byte in it is no message', async () => {
    const { client, name } = await openSession()
    client.send(wire.message('Q', Buffer.from('select 1\0drop table x\0')))
    const answers = await client.closed()
    expect(fieldsOf(answers[0]!)).toMatchObject({ S: 'FATAL', C: '08P01' })
    expect(ofType(await recordsOf(name), 'session.ended')[0]?.reason).toBe('protocol_error')
    expect(await heard(name)).toEqual([])
    const records = await recordsOf(name)
    expect(ofType(records, 'command.received')).toMatchObject([
      { kind: 'query', verb: 'unknown', parse_error: 'malformed Query of 27 bytes' },
    ])
    expect(ofType(records, 'command.received')[0]?.text).toContain('drop table x')
    expect(ofType(records, 'command.refused')).toMatchObject([{ reason: 'malformed' }])
  })

  it('a malformed Bind is recorded before it ends the session', async () => {
    const { client, name } = await openSession()
    client.send(wire.message('B', Buffer.from('no end')))
    await client.closed()
    const records = await recordsOf(name)
    expect(ofType(records, 'command.received')).toMatchObject([
      { kind: 'bind', native: ['Bind'], parse_error: 'malformed Bind of 11 bytes' },
    ])
  })
})

describe('settings that are not the client’s', () => {
  it.each(['--role=pg_monitor', '--log_statement=none'])(
    '%s behind a space that only JavaScript splits at is refused',
    async (setting) => {
      const parameters = { options: `-c application_name=z\u00a0-c ${setting}` }
      await expect(openSession(parameters)).rejects.toThrow(/options/)
    },
  )

  it('options mean at the target what was understood of them', async () => {
    const { client, name } = await openSession({
      options: '-c\tshop.a=x\\ y\\\\z --work-mem=3MB\v-c shop.b=',
    })
    client.send(wire.query("select current_setting('shop.a'), current_setting('work_mem')"))
    const row = (await client.ready()).find(({ type }) => type === 'D')
    expect(row?.body.toString()).toMatch(/x y\\z.*3MB/s)
    await goodbye(client, name)
  })
})

describe('ways around the parser', () => {
  it('a function called by its OID is recorded and refused; the transaction is aborted', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('begin'), wire.functionCall(1598, []), wire.query('select 1'))
    const answers = await client.ready(3)
    const errors = answers.filter(({ type }) => type === 'E').map((error) => fieldsOf(error)['C'])
    expect(errors).toEqual(['42501', '25P02'])
    const records = await goodbye(client, name)
    expect(ofType(records, 'command.received')[1]).toMatchObject({ kind: 'function_call' })
    expect(ofType(records, 'command.refused')[0]).toMatchObject({ reason: 'function_call_refused' })
    expect((await readStatementLog(postgres.logFile)).some(({ kind }) => kind === 'fastpath')).toBe(
      false,
    )
  })

  it('what cannot be parsed does not reach the target', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('selec 1'), wire.query('select 1'))
    await client.ready(2)
    const records = await goodbye(client, name)
    expect(ofType(records, 'decision.made')[0]).toMatchObject({ outcome: 'deny' })
    expect(await heard(name)).toEqual(['select 1'])
  })

  it.each([
    ['a 5-byte Query', Buffer.from([0x51, 0, 0, 0, 4])],
    ['an empty Parse', Buffer.from([0x50, 0, 0, 0, 4])],
    ['a length of zero', Buffer.from([0x51, 0, 0, 0, 0])],
    ['a negative length', Buffer.from([0x51, 255, 255, 255, 255])],
    ['two gigabytes', Buffer.from([0x51, 127, 255, 255, 255])],
    ['an unknown type', Buffer.from([0x7a, 0, 0, 0, 4])],
    ['a password in the middle', wire.password('x')],
  ])(
    '%s ends the session, and what came before it in the packet does not run',
    async (_, bytes) => {
      const { client, name } = await openSession()
      client.send(Buffer.concat([wire.query('create table hostile (a int)'), bytes]))
      const answers = await client.closed()
      expect(fieldsOf(answers[0]!)['S']).toBe('FATAL')
      const records = await recordsOf(name)
      expect(ofType(records, 'session.ended')[0]).toMatchObject({ reason: 'protocol_error' })
      expect(ofType(records, 'command.completed')).toMatchObject([{ status: 'aborted' }])
      expect(await heard(name)).toEqual([])
    },
  )

  it('half of a CopyData does not make the target take the next message for its rest', async () => {
    const { client, name } = await openSession()
    const smuggled = wire.query('create table smuggled (a int)')
    const outer = Buffer.concat([
      wire.parse('select $1::bytea'),
      wire.bind([Buffer.concat([smuggled, Buffer.alloc(64)])]),
      wire.execute(),
      wire.sync(),
    ])
    const announced = wire.copyData(Buffer.alloc(outer.indexOf(smuggled)))
    client.send(Buffer.concat([wire.query('select 1'), announced.subarray(0, 5)]))
    await client.ready()
    client.send(announced.subarray(5))
    client.send(outer)
    const answers = await client.ready()
    expect(answers.map(({ type }) => type).join('')).toBe('12DCZ')
    await goodbye(client, name)
    expect(await heard(name)).toEqual(['select 1', 'select $1::bytea'])
  })

  it('a Sync inside of COPY data that then fails gives no answer to another command', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('create table copied (a int)'))
    await client.ready()
    client.send(
      Buffer.concat([
        wire.query('copy copied from stdin'),
        wire.copyData('no number\n'),
        wire.sync(),
        wire.copyDone(),
        wire.query("select 'first'"),
        wire.query("select 'second'"),
      ]),
    )
    await client.ready(3)
    const records = await goodbye(client, name)
    const answered = (id: number): string =>
      Buffer.concat(
        ofType(records, 'response.chunk')
          .filter(({ command }) => command === id)
          .map(({ bytes }) => bytes),
      ).toString('latin1')
    for (const word of ['first', 'second']) {
      const id = records.findIndex(
        (record) => record.type === 'command.received' && record.text === `select '${word}'`,
      )
      expect(answered(id)).toContain(word)
    }
  })

  it('a COPY that fails before it reads has its Sync answered all the same', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('create view copied_view as select 1 as a'))
    await client.ready()
    for (let i = 0; i < 20; i++) {
      client.send(
        wire.parse('copy copied_view from stdin'),
        wire.bind(),
        wire.execute(),
        wire.sync(),
      )
      const answers = await client.ready()
      expect(answers.map(({ type }) => type).join('')).toBe('12GEZ')
    }
    await goodbye(client, name)
  })

  it('a cancel key of somebody else, or a guessed one, cancels nothing', async () => {
    const victim = await openSession()
    const attacker = await openSession()
    victim.client.send(wire.query("select pg_sleep(1), 'unharmed'"))
    await eventually('running', async () => (await heard(victim.name)).length > 0)
    await using one = await openRaw(gateway.port)
    one.send(wire.cancel(victim.client.key().pid, attacker.client.key().secret))
    await one.closed()
    expect((await victim.client.ready()).map(({ type }) => type).join('')).toBe('TDCZ')
    await goodbye(attacker.client, attacker.name)
    await goodbye(victim.client, victim.name)
  })
})

describe('going away', () => {
  it.each([
    ['Terminate in the same packet', (c: WireClient) => c.send(wire.terminate())],
    ['the end of the stream', (c: WireClient) => c.socket.end()],
    ['a dropped socket', (c: WireClient) => setTimeout(() => c.socket.destroy(), 100)],
  ])('after %s a command runs on, and its true end is recorded', async (how, leave) => {
    const table = `left_${how.replaceAll(' ', '_').toLowerCase()}`
    const { client, name } = await openSession()
    client.send(wire.query(`select pg_sleep(0.3); create table ${table} (a int)`))
    leave(client)
    const records = await recordsOf(name)
    expect(ofType(records, 'command.completed')).toMatchObject([
      { status: 'ok', tag: 'SELECT 1; CREATE TABLE' },
    ])
    expect(ofType(records, 'session.ended')[0]?.reason).toBe('client_closed')
    const other = await openSession()
    other.client.send(wire.query(`select count(*) from ${table}`))
    expect((await other.client.ready()).some(({ type }) => type === 'E')).toBe(false)
    await goodbye(other.client, other.name)
  })
})

/** A trigger that gives the name `s` another meaning. */
const swapping = async (at: TestGateway, schema: string, replacement: string): Promise<void> => {
  const { client } = await openSession({}, at)
  client.send(
    wire.query(`
      create schema ${schema};
      create table ${schema}.victims as select 1 as a;
      create table ${schema}.bait (a int);
      create function ${schema}.swap() returns trigger language plpgsql as $$ begin
        if exists (select from pg_prepared_statements where name = 's') then execute 'deallocate s'; end if;
        execute 'prepare s as ${replacement}'; return new; end $$;
      create trigger swap before insert on ${schema}.bait for each row execute function ${schema}.swap()`),
  )
  expect((await client.ready()).filter(({ type }) => type === 'E')).toEqual([])
  client.send(wire.terminate())
  await client.closed()
}

describe('a prepared statement that code in the database replaces', () => {
  it.each([
    ['Bind', 'select 1', 'delete from swap_bind.victims', 'DELETE 1'],
    ['EXECUTE', 'select 1', 'delete from swap_execute.victims', 'DELETE 1'],
    ['a write', 'delete from swap_write.victims', 'select 1 as a', 'SELECT 1'],
  ])(
    'is seen by its tag (%s): recorded as it was, the session ends',
    async (how, told, put, tag) => {
      const schema = put.match(/swap_\w+/)?.[0] ?? 'swap_write'
      await swapping(gateway, schema, put)
      const { client, name } = await openSession()
      client.send(wire.parse(told, 's'), wire.sync())
      await client.ready()
      client.send(wire.query(`insert into ${schema}.bait values (1)`))
      await client.ready()
      if (how === 'EXECUTE') client.send(wire.query('execute s'))
      else client.send(wire.bind([], 's'), wire.execute(), wire.sync())
      const fatal = (await client.closed()).find(({ type }) => type === 'E')
      expect(fieldsOf(fatal!)).toMatchObject({ S: 'FATAL', C: '08P01' })
      const records = await recordsOf(name)
      expect(ofType(records, 'command.completed').at(-1)).toMatchObject({ tag, status: 'ok' })
      const [ended] = ofType(records, 'session.ended')
      expect(ended).toMatchObject({ reason: 'protocol_error' })
      expect(ended?.detail).toContain('replaced behind the gateway')
    },
  )
})

describe('reads: overlap', () => {
  it('lets nothing run ahead of its record that a trigger put in the place of a read', async () => {
    await using own = await startTestGateway({
      targets: { main: postgres },
      config: {
        gateway: { reads: 'overlap', durability: 'broker', journal: { durable_timeout_ms: 1000 } },
      },
    })
    await swapping(own, 'ahead', 'delete from ahead.victims')
    const { client, name } = await openSession({}, own)
    client.send(wire.parse('select 1', 's'), wire.sync())
    await client.ready()
    client.send(wire.query('insert into ahead.bait values (1)'))
    await client.ready()
    const log = new DatabaseSync(join(own.data_dir, 'log', 'cairn.sqlite'))
    log.exec('begin immediate')
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    const answers = await client.closed()
    log.exec('rollback')
    log.close()
    expect(answers.map(({ type }) => type)).toEqual(['E'])
    expect(fieldsOf(answers[0]!)['M']).toContain('was not run')
    expect((await heard(name)).filter((text) => text.includes('victims'))).toEqual([])
    const [, , use] = ofType(await recordsOf(name, own), 'command.received')
    expect(use).toMatchObject({ kind: 'execute', pure_read: false })
  })

  it('runs no function of somebody’s own ahead of its record by the search path of the role', async () => {
    await using own = await startTestGateway({
      targets: { main: postgres },
      config: {
        gateway: { reads: 'overlap', durability: 'broker', journal: { durable_timeout_ms: 1000 } },
      },
    })
    const setup = await openSession({}, own)
    const run = async (text: string): Promise<void> => {
      setup.client.send(wire.query(text))
      expect((await setup.client.ready()).filter(({ type }) => type === 'E')).toEqual([])
    }
    await run(`create schema evil;
      create function evil.lower(text) returns text language sql as $$ select 'evil' $$`)
    await run('alter role current_user set search_path = evil, pg_catalog, public')
    const { client, name } = await openSession({}, own)
    await run('alter role current_user reset search_path')
    const log = new DatabaseSync(join(own.data_dir, 'log', 'cairn.sqlite'))
    log.exec('begin immediate')
    client.send(wire.query("select lower('SIDE EFFECT')"))
    const answers = await client.closed()
    log.exec('rollback')
    log.close()
    expect(fieldsOf(answers.at(-1)!)['M']).toContain('was not run')
    expect(await heard(name)).toEqual([])
    setup.client.send(wire.terminate())
    await setup.client.closed()
  })
})

describe('wearing the record down', () => {
  it('recording does not stop after many commands and many bytes', async () => {
    const { client, name } = await openSession()
    client.send(wire.query("select repeat('x', 1000) from generate_series(1, 20000)"))
    await client.ready()
    for (let i = 0; i < 20; i++) {
      client.send(...Array.from({ length: 100 }, () => wire.query('select 1')))
      await client.ready(100)
    }
    client.send(wire.query('create temp table last (a int)'))
    await client.ready()
    const records = await goodbye(client, name)
    expect(ofType(records, 'command.received')).toHaveLength(2002)
    expect(effectsOf(records)).toContain('ddl.create last')
    expect(ofType(records, 'session.ended')[0]).toMatchObject({
      commands: 2002,
      records: records.length,
    })
  })

  it('when the journal is full and the log is down, commands are refused, not run', async () => {
    await using own = await startTestGateway({
      targets: { main: postgres },
      config: { gateway: { journal: { bytes_max: '1MiB', durable_timeout_ms: 1000 } } },
    })
    const open = async (): Promise<WireClient> => {
      const client = await openSecure(own.port)
      const parameters = { user: 'admin', database: 'main', application_name: 'full' }
      await login(client, parameters, await own.token())
      return client
    }
    const client = await open()
    using log = new DatabaseSync(join(own.data_dir, 'log', 'cairn.sqlite'))
    log.exec('begin immediate')
    let ran = 0
    const refusal = await (async () => {
      for (; ran < 200; ran++) {
        client.send(wire.query(`select ${ran}, repeat('x', 20000)`))
        const answers = await client.take(({ type }) => type === 'Z' || type === 'E')
        const last = answers.at(-1)!
        if (last.type === 'E') return fieldsOf(last)
      }
      return undefined
    })()
    expect(refusal).toMatchObject({ S: 'FATAL', C: '58030' })
    await client.closed()
    const texts = (await readStatementLog(postgres.logFile)).filter(
      ({ application }) => application === 'full',
    )
    expect(texts).toHaveLength(ran)
    await expect(open()).rejects.toThrow()
    log.exec('rollback')
  })
})
