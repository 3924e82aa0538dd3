import { createHash } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type RecordedEvent, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { readStatementLog } from '../../support/statement-log.ts'
import { fieldsOf, login, openSecure, wire, type WireClient } from '../../support/wire-client.ts'

let postgres: TestPostgres
let gateway: TestGateway

beforeAll(async () => {
  postgres = await startPostgres({ log: true })
  gateway = await startTestGateway({
    targets: { main: postgres },
    config: { gateway: { text_bytes_max: '4KiB', message_bytes_max: '1MiB' } },
  })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await postgres?.stop()
})

type Of<Type extends RecordedEvent['type']> = Extract<RecordedEvent, { type: Type }>

let sessions = 0

/** A session with a name of its own, by which its records are found. */
const openSession = async (): Promise<{ client: WireClient; name: string }> => {
  const name = `session-${++sessions}`
  const client = await openSecure(gateway.port)
  await login(
    client,
    { user: 'admin', database: 'main', application_name: name },
    await gateway.token(),
  )
  return { client, name }
}

/** Every record of the session, once it has ended. */
const recordsOf = (name: string): Promise<RecordedEvent[]> =>
  gateway.until((records) => {
    const started = records.find(
      (record) =>
        record.type === 'session.started' && record.parameters['application_name'] === name,
    )
    const own = records.filter(({ session }) => session !== '' && session === started?.session)
    return own.some(({ type }) => type === 'session.ended') ? own : undefined
  })

const ofType = <Type extends RecordedEvent['type']>(
  records: readonly RecordedEvent[],
  type: Type,
): Of<Type>[] => records.filter((record): record is Of<Type> => record.type === type)

/** Plays messages, says goodbye, and returns the session's records. */
const played = async (
  play: (client: WireClient) => Promise<unknown>,
): Promise<{ records: RecordedEvent[]; name: string }> => {
  const { client, name } = await openSession()
  await play(client)
  client.send(wire.terminate())
  await client.closed()
  return { records: await recordsOf(name), name }
}

const logged = async (name: string): Promise<string[]> =>
  (await readStatementLog(postgres.logFile))
    .filter(({ application }) => application === name)
    .map(({ text }) => text)

