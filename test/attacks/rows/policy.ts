import { wire } from '../../support/wire-client.ts'
import type { Attack } from '../attack.ts'
import { planted } from '../ground-config.ts'
import { packet, queries, sqlAttack, type Say } from '../sql-attack.ts'

/** Ways around what a policy allows. The writer may read and write orders and people; nobody said anything about wages. */

const wages = [planted.wage]

/** After wages, by a job that may not read them. */
const reading = (attack: string, ...texts: readonly string[]): Attack =>
  sqlAttack({ attack, role: 'writer', say: queries(...texts), leaks: wages, expect: ['refused'] })

/** To get rid of orders, by a job that may not. */
const dropping = (attack: string, say: Say, must_not_run = /drop|execute/i): Attack =>
  sqlAttack({ attack, role: 'writer', say, must_not_run, expect: ['refused'] })

/** After wages, by the owner, who may do anything but that. */
const denied = (attack: string, ...texts: readonly string[]): Attack =>
  sqlAttack({ attack, role: 'owner', say: queries(...texts), leaks: wages, expect: ['refused'] })

/** What a policy allows is allowed: without these rows a gateway that refuses everything would look good. */
const allowed = (attack: string, ...texts: readonly string[]): Attack =>
  sqlAttack({ attack, role: 'writer', say: queries(...texts), expect: ['recorded'] })

