import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Effect } from '#core/sql/analysis.ts'
import { analyzeText, sql_limits } from '#core/sql/analyze.ts'
import { createCatalog } from '#core/sql/catalog-index.ts'
import { harmless_stable, harmless_volatile, isHarmless } from '#core/sql/harmless-functions.ts'
import { functionEffect } from '#core/sql/functions.ts'
import type { Naming } from '#core/sql/naming.ts'
import { nameParts } from '#core/policy/object-pattern.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { secretOf } from '#lib/config/secret.ts'
import { loadCatalog } from '../../../services/gateway/protocols/postgres/catalog/load.ts'
import { openSideQueries } from '../../../services/gateway/protocols/postgres/side-queries.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

/** What a real server says of the same statements: which relations a plan touches, and which privileges it asks for. */

const parser = await loadSqlParser()
let postgres: TestPostgres
let client: Client
let naming: Naming

const schema = `
create schema app;
create table orders (id int primary key, customer int, total numeric, note text);
create table people (id int primary key, email text, ssn text);
create table app.people (id int, nick text);
create table parts (id int, at int) partition by range (at);
create table parts_a partition of parts for values from (0) to (10);
create table parts_b partition of parts for values from (10) to (20);
create view cards as select id, email as mail from people;
create view spend as select c.mail, sum(o.total) as total from cards c join orders o on o.customer = c.id group by c.mail;
create materialized view kept as select email from people;
create role limited;
grant usage on schema app to limited;
set search_path = public;
`

beforeAll(async () => {
  postgres = await startPostgres()
  client = new Client(postgres.url)
  await client.connect()
  await client.query(schema)
  const opened = await openSideQueries({
    host: postgres.host,
    port: postgres.port,
    tls: null,
    user: postgres.user,
    password: secretOf(postgres.password),
    database: postgres.database,
    parameters: new Map(),
    timeout_ms: 5000,
    signal: new AbortController().signal,
  })
  if (!opened.ok) throw new Error(opened.detail)
  await using queries = opened.queries
  const catalog = createCatalog({ version: 1, ...(await loadCatalog(queries)) })
  naming = { catalog, search_path: ['public'] }
})

afterAll(async () => {
  await client?.end()
  await postgres?.stop()
})

const effectsOf = (text: string): readonly Effect[] => {
  const { analysis } = analyzeText(parser, text, sql_limits, naming)
  if (!analysis.ok) throw new Error(`${text}: ${analysis.error}`)
  return analysis.statements.flatMap(({ effects }) => effects)
}

const selects: readonly string[] = [
  `select id from orders`,
  `select * from orders`,
  `select o.* from orders o`,
  `select o.total, o.note from orders o where o.id > 1`,
  `select count(*) from orders where note = 'x'`,
  `select id from orders order by total limit 3`,
  `select customer, sum(total) from orders group by customer having max(note) > 'a'`,
  `select distinct on (customer) id from orders order by customer, total`,
  `select email, total from orders join people on customer = people.id`,
  `select note from orders o left join people p using (id) where p.email is null`,
  `select 1 from orders natural join people`,
  `select nick from app.people a, people where a.id = people.id and email <> ''`,
  `select app.people.nick from app.people, orders where app.people.id = orders.id`,
  `select p from people p`,
  `select to_jsonb(p) from people p`,
  `select (p).email from people p`,
  `select y from people as a (x, y, z)`,
  `select ctid from people`,
  `select (select email from people where people.id = o.customer) from orders o`,
  `select id from orders where exists (select 1 from people where people.id = orders.customer and ssn > '')`,
  `select id from orders where customer in (select id from people)`,
  `select id from orders where total > all (select id from people)`,
  `select s.a from (select id as a from orders) s`,
  `select q.email from orders, lateral (select email from people where people.id = customer) q`,
  `with x as (select email from people) select email from x`,
  `with x as materialized (select id, email from people) select x.id, total from x join orders on orders.id = x.id`,
  `with recursive r as (select id from people union all select r.id + 1 from r join orders on orders.customer = r.id) select * from r`,
  `with people as (select total as email from orders) select email from people`,
  `select id from orders union select id from people`,
  `select id from orders except all (select id from people intersect select id from app.people)`,
  `select rank() over (partition by customer order by total) from orders`,
  `select sum(total) filter (where note is null) over w from orders window w as (order by id)`,
  `select case when note > '' then total end, coalesce(note, 'x') from orders`,
  `select array(select email from people), array[id] from orders`,
  `select id from orders group by grouping sets ((id), ()) `,
  `select * from (values (1), ((select max(id) from people))) v (a)`,
  `table people`,
  `select at from parts`,
  `select email from kept`,
  `select mail from cards`,
  `select id from cards where mail = 'x'`,
  `select * from cards`,
  `select total from spend`,
  `select s.mail, o.note from spend s, orders o`,
  `select id from orders for update`,
  `select o.id from orders o, people p for share of o`,
]

const writes: readonly string[] = [
  `insert into orders (id, note) select id, email from people`,
  `insert into orders (id) values (1) returning total`,
  `insert into orders (id) values (1) on conflict (id) do update set note = excluded.note returning id`,
  `update orders set total = 1 where id = 2`,
  `update orders set note = p.email from people p where p.id = orders.customer returning p.ssn`,
  `update orders set (total, note) = (select id, email from people limit 1)`,
  `delete from orders using people where customer = people.id`,
  `delete from orders where id in (select id from app.people) returning *`,
  `with gone as (delete from people returning email) insert into orders (note) select email from gone`,
  `merge into orders o using people p on o.customer = p.id when matched then update set note = p.email when not matched then insert (id) values (p.id)`,
  `merge into orders o using app.people p on o.customer = p.id when matched then delete`,
  `update cards set mail = 'x' where id = 1`,
  `insert into cards (id) values (1)`,
  `delete from cards`,
  `insert into parts values (1, 2)`,
]