describe('every execution is a command', () => {
  it('fifty executions of one prepared statement are fifty commands with their parameters', async () => {
    const { records, name } = await played(async (client) => {
      client.send(wire.parse('select $1::int + $2::int', 's', [23, 23]), wire.sync())
      await client.ready()
      for (let i = 0; i < 50; i++)
        client.send(
          wire.bind([String(i), Buffer.from([0, 0, 0, i])], 's'),
          wire.execute(),
          wire.sync(),
        )
      await client.ready(50)
    })
    const commands = ofType(records, 'command.received')
    expect(commands.map(({ kind }) => kind)).toEqual(['prepare', ...Array(50).fill('execute')])
    for (const [i, command] of commands.slice(1).entries())
      expect(command).toMatchObject({
        text: 'select $1::int + $2::int',
        native: ['Bind', 'Execute'],
        statement_name: 's',
        parameters: [
          { value: String(i), format: 'text', type_oid: 23 },
          { value: String(i), format: 'binary', type_oid: 23, value_bytes: 4 },
        ],
      })
    expect(ofType(records, 'decision.made')).toHaveLength(51)
    expect(ofType(records, 'command.completed')).toHaveLength(51)
    expect(await logged(name)).toHaveLength(50)
  })

  it('what runs equals what the target logs, however it comes', async () => {
    const { records, name } = await played(async (client) => {
      client.send(
        wire.query('create temp table x (a int); insert into x values (1)'),
        wire.parse('select * from x where a = $1'),
        wire.bind(['1']),
        wire.describe('P'),
        wire.execute(),
        wire.sync(),
        wire.query('prepare p as select 2'),
        wire.query('execute p'),
        wire.bind([], 'p'),
        wire.execute(),
        wire.sync(),
        wire.query('selec nonsense'),
        wire.query('select 1/0'),
        wire.query('begin'),
        wire.query('commit'),
      )
      await client.ready(9)
    })
    const refused = new Set(ofType(records, 'command.refused').map(({ command }) => command))
    const ids = ofType(records, 'decision.made').map(({ command }) => command)
    const ran = ofType(records, 'command.received').filter(
      ({ kind }, i) => ['query', 'execute'].includes(kind) && !refused.has(ids[i]!),
    )
    // SQL's PREPARE is logged by its own text when the protocol executes it.
    const texts = ran.map(({ text }) => text)
    const log = (await logged(name)).map((text) => text.replace(/^prepare p as /, ''))
    expect(texts.map((text) => text.replace(/^prepare p as /, ''))).toEqual(log)
  })

  it('an EXECUTE carries the effects of what it runs', async () => {
    const { records } = await played(async (client) => {
      client.send(
        wire.query('create temp table y (a int)'),
        wire.query('prepare wipe as delete from y'),
        wire.query('execute wipe'),
      )
      await client.ready(3)
    })
    const command = ofType(records, 'command.received').find(({ text }) => text === 'execute wipe')
    expect(command).toMatchObject({ statement_name: 'wipe', pure_read: false })
    expect(command?.statements.flatMap(({ effects }) => effects)).toContainEqual({
      action: 'delete',
      object: 'pg_temp.y',
      columns: [],
      via: '',
    })
  })

  it('a FETCH carries the effects of the portal that Bind made', async () => {
    const { records } = await played(async (client) => {
      client.send(
        wire.query('create temp table z (a int)'),
        wire.query('begin'),
        wire.parse('delete from z returning a', 's'),
        wire.bind([], 's', 'a.p'),
        wire.sync(),
        wire.query('fetch all from "a.p"'),
      )
      await client.ready(4)
    })
    const command = ofType(records, 'command.received').find(({ text }) => text.startsWith('fetch'))
    expect(command).toMatchObject({ pure_read: false })
    expect(
      command?.statements.flatMap(({ effects }) => effects.map(({ action }) => action)),
    ).toContain('delete')
  })

  it('Parse, Bind, Describe and Close without an Execute are commands of their own', async () => {
    const { records } = await played(async (client) => {
      client.send(wire.parse('select 1', 'a'), wire.describe('S', 'a'), wire.sync())
      await client.ready()
      client.send(wire.bind([], 'a', 'p'), wire.flush())
      await client.take(({ type }) => type === '2')
      client.send(wire.describe('P', 'p'), wire.close('S', 'a'), wire.sync())
      await client.ready()
    })
    expect(
      ofType(records, 'command.received').map(({ kind, native, verb }) =>
        [kind, native.join(' '), verb].join(': '),
      ),
    ).toEqual([
      'prepare: Parse Describe: select',
      'bind: Bind: select',
      'describe: Describe: select',
      'prepare: Close: deallocate',
    ])
  })

  it('a fetch with a row limit is suspended, and each further one is a command', async () => {
    const { records } = await played(async (client) => {
      client.send(
        wire.query('begin'),
        wire.parse('select generate_series(1, 5)'),
        wire.bind([], '', 'p'),
        wire.execute('p', 2),
        wire.execute('p', 2),
        wire.execute('p', 2),
        wire.sync(),
        wire.query('commit'),
      )
      await client.ready(3)
    })
    const executed = ofType(records, 'command.received').filter(({ kind }) => kind === 'execute')
    expect(executed.map(({ row_limit, native }) => [row_limit, native.length])).toEqual([
      [2, 3],
      [2, 1],
      [2, 1],
    ])
    expect(
      ofType(records, 'command.completed')
        .slice(1, 4)
        .map(({ status }) => status),
    ).toEqual(['suspended', 'suspended', 'ok'])
  })

  it('what the server skips after an error is recorded as aborted', async () => {
    const { records, name } = await played(async (client) => {
      client.send(
        wire.parse('select 1/(select $1::int)', 's'),
        wire.bind(['0'], 's'),
        wire.execute(),
        wire.bind(['1'], 's'),
        wire.execute(),
        wire.sync(),
      )
      await client.ready()
    })
    expect(
      ofType(records, 'command.completed').map(({ status, error_code }) => [status, error_code]),
    ).toEqual([
      ['error', '22012'],
      ['aborted', ''],
    ])
    expect(await logged(name)).toHaveLength(1)
  })
})

