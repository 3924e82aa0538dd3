import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts'
import { fieldsOf, login, openSecure, wire, type WireClient } from '../../../support/wire-client.ts'

/**
 * Ways to see a masked column, each a session of its own: texts, or messages between two Syncs. The values are of scripts that nothing else here
 * is of, so that a part of one shows as well.
 */
const planted = /[\p{Script=Greek}\p{Script=Cyrillic}]|4711\d{3}/u

const schema = `
create table people (id int primary key, ssn text unique, email text, name text, salary int);
insert into people select i, 'αβγδ' || i, 'бвгд-' || i, 'name' || i, 4711000 + i from generate_series(1, 3) i;
create table orders (id int primary key, person_id int references people on delete cascade, note text, total int);
insert into orders select i, i, 'note' || i, i from generate_series(1, 3) i;
create view safe as select id, name as note from people;
create schema other;
create table other.people (id int, ssn text, email text, name text, salary int);
create table parent (id int, ssn text);
create table numbers (n int);
insert into numbers select generate_series(1, 10);
create function tell() returns trigger language plpgsql as
  $$begin raise notice 'row %', (select ssn from people limit 1); return new; end$$;
create table noisy (a int);
create trigger t before insert on noisy for each row execute function tell();
create function own_ssn() returns text language sql as 'select ssn from people limit 1';
create operator === (leftarg = text, rightarg = text, function = texteq);
`

const query = (text: string): readonly Buffer[] => [wire.query(text)]
const other_path = query('set search_path to other')
const hidden = 'select upper(ssn) from people'

type Attack = readonly [string, readonly (readonly Buffer[])[]]

const attack = (name: string, ...texts: readonly string[]): Attack => [name, texts.map(query)]

const attacks: readonly Attack[] = [
  attack('an expression', 'select upper(ssn), salary + 1, (p).email from people p'),
  attack('a row', 'select p, to_jsonb(p), row(p.*), array_agg(p) over () from people p'),
  attack('a temporary table', 'begin', 'create temp table t as select ssn from people', 'table t'),
  attack('a view', 'create temp view v as select ssn from people', 'table v'),
  attack(
    'a replaced view',
    'begin',
    'create or replace view safe as select id, ssn as note from people',
    'table safe',
  ),
  attack(
    'a renamed view',
    'begin',
    'alter table numbers rename to old',
    'alter view safe rename to numbers',
    'table numbers',
  ),
  attack(
    'a renamed table',
    'begin',
    'alter table orders rename to old',
    'alter table people rename to orders',
    'table orders',
  ),
  attack('a renamed column', 'begin', 'alter table people rename ssn to x', 'select x from people'),
  attack('a parent', 'begin', 'alter table people inherit parent', 'select upper(ssn) from parent'),
  attack(
    'a generated column',
    'begin',
    'alter table people add x text generated always as (ssn) stored',
    'select x from people',
  ),
  attack(
    'a default',
    'begin',
    'alter table people add x text default own_ssn()',
    'select x from people',
  ),
  attack(
    'a changed type',
    'begin',
    'alter table people alter name type text using ssn',
    'select name from people',
  ),
  attack('an UPDATE', 'begin', 'update people set name = ssn', 'select name from people'),
  attack(
    'an INSERT',
    'begin',
    'insert into orders (id, note) select 9, ssn from people limit 1',
    'table orders',
  ),
  attack(
    'SELECT INTO of a union',
    'begin',
    'select ssn into temp t from people union select note from orders',
    'table t',
  ),
  attack(
    'a function',
    `create function f() returns text language sql as 'select ssn from people limit 1'; select f()`,
  ),
  attack('a function that was there', 'select own_ssn()'),
  attack('a function behind an operator', `select ssn === 'x' from people`),
  attack('a setting', `select set_config('my.x', ssn, false) from people`, 'show my.x'),
  attack('a notification', `listen c; select pg_notify('c', ssn) from people`, 'select 1'),
  attack('locks', 'select pg_advisory_lock(salary) from people', 'select objid from pg_locks'),
  attack('a large object', 'select lo_from_bytea(0, ssn::bytea) from people'),
  attack('XML', `select query_to_xml('select ssn from people', true, true, '')`),
  attack(
    'statistics',
    'analyze people',
    'select most_common_vals, histogram_bounds from pg_stats',
    'table pg_statistic',
  ),
  attack(
    'a plan',
    `explain analyze select * from people where ssn = (select max(ssn) from people)`,
  ),
  attack('an error of a cast', 'select ssn::int from people'),
  attack(
    'an error of a write',
    'update people set id = null where id = 1',
    'insert into people (id, ssn) select 9, ssn from people',
  ),
  attack(
    'an error of a definition',
    'create unique index on people ((1), left(ssn, 1))',
    'alter table people add check (salary < 0)',
  ),
  attack('a block', `do $$begin raise notice '%', (select ssn from people limit 1); end$$`),
  attack('a trigger', 'insert into noisy values (1)'),
  attack(
    'a number of rows',
    'select count(*) from generate_series(1, 5000000) g join people on g <= salary and id = 1',
  ),
  attack(
    'a row that is left out',
    'select g from generate_series(4710000, 4712000) g offset (select salary - 4710000 from people where id = 1) limit 1',
  ),
  attack(
    'a dictionary',
    `select d.n from generate_series(4711000, 4711005) d (n) join people on n = salary`,
  ),
  attack(
    'a dictionary that is ordered',
    `select d.n from generate_series(4711000, 4711005) d (n) order by n = (select max(salary) from people) desc limit 1`,
  ),
  attack(
    'a dictionary that is intersected',
    `select n from (select n, n as v from generate_series(4711000, 4711005) n intersect select n, salary from generate_series(4711000, 4711005) n, people) q`,
  ),
  attack(
    'a path set in the text',
    'set search_path to other',
    `set search_path to public; ${hidden}`,
  ),
  attack(
    'a path set by a function',
    'set search_path to other',
    `select set_config('search_path', 'public', false); ${hidden}`,
  ),
  attack(
    'a path that a rollback gives back',
    'begin',
    'set search_path to other',
    `rollback; ${hidden}`,
  ),
  attack(
    'a path that a savepoint gives back',
    'begin',
    'savepoint a',
    'set search_path to other',
    `rollback to a; ${hidden}`,
  ),
  attack('a path that was local', 'begin', 'set local search_path to other', `commit; ${hidden}`),
  attack('a path that is reset', 'set search_path to other', `reset all; ${hidden}`),
  attack(
    'a path set by a prepared statement',
    `prepare p as select set_config('search_path', 'public', false)`,
    'set search_path to other',
    `execute p; ${hidden}`,
  ),
  attack(
    'a table behind a temporary one',
    'create temp table people (ssn text)',
    `drop table pg_temp.people; ${hidden}`,
  ),
  attack(
    'a table behind discarded ones',
    'create temp table people (ssn text)',
    `discard temp; ${hidden}`,
  ),
  attack(
    'a cursor and another path',
    'begin',
    `declare c cursor for ${hidden}`,
    'set search_path to other',
    'fetch all from c',
  ),
  attack(
    'a prepared statement and another path',
    'set search_path to other',
    `prepare p as ${hidden}`,
    'set search_path to public',
    'execute p',
  ),
  [
    'a portal and another path',
    [
      query('begin'),
      [wire.parse(hidden, 's'), wire.bind([], 's', 'p'), wire.sync()],
      other_path,
      [wire.describe('P', 'p'), wire.execute('p'), wire.sync()],
    ],
  ],
  [
    'a portal that SQL fetches from under another path',
    [
      query('begin'),
      [wire.parse(hidden, 's'), wire.bind([], 's', 'p'), wire.sync()],
      other_path,
      query('fetch all from p'),
    ],
  ],
  [
    'a path set by a portal that SQL fetches from',
    [
      other_path,
      query('begin'),
      [
        wire.parse(`select set_config('search_path', 'public', false)`, 's'),
        wire.bind([], 's', 'p'),
        wire.sync(),
      ],
      [
        wire.parse('fetch p'),
        wire.bind(),
        wire.execute(),
        wire.parse(hidden),
        wire.bind(),
        wire.execute(),
        wire.sync(),
      ],
    ],
  ],
  [
    'a statement parsed under another path',
    [
      other_path,
      [wire.parse(hidden, 's'), wire.sync()],
      query('set search_path to public'),
      [wire.bind([], 's'), wire.execute(), wire.sync()],
    ],
  ],
]