export const policy: readonly Attack[] = [
  allowed('(not one: SELECT that is allowed)', 'select * from orders'),
  allowed(
    '(not one: JOIN and aggregate)',
    'select count(*) from orders o join people p on o.id = p.id',
  ),
  allowed('(not one: INSERT)', "insert into orders values (70, 'desk') returning id"),
  allowed(
    '(not one: a transaction)',
    'begin',
    "update orders set item = 'bench' where id = 70",
    'commit',
  ),
  allowed(
    '(not one: a cursor)',
    'begin',
    'declare c cursor for select * from orders',
    'fetch all from c',
    'commit',
  ),
  allowed(
    '(not one: SQL PREPARE)',
    'prepare p (int) as select item from orders where id = $1',
    'execute p(1)',
  ),
  allowed('(not one: COPY)', 'copy orders to stdout'),
  allowed('(not one: EXPLAIN)', 'explain select * from orders'),
  reading('a table that no policy names', 'select * from wages'),
  reading('the same in quotes, in capitals, with its schema', 'select * from "public" . "wages"'),
  reading('in a subquery', 'select (select amount from wages) from orders'),
  reading('in a CTE', 'with w as (select * from wages) select * from w'),
  sqlAttack({
    attack: 'in EXISTS, one bit at a time',
    role: 'writer',
    say: queries('select exists (select from wages where amount > 1000)'),
    must_not_run: /exists/,
    expect: ['refused'],
  }),
  reading(
    'in the condition of an UPDATE',
    "update orders set item = 'x' where id in (select id from wages)",
  ),
  reading(
    'in RETURNING',
    "insert into orders values (90, 'x') returning (select amount from wages)",
  ),
  reading(
    'in ON CONFLICT',
    "insert into orders values (1, 'x') on conflict (id) do update set item = (select amount::text from wages) returning item",
  ),
  reading(
    'in MERGE',
    'merge into orders o using wages w on o.id = w.id when matched then update set item = w.amount::text',
  ),
  reading('through a view', 'select * from wage_view'),
  reading('through a function in SQL', 'select wage_total()'),
  reading('through a function that builds its text', 'select wage_hidden()'),
  reading('by TABLE', 'table wages'),
  reading('by COPY', 'copy wages to stdout'),
  reading('by COPY of a query', 'copy (select amount from wages) to stdout'),
  reading('by EXPLAIN ANALYZE', 'explain (analyze, verbose) select * from wages'),
  reading('by a cursor', 'begin', 'declare c cursor for select * from wages', 'fetch all from c'),
  reading('by SQL PREPARE and EXECUTE', 'prepare p as select * from wages', 'execute p'),
  reading('by query_to_xml', "select query_to_xml('select * from wages', true, true, '')"),
  reading('by table_to_xml', "select table_to_xml('wages', true, true, '')"),
  reading('by pg_stats', "select most_common_vals from pg_stats where tablename = 'wages'"),
  reading(
    'by the cast of a name to a row type',
    "select * from json_populate_record(null::wages, '{}'), wages",
  ),
  reading('by ts_stat', "select * from ts_stat('select to_tsvector(amount::text) from wages')"),
  reading('by dblink', "select * from dblink('', 'select amount from wages') as t (a int)"),
  reading('by a file of the server', "select pg_read_file('postgresql.auto.conf')"),
  reading('by a large object of a file', "select lo_import('/etc/passwd')"),
  reading(
    'by search_path, with a table of the same name',
    'set search_path = other, public',
    'select * from orders, wages',
  ),
  dropping('DROP', queries('drop table orders')),
  dropping('DROP in a DO block', queries('do $$ begin drop table orders; end $$')),
  dropping(
    'DROP in a DO block that builds its text',
    queries("do $$ begin execute 'dr' || 'op table orders'; end $$"),
  ),
  dropping(
    'DROP in a function that builds its text',
    queries('select drop_orders()'),
    /drop_orders/,
  ),
  dropping(
    'DROP in a function of its own',
    queries("create function f() returns void language sql as 'drop table orders'", 'select f()'),
  ),
  dropping(
    'DROP by PREPARE of the protocol',
    packet(1, wire.parse('drop table orders'), wire.bind(), wire.execute(), wire.sync()),
  ),
  dropping(
    'DROP in a Parse that is never executed',
    packet(1, wire.parse('drop table orders', 'kept'), wire.sync()),
  ),
  dropping('DROP with a name in unicode escapes', queries('drop table U&"\\006frders"')),
  dropping('TRUNCATE', queries('truncate orders'), /truncate/),
  dropping(
    'ALTER TABLE RENAME, to make an allowed name',
    queries('alter table wages rename to people'),
    /alter/,
  ),
  dropping('SELECT INTO a new table', queries('select * into orders_copy from orders'), /into/),
  dropping('CREATE TABLE AS', queries('create table orders_copy as table orders'), /create/),
  dropping('SET ROLE', queries('set role pg_read_all_data'), /set role/),
  dropping(
    'SET SESSION AUTHORIZATION',
    queries('set session authorization default'),
    /authorization/,
  ),
  dropping(
    'set_config of the role',
    queries("select set_config('role', 'pg_monitor', false)"),
    /set_config/,
  ),
  dropping('COPY TO PROGRAM', queries("copy orders to program 'cat > /tmp/out'"), /program/),
  dropping('COPY TO a file', queries("copy orders to '/tmp/orders.copy'"), /copy/),
  dropping('COPY FROM PROGRAM', queries("copy orders from program 'echo 1'"), /program/),
  dropping('LOAD of a library', queries("load 'auto_explain'"), /load/),
  dropping('GRANT', queries('grant pg_execute_server_program to public'), /grant/),
  dropping('ALTER SYSTEM', queries("alter system set log_statement = 'none'"), /alter/),
  dropping(
    'an operator of its own',
    queries('create operator === (function = int4eq, leftarg = int, rightarg = int)'),
    /operator/,
  ),
  dropping('pg_terminate_backend', queries('select pg_terminate_backend(1)'), /terminate/),
  denied('a denied table, by one who may do anything else', 'select * from wages'),
  denied('a denied table through a view', 'select * from wage_view'),
  denied('a denied table through a function in SQL', 'select wage_total()'),
  denied('a denied table through a function that builds its text', 'select wage_hidden()'),
  denied(
    'a denied table in a DO block that builds its text',
    "do $$ declare r int; begin execute 'select amount from wa' || 'ges' into r; raise notice '%', r; end $$",
  ),
  denied(
    'a denied table, by query_to_xml',
    "select query_to_xml('select * from wages', true, true, '')",
  ),
  denied(
    'a denied table, unqualified behind a search_path',
    'set search_path = public',
    'select * from wages',
  ),
  denied('a denied table by its OID', "select table_to_xml(16400::regclass, true, true, '')"),
]
