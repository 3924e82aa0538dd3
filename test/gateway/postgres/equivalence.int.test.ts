import * as fc from 'fast-check'
import { Client, type QueryResult } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import {
  fieldsOf,
  login,
  openRaw,
  wire,
  type Answer,
  type WireClient,
} from '../../support/wire-client.ts'

/**
 * The same bytes straight to PostgreSQL and through the gateway, each in a database of its own: every answer must be the same,
 * and so must the data afterwards.
 */
let postgres: TestPostgres
let gateway: TestGateway
/** The same with `reads: overlap`. */
let overlapping: TestGateway

const schema = `create table t (a int primary key deferrable initially deferred, b text);
  insert into t select i, 'row ' || i from generate_series(1, 5) i`

const withDatabase = async (database: string, sql: string): Promise<QueryResult> => {
  const { host, port, user, password } = postgres
  const client = new Client({ host, port, user, password, database })
  await client.connect()
  try {
    return await client.query(sql)
  } finally {
    await client.end()
  }
}

beforeAll(async () => {
  postgres = await startPostgres()
  gateway = await startTestGateway({
    targets: { main: postgres },
    config: { listeners: { postgres: { port: 0, cleartext: 'loopback' } } },
  })
  overlapping = await startTestGateway({
    targets: { main: postgres },
    config: {
      gateway: { reads: 'overlap' },
      listeners: { postgres: { port: 0, cleartext: 'loopback' } },
    },
  })
  await withDatabase('postgres', 'create database direct')
  await withDatabase('postgres', 'create database through')
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await overlapping?.[Symbol.asyncDispose]()
  await postgres?.stop()
})

/** What must be equal of an answer: everything but places in the server's source and process ids. */
const comparable = (answer: Answer): string => {
  const { type, body } = answer
  if (type === 'E' || type === 'N') {
    const { S, C, M } = fieldsOf(answer)
    // The server also says which bytes they are.
    if (C === '22021') return `${type} ${S} ${C}`
    return `${type} ${S} ${C} ${M}`
  }
  if (type === 'A') return `A ${body.subarray(4).toString('latin1')}`
  // Table OIDs differ between databases.
  if (type === 'T') return `T ${body.readUInt16BE(0)}`
  return `${type} ${body.toString('latin1')}`
}

const finish = [wire.sync(), wire.query('rollback'), wire.query("select 'the end'")]

/** Sends the messages in the given pieces and returns everything up to the end of a last query, or of the connection. */
const play = async (client: WireClient, pieces: readonly Buffer[]): Promise<string[]> => {
  for (const piece of pieces) client.send(piece)
  client.send(...finish)
  let seenEnd = false
  try {
    const answers = await client.take(({ type, body }) => {
      if (type === 'D' && body.includes('the end')) seenEnd = true
      return seenEnd && type === 'Z'
    })
    return answers.map(comparable)
  } catch {
    return [...(await client.closed()).map(comparable), 'closed']
  }
}

const prepareDatabases = async (): Promise<void> => {
  for (const database of ['direct', 'through'])
    await withDatabase(database, `drop table if exists t; ${schema}`)
}

const contents = async (database: string): Promise<unknown[]> =>
  (await withDatabase(database, 'select * from t order by a, b')).rows

/** Plays the same on both ways. */
const both = async (
  by: TestGateway,
  pieces: readonly Buffer[],
): Promise<{ direct: string[]; through: string[] }> => {
  await prepareDatabases()
  await using direct = await openRaw(postgres.port)
  await login(direct, { user: postgres.user, database: 'direct' }, postgres.password)
  await using through = await openRaw(by.port)
  await login(through, { user: 'admin', database: 'main/through' }, await by.token())
  return { direct: await play(direct, pieces), through: await play(through, pieces) }
}

const expectSame = async (
  pieces: readonly Buffer[],
  by: TestGateway = gateway,
): Promise<string[]> => {
  const { direct, through } = await both(by, pieces)
  expect(through).toEqual(direct)
  expect(await contents('through')).toEqual(await contents('direct'))
  return through
}

const { query, parse, bind, execute, sync, flush, copyData, copyDone, copyFail } = wire
const { describe: describeMessage, close } = wire

