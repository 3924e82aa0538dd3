import { createCatalog } from '#core/sql/catalog-index.ts'
import type { Catalog, CatalogFunction, CatalogRelation } from '#core/sql/catalog.ts'

/** A database for cases: what a server would report of it. */
let next_oid = 20_000

const relation = (
  name: string,
  columns: string,
  more: Partial<CatalogRelation> = {},
): CatalogRelation => {
  const [schema = '', own = ''] = name.split('.')
  return {
    oid: next_oid++,
    schema,
    name: own,
    kind: 'table',
    columns: columns.split(' ').map((column, index) => ({
      name: column,
      number: index + 1,
      type_oid: 25,
      generated: null,
    })),
    definition: null,
    parents: [],
    ...more,
  }
}

const view = (name: string, columns: string, definition: string): CatalogRelation =>
  relation(name, columns, { kind: 'view', definition })

const routine = (
  name: string,
  source: string | null,
  more: Partial<CatalogFunction> = {},
): CatalogFunction => {
  const [schema = '', own = ''] = name.split('.')
  return {
    oid: next_oid++,
    schema,
    name: own,
    kind: 'function',
    language: 'sql',
    source,
    builtin: false,
    ...more,
  }
}

const plpgsql = (name: string, args: string, body: string): CatalogFunction =>
  routine(name, body, {
    language: 'plpgsql',
    definition: `CREATE OR REPLACE FUNCTION ${name}(${args}) RETURNS integer LANGUAGE plpgsql AS $function$${body}$function$`,
  })

const builtin = (name: string): CatalogFunction =>
  routine(`pg_catalog.${name}`, null, { language: 'internal', builtin: true })

const shout = routine('public.shout', 'delete from audit.log; select $1')
const to_money = routine('public.to_money', null, { language: 'c' })

export const database = (): Catalog =>
  createCatalog({
    operators: [{ by: '|||', function: shout.oid }],
    casts: [{ by: 'coins', function: to_money.oid }],
    version: 1,
    relations: [
      relation('public.orders', 'id customer total note'),
      relation('public.people', 'id email ssn'),
      relation('audit.log', 'at what'),
      relation('app.people', 'id nick'),
      relation('pg_catalog.pg_class', 'oid relname'),
      relation('pg_temp_7.scratch', 'x'),
      view('public.safe', 'id', 'SELECT id FROM public.people WHERE ssn IS NOT NULL'),
      view('public.cards', 'id mail', 'SELECT people.id, people.email AS mail FROM public.people'),
      view(
        'public.report',
        'who total',
        'SELECT c.mail AS who, sum(o.total) AS total FROM public.cards c JOIN public.orders o ON o.customer = c.id GROUP BY c.mail',
      ),
      view(
        'public.pairs',
        'a b',
        'SELECT people.id AS a, people.email AS b FROM public.people UNION ALL SELECT orders.id, orders.note FROM public.orders',
      ),
      view('public.odd', 'x', 'SELECT public.wipe(1) AS x'),
      view('public.broken', 'x', 'SELECT FROM WHERE'),
      relation('public.kept', 'email', {
        kind: 'materialized_view',
        definition: 'SELECT people.email FROM public.people',
      }),
    ],
    functions: [
      shout,
      to_money,
      builtin('lower'),
      builtin('count'),
      builtin('pg_read_file'),
      builtin('lo_unlink'),
      builtin('nextval'),
      routine('public.twice', 'select $1 * 2'),
      routine('public.mail_of', 'select email from public.people where id = $1'),
      routine('public.wipe', 'delete from audit.log; select 1'),
      routine('public.modern', 'BEGIN ATOMIC\n SELECT people.ssn FROM public.people;\nEND'),
      routine('public.give', 'RETURN (SELECT max(people.id) FROM public.people)'),
      routine('public.outer_one', 'select public.mail_of(1)'),
      routine('public.here', 'select nick from people', { search_path: 'app' }),
      routine('public.compiled', null, { language: 'c' }),
      routine('public.total_of', null, { language: 'internal', kind: 'aggregate' }),
      routine('public.again', 'select public.again()'),
      routine('public.lower', 'delete from audit.log'),
      plpgsql(
        'public.refund',
        'x int',
        ` declare v text; begin v := public.mail_of(x); update public.orders set total = 0 where id = x; return 1; end `,
      ),
      plpgsql('public.anything', 'x text', ` begin execute x; return 1; end `),
      plpgsql(
        'public.looping',
        '',
        ` declare r record; begin for r in select what from audit.log loop insert into public.orders (note) values (r.what); end loop; return 1; end `,
      ),
      routine('public.move', null, {
        kind: 'procedure',
        language: 'plpgsql',
        source: ' begin truncate audit.log; commit; end ',
        definition:
          'CREATE OR REPLACE PROCEDURE public.move() LANGUAGE plpgsql AS $procedure$ begin truncate audit.log; commit; end $procedure$',
      }),
    ],
  })

