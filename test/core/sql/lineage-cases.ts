/**
 * Statements with what lineage must say of them, one a line: `statement => summary` (lineage-summary.ts), over the tables of
 * lineage-fixture.ts.
 */
export const lineage_cases = String.raw`
select * from people => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
select id, email as mail from people p => id!(people.id) mail!(people.email)
select p.* from people p => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
select people.ssn from people => ssn!(people.ssn)
select public.people.ssn from people => ssn!(people.ssn)
select public.people.ssn from public.people => ssn!(people.ssn)
select upper(ssn), ssn || name, -salary, salary + 1, ssn::int, cast(ssn as int) from people => upper(people.ssn) ?column?(people.name,people.ssn) ?column?(people.salary) ?column?(people.salary) ssn(people.ssn) ssn(people.ssn) | 1(people.salary)
select reverse(reverse(ssn)) from people => reverse(people.ssn)
select case when ssn > '5' then 1 else 0 end from people => case(people.ssn) | '5'(people.ssn) | 1(people.ssn) | 0(people.ssn)
select case ssn when '1' then name else email end as x from people => x(people.email,people.name,people.ssn) | '1'(people.email,people.name,people.ssn)
select coalesce(email, name, 'none'), nullif(email, 'x'), greatest(email, name) from people => coalesce(people.email,people.name) nullif(people.email) greatest(people.email,people.name) | 'none'(people.email,people.name) | 'x'(people.email)
select array[email, name], row(email, id), (email, id) from people => array(people.email,people.name) row(people.email,people.id) row(people.email,people.id)
select substring(ssn from 1 for 3), overlay(ssn placing 'x' from 1), position('-' in ssn), trim(ssn), extract(year from doc::text::date) from people => substring(people.ssn) overlay(people.ssn) position(people.ssn) btrim(people.ssn) extract(people.doc) | 1(people.ssn) | 3(people.ssn) | 'x'(people.ssn) | 1(people.ssn) | '-'(people.ssn)
select ssn is null, ssn is distinct from '1', ssn in ('1', '2'), ssn between '1' and '2', ssn like '1%', ssn similar to '1' from people => ?column?(people.ssn) ?column?(people.ssn) ?column?(people.ssn) ?column?(people.ssn) ?column?(people.ssn) ?column?(people.ssn) | '1'(people.ssn) | '1'(people.ssn) | '2'(people.ssn) | '1'(people.ssn) | '2'(people.ssn) | '1%'(people.ssn) | '1'(people.ssn)
select not (ssn = '1') and id = 2 as x from people => x(people.id,people.ssn) | '1'(people.id,people.ssn) | 2(people.id,people.ssn)
select doc->'email', doc #>> '{a,b}', doc['a'], tags[1], tags[1:2] from people => ?column?(people.doc) ?column?(people.doc) doc(people.doc) tags(people.tags) tags(people.tags) | 'email'(people.doc) | '{a,b}'(people.doc) | 'a'(people.doc) | 1(people.tags) | 1(people.tags) | 2(people.tags)
select to_jsonb(p) from people p => to_jsonb(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags)
select row_to_json(p.*) from people p => row_to_json(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags)
select p from people p => p(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags)
select p.* is null from people p => ?column?(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags)
select people from people => people(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags)
select (p).ssn, (p).* from people p => ssn!(people.ssn) id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
select (p.*).ssn from people p => ssn!(people.ssn)
select ssn(p) from people p => ssn!(people.ssn)
select (row(p.ssn, p.id)).f1 from people p => f1!(people.ssn)
select (select p from people p limit 1).ssn => ssn!(people.ssn)
select ((select p from people p limit 1)).* => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
select q.p from (select p from people p) q => p(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags)
select (q.p).ssn, (q.p).* from (select p from people p) q => ssn!(people.ssn) id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
select count(*), count(ssn), count(distinct ssn), count(p), max(email) from people p => count() count(people.ssn) count(people.ssn) count(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags) max(people.email)
select string_agg(name, ',' order by ssn) from people => string_agg(people.name,people.ssn) | ','(people.name,people.ssn)
select count(*) filter (where ssn = '1') from people => count(people.ssn) | '1'(people.ssn)
select rank() over (order by salary) from people => rank(people.salary)
select first_value(id) over w from people window w as (partition by name order by ssn) => first_value(people.id,people.name,people.ssn)
select sum(total) over (w rows between 1 preceding and current row) from orders window w as (order by note) => sum(orders.note,orders.total) | 1(orders.note,orders.total)
select percentile_cont(0.5) within group (order by salary) from people => percentile_cont(people.salary) | 0.5(people.salary)
select name from people where ssn = '123' and id in (1, 2) => name!(people.name) | '123'(people.ssn) | 1(people.id) | 2(people.id)
select name from people where not (ssn = '123' or email like 'bob%') => name!(people.name) | '123'(people.ssn) | 'bob%'(people.email)
select name from people group by name having max(salary) > 100 => name!(people.name) | 100(people.salary)
select id from people order by ssn => id!(people.id)
select distinct on (ssn) id from people => id!(people.id)
select grouping(name) from people group by rollup (name) => grouping(people.name)
select p.name, o.total from people p join orders o on o.person_id = p.id => name!(people.name) total!(orders.total)
select * from people p join orders o on o.person_id = p.id => id!(orders.person_id,people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) id!(orders.id) person_id!(orders.person_id,people.id) total!(orders.total) note!(orders.note)
select * from people join orders using (id) => id(orders.id,people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) person_id!(orders.person_id) total!(orders.total) note!(orders.note)
select id from people join orders using (id) => id(orders.id,people.id)
select u.id from people join orders using (id) as u => id(orders.id,people.id)
select * from people natural join orders => id(orders.id,people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) person_id!(orders.person_id) total!(orders.total) note!(orders.note)
select j.note, j.ssn from (people p join orders o on p.id = o.id) j => note!(orders.note) ssn!(people.ssn)
select j.* from (orders a join orders b using (id)) as j (x, y, z) => x(orders.id) y!(orders.person_id) z!(orders.total) note!(orders.note) person_id!(orders.person_id) total!(orders.total) note!(orders.note)
select * from orders o left join (select id, ssn from people) s on s.id = o.person_id => id!(orders.id) person_id!(orders.person_id,people.id) total!(orders.total) note!(orders.note) id!(orders.person_id,people.id) ssn!(people.ssn)
select * from orders o (a, b, c) => a!(orders.id) b!(orders.person_id) c!(orders.total) note!(orders.note)
select x.a, x.d from people x (a, b, c, d) => a!(people.id) d!(people.ssn)
select * from orders o cross join lateral (select ssn from people where id = o.person_id) s => id!(orders.id) person_id!(orders.person_id,people.id) total!(orders.total) note!(orders.note) ssn!(people.ssn)
select s.* from orders o, lateral (select o.note, ssn from people) s => note!(orders.note) ssn!(people.ssn)
select (select ssn from people where id = o.person_id) from orders o => ssn(orders.person_id,people.id,people.ssn)
select exists (select 1 from people where ssn = '1') => exists(people.ssn) | '1'(people.ssn)
select 1 where exists (select 1 from people where ssn = '1') => ?column?() | '1'(people.ssn)
select id in (select salary from people) from orders => ?column?(orders.id,people.salary)
select total > all (select salary from people) from orders => ?column?(orders.total,people.salary)
select array(select ssn from people) => array(people.ssn)
select id from orders where note in (select ssn from people) => id!(orders.id)
select id from orders where total = (select max(salary) from people) => id!(orders.id)
with x as (select ssn from people) select * from x => ssn!(people.ssn)
with x (a) as (select ssn from people) select a || '1' from x => ?column?(people.ssn) | '1'(people.ssn)
with x as (select ssn from people), y as (select ssn as s from x) select s from y => s!(people.ssn)
with people as (select id as ssn from people) select ssn from people => ssn!(people.id)
with recursive r (n, s) as (select 1, ssn from people union all select n + 1, s || 'x' from r) select n, s from r => n() s(people.ssn) | 'x'(people.ssn)
with recursive r as (select id, person_id from orders union select o.id, p.id from people p, r join orders o on o.id = r.id) select * from r => id(orders.id) person_id(orders.person_id,people.id)
with recursive r (a) as (select ssn from people union all select a from r) search depth first by a set o cycle a set c using p select * from r => a(people.ssn) o(people.ssn) c(people.ssn) p(people.ssn)
with recursive a as (select * from b), b as (select ssn from people) select * from a => ssn!(people.ssn)
with x as (insert into orders (note) values ('a') returning id, note) select * from x => id!(orders.id) note!(orders.note) | 'a'(orders.note)
with x as (delete from people returning ssn) insert into orders (note) select ssn from x => - | public.orders.note <- people.ssn
select ssn from people union select name from people => ssn(people.name,people.ssn)
select note from orders except select ssn from people => note(orders.note,people.ssn)
select 'x' intersect select ssn from people => ?column?(people.ssn) | 'x'(people.ssn)
select ssn from people union all select 'none' order by 1 => ssn(people.ssn) | 'none'(people.ssn)
values (1, 'a'), (2, 'b') => column1() column2()
select * from (values (1, 'a'), (2, 'b')) v (i, t) => i() t()
select * from (select 1, ssn from people) q => ?column?() ssn!(people.ssn)
table people => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
select id from people limit 5 offset 2 => id!(people.id)
select id from orders limit (select salary from people limit 1) => id!(orders.id,people.salary) | rows people.salary
select g from generate_series(1, 1000000) g offset (select salary from people limit 1) limit 1 => g(people.salary) | rows people.salary
select mail from emails => mail(emails.mail,people.email)
select upper(mail) from emails where mail = 'x' => upper(emails.mail,people.email) | 'x'(emails.mail,people.email)
select * from rich => mail(emails.mail,people.email,rich.mail) n(rich.n)
select * from totals where sum > 10 => email!(people.email,totals.email) sum(orders.total,totals.sum) | 10(orders.total,totals.sum)
select * from staff => id!(humans.id,staff.id) email!(humans.email,staff.email) badge!(staff.badge)
select badge, email from humans => refused: column badge is not known
select email from humans where email = 'a' => email!(humans.email,staff.email) | 'a'(humans.email,staff.email)
select * from made => first!(made.first) last!(made.last) whole!(made.first,made.last,made.whole)
select whole from made where last = 'x' => whole!(made.first,made.last,made.whole) | 'x'(made.last)
select * from broken => refused: column a is not known
select * from gone => refused: relation public.nowhere is not known
select most_common_vals from pg_stats => refused: what pg_stats holds could be anything
select relname from pg_class => relname!(pg_class.relname)
select * from pg_catalog.pg_class => oid!(pg_class.oid) relname!(pg_class.relname)
select * from pg_statistic => refused: relation pg_statistic is not known
select query from pg_stat_activity => refused: relation pg_stat_activity is not known
select nope from people => refused: column nope is not known
select ssn from nowhere => refused: relation nowhere is not known
select nobody.ssn from people => refused: nobody.ssn is not known
select leak(1) => leak() | opaque leak
select leak(ssn) from people => leak(people.ssn) | leak(). <- people.ssn | opaque leak
select * from leak(1) => refused: what * stands for is not known
select x from leak(1) x => x() | opaque leak
select x.a from leak(1) x => a() | opaque leak
select unknown_function(email) from people => unknown_function(people.email) | unknown_function(). <- people.email | opaque unknown_function
select query_to_xml('select 1', true, true, '') => refused: query_to_xml reads what its arguments name
select table_to_xml('people', true, true, '') => refused: table_to_xml reads what its arguments name
select pg_read_file('/etc/passwd') => refused: pg_read_file reads what its arguments name
select lo_get(1) => refused: lo_get reads what its arguments name
select * from dblink('x', 'y') as t(a int) => refused: dblink reads what its arguments name
select set_config('my.x', ssn, false) from people => set_config(people.ssn) | set_config(). <- people.ssn | 'my.x'(people.ssn)
select pg_notify('c', email) from people => pg_notify(people.email) | pg_notify(). <- people.email | 'c'(people.email)
select pg_advisory_lock(salary) from people => pg_advisory_lock(people.salary) | pg_advisory_lock(). <- people.salary
select ssn operator(public.+) 1 from people => ?column?(people.ssn) | 1(people.ssn) | opaque operator public.+
select ssn === 'x' from people => ?column?(people.ssn) | 'x'(people.ssn) | opaque operator ===
insert into orders (id, note) select id, email from people => - | public.orders.id <- people.id | public.orders.note <- people.email
insert into orders values (1, 2, 3, 'x') => - | 1(orders.id) | 2(orders.person_id) | 3(orders.total) | 'x'(orders.note)
insert into people (id, email) values (1, 'bob'), (2, $1) returning * => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) | 1(people.id) | 'bob'(people.email) | 2(people.id) | $1(people.email)
insert into people (email) values (lower('BOB')) returning id, email as e => id!(people.id) e!(people.email) | 'BOB'(people.email)
insert into people (id, ssn) values (1, '5') on conflict (id) do update set ssn = excluded.ssn, email = 'q' where people.name = 'n' => - | 1(people.id) | '5'(people.ssn) | 'q'(people.email) | 'n'(people.name)
insert into orders default values => -
insert into people (email) select 'a' union all select 'b' => - | 'a'(people.email) | 'b'(people.email)
insert into people (email) select v.m from (values ('a'), ('b')) v (m) => - | 'a'(people.email) | 'b'(people.email)
insert into emails (mail) values ('a') => - | 'a'(emails.mail,people.email)
update people set email = 'x', ssn = $1 where id = 5 => - | 'x'(people.email) | 5(people.id) | $1(people.ssn)
update people set (email, ssn) = ('x', 'y') where name = 'z' => - | 'x'(people.email) | 'y'(people.ssn) | 'z'(people.name)
update people set (email, ssn) = (select note, 'k' from orders where id = 1) => - | public.people.email <- orders.id,orders.note | public.people.ssn <- orders.id,orders.note | 'k'(orders.id,orders.note,people.ssn) | 1(orders.id)
update orders o set note = p.email from people p where p.id = o.person_id returning o.note, p.ssn => note!(orders.note,people.email) ssn!(people.ssn) | public.orders.note <- people.email
update people set name = name || ssn returning old.name, new.name, name => name!(people.name,people.ssn) name!(people.name,people.ssn) name!(people.name,people.ssn) | public.people.name <- people.ssn itself
update people set name = 'a' returning with (old as o, new as n) o.*, n.name => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) name!(people.name) | 'a'(people.name)
update people p set tags[1] = 'x' where current of c => - | 1(people.tags) | 'x'(people.tags)
delete from people where ssn = '5' returning ssn => ssn!(people.ssn) | '5'(people.ssn)
delete from orders using people p where p.id = orders.person_id and p.email = 'x' returning * => id!(orders.id) person_id!(orders.person_id,people.id) total!(orders.total) note!(orders.note) id!(orders.person_id,people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) | 'x'(people.email)
merge into orders o using people p on o.person_id = p.id and p.email = 'm' when matched and p.name = 'q' then update set note = p.ssn when not matched then insert (id, note) values (p.id, 'new') returning o.note, merge_action() => note!(orders.note,people.ssn) merge_action() | public.orders.note <- people.ssn | public.orders.id <- orders.person_id,people.id | 'm'(people.email) | 'q'(people.name) | 'new'(orders.note,people.ssn)
update people set name = name => -
update people set name = lower(name) => - | public.people.name <- itself
merge into people p using (values (1, 'a@x')) v (i, m) on p.id = v.i when matched then update set email = v.m when not matched then insert (id, email) values (v.i, v.m) => - | public.people.email <- people.id | public.people.id <- itself | public.people.email <- people.id | 1(people.email,people.id) | 'a@x'(people.email,people.id) | rows people.id
create table copies as select id, ssn as s from people => - | copies.id <- people.id | copies.s <- people.ssn
create table copies (a, b) as select id, ssn from people => - | copies.a <- people.id | copies.b <- people.ssn
select ssn into copies from people => - | copies.ssn <- people.ssn
create materialized view copies as select ssn from people => - | copies.ssn <- people.ssn
create view copies (c) as select ssn from people => - | copies.c <- people.ssn
create table copies as execute p => refused: what the new table is made of is not followed
copy people to stdout => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc)
copy people (id, ssn) to stdout with csv => id!(people.id) ssn!(people.ssn)
copy (select reverse(ssn) from people where email = 'x') to stdout => reverse(people.ssn) | 'x'(people.email)
copy people from stdin => - | copied people.id people.name people.email people.ssn people.salary people.tags people.doc
copy people (ssn, id) from stdin where id = 5 => - | 5(people.id) | copied people.ssn people.id
copy people to '/tmp/x' => - | /tmp/x.id <- people.id | /tmp/x.name <- people.name | /tmp/x.email <- people.email | /tmp/x.ssn <- people.ssn | /tmp/x.salary <- people.salary | /tmp/x.tags <- people.tags | /tmp/x.doc <- people.doc
copy (select ssn from people) to program 'cat' => - | cat.ssn <- people.ssn
copy made to stdout => first!(made.first) last!(made.last)
copy staff (email) from stdin => - | copied humans.email,staff.email
copy (insert into people (email) values ('x') returning ssn) to stdout => ssn!(people.ssn) | 'x'(people.email)
declare c cursor for select ssn from people where email = 'x' => ssn!(people.ssn) | 'x'(people.email) | declares c
fetch all from c => - | continues c
move 5 in c => -
prepare q (text) as select ssn from people where email = $1 and id = 3 => ssn!(people.ssn) | 3(people.id) | $1(people.email) | prepares q
execute q ('bob', 3) => - | continues q | arguments 'bob', 3
explain select id from people where ssn = '1' => QUERY PLAN(people.id,people.ssn) | '1'(people.ssn)
explain analyze update orders set note = 'x' => QUERY PLAN(orders.*,orders.id,orders.note,orders.person_id,orders.total) | 'x'(orders.note)
explain execute q ('bob') => refused: what EXPLAIN EXECUTE explains is not followed
begin => -
set x = 'y' => -
show x => x()
show all => name() setting() description()
truncate people => -
alter table people rename ssn to x => - | public.people.x <- people.ssn
alter table people rename to y => - | public.y.id <- people.id | public.y.name <- people.name | public.y.email <- people.email | public.y.ssn <- people.ssn | public.y.salary <- people.salary | public.y.tags <- people.tags | public.y.doc <- people.doc
alter table people set schema z => - | z.people.id <- people.id | z.people.name <- people.name | z.people.email <- people.email | z.people.ssn <- people.ssn | z.people.salary <- people.salary | z.people.tags <- people.tags | z.people.doc <- people.doc
alter table staff rename constraint a to b => -
alter schema public rename to q => refused: what is in a schema that gets another name cannot be told
alter table people alter ssn type int using ssn::int => -
alter table people alter name type text using ssn => - | public.people.name <- people.ssn
alter table people add z text generated always as (ssn || 'x') stored => - | public.people.z <- people.ssn | 'x'(people.ssn)
alter table people inherit orders => - | public.people.id <- people.id | public.people.name <- people.name | public.people.email <- people.email | public.people.ssn <- people.ssn | public.people.salary <- people.salary | public.people.tags <- people.tags | public.people.doc <- people.doc | public.people.id <- orders.id | public.people.person_id <- orders.person_id | public.people.total <- orders.total | public.people.note <- orders.note
alter table humans detach partition staff => - | public.humans.id <- humans.id,staff.id | public.humans.email <- humans.email,staff.email | public.humans.id <- humans.id,staff.id | public.humans.email <- humans.email,staff.email | public.humans.badge <- staff.badge
create index on people (lower(ssn)) => -
create rule r as on insert to orders do also select 1 => refused: it leaves code behind that runs unseen
create trigger t after insert on people for each row execute function leak() => refused: it leaves code behind that runs unseen
create or replace function f() returns int language sql as 'select 1' => - | opaque f
call leak(1) => - | opaque leak
do 'begin end' => refused: DoStmt is not followed
create schema s create table t (a int) => refused: what CREATE SCHEMA creates within it is not followed
select 1; select ssn from people => ?column?() ;; ssn!(people.ssn)
select * from unnest(array[1, 2]) => unnest()
select * from people, unnest(tags) t => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) t(people.tags)
select t from people, unnest(tags) with ordinality as x (t, n) => t(people.tags)
select u.ssn from unnest(array(select p from people p)) u => ssn(people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags) | rows people.*,people.doc,people.email,people.id,people.name,people.salary,people.ssn,people.tags
select * from unnest(array(select p from people p)) u => refused: what * stands for is not known
select * from unnest(array[1], array[2]) => refused: what * stands for is not known
select * from json_each('{}') => key() value()
select key, value from people, jsonb_each(doc) => key(people.doc) value(people.doc)
select * from people, jsonb_to_recordset(doc) as r (a int, b text) => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) a(people.doc) b(people.doc)
select * from jsonb_populate_record(null::people, '{}') => refused: what * stands for is not known
select r.* from rows from (generate_series(1, 2), json_each('{}')) with ordinality as r (a, b, c, d) => a() b() c() d()
select * from xmltable('/a' passing (select ssn::xml from people) columns x text path 'b', n for ordinality) x => x(people.ssn) n(people.ssn) | '/a'(people.ssn) | rows people.ssn
select * from people p, json_table(p.doc, '$' columns (a text path '$.a', nested path '$.b' columns (c int path '$'))) j => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) a(people.doc) c(people.doc)
select json_object('a': ssn), json_array(ssn, id), json_value(doc, '$.a' passing ssn as x), json_arrayagg(ssn), xmlelement(name a, xmlattributes(ssn as b), email), doc is json from people => json_object(people.ssn) json_array(people.id,people.ssn) json_value(people.doc,people.ssn) json_arrayagg(people.ssn) xmlelement(people.email,people.ssn) ?column?(people.doc) | 'a'(people.ssn) | '$.a'(people.doc,people.ssn)
select id from people tablesample bernoulli (5) => id!(people.id)
select g from generate_series(1, 1000) g, people where g = salary => g(people.salary) | 1(people.salary) | 1000(people.salary) | rows people.salary
select v.i from (values (1, 'a'), (2, 'b')) v (i, t) join people on t = ssn => i(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 2(people.ssn) | 'b'(people.ssn) | rows people.ssn
select count(*) from people p join generate_series(1, 1000) g on g <= p.salary => count(people.salary) | 1(people.salary) | 1000(people.salary) | rows people.salary
select p.id, g from people p, generate_series(1, p.salary) g => id!(people.id) g(people.salary) | 1(people.salary) | rows people.salary
select o.note from orders o join people p on p.email = o.note => note!(orders.note,people.email)
select o.total from orders o join people p on o.note like p.email || '%' => total!(orders.total) | '%'(orders.note,people.email) | rows orders.note,people.email
select name from people where salary > (select avg(salary) from people) => name!(people.name)
select e from unnest($1::text[]) e join people on email = e => e(people.email) | $1(people.email) | rows people.email
select id from people where email = any ($1) => id!(people.id) | $1(people.email)
select id from people where ssn = E'\x31' and email = U&'\0041' and name = $q$bob$q$ and id = -5 and tags = B'1' => id!(people.id) | E'\x31'(people.ssn) | U&'\0041'(people.email) | $q$bob$q$(people.name) | -5(people.id) | B'1'(people.tags)
select 'ü', id from people where name = 'ß' and ssn = 'é' => ?column?() id!(people.id) | 'ß'(people.name) | 'é'(people.ssn)
select * from people where (ssn, email) = ('1', $2) and extract(year from doc::text::date) = 5 => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) | '1'(people.ssn) | 5(people.doc) | $2(people.email)
select k from (values (1, 'a'), (2, 'b')) d (k, v), people where v = ssn => k(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 2(people.ssn) | 'b'(people.ssn) | rows people.ssn
select q.k from (select d.k, d.v = p.ssn as m from (values (1, 'a'), (2, 'b')) d (k, v), people p) q where q.m => k(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 2(people.ssn) | 'b'(people.ssn) | rows people.ssn
select q.note from (select o.note, o.note = p.ssn as m from orders o, people p) q where m => note!(orders.note,people.ssn) | rows orders.note,people.ssn
select count(*) from (select g <= salary as m from generate_series(1, 1000) g, people) q where m => count(people.salary) | 1(people.salary) | 1000(people.salary) | rows people.salary
select k from (select k, v from (values (1, 'a')) d (k, v) union all select d2.k, p.ssn from (values (1, 'a')) d2 (k, v), people p) q group by k, v having count(*) > 1 => k(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 1(people.ssn) | 1(people.ssn) | rows people.ssn
select k, count(*) from (select k, v from (values (1, 'a')) d (k, v) union select d2.k, p.ssn from (values (1, 'a')) d2 (k, v), people p) q group by k => k(people.ssn) count(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 1(people.ssn) | rows people.ssn
select k from (select k, v from (values (1, 'a')) d (k, v) intersect select n, ssn from people, generate_series(1, 2) n) q => k(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 1(people.ssn) | 2(people.ssn) | rows people.ssn
select k from ((select 1 as k, 'a' as v union all select 2, 'b') intersect select n, ssn from people, generate_series(1, 2) n) q => k(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 2(people.ssn) | 'b'(people.ssn) | 1(people.ssn) | 2(people.ssn) | rows people.ssn
select k, count(*) from (select distinct k, v from (select k, v from (values (1, 'a')) d (k, v) union all select n, ssn from people, generate_series(1, 2) n) r) q group by k => k(people.ssn) count(people.ssn) | 1(people.ssn) | 'a'(people.ssn) | 1(people.ssn) | 2(people.ssn) | rows people.ssn
select v from (values ('0'), ('1')) t (v) order by v = (select ssn from people where id = 1) desc limit 1 => v(people.id,people.ssn) | '0'(people.id,people.ssn) | '1'(people.id,people.ssn) | 1(people.id,people.ssn)
select v, id from (select 'D' as v, 1 as id, 'a' as s union all select 'R', id, ssn from people) q order by s => v(people.ssn) id(people.id,people.ssn) | 'D'(people.ssn) | 1(people.id,people.ssn) | 'a'(people.id,people.ssn) | 'R'(people.ssn)
select 'D' as v, 'a' as s union all select 'R', ssn from people order by 2 => v(people.ssn) s(people.ssn) | 'a'(people.ssn)
select distinct on (v = ssn) v from (values ('0'), ('1')) t (v), people => v(people.ssn) | '0'(people.ssn) | '1'(people.ssn)
select min(v) from (values ('0'), ('1')) t (v), people group by v = ssn => min(people.ssn) | '0'(people.ssn) | '1'(people.ssn)
select v from (values ('0'), ('1')) t (v), people where v = ssn or id = 3 => v(people.ssn) | '0'(people.ssn) | '1'(people.ssn) | 3(people.id) | rows people.ssn
select g from generate_series(1, 9) g where exists (select 1 from people where salary = g) => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select g from generate_series(1, 9) g where g in (select salary from people) => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select g from generate_series(1, 9) g where (select salary from people limit 1) = g => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select g from generate_series(1, 9) g where g = any (array(select salary from people)) => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select g from generate_series(1, 9) g where row(g, 1) = (select salary, id from people limit 1) => g(people.id,people.salary) | 1(people.id,people.salary) | 9(people.id,people.salary) | 1(people.id,people.salary) | rows people.id,people.salary
select g from generate_series(1, 9) g where (g, 1) in (select salary, id from people) => g(people.salary) | 1(people.salary) | 9(people.salary) | 1(people.id) | rows people.salary
select g from generate_series(1, 9) g join people on int4larger(g, salary) = salary => g(people.salary) | int4larger(). <- people.salary | 1(people.salary) | 9(people.salary) | rows people.salary | opaque int4larger
select g from generate_series(1, 9) g full join people on g = salary => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select g, salary is null from generate_series(1, 9) g left join people on g = salary => g(people.salary) ?column?(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
with d as (select generate_series(1, 9) as g) select g from d, people where g = salary => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select g from generate_series(1, 9) g where case when g = (select salary from people) then true end => g(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select a.g from generate_series(1, 9) a (g), generate_series(1, 9) b (g), people where a.g = b.g and b.g = salary => g(people.salary) | 1(people.salary) | 9(people.salary) | 1(people.salary) | 9(people.salary) | rows people.salary
select email, count(*) from people group by email having count(*) > 1 => email!(people.email) count()
select department, n from (select name as department, count(*) as n from people group by name) q where n > 5 => department!(people.name) n()
select 'name' as kind, name from people union select 'mail', email from people => kind() name(people.email,people.name)
select ssn into copies from people union select note from orders => - | copies.ssn <- orders.note,people.ssn
select count(*) from people, generate_series(1, salary) => count(people.salary) | 1(people.salary) | rows people.salary
select (select count(*) from generate_series(1, salary)) from people => count(people.salary) | 1(people.salary)
select count(*) from (select generate_series(1, salary) from people) q => count(people.salary) | 1(people.salary) | rows people.salary
select count(*) from (select 1 from generate_series(1, 100) limit (select salary from people limit 1)) q => count(people.salary) | 1(people.salary) | 100(people.salary) | rows people.salary
select array_agg(g) from (select g from generate_series(1, 100) g fetch first (select salary from people limit 1) rows only) q => array_agg(people.salary) | 1(people.salary) | 100(people.salary) | rows people.salary
select substr('0123456789', salary, 1), ('{1,2,3}'::int[])[salary] from people => substr(people.salary) int4(people.salary) | '0123456789'(people.salary) | 1(people.salary) | '{1,2,3}'(people.salary)
select name from people p where exists (select 1 from orders o where o.person_id = p.id and o.total > 5) => name!(people.name) | 5(orders.total)
select p.name, count(o.id) from people p left join orders o on o.person_id = p.id group by p.name having count(o.id) > 1 order by 2 desc => name!(people.name) count(orders.id) | 1(orders.id)
select date_trunc('day', now()), count(*) from orders group by 1 order by 1 => date_trunc() count()
create index on people (leak(ssn)) => - | leak(). <- people.ssn | opaque leak
create table t (a text default leak('x'), b int check (b > 0)) => - | opaque leak
select count(*) from generate_series(1, 100) g where exists (select 1 from people where g <= salary) => count(people.salary) | 1(people.salary) | 100(people.salary) | rows people.salary
select id from people where id in (select person_id from orders where total > 5) => id!(orders.person_id,people.id) | 5(orders.total)
select distinct name from people => name!(people.name)
select distinct name, email from people order by email => name!(people.name) email!(people.email)
set search_path to log; select upper(what) from audit => - ;; upper(audit.what)
set search_path to log, public; select upper(what) from audit; select ssn from people => - ;; upper(audit.what) ;; ssn!(people.ssn)
set search_path to nowhere; select ssn from people => refused: relation people is not known
set search_path to nowhere; select ssn from public.people => - ;; ssn!(people.ssn)
reset search_path; select 1 as x, ssn from people => refused: relation people is not known
reset search_path; select ssn from public.people => - ;; ssn!(people.ssn)
begin; select ssn from people => - ;; ssn!(people.ssn)
commit; select ssn from people => refused: relation people is not known
rollback to savepoint a; select ssn from people => refused: relation people is not known
set role x; select ssn from people => refused: relation people is not known
select set_config('search_path', 'x', false); select ssn from people => refused: relation people is not known
execute p; select ssn from people => refused: relation people is not known
drop view emails; select ssn from public.people => refused: relation public.people is not known
create table a (b int); insert into a values (1) => refused: relation a is not known
select id into x from orders; select id from orders => refused: relation orders is not known
insert into orders (id) values (1); update orders set note = 'x'; select note from orders => - | 1(orders.id) ;; - | 'x'(orders.note) ;; note!(orders.note)
select leak(1); select ssn from people => refused: relation people is not known
set statement_timeout = 5; select ssn from people => - ;; ssn!(people.ssn)
prepare p as select set_config('search_path', 'x', false) => refused: settings that it changes when it runs cannot be followed
declare c cursor for select set_config('search_path', 'x', false) => refused: settings that it changes when it runs cannot be followed
declare c cursor for select ssn from people; fetch c; close c; select email from people => ssn!(people.ssn) | declares c ;; - | continues c ;; - ;; email!(people.email)
fetch c; select email from people => refused: relation people is not known
prepare p as select ssn from people; execute p; select email from people => ssn!(people.ssn) | prepares p ;; - | continues p ;; email!(people.email)
create index on people (id) where ssn = 'a' => - | 'a'(people.ssn)
create unique index on people (lower(ssn || 'x'), id) where salary > 5 => - | 'x'(people.ssn) | 5(people.salary)
alter table people alter ssn set default 'a' => - | 'a'(people.ssn)
alter table people alter ssn set default 'a' || 'b', add z text default 'c', add check (email <> 'd') => - | 'a'(people.ssn) | 'b'(people.ssn) | 'd'(people.email)
alter table people alter ssn drop default, alter ssn set statistics 100, alter ssn set storage plain => -
select u from people, unnest(array[ssn, email]) u => u(people.email,people.ssn)
select * from people p, lateral unnest(array[p.ssn, p.name]) with ordinality => id!(people.id) name!(people.name) email!(people.email) ssn!(people.ssn) salary!(people.salary) tags!(people.tags) doc!(people.doc) unnest(people.name,people.ssn) ordinality()
alter table people add z text default 'a' check (z <> 'b'), add constraint c check (ssn <> 'd' or z = 'e') => - | 'd'(people.ssn) | 'e'(people.ssn)
alter table people add unique (ssn), add primary key (id), add foreign key (id) references orders (id) => -
alter table people add constraint c check (leak(ssn) = 'x') => - | leak(). <- people.ssn | 'x'(people.ssn) | opaque leak
`
