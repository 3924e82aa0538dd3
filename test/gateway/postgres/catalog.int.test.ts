import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Catalog } from '#core/sql/catalog.ts'
import { secretOf } from '#lib/config/secret.ts'
import { configSchema } from '#lib/config/schema.ts'
import { openLogger } from '#lib/logger.ts'
import {
  openCatalogs,
  type Catalogs,
  type SessionCatalog,
} from '../../../services/gateway/protocols/postgres/catalog/catalogs.ts'
import { loadCatalog } from '../../../services/gateway/protocols/postgres/catalog/load.ts'
import { openSideQueries } from '../../../services/gateway/protocols/postgres/side-queries.ts'
import type { PostgresTarget } from '../../../services/gateway/protocols/postgres/target.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

let postgres: TestPostgres
let client: Client
let catalogs: Catalogs
const open: SessionCatalog[] = []

const schema = `
create schema app; create schema "Odd.Name";
create table app.people (id int primary key, email text, born date, year int generated always as (extract(year from born)) stored);
alter table app.people drop column born cascade;
alter table app.people add column "Nick name" text;
create view app.mails as select id, email as mail from app.people where id > 0;
create materialized view app.kept as select email from app.people;
create table app.log (at timestamptz, what text) partition by range (at);
create table app.log_old partition of app.log for values from (minvalue) to ('2020-01-01');
create table "Odd.Name"."a.b" (x int);
create function app.add_up(x int, y int) returns int language sql as 'select x + y';
create function app.same(x int, y text) returns boolean language sql as 'select true';
create function app.twice(x int) returns int language sql as 'select x * 2';
create function app.atomic(x int) returns int language sql begin atomic select x + 1; end;
create function app.loud(x int) returns int language plpgsql set search_path = app, pg_temp as $$ begin return x; end $$;
create operator app.||| (leftarg = int, rightarg = int, function = app.add_up);
create operator app.= (leftarg = int, rightarg = text, function = app.same);
create type app.coins as (x int);
create function app.to_coins(x int) returns app.coins language sql as 'select row(x)::app.coins';
create cast (int as app.coins) with function app.to_coins(int);
create procedure app.run() language plpgsql as $$ begin perform 1; end $$;
`

const target = (): PostgresTarget => {
  const config = configSchema.parse({
    targets: [{ name: 'main', host: postgres.host, port: postgres.port, tls: { mode: 'disable' } }],
  })
  return { config: config.targets[0]!, tls: null }
}

beforeAll(async () => {
  postgres = await startPostgres()
  client = new Client(postgres.url)
  await client.connect()
  await client.query(schema)
  catalogs = openCatalogs({
    logger: openLogger('gateway', 'silent'),
    now_ms: () => performance.now(),
  })
})

afterAll(async () => {
  await catalogs?.[Symbol.asyncDispose]()
  await client?.end()
  await postgres?.stop()
})

const credential = () => ({ user: postgres.user, password: secretOf(postgres.password) })

const session = async (database = 'postgres'): Promise<SessionCatalog> => {
  const opened = catalogs.forSession(target(), database, credential())
  open.push(opened)
  await opened.pending()
  return opened
}

const loaded = async (): Promise<Catalog> => {
  const catalog = (await session()).current()
  if (catalog === undefined) throw new Error('not loaded')
  return catalog
}

