import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type RecordedEvent, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { login, openSecure, wire, type WireClient } from '../../support/wire-client.ts'

/** What is recorded of commands at a running gateway, whose names mean what the target says. */

let postgres: TestPostgres
let gateway: TestGateway

beforeAll(async () => {
  postgres = await startPostgres()
  const direct = new Client(postgres.url)
  await direct.connect()
  await direct.query(`
    create schema app; create schema evil;
    create table people (id int, email text); create table app.people (id int); create table evil.orders (id int);
    create table orders (id int);
    create view cards as select id, email as mail from people;
    create function mail_of(i int) returns text language sql as 'select email from public.people where id = i';
  `)
  await direct.end()
  gateway = await startTestGateway({ targets: { main: postgres } })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await postgres?.stop()
})

let sessions = 0

type Received = Extract<RecordedEvent, { type: 'command.received' }>

const shown = ({ kind, statements }: Received): string =>
  `${kind}: ${statements
    .flatMap(({ effects }) => effects)
    .map(({ action, object, columns, via }) =>
      [action, object, columns.length === 0 ? '' : `(${columns.join(' ')})`, via && `[${via}]`]
        .filter((part) => part !== '')
        .join(' '),
    )
    .join('; ')}`

/** Plays messages in a session of their own; what its commands were recorded to do. */
const effects = async (play: (client: WireClient) => Promise<unknown>): Promise<string[]> => {
  const application_name = `names-${++sessions}`
  {
    await using client = await openSecure(gateway.port)
    await login(
      client,
      { user: 'admin', database: 'main', application_name },
      await gateway.token(),
    )
    await play(client)
    client.send(wire.terminate())
    await client.closed()
  }
  return gateway.until((records) => {
    const started = records.find(
      (record) =>
        record.type === 'session.started' &&
        record.parameters['application_name'] === application_name,
    )
    const own = records.filter(({ session }) => session !== '' && session === started?.session)
    if (!own.some(({ type }) => type === 'session.ended')) return undefined
    return own.filter((record): record is Received => record.type === 'command.received').map(shown)
  })
}

/** One Query after the other. */
const queries = (...texts: readonly string[]): Promise<string[]> =>
  effects(async (client) => {
    for (const text of texts) {
      client.send(wire.query(text))
      await client.ready()
    }
  })

describe('what is recorded of a command', () => {
  it('names relations and functions in full, with columns, views and bodies looked into', async () => {
    expect(
      await queries('select mail from cards', 'select mail_of(1)', 'select x from nothing'),
    ).toEqual([
      'query: select public.cards (mail); select public.people (email) [public.cards]',
      'query: call:mail_of public.mail_of; select public.people (email id) [public.mail_of]',
      'query: select nothing (x)',
    ])
  })

  it('follows the search path of the session, also in one message and when a transaction undoes it', async () => {
    expect(
      await queries(
        'set search_path = app, public',
        'select id from people',
        'begin',
        'set local search_path = evil',
        'select id from orders',
        'rollback',
        'select id from orders',
        'set search_path = evil; select id from orders; reset search_path; select id from orders',
      ),
    ).toEqual([
      'query: set search_path',
      'query: select app.people (id)',
      'query: transaction begin',
      'query: set search_path',
      'query: select evil.orders (id)',
      'query: transaction rollback',
      'query: select public.orders (id)',
      'query: set search_path; select evil.orders (id); set search_path; select orders (id)',
    ])
  })

  it('means the same when everything comes in one packet', async () => {
    expect(
      await effects(async (client) => {
        client.send(
          wire.query('set search_path = app'),
          wire.query('select id from people'),
          wire.parse('set search_path = public'),
          wire.bind(),
          wire.execute(),
          wire.sync(),
          wire.parse('select id from people'),
          wire.bind(),
          wire.execute(),
          wire.sync(),
        )
        await client.ready(4)
      }),
    ).toEqual([
      'query: set search_path',
      'query: select app.people (id)',
      'execute: set search_path',
      'execute: select public.people (id)',
    ])
  })

  it('means for a prepared statement what its names mean when it is executed', async () => {
    expect(
      await effects(async (client) => {
        client.send(wire.parse('select id from people', 's'), wire.bind([], 's'), wire.execute())
        client.send(wire.sync())
        await client.ready()
        client.send(wire.query('prepare q as select id from people'))
        client.send(wire.query('set search_path = app'))
        client.send(wire.bind([], 's'), wire.execute(), wire.sync())
        client.send(wire.query('execute q'))
        await client.ready(4)
      }),
    ).toEqual([
      'execute: select public.people (id)',
      'query: prepare q',
      'query: set search_path',
      'execute: select app.people (id)',
      'query: execute q; select app.people (id)',
    ])
  })

  it('knows what the session itself made once it is committed, and nothing before', async () => {
    expect(
      await queries(
        'create table made (a int, b int)',
        'select a from made',
        'create view seen as select b from made',
        'select * from seen',
        'begin',
        'create or replace view cards as select id, email as mail from people where id > 0',
        'select mail from cards',
        'rollback',
        'select mail from cards',
        'drop view seen',
        'drop table made',
      ),
    ).toEqual([
      'query: ddl.create made',
      'query: select public.made (a)',
      'query: ddl.create seen; select public.made (b)',
      'query: select public.seen (*); select public.made (b) [public.seen]',
      'query: transaction begin',
      'query: ddl.create cards; select public.people (id email)',
      'query: select cards (mail)',
      'query: transaction rollback',
      'query: select public.cards (mail); select public.people (email) [public.cards]',
      'query: ddl.drop public.seen',
      'query: ddl.drop public.made',
    ])
  })

  it('takes a temporary table for what it is, until it is gone', async () => {
    expect(
      await queries(
        'create temp table people (secret text)',
        'select secret from people',
        'discard temp',
        'select email from people',
      ),
    ).toEqual([
      'query: ddl.create people',
      'query: select pg_temp.people (secret)',
      'query: discard temp',
      'query: select public.people (email)',
    ])
  })

  it('knows what another session made', async () => {
    await queries('create table elsewhere (z int)')
    expect(await queries('select z from elsewhere')).toEqual(['query: select public.elsewhere (z)'])
  })
})