const scripts: Readonly<Record<string, readonly Buffer[]>> = {
  'a simple query of several statements': [
    query("select 1; insert into t values (9, 'x'); select 2"),
  ],
  'several statements of which one fails': [
    query('insert into t values (9); select 1/0; select 2'),
  ],
  'an empty query': [query(''), query(' ; '), query('-- nothing')],
  'a syntax error in a transaction': [
    query('begin'),
    query('selec'),
    query('select 1'),
    query('commit'),
  ],
  'parse, bind, describe, execute, sync': [
    parse('select a, b from t where a = $1'),
    bind(['3']),
    describeMessage('P'),
    execute(),
    sync(),
  ],
  'each message of the extended protocol in a packet of its own, with flushes': [
    parse('select $1::int4 + 1', 's1'),
    flush(),
    describeMessage('S', 's1'),
    flush(),
    bind(['1'], 's1', 'p1'),
    flush(),
    execute('p1'),
    flush(),
    sync(),
  ],
  'a portal with a row limit, suspended and continued': [
    query('begin'),
    parse('select generate_series(1, 5)', 's'),
    bind([], 's', 'p'),
    execute('p', 2),
    execute('p', 2),
    execute('p', 2),
    sync(),
    query('commit'),
  ],
  'an error that skips until Sync': [
    parse('select 1/$1::int', 's'),
    bind(['0'], 's'),
    execute(),
    bind(['1'], 's'),
    execute(),
    query('insert into t values (77)'),
    sync(),
    bind(['1'], 's'),
    execute(),
    sync(),
  ],
  'a pipeline of segments, one of them failing, in one packet': [
    Buffer.concat(
      [1, 0, 2].flatMap((n) => [
        parse('insert into t select 100 / $1::int'),
        bind([String(n)]),
        execute(),
        sync(),
      ]),
    ),
  ],
  'a name whose meaning hangs on what a failed segment did': [
    Buffer.concat([
      parse("select 'old'", 's'),
      sync(),
      parse('select 1/0', 'bad'),
      bind([], 'bad'),
      execute(),
      close('S', 's'),
      parse("select 'new'", 's'),
      sync(),
      bind([], 's'),
      execute(),
      sync(),
    ]),
  ],
  'the unnamed statement after a simple query': [
    parse('select 1'),
    sync(),
    query('select 2'),
    bind(),
    execute(),
    sync(),
  ],
  'a statement that does not exist': [bind([], 'nowhere'), execute(), sync()],
  'a portal that does not exist': [execute('nowhere'), sync()],
  'a statement that exists already': [
    parse('select 1', 's'),
    parse('select 2', 's'),
    sync(),
    bind([], 's'),
    execute(),
    sync(),
  ],
  'names of more than 63 bytes, which the server cuts': [
    parse("select 'first'", `${'n'.repeat(63)}A`),
    sync(),
    close('S', `${'n'.repeat(63)}B`),
    parse("select 'second'", `${'n'.repeat(63)}B`),
    bind([], `${'n'.repeat(63)}A`),
    execute(),
    sync(),
  ],
  'PREPARE, EXECUTE and DEALLOCATE in SQL, and the same names in the protocol': [
    query('prepare s as select $1::int + 1'),
    query('execute s(4)'),
    bind(['5'], 's'),
    execute(),
    sync(),
    query('deallocate s'),
    bind(['6'], 's'),
    execute(),
    sync(),
    parse("select 'mine'", 's'),
    sync(),
    query('execute s'),
    query('deallocate all'),
    query('execute s'),
  ],
  'COPY in': [
    query('copy t from stdin'),
    copyData('10\tten\n11\tel'),
    copyData('even\n'),
    copyDone(),
  ],
  'COPY in that the client fails': [
    query('copy t from stdin'),
    copyData('10\tten\n'),
    copyFail('no'),
  ],
  'COPY in with bad data': [
    query('copy t from stdin'),
    copyData('x\tten\n'),
    copyData('12\ttwelve\n'),
    copyDone(),
  ],
  'COPY in by the extended protocol, Sync sent ahead': [
    Buffer.concat([parse('copy t from stdin'), bind(), execute(), sync()]),
    copyData('10\tten\n'),
    Buffer.concat([copyDone(), sync()]),
  ],
  'COPY in with bad data by the extended protocol': [
    Buffer.concat([parse('copy t from stdin'), bind(), execute(), sync()]),
    copyData('x\tten\n'),
    Buffer.concat([copyDone(), sync()]),
  ],
  'two COPY in one packet': [
    Buffer.concat([
      query('copy t from stdin'),
      copyData('20\ta\n'),
      copyDone(),
      query('copy t from stdin'),
      copyData('21\tb\n'),
      copyDone(),
    ]),
  ],
  'two COPY in one query': [
    query('copy t from stdin; copy t from stdin; select 1'),
    Buffer.concat([copyData('20\ta\n'), copyDone()]),
    Buffer.concat([copyData('21\tb\n'), copyDone(), sync()]),
  ],
  'COPY that may not begin, Sync in its data': [
    query('copy nowhere from stdin'),
    Buffer.concat([copyData('1\ta\n'), sync(), copyDone(), sync()]),
    query('select 1'),
  ],
  'COPY out': [query('copy t to stdout')],
  'a message during COPY in that does not belong there': [
    query('copy t from stdin'),
    query('select 1'),
  ],
  'stray COPY messages': [copyData('1\t2\n'), copyDone(), copyFail('x'), query('select 1')],
  'LISTEN and NOTIFY': [query('listen here'), query("notify here, 'hello'"), query('select 1')],
  'a deferred constraint that fails at Sync': [
    parse('insert into t values (1)'),
    bind(),
    execute(),
    sync(),
  ],
  'a change of the client encoding, and text in it': [
    query('set client_encoding to latin1'),
    Buffer.from(query("select 'e', '\u00e9'")).subarray(0),
  ],
  'text that is not in the encoding': [
    wire.message('Q', Buffer.from([0x73, 0x65, 0x6c, 0x65, 0x63, 0x74, 0x20, 0x27, 0xff, 0x27, 0])),
    query('select 1'),
  ],
  'statements, portals and names across transactions': [
    query('begin'),
    parse('select 1', 's'),
    bind([], 's', 'p'),
    sync(),
    execute('p'),
    sync(),
    query('rollback'),
    execute('p'),
    sync(),
    bind([], 's', 'p'),
    execute('p'),
    sync(),
  ],
  'a bind with the wrong number of parameters': [
    parse('select $1::int'),
    bind(['1', '2']),
    execute(),
    sync(),
  ],
  'binary parameters': [
    parse('select $1, $2', 's', [23, 25]),
    bind([Buffer.from([0, 0, 0, 7]), Buffer.from('text')], 's'),
    execute(),
    sync(),
  ],
}

