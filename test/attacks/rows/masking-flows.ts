import type { Attack } from '../attack.ts'
import { queries } from '../sql-attack.ts'
import { after } from './masking-row.ts'

/** Masked values in catalogs, functions that read by themselves, and other places, to be read from there. */
export const masking_flows: readonly Attack[] = [
  after(
    'pg_stats',
    "select most_common_vals, histogram_bounds from pg_stats where tablename = 'people'",
  ),
  after('pg_statistic', "select stavalues1 from pg_statistic where starelid = 'people'::regclass"),
  after('query_to_xml', "select query_to_xml('select email from people', true, true, '')"),
  after('table_to_xml', "select table_to_xml('people', true, true, '')"),
  after('database_to_xml', "select database_to_xml(true, true, '')"),
  after(
    'cursor_to_xml',
    queries(
      'begin',
      'declare c cursor for select email from people',
      "select cursor_to_xml('c', 10, true, true, '')",
    ),
  ),
  after('ts_stat', "select * from ts_stat('select to_tsvector(note) from people')"),
  after(
    'CREATE TABLE AS, then reading that',
    queries(
      'create table laundered as select email as e, salary as s from people',
      'select * from laundered',
    ),
  ),
  after(
    'SELECT INTO, then reading that',
    queries('select note as n into laundered2 from people', 'select * from laundered2'),
  ),
  after(
    'INSERT SELECT, then reading that',
    queries(
      'insert into orders select 500 + id, email from people',
      'select * from orders where id > 500',
    ),
  ),
  after(
    'UPDATE of another column, then reading that',
    queries('update people set name = email', 'select name from people'),
  ),
  after(
    'RENAME of the column, then reading that',
    queries('begin', 'alter table people rename email to harmless', 'select harmless from people'),
  ),
  after(
    'RENAME of the table, then reading that',
    queries('begin', 'alter table people rename to harmless', 'select email from harmless'),
  ),
  after(
    'a view of its own, then reading that',
    queries('begin', 'create view mine as select email as m from people', 'select m from mine'),
  ),
  after(
    'a temporary view of its own',
    queries('create temp view mine as select note as m from people', 'select m from mine'),
  ),
  after(
    'inheritance: a child table',
    queries(
      'begin',
      'create table child () inherits (people)',
      'insert into child select * from people',
      'select email from child',
    ),
  ),
  after(
    'a table of the same name ahead in the search_path',
    queries(
      'create temp table other_people (like people)',
      'set search_path = public, pg_temp',
      'select email from people',
    ),
  ),
  after(
    'a trigger that copies it',
    queries(
      'create function copy_out() returns trigger language plpgsql as $$ begin insert into orders values (700 + new.id, new.email); return new; end $$',
      'create trigger t after update on people for each row execute function copy_out()',
      "update people set name = 'x'",
      'select item from orders where id > 700',
    ),
  ),
  after(
    'a rule that copies it',
    queries(
      'create rule r as on update to people do also insert into orders values (800 + new.id, new.note)',
      "update people set name = 'y'",
      'select item from orders where id > 800',
    ),
  ),
  after(
    'a generated column',
    queries(
      'begin',
      'alter table people add g text generated always as (lower(email)) stored',
      'select g from people',
    ),
  ),
  after(
    'a default that reads it',
    queries(
      "create function d() returns text language sql as 'select email from public.people limit 1'",
      'create temp table t (a int, b text default d())',
      'insert into t values (1) returning b',
    ),
  ),
  after('LISTEN and NOTIFY', queries('listen c', "select pg_notify('c', email) from people")),
  after(
    'set_config and SHOW',
    queries("select set_config('my.x', email, false) from people", 'show my.x'),
  ),
  after(
    'lo_from_bytea and lo_get',
    queries('select lo_from_bytea(4711, note::bytea) from people', 'select lo_get(4711)'),
  ),
  after(
    'an advisory: a sequence',
    queries(
      'begin',
      'create sequence q',
      "select setval('q', salary) from people",
      'select last_value from q',
    ),
  ),
  after('pg_stat_activity', 'select query from pg_stat_activity'),
  after(
    'generate_series over it',
    'select count(*) from generate_series(1, (select salary from people) / 1000)',
  ),
  after(
    'ORDER BY and DISTINCT ON an expression of it',
    "select distinct on (email) email || '' from people order by email",
  ),
  after('GROUP BY', 'select email, count(*) from people group by 1'),
  after(
    'jsonb_populate_record',
    'select (jsonb_populate_record(null::people, to_jsonb(p))).email from people p',
  ),
  after('json_each_text', 'select j.value from people p, json_each_text(row_to_json(p)) j'),
  after('hstore-like text of the row', 'select p::text from people p'),
  after('regexp_matches', "select regexp_matches(email, '(.*)@(.*)') from people"),
  after('xmlforest', 'select xmlforest(email, note) from people'),
  after(
    'GREATEST, COALESCE, NULLIF',
    "select greatest(email, ''), coalesce(note, ''), nullif(ssn, '') from people",
  ),
  after(
    'a domain of its own',
    queries('create domain my_text as text', 'select email::my_text from people'),
  ),
  after(
    'an operator of its own',
    queries(
      "create function echo(text, text) returns text language sql as 'select $1'",
      'create operator @@@ (function = echo, leftarg = text, rightarg = text)',
      "select email @@@ '' from people",
    ),
  ),
  after(
    'an aggregate of its own',
    queries(
      "create aggregate keep(text) (sfunc = textcat, stype = text, initcond = '')",
      'select keep(email) from people',
    ),
  ),
  after(
    'a recursive CTE',
    'with recursive r as (select 1 as n, email as e from people union all select n + 1, e from r where n < 3) select e from r',
  ),
  after(
    'MERGE RETURNING',
    "merge into people p using (values (1)) v (id) on p.id = v.id when matched then update set name = 'z' returning p.email",
  ),
  after('tablesample', 'select email from people tablesample system (100)'),
  after(
    'ROWS FROM',
    'select * from rows from (unnest(array(select email from people)), generate_series(1, 2))',
  ),
  after('currtid, ctid and xmin to find it', 'select email from people where ctid is not null'),
  after(
    'pageinspect-like raw pages',
    "select encode(pg_read_binary_file(pg_relation_filepath('people')), 'escape')",
  ),
]