describe('answers', () => {
  it('are recorded byte for byte, with offsets, and counted', async () => {
    let received = Buffer.alloc(0)
    const { records } = await played(async (client) => {
      client.send(wire.query("select repeat('x', 1000), i from generate_series(1, 500) i"))
      const answers = await client.ready()
      received = Buffer.concat(answers.map(({ type, body }) => wire.message(type, body)))
    })
    const chunks = ofType(records, 'response.chunk')
    expect(Buffer.concat(chunks.map(({ bytes }) => bytes)).equals(received)).toBe(true)
    let offset = 0
    for (const chunk of chunks) {
      expect(chunk.offset).toBe(offset)
      expect(chunk.bytes.length).toBeLessThanOrEqual(64 * 1024)
      offset += chunk.bytes.length
    }
    expect(ofType(records, 'command.completed')[0]).toMatchObject({
      status: 'ok',
      tag: 'SELECT 500',
      rows: 500,
      response_bytes: offset,
    })
  })

  it('notifications are recorded outside of any command', async () => {
    const listener = await openSession()
    listener.client.send(wire.query('listen news'))
    await listener.client.ready()
    await played(async (client) => {
      client.send(wire.query("notify news, 'it happened'"))
      await client.ready()
    })
    await listener.client.take(({ type }) => type === 'A')
    listener.client.send(wire.terminate())
    await listener.client.closed()
    const chunk = ofType(await recordsOf(listener.name), 'response.chunk').find(
      ({ command }) => command === -1,
    )
    expect(chunk).toMatchObject({ stream: 'asynchronous' })
    expect(chunk?.bytes.toString()).toContain('it happened')
  })

  it('COPY data is recorded as input, as it was sent', async () => {
    const data = [wire.copyData('1\tone\n'), wire.copyData('2\ttwo\n'), wire.copyDone()]
    const { records } = await played(async (client) => {
      client.send(wire.query('create temp table c (a int, b text)'))
      await client.ready()
      client.send(wire.query('copy c from stdin'))
      await client.take(({ type }) => type === 'G')
      client.send(...data)
      await client.ready()
    })
    const input = ofType(records, 'input.chunk')
    expect(Buffer.concat(input.map(({ bytes }) => bytes)).equals(Buffer.concat(data))).toBe(true)
    expect(ofType(records, 'command.completed').at(-1)).toMatchObject({
      tag: 'COPY 2',
      rows: 2,
      input_bytes: Buffer.concat(data).length,
    })
  })

  it('a million rows to a client that does not read stay where they are', async () => {
    const { client } = await openSession()
    client.send(wire.query('select i, md5(i::text) from generate_series(1, 3000000) i'))
    await client.take(({ type }) => type === 'D')
    client.socket.pause()
    const before = process.memoryUsage().rss
    // The target's bytes stop coming: nothing moves any more, and nothing has piled up.
    let last = -1
    await eventually('the flow stands still', async () => {
      const read = client.socket.bytesRead
      const still = read === last
      last = read
      await new Promise((resolve) => setTimeout(resolve, 200))
      return still
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
    client.socket.destroy()
  })
})

describe('what is recorded of a text', () => {
  it('a long one is cut, its length and hash are those of the whole', async () => {
    const text = `select 1 /* ${'padding '.repeat(20_000)} */ ; create temp table hidden (a int)`
    const { records } = await played(async (client) => {
      client.send(wire.query(text))
      await client.ready()
    })
    const [command] = ofType(records, 'command.received')
    expect(Buffer.byteLength(command!.text)).toBeLessThanOrEqual(4096)
    expect(command).toMatchObject({ text_bytes: text.length })
    expect(command!.text_sha256.equals(createHash('sha256').update(text).digest())).toBe(true)
    expect(command!.statements.map(({ verb }) => verb)).toEqual(['select', 'ddl.create'])
  })

  it('passwords are replaced, in the text and in what the parser says of it', async () => {
    const { records } = await played(async (client) => {
      client.send(
        wire.query("create role someone login password 'hunter2-planted'"),
        wire.query("alter role someone password 'hunter2-planted' oops"),
        wire.query("/* password 'hunter2-planted' */ drop role someone"),
      )
      await client.ready(3)
    })
    const texts = ofType(records, 'command.received').map(({ text }) => text)
    expect(texts[0]).toMatch(/^create role someone login password /)
    expect(JSON.stringify(ofType(records, 'command.received'))).not.toContain('hunter2')
    expect(JSON.stringify(ofType(records, 'command.refused'))).not.toContain('hunter2')
  })
})

describe('limits', () => {
  it('a message that is too long ends the session before it is read', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('select 1'))
    await client.ready()
    const header = Buffer.from(wire.query('x').subarray(0, 5))
    header.writeInt32BE(2 * 1024 * 1024, 1)
    client.send(header)
    const answers = await client.closed()
    expect(fieldsOf(answers[0]!)).toMatchObject({ S: 'FATAL', C: '54000' })
    expect(ofType(await recordsOf(name), 'session.ended')[0]).toMatchObject({
      reason: 'protocol_error',
    })
  })

  it('COPY data in one message of any size goes through', async () => {
    const { records } = await played(async (client) => {
      client.send(wire.query('create temp table big (a text)'))
      await client.ready()
      client.send(wire.query('copy big from stdin'))
      await client.take(({ type }) => type === 'G')
      client.send(wire.copyData(`${'x'.repeat(1023)}\n`.repeat(20 * 1024)), wire.copyDone())
      await client.ready()
    })
    expect(ofType(records, 'command.completed').at(-1)).toMatchObject({ tag: 'COPY 20480' })
  })

  it('prepared statements have a limit, and the session lives on', async () => {
    const { client, name } = await openSession()
    for (let batch = 0; batch < 10; batch++) {
      client.send(
        ...Array.from({ length: 1000 }, (_, i) => wire.parse('select 1', `s${batch}-${i}`)),
        wire.sync(),
      )
      await client.ready()
    }
    client.send(wire.parse('select 1', 'one too many'), wire.sync())
    const answers = await client.ready()
    expect(fieldsOf(answers[0]!)).toMatchObject({ S: 'ERROR', C: '54000' })
    client.send(wire.query('select 1'))
    expect((await client.ready()).map(({ type }) => type).join('')).toBe('TDCZ')
    client.send(wire.terminate())
    await client.closed()
    await recordsOf(name)
  })
})