describe('a masked column', () => {
  let postgres: TestPostgres
  let gateway: TestGateway
  beforeAll(async () => {
    postgres = await startPostgres()
    const direct = new pg.Client({ connectionString: postgres.url })
    await direct.connect()
    await direct.query(schema)
    await direct.end()
    gateway = await startTestGateway({
      targets: { main: postgres },
      config: {
        masking: {
          rules: [
            {
              name: 'secret',
              columns: ['public.people.ssn', 'public.people.email', 'public.people.salary'],
            },
          ],
        },
      },
    })
  }, 60_000)
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    await postgres.stop()
  })

  const session = async (): Promise<WireClient> => {
    const client = await openSecure(gateway.port)
    await login(client, { user: 'admin', database: 'main' }, await gateway.token())
    return client
  }

  it.for(attacks)('is not seen through %s', async ([, steps]) => {
    const client = await session()
    const shown: string[] = []
    for (const messages of steps) {
      client.send(...messages)
      for (const { body } of await client.ready()) shown.push(body.toString('utf8'))
    }
    expect(shown.filter((text) => planted.test(text))).toEqual([])
    // Nor by anybody else: what the session tried has left nothing behind.
    client.send(wire.query('rollback'))
    await client.ready()
    client.send(
      wire.query('select note from public.orders union all select name from public.people'),
    )
    const answers = await client.ready()
    expect(answers.map(({ type }) => type)).not.toContain('E')
    expect(answers.filter(({ body }) => planted.test(body.toString('utf8')))).toEqual([])
    await client[Symbol.asyncDispose]()
  })

  it('shows what is not masked', async () => {
    const client = await session()
    client.send(wire.query('select name from public.people order by id limit 1'))
    const answers = await client.ready()
    const error = answers.find(({ type }) => type === 'E')
    expect(error === undefined ? undefined : fieldsOf(error)).toBeUndefined()
    expect(answers.some(({ body }) => body.toString('utf8').includes('name1'))).toBe(true)
    await client[Symbol.asyncDispose]()
  })
})