describe('the catalog of a database', () => {
  it('has relations with their columns by number, dropped ones left out, generated ones with their expression', async () => {
    const catalog = await loaded()
    const people = catalog.relation({ schema: 'app', name: 'people' }, [])
    expect(people).toMatchObject({ kind: 'table', definition: null, parents: [] })
    expect(people?.columns).toMatchObject([
      { name: 'id', number: 1, type_oid: 23, generated: null },
      { name: 'email', number: 2, type_oid: 25 },
      { name: 'Nick name', number: 5 },
    ])
    expect(catalog.relationByOid(people?.oid ?? 0)).toBe(people)
    const generated = await client.query(
      `create table app.made (a int, b int generated always as (a * 2) stored); select 1`,
    )
    expect(generated).toBeDefined()
    const made = await (await session()).fresh()
    expect(made?.relation({ schema: 'app', name: 'made' }, [])?.columns[1]).toMatchObject({
      name: 'b',
      generated: '(a * 2)',
    })
  })

  it('has views by their qualified definition, and partitions with their parents', async () => {
    const catalog = await loaded()
    expect(catalog.relation({ schema: 'app', name: 'mails' }, [])?.definition).toMatch(
      /FROM app\.people/,
    )
    expect(catalog.relation({ schema: 'app', name: 'kept' }, [])).toMatchObject({
      kind: 'materialized_view',
    })
    const log = catalog.relation({ schema: 'app', name: 'log' }, [])!
    const old = catalog.relation({ schema: 'app', name: 'log_old' }, [])!
    expect(old.parents).toEqual([log.oid])
    expect(catalog.children(log.oid)).toEqual([old])
  })

  it('has functions with their bodies, builtins without', async () => {
    const catalog = await loaded()
    const one = (name: string) => catalog.functions({ schema: 'app', name }, [])[0]
    expect(one('twice')).toMatchObject({ language: 'sql', source: 'select x * 2', builtin: false })
    expect(one('atomic')?.source).toMatch(/^BEGIN ATOMIC\s+SELECT \(x \+ 1\);\s+END$/)
    expect(one('loud')).toMatchObject({ language: 'plpgsql', search_path: 'app, pg_temp' })
    expect(one('loud')?.definition).toMatch(/^CREATE OR REPLACE FUNCTION app\.loud/)
    expect(one('run')?.kind).toBe('procedure')
    const builtin = catalog.functions({ schema: '', name: 'lower' }, [])
    expect(builtin.length).toBeGreaterThan(1)
    expect(builtin.every((found) => found.builtin && found.source === null)).toBe(true)
  })

  it('has what operators and casts of somebody call, where no builtin has the symbol', async () => {
    const catalog = await loaded()
    expect(catalog.operators?.('|||')).toMatchObject([{ schema: 'app', name: 'add_up' }])
    expect(catalog.operators?.('=')).toEqual([])
    expect(catalog.casts?.('coins')).toMatchObject([{ schema: 'app', name: 'to_coins' }])
    expect(catalog.casts?.('int4')).toEqual([])
  })

  it('finds names along the search path as the server does', async () => {
    const catalog = await loaded()
    for (const path of [['app'], ['public'], ['Odd.Name', 'app'], ['public', 'pg_catalog']]) {
      await client.query('select set_config($1, $2, false)', [
        'search_path',
        path.map((name) => `"${name}"`).join(','),
      ])
      for (const name of ['people', 'mails', 'a.b', 'pg_class', 'nothing']) {
        const { rows } = await client.query<{ oid: string | null }>(
          'select to_regclass($1)::oid as oid',
          [`"${name}"`],
        )
        const found = catalog.relation({ schema: '', name }, path)?.oid ?? null
        expect([name, found]).toEqual([name, rows[0]!.oid === null ? null : Number(rows[0]!.oid)])
      }
    }
  })

  it('keeps its version while nothing changed, and gets another when something did', async () => {
    const one = await session()
    const before = await one.fresh()
    expect(await one.fresh()).toBe(before)
    expect(one.naming(['app'])).toBe((await session()).naming(['app']))
    await client.query('create table app.later (x int)')
    const after = await one.fresh()
    expect(after?.version).toBeGreaterThan(before?.version ?? 0)
    expect(after?.relation({ schema: 'app', name: 'later' }, [])).toBeDefined()
  })

  it('knows nothing of changed names until they are loaded, for every session', async () => {
    const one = await session()
    const other = await session()
    one.changed({ all: false, names: new Set(['mails']) })
    expect(other.shifted().names).toEqual(new Set(['mails']))
    expect(other.pending()).not.toBeNull()
    await other.pending()
    expect(other.shifted().names.size).toBe(0)
  })

  it('knows the temporary schema of a session by its process id', async () => {
    const {
      rows: [row],
    } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    await client.query('create temp table people (secret text)')
    const one = await session()
    const catalog = await one.fresh()
    const temporary = one.temporarySchema(row!.pid)
    expect(temporary).toMatch(/^pg_temp_\d+$/)
    const { rows } = await client.query<{ oid: number }>(`select 'people'::regclass::oid as oid`)
    expect(catalog?.relation({ schema: '', name: 'people' }, [temporary!, 'app'])?.oid).toBe(
      rows[0]!.oid,
    )
  })

  it('a database that cannot be reached has none, and is told', async () => {
    const nowhere = await session('nowhere')
    expect(nowhere.current()).toBeUndefined()
    expect(nowhere.naming(['public'])).toEqual({ catalog: undefined, search_path: ['public'] })
  })

  it('one that is too large is not loaded in part', async () => {
    const opened = await openSideQueries({
      host: postgres.host,
      port: postgres.port,
      tls: null,
      ...credential(),
      database: 'postgres',
      parameters: new Map(),
      timeout_ms: 5000,
      signal: new AbortController().signal,
    })
    if (!opened.ok) throw new Error(opened.detail)
    await using queries = opened.queries
    const limits = {
      relations_max: 10,
      columns_max: 1e6,
      functions_max: 1e6,
      text_chars_max: 1e9,
    }
    await expect(loadCatalog(queries, limits)).rejects.toMatchObject({ code: 'limit_exceeded' })
  })
})
