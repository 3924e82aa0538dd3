import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts'
import {
  fieldsOf,
  login,
  openRaw,
  openSecure,
  wire,
  type WireClient,
} from '../../../support/wire-client.ts'
import { leaksIn } from './planted.ts'

const planted = ['ganon-planted', 'tingle-planted', '7777123', 'zelda.planted@mail.example.com']

describe('COPY', () => {
  let postgres: TestPostgres
  let gateway: TestGateway
  let client: WireClient
  beforeAll(async () => {
    postgres = await startPostgres()
    const direct = new pg.Client({ connectionString: postgres.url })
    await direct.connect()
    await direct.query(`
      create table people (id int primary key, name text, ssn int, note text);
      insert into people values (1, 'ganon-planted', 7777123, 'to zelda.planted@mail.example.com'),
        (2, E'tingle-planted,\\t"x"\\n', null, E'clear\\\\ and\\ttab, "quoted"\\nline'), (3, null, 5, '');
      create table taken (id int, name text, ssn int, note text);
      create table other (id int, note text)`)
    await direct.end()
    gateway = await startTestGateway({
      targets: { main: postgres },
      config: {
        masking: {
          rules: [
            { name: 'names', columns: ['people.name', 'taken.name'] },
            { name: 'numbers', columns: ['people.ssn', 'taken.ssn'] },
            { name: 'mails', detectors: ['email'] },
          ],
        },
      },
    })
    client = await openSecure(gateway.port)
    await login(client, { user: 'admin', database: 'main' }, await gateway.token())
  }, 60_000)
  afterAll(async () => {
    await client[Symbol.asyncDispose]()
    await gateway[Symbol.asyncDispose]()
    await postgres.stop()
  })

  const copy = async (text: string): Promise<Buffer> => {
    client.send(wire.query(text))
    const answers = await client.ready()
    const error = answers.find(({ type }) => type === 'E')
    expect(error === undefined ? undefined : fieldsOf(error)).toBeUndefined()
    return Buffer.concat(answers.filter(({ type }) => type === 'd').map(({ body }) => body))
  }
  const out = async (text: string): Promise<string> => (await copy(text)).toString('utf8')

  it('gives masked rows in text format, with any delimiter and NULL', async () => {
    expect(await out(`copy people to stdout`)).toBe(
      '1\t[masked]\t0\tto [masked]\n2\t[masked]\t\\N\tclear\\\\ and\\ttab, "quoted"\\nline\n3\t\\N\t0\t\n',
    )
    expect(await out(`copy people (ssn, name) to stdout (delimiter '[', null 'none')`)).toBe(
      '0[\\[masked]\nnone[\\[masked]\n0[none\n',
    )
    expect(await out(`copy people (name) to stdout with (header)`)).toBe(
      'name\n[masked]\n[masked]\n\\N\n',
    )
  })

  it('gives masked rows in CSV, quoted as its options say', async () => {
    expect(await out(`copy people to stdout csv header`)).toBe(
      'id,name,ssn,note\n1,"[masked]","0","to [masked]"\n2,"[masked]",,"clear\\ and\ttab, ""quoted""\nline"\n3,,"0",""\n',
    )
    expect(
      await out(`copy people to stdout (format csv, quote '''', escape '\\', force_quote *)`),
    ).toBe(
      `'1','[masked]','0','to [masked]'\n'2','[masked]',,'clear\\\\ and\ttab, "quoted"\nline'\n'3',,'0',''\n`,
    )
  })

  it('gives masked rows in binary', async () => {
    const binary = await copy(`copy people (name, ssn, note) to stdout binary`)
    const text = binary.toString('latin1')
    for (const value of planted) expect(text).not.toContain(value)
    expect(text).toContain('\0\0\0\x08[masked]\0\0\0\x04\0\0\0\0')
    expect(binary.indexOf(Buffer.from('006c7c03', 'hex'))).toBe(-1)
    expect(text.startsWith('PGCOPY\n')).toBe(true)
    expect(text.endsWith('\xff\xff')).toBe(true)
  })

  it('masks what a query computes', async () => {
    expect(
      await out(
        `copy (select reverse(name), upper(note), id from people order by id limit 1) to stdout`,
      ),
    ).toBe('\\N\tTO [masked]\t1\n')
    expect(
      await out(
        `copy (select id from people order by id limit 1) to stdout; copy (select name from people where id = 1) to stdout csv`,
      ),
    ).toBe('1\n"[masked]"\n')
  })

  it('keeps what is loaded out of the record, however it is cut, and loads it as it is', async () => {
    const rows = `1\tganon-planted\t7777123\tzelda.planted@mail.example.com\n2\ttingle\\tplanted\t\\N\tplain\n`
    const csv = `1,"ganon-planted, ""x""\ny",7777123,"a\nzelda.planted@mail.example.com"\n`
    const load = async (text: string, pieces: readonly (string | Buffer)[]): Promise<void> => {
      client.send(wire.query(text))
      await client.take(({ type }) => type === 'G')
      for (const piece of pieces) client.send(wire.copyData(piece))
      client.send(wire.copyDone())
      const answers = await client.ready()
      expect(answers.map(({ type }) => type)).not.toContain('E')
    }
    await load(`copy taken from stdin`, [rows])
    await load(`copy taken from stdin`, [...rows])
    await load(`copy taken from stdin csv`, [csv.slice(0, 9), csv.slice(9, 40), csv.slice(40)])
    const binary = await copyDirect(postgres, `copy taken to stdout binary`)
    await load(`copy taken (id, name, ssn, note) from stdin binary`, [
      binary.subarray(0, 33),
      ...[...binary.subarray(33, 90)].map((byte) => Buffer.from([byte])),
      binary.subarray(90),
    ])
    await load(`copy other from stdin`, [
      `1\tkept in the record\n2\tto zelda.planted@mail.example.com\n`,
    ])
    client.send(wire.query(`copy other from stdin`))
    await client.take(({ type }) => type === 'G')
    client.send(wire.copyFail('because of ganon-planted'))
    await client.ready()
    expect(await out(`copy (select count(*) from taken) to stdout`)).toBe('10\n')
    const records = await gateway.until((all) =>
      all.some((record) => record.type === 'command.received' && record.text.includes('count(*)'))
        ? all
        : undefined,
    )
    const inputs = records.filter((record) => record.type === 'input.chunk')
    expect(inputs.flatMap(({ masked }) => masked.map(({ rule }) => rule))).toContain('names')
    expect(inputs.some(({ bytes }) => bytes.includes('kept in the record'))).toBe(true)
    expect(await leaksIn(gateway.data_dir, planted)).toEqual([])
  })
})

/** Data of a COPY past the gateway. */
const copyDirect = async (postgres: TestPostgres, text: string): Promise<Buffer> => {
  const direct = await openRaw(postgres.port)
  await login(direct, { user: postgres.user, database: postgres.database }, postgres.password)
  direct.send(wire.query(text))
  const answers = await direct.ready()
  await direct[Symbol.asyncDispose]()
  return Buffer.concat(answers.filter(({ type }) => type === 'd').map(({ body }) => body))
}