export const database_path: readonly string[] = ['pg_temp_7', 'public']

/** `statement => effect; effect`: action, object, columns in parentheses, and in brackets what it goes through. */
export const database_cases = String.raw`
select 1 =>
select id from orders => select public.orders (id)
select o.id, total from orders o where note = 'x' => select public.orders (id, total, note)
select * from orders => select public.orders (*)
select o.* from orders o, people => select public.orders (*); select public.people
select count(*) from orders => call:count count; select public.orders
select email from orders, people where customer = people.id => select public.orders (customer); select public.people (email, id)
select email, total from orders join people on customer = people.id => select public.orders (total, customer); select public.people (email, id)
select 1 from orders join people using (id) => select public.orders (id); select public.people (id)
select 1 from orders natural join people => select public.orders (id); select public.people (id)
select j.email from (orders join people on true) j => select public.orders; select public.people (email)
select p from people p => select public.people (*)
select row_to_json(p) from people p => call:row_to_json row_to_json; unknown row_to_json; select public.people (*)
select (p).email from people p => select public.people (*)
select a.x from people a (x, y) => select public.people (id)
select y from people a (x, y) => select public.people (email)
select ctid from people => select public.people (ctid)
select nick from app.people => select app.people (nick)
select * from app.people, people => select app.people (*); select public.people (*)
select relname from pg_class => select pg_catalog.pg_class (relname)
select x from scratch => select pg_temp.scratch (x)
select x from pg_temp.scratch => select pg_temp.scratch (x)
select 1 from nothing => select nothing
select a from nothing => select nothing (a)
select 1 from app.nothing => select app.nothing
with x as (select email from people) select email from x => select public.people (email)
with people as (select 1 as a) select a from people => 
with x as (select id from people) select x.id, total from x join orders on orders.id = x.id => select public.orders (total, id); select public.people (id)
select (select email from people where people.id = o.customer) from orders o => select public.people (email, id); select public.orders (customer)
select 1 from orders where exists (select 1 from people where email = note) => select public.people (email); select public.orders (note)
select s.a from (select id as a, total from orders) s => select public.orders (id, total)
select q.email from orders, lateral (select email from people where people.id = customer) q => select public.orders (customer); select public.people (email, id)
select id from orders union select id from people => select public.orders (id); select public.people (id)
select id from orders order by total limit 1 => select public.orders (id, total)
select sum(total) over (partition by customer order by id) from orders => call:sum sum; unknown sum; select public.orders (total, customer, id)
select max(id) filter (where total > 1) from orders group by customer having min(note) > '' => call:max max; unknown max; call:min min; unknown min; select public.orders (id, total, customer, note)
select id from orders for update => select public.orders (id); lock public.orders
values ((select email from people)) => select public.people (email)
table people => select public.people (*)
insert into orders (id, total) values (1, 2) => insert public.orders (id, total)
insert into orders values (1) => insert public.orders (*)
insert into orders default values => insert public.orders (*)
insert into orders (note) select email from people => insert public.orders (note); select public.people (email)
insert into orders (id) values (1) returning total => insert public.orders (id); select public.orders (total)
insert into orders as o (id) values (1) on conflict (id) do update set note = excluded.note where o.total > 1 returning id => insert public.orders (id); update public.orders (note); select public.orders (total, id)
update orders set total = 1, note = '' where id = 2 => update public.orders (total, note)
update orders set total = 1 where id = 2 returning note => update public.orders (total); select public.orders (id, note)
update orders set (total, note) = (select id, email from people) => update public.orders (total, note); select public.people (id, email)
update orders o set note = p.email from people p where p.id = o.customer => update public.orders (note); select public.people (email, id)
update orders set total = 1 returning old.note, new.total => update public.orders (total); select public.orders (note, total)
update orders set total = 1 returning with (old as o) o.note => update public.orders (total); select public.orders (note)
delete from orders where id in (select id from people) => delete public.orders; select public.people (id)
delete from orders using people where customer = people.id returning people.email => delete public.orders; select public.orders (customer); select public.people (id, email)
merge into orders o using people p on o.customer = p.id when matched then update set note = p.email when not matched then insert (id) values (p.id) => update public.orders (note); insert public.orders (id); select public.orders (customer); select public.people (id, email)
truncate orders, app.people => truncate public.orders; truncate app.people
copy people (id, email) to stdout => copy.out; select public.people (id, email)
copy people from stdin => copy.in; insert public.people (*)
copy (select ssn from people) to stdout => copy.out; select public.people (ssn)
explain select email from people => explain; explain public.people (email)
explain analyze update orders set total = 1 => explain; update public.orders (total)
create table n as select email from people => ddl.create n; select public.people (email)
select email into n from people => ddl.create n; select public.people (email)
create view n as select ssn from people => ddl.create n; select public.people (ssn)
alter table orders add x int => ddl.alter public.orders
drop table people, app.people => ddl.drop public.people; ddl.drop app.people
drop view if exists safe => ddl.drop public.safe
create index on orders (total) => ddl.create public.orders
grant select on orders to x => grant public.orders
vacuum orders => vacuum public.orders
lock table orders => lock public.orders
select id from safe => select public.safe (id); select public.people (id, ssn) [public.safe]
select id from cards => select public.cards (id); select public.people (id) [public.cards]
select mail from cards => select public.cards (mail); select public.people (email) [public.cards]
select * from cards => select public.cards (*); select public.people (id, email) [public.cards]
select count(*) from cards => call:count count; select public.cards; select public.people [public.cards]
select c.mail from cards c where id = 1 => select public.cards (mail, id); select public.people (id, email) [public.cards]
select total from report => select public.report (total); call:sum sum [public.report]; unknown sum [public.report]; select public.cards (id, mail) [public.report]; select public.orders (total, customer) [public.report]; select public.people (id, email) [public.cards]
select a from pairs => select public.pairs (a); select public.people (id) [public.pairs]; select public.orders (id) [public.pairs]
select x from odd => select public.odd (x); call:wipe public.wipe [public.odd]; delete audit.log [public.odd]
select x from broken => select public.broken (x); unknown public.broken
explain select mail from cards => explain; explain public.cards (mail); explain public.people (email) [public.cards]
select email from kept => select public.kept (email)
refresh materialized view kept => ddl.alter public.kept; select public.people (email) [public.kept]
update cards set mail = 'x' where id = 1 => update public.cards (mail); update public.people (email) [public.cards]
insert into cards (id) values (1) => insert public.cards (id); insert public.people (id) [public.cards]
delete from cards => delete public.cards; delete public.people [public.cards]
delete from report => delete public.report; unknown public.report
update cards set mail = 'x' returning id => update public.cards (mail); update public.people (email) [public.cards]; select public.cards (id); select public.people (id) [public.cards]
select lower(email) from people => call:lower lower; delete audit.log [public.lower]; select public.people (email)
select pg_catalog.lower(email) from people => call:lower pg_catalog.lower; select public.people (email)
select twice(1) => call:twice public.twice
select mail_of(1) => call:mail_of public.mail_of; select public.people (email, id) [public.mail_of]
select public.mail_of(id) from orders => call:mail_of public.mail_of; select public.people (email, id) [public.mail_of]; select public.orders (id)
select * from mail_of(1) => call:mail_of public.mail_of; select public.people (email, id) [public.mail_of]
select outer_one() => call:outer_one public.outer_one; call:mail_of public.mail_of [public.outer_one]; select public.people (email, id) [public.outer_one]
select modern() => call:modern public.modern; select public.people (ssn) [public.modern]
select give() => call:give public.give; call:max max [public.give]; unknown max [public.give]; select public.people (id) [public.give]
select here() => call:here public.here; select app.people (nick) [public.here]
select wipe(1) => call:wipe public.wipe; delete audit.log [public.wipe]
select o.wipe from orders o => call:wipe public.wipe; delete audit.log [public.wipe]; select public.orders (wipe)
select (o).wipe from orders o => call:wipe public.wipe; delete audit.log [public.wipe]; select public.orders (*)
select (array[o])[1].wipe from orders o => call:wipe public.wipe; delete audit.log [public.wipe]; select public.orders (*)
select x.wipe from (select o.* from orders o) x => call:wipe public.wipe; delete audit.log [public.wipe]; select public.orders (*)
select o.total from orders o => select public.orders (total)
select refund(1) => call:refund public.refund; call:mail_of public.mail_of [public.refund]; select public.people (email, id) [public.refund]; update public.orders (total) [public.refund]
select looping() => call:looping public.looping; select audit.log (what) [public.looping]; insert public.orders (note) [public.looping]
select anything('x') => call:anything public.anything; unknown public.anything
select compiled() => call:compiled public.compiled; unknown public.compiled
select total_of(total) from orders => call:total_of public.total_of; unknown public.total_of; select public.orders (total)
select again() => call:again public.again; call:again public.again [public.again]
select total ||| 1 from orders => call:shout public.shout; delete audit.log [public.shout]; select public.orders (total)
select total operator(public.|||) 1 from orders => call:shout public.shout; delete audit.log [public.shout]; select public.orders (total)
select 1 where 1 ||| any (select total from orders) => call:shout public.shout; delete audit.log [public.shout]; select public.orders (total)
select id from orders order by id using ||| => call:shout public.shout; delete audit.log [public.shout]; select public.orders (id)
select total::coins from orders => call:to_money public.to_money; unknown public.to_money; select public.orders (total)
select cast(total as public.coins) from orders => call:to_money public.to_money; unknown public.to_money; select public.orders (total)
select total + 1, total::int from orders => select public.orders (total)
select missing(1) => call:missing missing; unknown missing
select lo_unlink(1) => call:lo_unlink lo_unlink; unknown lo_unlink
select pg_read_file('x') => call:pg_read_file pg_read_file; file.read pg_read_file
select nextval('s') => call:nextval nextval; update s
call move() => call:move public.move; transaction commit; truncate audit.log [public.move]
do $$ begin delete from orders where id = 1; end $$ => do_block plpgsql; delete public.orders
do $$ declare x text := (select email from people); begin execute 'x'; end $$ => do_block plpgsql; unknown; select public.people (email)
do $$ begin perform wipe(1); raise notice '%', mail_of(2); end $$ => do_block plpgsql; call:wipe public.wipe; call:mail_of public.mail_of; select public.people (email, id) [public.mail_of]; delete audit.log [public.wipe]
do $$ declare a int[]; begin a[twice(1)] := twice(2); end $$ => do_block plpgsql; call:twice public.twice
do $$ begin if exists (select 1 from people) then null; elsif (select true from orders) then null; end if; end $$ => do_block plpgsql; select public.people; select public.orders
do $$ begin begin null; exception when others then delete from orders; end; end $$ => do_block plpgsql; delete public.orders
do $$ declare c cursor for select ssn from people; begin open c; end $$ => do_block plpgsql; select public.people (ssn)
do $$ begin prepare p as select 1; end $$ => do_block plpgsql; prepare p; unknown
do $$ begin nonsense here; end $$ => do_block plpgsql; unknown
do language sql 'select 1' => do_block sql; unknown
`