type Plan = Readonly<Record<string, unknown>>

/** `schema.name` of every relation in a plan; partitions count as their table. */
const planned = async (text: string): Promise<ReadonlySet<string>> => {
  const { rows } = await client.query<{ 'QUERY PLAN': readonly Plan[] }>(
    `explain (format json, verbose) ${text}`,
  )
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit)
    else if (typeof value === 'object' && value !== null) {
      const plan = value as Plan
      if (typeof plan['Relation Name'] === 'string')
        found.add(
          `${String(plan['Schema'])}.${plan['Relation Name'].replace(/^parts_.$/, 'parts')}`,
        )
      Object.values(plan).forEach(visit)
    }
  }
  visit(rows[0]?.['QUERY PLAN'])
  return found
}

const data_actions = new Set(['select', 'insert', 'update', 'delete'])

const isView = (object: string): boolean => {
  const [own_schema = '', name = ''] = nameParts(object)
  return naming.catalog?.relation({ schema: own_schema, name }, [])?.kind === 'view'
}

describe('relations', () => {
  it.for([...selects, ...writes])('are the ones of the plan: %s', async (text) => {
    const touched = effectsOf(text)
      .filter(({ action, object }) => data_actions.has(action) && !isView(object))
      .map(({ object }) => object)
    expect(new Set(touched)).toEqual(await planned(text))
  })
})

const own = (effects: readonly Effect[]): readonly Effect[] =>
  effects.filter(({ via, action }) => via === '' && data_actions.has(action))

const grantOf = ({ action, object, columns }: Effect): string => {
  const whole = columns.length === 0 || columns.includes('*') || action === 'delete'
  const listed = whole ? '' : ` (${columns.filter((column) => column !== 'ctid').join(', ')})`
  return `grant ${action}${listed === ' ()' ? '' : listed} on ${object} to limited`
}

/** Whether the role may run a statement with just these grants. */
const allowed = async (text: string, grants: readonly string[]): Promise<boolean> => {
  await client.query('begin')
  try {
    for (const grant of grants) await client.query(grant)
    await client.query('set local role limited')
    await client.query(`explain ${text}`)
    return true
  } catch (error) {
    if ((error as { readonly code?: string }).code !== '42501') throw error
    return false
  } finally {
    await client.query('rollback')
  }
}

describe('columns', () => {
  it.for(selects)('are the ones that the server asks a privilege for: %s', async (text) => {
    const effects = own(effectsOf(text))
    const locks = effectsOf(text)
      .filter(({ action }) => action === 'lock')
      .map(({ object }) => `grant update on ${object} to limited`)
    expect(await allowed(text, [...effects.map(grantOf), ...locks])).toBe(true)
    for (const effect of effects) {
      const others = effects.filter((one) => one !== effect)
      // Any one column will do where none is named.
      expect([effect, await allowed(text, [...others.map(grantOf), ...locks])]).toEqual([
        effect,
        false,
      ])
      if (effect.columns.length < 2) continue
      for (const column of effect.columns) {
        const without = { ...effect, columns: effect.columns.filter((one) => one !== column) }
        const grants = [...[...others, without].map(grantOf), ...locks]
        expect([column, await allowed(text, grants)]).toEqual([column, false])
      }
    }
  })

  it.for(writes)('that are written are no fewer than those: %s', async (text) => {
    const effects = own(effectsOf(text))
    const written = effects.filter(({ action }) => action !== 'select')
    // What a statement reads of the rows that it writes is no effect of its own.
    const targets = written.map(({ object }) => `grant select on ${object} to limited`)
    expect(await allowed(text, [...effects.map(grantOf), ...targets])).toBe(true)
    for (const effect of written) {
      const grants = effects.filter((one) => one !== effect).map(grantOf)
      expect([effect, await allowed(text, [...grants, ...targets])]).toEqual([effect, false])
    }
  })
})

type Row = {
  readonly name: string
  readonly volatile: boolean
  readonly restricted: boolean
  readonly kinds: string
}

describe('the lists of functions', () => {
  const builtins = async (): Promise<ReadonlyMap<string, Row>> => {
    const { rows } = await client.query<Row>(`
      select proname as name, bool_or(provolatile = 'v') as volatile, bool_or(proacl is not null) as restricted,
        string_agg(distinct prokind::text, '') as kinds
      from pg_proc where pronamespace = 'pg_catalog'::regnamespace group by proname`)
    return new Map(rows.map((row) => [row.name, row]))
  }

  it('name only what the server has, nothing that only some may call, and what is volatile one by one', async () => {
    const known = await builtins()
    const listed = [...harmless_stable, ...harmless_volatile]
    expect(listed.filter((name) => !known.has(name))).toEqual([])
    expect(listed.filter((name) => known.get(name)?.restricted)).toEqual([])
    const misplaced = listed.filter(
      (name) => known.get(name)?.volatile !== harmless_volatile.has(name),
    )
    expect(misplaced).toEqual([])
    const harmful = [...known.values()].filter(
      ({ name, volatile, restricted }) => (volatile && !harmless_volatile.has(name)) || restricted,
    )
    expect(harmful.map(({ name }) => name).filter(isHarmless)).toEqual([])
  })

  it('say nothing of a function that they call harmless and of another kind', () => {
    for (const name of [...harmless_stable, ...harmless_volatile])
      expect([name, functionEffect(name)]).toEqual([name, undefined])
  })
})
