import { describe, expect, it } from 'vitest'
import { analyzeText } from '#core/sql/analyze.ts'
import { loadSqlParser } from '#core/sql/parser.ts'

const parser = await loadSqlParser()
const isPure = (text: string): boolean => {
  const { analysis } = analyzeText(parser, text)
  if (!analysis.ok) throw new Error(`${text}: ${analysis.error}`)
  return analysis.pureRead
}

describe('a pure read', () => {
  it.for([
    'select 1',
    'table t',
    'values (1, $1), (default_value, null)',
    'SELECT abalance FROM pgbench_accounts WHERE aid = $1;',
    `select a, b as c, d.* from s.t d join u using (a) left join lateral (select 1) x on true where e like '%' and f is not null`,
    `with recursive x as (select 1 as n union all select n + 1 from x where n < 5) select * from x order by n desc nulls last limit 3`,
    `select count(*) filter (where a > 1), sum(b) over (partition by c order by d rows between 1 preceding and current row) from t group by cube (a, b) having max(a) > 2`,
    `select case when a then 1 else 2 end, coalesce(a, b), nullif(a, b), greatest(1, 2), (array[1, 2])[1], row(1, 2), exists (select 1), a = any (array[1]), a in (1, 2), a between 1 and 2`,
    `select current_timestamp, current_date, current_user, now(), extract(year from a), substring(a from 1 for 2), a at time zone 'UTC', trim(both from a) from t`,
    `select a::int, cast(b as numeric(10, 2)), c::text[], date '2020-01-01', interval '1 day' from t`,
    `select pg_catalog.lower(a), a operator(pg_catalog.+) 1, a ->> 'b', c collate "C" from t`,
    'select * from generate_series(1, 10) with ordinality as g (a, b)',
    'select a from t union all (select b from u intersect select c from v) except select d from w',
    'select distinct on (a) b from t offset 5 fetch first 1 row only',
  ])('is proven: %s', (text) => {
    expect(isPure(text)).toBe(true)
  })

  it.for([
    ['no statement', ''],
    ['two statements', 'select 1; select 2'],
    ['INTO', 'select * into n from t'],
    ['FOR UPDATE', 'select * from t for update'],
    ['FOR SHARE inside', 'select * from (select * from t for share) x'],
    ['WITH that deletes', 'with x as (delete from t returning *) select * from x'],
    ['WITH that inserts, unused', 'with x as (insert into t values (1)) select 1'],
    ['a function of somebody', 'select f(1)'],
    ['a function of another schema', 'select public.lower(a) from t'],
    ['a function three names deep', 'select db.pg_catalog.lower(a) from t'],
    ['nextval', "select nextval('s')"],
    ['setval', "select setval('s', 1)"],
    ['currval', "select currval('s')"],
    ['set_config', "select set_config('role', 'x', false)"],
    ['pg_sleep', 'select pg_sleep(1)'],
    ['advisory locks', 'select pg_advisory_lock(1)'],
    ['transaction ids', 'select txid_current()'],
    ['random', 'select random()'],
    ['clock_timestamp', 'select clock_timestamp()'],
    ['files', "select pg_read_file('x')"],
    ['large objects', 'select lo_get(1)'],
    ['signals', 'select pg_terminate_backend(1)'],
    ['notifications', "select pg_notify('a', 'b')"],
    ['query_to_xml', "select query_to_xml('drop table t', true, true, '')"],
    ['ts_stat', "select * from ts_stat('select 1')"],
    ['dblink', "select * from dblink('a', 'b') as t (a int)"],
    ['a function in FROM', 'select * from f(1)'],
    ['a function in ORDER BY', 'select a from t order by f(a)'],
    ['a function in LIMIT', 'select a from t limit f(1)'],
    ['a function in a window', 'select sum(a) over (order by f(b)) from t'],
    ['a function in WITH', 'with x as (select f(1)) select * from x'],
    ['a sampling method', 'select * from t tablesample system (1)'],
    ['an operator of a schema', 'select a operator(s.+) b from t'],
    ['an operator of somebody', 'select a <^> b from t'],
    ['sorting by an operator', 'select a from t order by a using <'],
    ['a type of somebody', 'select a::mytype from t'],
    ['a type of a schema', 'select a::public.int from t'],
    ['json_table', `select * from json_table('{}', '$' columns (a int)) x`],
    ['regclass', "select 't'::regclass"],
    ['an attribute that may be a function', 'select (a).f from t'],
    ['xmltable', `select * from xmltable('/a' passing x columns b int) y`],
    ['EXPLAIN', 'explain select 1'],
    ['SHOW', 'show all'],
    ['BEGIN', 'begin'],
    ['INSERT', 'insert into t select 1'],
    ['COPY', 'copy t to stdout'],
    ['DECLARE', 'declare c cursor for select 1'],
    ['CREATE TABLE AS', 'create table x as select 1'],
    ['PREPARE', 'prepare p as select 1'],
    ['EXECUTE', 'execute p'],
    ['CALL', 'call f()'],
  ] as const)('is not one with %s', ([, text]) => {
    expect(isPure(text)).toBe(false)
  })
})
