import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts'
import { fieldsOf, login, openSecure, wire, type WireClient } from '../../../support/wire-client.ts'
import { leaksIn, rowsOf } from './planted.ts'

const emails = ['zelda.planted@mail.example.com', 'link.planted@mail.example.org']
const card = '4000056655665556'
const badge = 'EMP-90817'
const planted = [...emails, card, badge]

describe('detectors', () => {
  let postgres: TestPostgres
  let gateway: TestGateway
  let client: WireClient
  beforeAll(async () => {
    postgres = await startPostgres()
    const direct = new pg.Client({ connectionString: postgres.url })
    await direct.connect()
    await direct.query(`create table people (id int, note text, card bigint, doc jsonb, raw bytea)`)
    await direct.query(`insert into people values
      (1, 'write to ${emails[0]}', ${card}, '{"mail": "${emails[1]}"}', '${emails[0]}'),
      (2, 'nothing', 7, '{"card": ${card}}', 'x'), (3, null, null, '[]', null)`)
    await direct.query(`create function fail(what text) returns int language plpgsql as
      $$begin raise notice 'notice of %', what; raise exception 'no %', what using detail = what, hint = what; end$$`)
    await direct.end()
    gateway = await startTestGateway({
      targets: { main: postgres },
      config: {
        masking: {
          rules: [
            { name: 'mails', detectors: ['email', 'badge'] },
            { name: 'cards', detectors: ['card'], method: 'partial' },
          ],
          detectors: [{ name: 'badge', re2: String.raw`\bEMP-\d{5}\b`, literal: 'EMP-' }],
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

  const all = `select id, note, card, doc, raw from people order by id`
  const masked = [
    ['1', 'write to [masked]', '0', '{"mail": "[masked]"}', '\\x5b6d61736b65645d'],
    ['2', 'nothing', '7', '"[masked]"', '\\x78'],
    ['3', 'NULL', 'NULL', '[]', 'NULL'],
  ]

  it('mask the values of a simple query, each as its type wants it', async () => {
    client.send(wire.query(all))
    expect(rowsOf(await client.ready())).toEqual(masked)
  })

  it('mask what an Execute gives that nobody asked to describe, again and again', async () => {
    client.send(wire.parse(all, 's'), wire.bind([], 's'), wire.execute(), wire.sync())
    const answers = await client.ready()
    expect(answers.map(({ type }) => type).join('')).toBe('12DDDCZ')
    expect(rowsOf(answers)).toEqual(masked)
    for (const limit of [1, 2, 0]) {
      client.send(wire.bind([], 's', 'p'), wire.execute('p', limit), wire.execute('p', limit))
      client.send(wire.sync())
      const again = rowsOf(await client.ready())
      expect(again).toEqual(masked.slice(0, limit === 0 ? 3 : limit * 2))
    }
    client.send(wire.describe('S', 's'), wire.bind([], 's'), wire.execute(), wire.sync())
    expect(rowsOf(await client.ready())).toEqual(masked)
  })

  it('mask binary results', async () => {
    const bind = wire.message('B', Buffer.from('\0s\0\0\0\0\0\0\x01\0\x01', 'latin1'))
    client.send(bind, wire.execute(), wire.sync())
    const [first, second] = (await client.ready()).filter(({ type }) => type === 'D')
    expect(first?.body.toString('latin1')).toContain('write to [masked]')
    expect(first?.body.toString('latin1')).toContain('\0\0\0\x08\0\0\0\0\0\0\0\0')
    expect(second?.body.toString('latin1')).toContain('\x01"[masked]"')
  })

  it('mask errors and notices, and leave the SQLSTATE', async () => {
    client.send(wire.query(`select fail('${emails[0]} and ${card}')`))
    const answers = await client.ready()
    const notice = fieldsOf(answers.find(({ type }) => type === 'N')!)
    const error = fieldsOf(answers.find(({ type }) => type === 'E')!)
    expect(notice['M']).toBe('notice of [masked] and ***5556')
    expect(error).toMatchObject({
      C: 'P0001',
      M: 'no [masked] and ***5556',
      D: '[masked] and ***5556',
    })
  })

  it('mask notifications', async () => {
    client.send(wire.query(`listen channel; notify channel, 'for ${emails[1]}'`))
    const notified = await client.take(({ type }) => type === 'A')
    expect(notified.at(-1)?.body.toString('latin1')).toContain('channel\0for [masked]\0')
    await client.ready()
  })

  it('leave nothing in the files of the gateway: texts, parameters in both formats, answers, mistakes', async () => {
    client.send(wire.query(`select '${emails[0]}' as "${emails[1]}", ${card}, 'x' -- ${badge}`))
    expect(rowsOf(await client.ready())).toEqual([['[masked]', '0', 'x']])
    client.send(
      wire.parse(`select $1::text || ' ' || $2::text`),
      wire.bind([`to ${emails[0]}`, Buffer.from(badge)]),
      wire.execute(),
      wire.sync(),
    )
    expect(rowsOf(await client.ready())).toEqual([['to [masked] [masked]']])
    client.send(wire.query(`prepare q as select '${emails[0]}'; execute q; deallocate q`))
    await client.ready()
    client.send(wire.query(`select 'a' '${emails[0]}'`))
    await client.ready()
    client.send(wire.query(`copy people (note) from stdin`))
    await client.take(({ type }) => type === 'G')
    client.send(wire.copyFail('no'))
    await client.ready()
    client.send(wire.query(`select 'the last'`))
    await client.ready()
    const records = await gateway.until((so_far) =>
      so_far.some(
        ({ type, ...record }) =>
          type === 'command.received' && 'text' in record && record.text === `select 'the last'`,
      )
        ? so_far
        : undefined,
    )
    const texts = records.flatMap((record) =>
      record.type === 'command.received' ? [record.text] : [],
    )
    expect(texts).toContain(`select '[masked]' as "[masked]", ***5556, 'x' -- [masked]`)
    const bound = records.find(
      (record) => record.type === 'command.received' && record.text.includes('$2'),
    )
    expect(bound).toMatchObject({
      parameters: [{ value: 'to [masked]', masked: true }, { masked: true }],
      masked: [{ rule: 'mails', count: 2 }],
    })
    expect(
      records.some(
        (record) =>
          record.type === 'response.chunk' &&
          record.masked.some(({ rule, count }) => rule === 'cards' && count > 0),
      ),
    ).toBe(true)
    expect(await leaksIn(gateway.data_dir, ['the last'])).not.toEqual([])
    expect(await leaksIn(gateway.data_dir, planted)).toEqual([])
  })
})