describe('cancelling', () => {
  const cancel = async (pid: number, secret: Buffer): Promise<void> => {
    const { openRaw } = await import('../../support/wire-client.ts')
    await using client = await openRaw(gateway.port)
    client.send(wire.cancel(pid, secret))
    expect(await client.closed()).toEqual([])
  }

  it('the key of a session cancels what it runs, and that is recorded', async () => {
    const { client, name } = await openSession()
    client.send(wire.query('select pg_sleep(60)'))
    await eventually('running', async () => (await logged(name)).length > 0)
    const { pid, secret } = client.key()
    await cancel(pid, secret)
    const error = (await client.ready()).find(({ type }) => type === 'E')!
    expect(fieldsOf(error)).toMatchObject({ C: '57014' })
    client.send(wire.terminate())
    await client.closed()
    const records = await recordsOf(name)
    const cancelled = ofType(records, 'command.completed').find(({ command }) => command === 2)
    expect(cancelled).toMatchObject({ status: 'cancelled', error_code: '57014' })
    expect(ofType(records, 'command.received').map(({ kind }) => kind)).toEqual(['query', 'cancel'])
    // The target's answer to the cancel request may come after the session's end.
    expect(ofType(records, 'command.completed')).toHaveLength(2)
  })

  it('a wrong key cancels nothing, and is recorded', async () => {
    const { client } = await openSession()
    client.send(wire.query("select pg_sleep(1), 'done'"))
    const { pid, secret } = client.key()
    await cancel(pid, Buffer.from(secret.map((byte) => byte ^ 1)))
    await cancel(pid, Buffer.alloc(32))
    await cancel(pid + 1, secret)
    expect((await client.ready()).map(({ type }) => type).join('')).toBe('TDCZ')
    await gateway.until((records) => {
      const refused = records.filter(
        (record) => record.type === 'session.refused' && record.reason === 'cancel_key_unknown',
      )
      return refused.length >= 3 ? true : undefined
    })
    client.socket.destroy()
  })

  it('the target’s own key is never shown', async () => {
    const { client } = await openSession()
    const direct = new Client(postgres.url)
    await direct.connect()
    client.send(wire.query('select pg_backend_pid()'))
    const row = (await client.ready()).find(({ type }) => type === 'D')!
    expect(Number(row.body.toString('latin1', 6))).not.toBe(client.key().pid)
    await direct.end()
    client.socket.destroy()
  })
})

describe('stopping', () => {
  it('a running command finishes, idle clients are told, and every session’s end is recorded', async () => {
    const own = await startTestGateway({ targets: { main: postgres } })
    const open = async (name: string): Promise<WireClient> => {
      const client = await openSecure(own.port)
      const parameters = { user: 'admin', database: 'main', application_name: name }
      await login(client, parameters, await own.token())
      return client
    }
    const idle = await open('drain-idle')
    const busy = await open('drain-busy')
    busy.send(wire.query("select pg_sleep(1), 'finished'"))
    await eventually('running', async () => (await logged('drain-busy')).length > 0)
    const stopped = own.stop()
    expect(fieldsOf((await idle.closed())[0]!)).toMatchObject({ S: 'FATAL', C: '57P01' })
    const answers = await busy.closed()
    expect(answers.map(({ type }) => type).join('')).toBe('TDCZE')
    await stopped
    const records = await own.until((all) => {
      const ends = all.filter(({ type }) => type === 'session.ended')
      return ends.length === 2 ? all : undefined
    })
    expect(ofType(records, 'session.ended').map(({ reason }) => reason)).toEqual([
      'drained',
      'drained',
    ])
    expect(ofType(records, 'command.completed')[0]).toMatchObject({ status: 'ok' })
    await own[Symbol.asyncDispose]()
  })

  it('a session without traffic ends after its time', async () => {
    await using own = await startTestGateway({
      targets: { main: postgres },
      config: { gateway: { idle_timeout_ms: 300 } },
    })
    await using client = await openSecure(own.port)
    await login(client, { user: 'admin', database: 'main' }, await own.token())
    client.send(wire.query('select pg_sleep(0.6)'))
    await client.ready()
    const answers = await client.closed()
    expect(fieldsOf(answers[0]!)).toMatchObject({ C: '57P05' })
  })
})