describe('answers through the gateway are the ones PostgreSQL gives', () => {
  for (const [name, pieces] of Object.entries(scripts)) {
    it(name, async () => {
      await expectSame(pieces)
    })

    it(`${name}, all in one packet`, async () => {
      await expectSame([Buffer.concat(pieces)])
    })
  }

  it('every message split after each of its bytes', async () => {
    const bytes = Buffer.concat([
      parse('select a, b from t where a = $1', 's1'),
      bind(['3'], 's1', 'p1'),
      execute('p1'),
      sync(),
      query('select 1/0'),
    ])
    await expectSame([...bytes].map((byte) => Buffer.from([byte])))
  })
})

const names = fc.constantFrom('', 's', 'x')
const texts = fc.constantFrom(
  'select 1',
  "select 'other'",
  'select $1::int',
  "insert into t values ($1::int, 'p')",
  'select 1/0',
  'begin',
  'commit',
  'rollback',
  'savepoint a',
  'rollback to a',
  'select generate_series(1, 3)',
  '',
  'delete from t where a = 2',
  'prepare s as select 5',
  'prepare x as delete from t where a = 3',
  'execute s',
  'execute x',
  'deallocate s',
  'deallocate all',
  'discard all',
  'select 1; select 1/0; select 3',
  'prepare s as select 7; select 1/0',
  'copy t to stdout',
  "select 'é'",
  "select 'back\\slash'",
)

/** One or more messages that a client may send at any time. */
const step: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(names, texts).map(([name, text]) => parse(text, name)) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(names, names, fc.constantFrom([], ['1'], ['7']))
      .map(([portal, name, parameters]) => bind(parameters, name, portal)),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(names, fc.constantFrom(0, 1)).map(([name, rows]) => execute(name, rows)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom<'S' | 'P'>('S', 'P'), names)
      .map(([kind, name]) => describeMessage(kind, name)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom<'S' | 'P'>('S', 'P'), names)
      .map(([kind, name]) => close(kind, name)),
  },
  { weight: 4, arbitrary: fc.constant(sync()) },
  { weight: 1, arbitrary: fc.constant(flush()) },
  { weight: 2, arbitrary: texts.map((text) => query(text)) },
)

describe('answers to whatever a client may send', () => {
  it.each([
    ['wait', () => gateway],
    ['overlap', () => overlapping],
  ])('are the same for random sequences of messages, reads: %s', async (_, by) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 25 }),
        fc.boolean(),
        async (steps, whole) => {
          await expectSame(whole ? [Buffer.concat(steps)] : steps, by())
        },
      ),
      { numRuns: Number(process.env['CAIRN_FUZZ_RUNS'] ?? 40), endOnFailure: true },
    )
  })
})
