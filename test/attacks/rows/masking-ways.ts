import { eventually } from '../../support/eventually.ts'
import { wire } from '../../support/wire-client.ts'
import type { Attack } from '../attack.ts'
import { planted } from '../ground-config.ts'
import { packet, queries } from '../sql-attack.ts'
import { after, asking, binary, failing } from './masking-row.ts'

/** Other ways out: errors, notices, COPY, cursors, statements and portals, formats, questions. */
export const masking_ways: readonly Attack[] = [
  failing('a cast that fails', 'select email::int from people'),
  failing('a cast that fails in WHERE', 'select 1 from people where ssn::int = 1'),
  failing('an error by division', 'select 1 / (salary - 31337313) from people'),
  after(
    'a unique violation',
    'begin; create unique index on people (email); insert into people (id, email) select 9, email from people',
  ),
  failing('a check violation', 'begin; alter table people add constraint c check (email is null)'),
  after('RAISE in DO', "do $$ begin raise notice '%', (select email from people); end $$"),
  after(
    'RAISE EXCEPTION in DO',
    "do $$ begin raise exception '%', (select note from people); end $$",
  ),
  after(
    'a function of its own',
    queries(
      "create or replace function leak() returns text language sql as 'select email from people'",
      'select leak()',
    ),
  ),
  after(
    'a function of its own that builds its text',
    queries(
      "create or replace function leak2() returns text language plpgsql as $$ declare r text; begin execute 'select em' || 'ail from people' into r; return r; end $$",
      'select leak2()',
    ),
  ),
  after('COPY TO STDOUT', 'copy people to stdout'),
  after('COPY TO STDOUT, csv', 'copy people (email, note) to stdout (format csv, header)'),
  after('COPY TO STDOUT, binary', 'copy people to stdout (format binary)'),
  after('COPY of a query', 'copy (select reverse(email), salary from people) to stdout'),
  after('COPY TO a program', "copy (select email from people) to program 'cat > /dev/null'"),
  after(
    'a cursor',
    queries('begin', 'declare c cursor for select email from people', 'fetch all from c'),
  ),
  after(
    'a cursor by MOVE and FETCH',
    queries(
      'begin',
      'declare c scroll cursor for select note from people',
      'move 1 from c',
      'fetch backward 1 from c',
      'fetch absolute 1 from c',
    ),
  ),
  after(
    'a cursor in binary',
    queries(
      'begin',
      'declare c binary cursor for select salary, email from people',
      'fetch all from c',
    ),
  ),
  after(
    'a prepared statement',
    packet(1, wire.parse('select email from people'), wire.bind(), wire.execute(), wire.sync()),
  ),
  after('a prepared statement, executed again and again', async (client) => {
    client.send(
      wire.parse('select email, note from people', 's'),
      wire.describe('S', 's'),
      wire.sync(),
    )
    await client.ready()
    for (let i = 0; i < 5; i++) client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    return client.ready(5)
  }),
  after(
    'a portal read row by row',
    packet(
      1,
      wire.parse('select email from people'),
      wire.bind([], '', 'p'),
      wire.execute('p', 1),
      wire.execute('p', 1),
      wire.sync(),
    ),
  ),
  after('SQL PREPARE and EXECUTE', queries('prepare p as select email from people', 'execute p')),
  after('a statement of SQL’s PREPARE, bound by the protocol', async (client) => {
    client.send(wire.query('prepare q as select email from people'))
    await client.ready()
    client.send(wire.bind([], 'q'), wire.execute(), wire.sync())
    return client.ready()
  }),
  after('the binary format', packet(1, ...binary('select salary from people'))),
  after('the binary format of text', packet(1, ...binary('select email from people'))),
  after(
    'EXPLAIN ANALYZE',
    'explain (analyze, verbose) select email from people where email is not null',
  ),
  after(
    'EXPLAIN of a function over it',
    `explain select * from people where email = lower('${planted.email}')`,
  ),
  after(
    'COPY with a delimiter of its own',
    "copy (select id, email, note from people) to stdout (format csv, delimiter '|', quote '~', escape '!', force_quote *)",
  ),
  asking(
    'COPY with the value as its NULL',
    `copy (select nullif(email, '${planted.email}') from people) to stdout (null '<<')`,
  ),
  after(
    'COPY by the extended protocol',
    packet(
      1,
      wire.parse('copy people (email) to stdout'),
      wire.bind(),
      wire.execute(),
      wire.sync(),
    ),
  ),
  after(
    'a cursor WITH HOLD, read in the next transaction',
    queries(
      'begin',
      'declare h cursor with hold for select email from people',
      'commit',
      'fetch all from h',
    ),
  ),
  after('a cursor declared by the protocol and fetched by SQL', async (client) => {
    client.send(wire.query('begin'))
    await client.ready()
    client.send(
      wire.parse('declare pc cursor for select note from people'),
      wire.bind(),
      wire.execute(),
      wire.sync(),
    )
    await client.ready()
    client.send(wire.parse('fetch all from pc'), wire.bind(), wire.execute(), wire.sync())
    return client.ready()
  }),
  after('a portal of the protocol fetched by SQL', async (client) => {
    client.send(wire.query('begin'))
    await client.ready()
    client.send(wire.parse('select email from people'), wire.bind([], '', 'pp'), wire.sync())
    await client.ready()
    client.send(wire.query('fetch all from pp'))
    return client.ready()
  }),
  after('a view replaced by somebody else between Parse and Execute', async (client, _, ground) => {
    await ground.direct.query('create or replace view swapped as select name as m from people')
    client.send(wire.parse('select m from swapped', 's'), wire.sync())
    await client.ready()
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    await client.ready()
    const other = await ground.open('owner')
    const made = await queries(
      'set search_path = public',
      "select set_config('my.made', 'x', false)",
    )(other.client)
    await other.end()
    await ground.direct.query('create or replace view swapped as select email as m from people')
    client.send(wire.query('create temp table notice_me (a int)'))
    const answers = [...made, ...(await client.ready())]
    // What is changed past the gateway is known once the catalog has been read again: then this shows nothing any more.
    await eventually('the catalog is read again', async () => {
      client.send(wire.query('select m is null from swapped limit 1'))
      const row = (await client.ready()).find(({ type }) => type === 'D')
      return row === undefined || row.body.readInt32BE(2) === -1
    })
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    return [...answers, ...(await client.ready())]
  }),
  after('a temporary table ahead, dropped between Parse and Execute', async (client) => {
    client.send(wire.query('create temp table people (email text)'))
    await client.ready()
    client.send(wire.parse('select email from people', 's'), wire.sync())
    await client.ready()
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    await client.ready()
    client.send(wire.query('drop table pg_temp.people'))
    await client.ready()
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    return client.ready()
  }),
  after(
    'the same, all in one packet',
    packet(
      4,
      wire.query('create temp table people (email text)'),
      wire.parse('select email from people', 's'),
      wire.sync(),
      wire.query('drop table pg_temp.people'),
      wire.bind([], 's'),
      wire.execute(),
      wire.sync(),
    ),
  ),
  after(
    'a search_path that another statement of the text changes',
    queries(
      'create schema if not exists elsewhere; create table if not exists elsewhere.people (email text); set search_path = elsewhere; set search_path = public; select email from people',
    ),
  ),
  after(
    'a search_path that a function changes',
    queries(
      "create or replace function go_home() returns text language sql as $$ select set_config('search_path', 'public', false) $$",
      'create schema if not exists elsewhere',
      'create table if not exists elsewhere.people (email text)',
      'set search_path = elsewhere',
      'select go_home(); select email from people',
    ),
  ),
  after(
    'a rollback that brings a search_path back',
    queries(
      'create schema if not exists elsewhere',
      'create table if not exists elsewhere.people (email text)',
      'begin',
      'set search_path = elsewhere',
      'rollback',
      'select email from people',
    ),
  ),
  after(
    'LATIN1, in which bytes are other characters',
    queries("set client_encoding = 'LATIN1'", 'select email, note from people'),
  ),
  after(
    'bytea_output and casts',
    queries("set bytea_output = 'escape'", 'select email::bytea, note::bytea from people'),
  ),
  after(
    'an error with the value in its detail (unique)',
    queries(
      'begin',
      'create temp table once (v text unique)',
      `insert into once values ('${planted.email}')`,
      'insert into once select email from people',
    ),
  ),
  failing(
    'an error with the row in its detail (not null)',
    'insert into people select null, name, email, ssn, salary, note from people',
  ),
  after(
    'an error with the row in its detail (check)',
    'insert into orders select id, email::varchar(2) from people where ssn::varchar(3)::int > 0',
  ),
  failing('an error of a JSON function', 'select email::json from people'),
  failing('an error of a date', 'select to_date(email, note) from people'),
  failing('an error of a regular expression', "select name ~ ('(' || email) from people"),
  failing('an error of a name', 'select (email)::regclass from people'),
  after('a notice of a name that is cut', "select rpad(email, 80, 'x')::name from people"),
  after('the length', 'select length(email), octet_length(note) from people'),
  after('a digest, to be guessed', 'select md5(email), sha256(ssn::bytea) from people'),
  asking(
    'the answer to a question in WHERE',
    `select count(*) from people where email = '${planted.email}'`,
  ),
  after(
    'the answer to a question in EXISTS',
    `select exists (select from people where ssn like '987%')`,
  ),
  asking(
    'the answer to a question in HAVING',
    `select 1 from people group by id having max(salary) > 31337312`,
  ),
  after(
    'the answer to a question in a join',
    `select q.a from (values ('${planted.ssn}')) q (a) join people p on p.ssn = q.a`,
  ),
  after('a statement that a trigger of somebody else replaces', async (client, _, ground) => {
    await ground.direct.query(`
      create table if not exists bait (a int);
      create or replace function swap() returns trigger language plpgsql as $$ begin
        execute 'deallocate s'; execute 'prepare s as select reverse(email) from people'; return new; end $$;
      create or replace trigger swap before insert on bait for each row execute function swap()`)
    client.send(wire.parse('select name from people', 's'), wire.describe('S', 's'), wire.sync())
    await client.ready()
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    await client.ready()
    client.send(wire.query('insert into bait values (1)'))
    await client.ready()
    client.send(wire.bind([], 's'), wire.execute(), wire.sync())
    return client.ready()
  }),
  after('the same, run by SQL’s EXECUTE', async (client) => {
    client.send(wire.query('prepare s as select name from people'))
    await client.ready()
    client.send(wire.query('insert into bait values (1)'))
    await client.ready()
    client.send(wire.query('execute s'))
    return client.ready()
  }),
]
