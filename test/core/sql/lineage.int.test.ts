import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Catalog } from '#core/sql/catalog.ts'
import type { OutputColumn } from '#core/sql/lineage/lineage.ts'
import { functionColumns, functionKind } from '#core/sql/lineage/known-functions.ts'
import { lineageOf } from '#core/sql/lineage/reader.ts'
import { readable_catalog_relations } from '#core/sql/lineage/system-relations.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { diceOf, makeQuery, makeWrite } from './lineage-queries.ts'
import { loadServerCatalog } from './lineage-server.ts'
import { columnsOf } from './lineage-summary.ts'

const parser = await loadSqlParser()

/**
 * Every column's values are of a script of its own: whatever an expression leaves of a value, one letter of it says which column it was.
 * Names, keywords and constants of the queries are Latin.
 */
const scripts: readonly (readonly [string, RegExp])[] = [
  ['people.ssn', /\p{Script=Greek}/u],
  ['people.email', /\p{Script=Cyrillic}/u],
  ['people.name', /\p{Script=Georgian}/u],
  ['people.tags', /\p{Script=Armenian}/u],
  ['people.doc', /\p{Script=Hebrew}/u],
  ['people.salary', /9100\d{4}/],
  ['orders.note', /\p{Script=Arabic}/u],
  ['humans_1.badge', /\p{Script=Thai}/u],
  ['made.first', /\p{Script=Tibetan}/u],
  ['nested.person', /\p{Script=Khmer}/u],
]

/** Statements that show values in ways of their own. The server must take each. */
const shown_statements = `
select * from people
select * from people p join orders o on o.person_id = p.id
select * from people join orders using (id)
select * from orders natural join people
select * from people p left join orders o using (id) full join mails m using (id)
select j.* from (people p join orders o using (id)) as j
select j.* from (people p join orders o using (id)) as j (a, b, c)
select * from (people p join orders o using (id)) cross join humans
select u.*, p.ssn from people p join orders o using (id) as u
select p.*, o.* from people p, orders o
select * from people p, unnest(p.tags) t
select * from people p, unnest(p.tags) with ordinality t
select * from people p, jsonb_each(p.doc)
select * from people p, jsonb_each_text(to_jsonb(p)) as e (k, v)
select * from people p, jsonb_to_record(to_jsonb(p)) as e (ssn text, email text)
select * from rows from (generate_series(1, 2), jsonb_each_text('{}'), jsonb_to_recordset('[]') as (a int)) with ordinality
select * from people p, xmltable('/a' passing xmlelement(name a, p.ssn) columns x text path '.', n for ordinality)
select * from people p, json_table(to_jsonb(p), '$' columns (a text path '$.ssn', n for ordinality, nested path '$.tags[*]' columns (b text path '$'))) j
select * from people p, json_table(to_jsonb(p), '$' columns (x int exists path '$.ssn', e jsonb path '$.doc'))
select * from people p, string_to_table(p.ssn, 'β') s
select * from people p, regexp_matches(p.ssn, '(.)(.)', 'g') m
select * from people p, lateral (select p.ssn, p.email as e) q
select * from people p, lateral (values (p.ssn, 1), (p.email, 2)) v (a, b)
select (p).* from people p
select q.ssn, q.doc ->> 'ssn' from (select 1 as x) d, lateral (select id, ssn, row_to_json(people)::jsonb as doc from people) q
select (select p from people p limit 1).*
select (array_agg(p))[1] from people p
select (array_agg(p order by id))[1].ssn from people p
select n.person, (n.person).a, to_json(n.person) from nested n
select n.*, n from nested n
select p from people p
select p.*::text from people p
select people from people
select ssn(p), p.ssn, name(p), p.name, concat(p) from people p
select row(p.*, 1), row(p.ssn, p.email) from people p
select count(p), count(p.*), max(p.email), array_agg(p.ssn) from people p
select xmlforest(p.ssn, p.email as e), xmlelement(name a, xmlattributes(p.ssn as b)), xmlconcat(xmlelement(name x, p.name)) from people p
select json_agg(p), jsonb_object_agg(p.id, p.ssn), json_arrayagg(p.ssn), json_objectagg(p.id value p.email) from people p
select json_object('a': p.ssn), json_array(p.ssn, p.email), json_scalar(p.ssn), json_serialize(json_scalar(p.email)), json(row_to_json(p)::text) from people p
select json_value(to_jsonb(p), '$.ssn'), json_query(to_jsonb(p), '$.tags'), json_exists(to_jsonb(p), '$.ssn') from people p
select jsonb_path_query(to_jsonb(p), '$.*') from people p
select json_value('{}', '$.a' passing p.ssn as y default 'x' on empty), json_query(row_to_json(p)::jsonb, '$.ssn' with wrapper) from people p
select json_array(select ssn from people)
select array(select ssn from people), exists (select 1 from people)
select coalesce(ssn, email), nullif(ssn, 'x'), greatest(ssn, email), least(ssn, name), case when true then ssn end, case ssn when 'x' then 1 else 2 end from people
select ssn || email, ssn::varchar, cast(email as bytea), ssn collate "C", (ssn), -salary, salary + 0, current_user, current_date, tags[1], tags[1:2], doc['k'], doc ->> 'k' from people
select overlay(ssn placing 'x' from 2), substring(ssn from 2), position('β' in ssn), trim(both 'x' from ssn), normalize(ssn), extract(year from now()), ssn is normalized from people
select encode(convert_to(ssn, 'UTF8'), 'escape'), quote_literal(ssn), quote_nullable(p), format('%s %s', ssn, p), concat(p, ssn), concat_ws(',', p.*) from people p
select to_tsvector('simple', ssn), string_to_array(email, '-'), regexp_split_to_array(name, ''), ts_headline('simple', ssn, to_tsquery('simple', 'x')) from people
select string_agg(ssn, email), first_value(ssn) over w, lag(email, 1, name) over w, nth_value(name, 1) over w from people group by ssn, email, name window w as (order by ssn)
select mode() within group (order by ssn), percentile_disc(0.5) within group (order by email) from people
select distinct on (ssn) ssn, email from people order by ssn, name
select grouping(ssn), ssn from people group by rollup (ssn)
select ssn from people union select note from orders
select note, id from orders union all (select email, id from people order by 1 limit 2)
select ssn, id from people except select note, id from orders
select name from people intersect (select name from kept union select ssn from people)
table people
values ((select ssn from people limit 1), 1), ('x', 2)
with x as (select ssn from people) select * from x
with x (a, b) as (select ssn, email from people), y as (select b as c, a as b from x) select * from y join x using (b)
with x as materialized (select people from people) select (x.people).ssn, x.* from x
with recursive r (n, s) as (select 1, ssn from people union all select n + 1, s || 'x' from r where n < 3) select * from r
with recursive r as (select id, ssn as s from people where id = 1 union select p.id, p.email from people p join r on p.id = r.id + 1) search depth first by id set o cycle id set c using path select * from r
with recursive a as (select * from b), b as (select email from people) select * from a
with d as (delete from orders returning note) select * from d
with i as (insert into orders (id, note) select id, ssn from people returning *), u as (update humans set badge = 'x' returning old.badge as o, new.badge as n) select * from i, u
select * from mails where mail = 'x' or true
select rich from rich
select * from kept
select k.name, (k).all_notes from kept k
select * from humans
select * from only humans_1
select tableoid::regclass, badge from humans
select * from made
select whole from made
insert into orders (id, note) select id, email from people returning *
insert into orders (id, note) values (9, (select ssn from people where id = 1)) returning note || 'x', orders, old, new.*
insert into people (id, ssn) values (1, 'q') on conflict (id) do update set email = excluded.ssn || people.name returning *
update people set email = ssn where id = 1 returning email, old.email, new.email
update people set (email, name) = (select note, ssn from orders where orders.id = people.id) returning *
update orders o set note = p.ssn from people p where p.id = o.id returning *
update orders set note = 'x' returning with (old as before, new as after) before.*, after.note, before
delete from people p using orders o where o.id = p.id returning *
delete from people returning people
merge into orders o using people p on o.id = p.id when matched then update set note = p.email returning *
merge into orders o using (select id, ssn from people) p on o.id = p.id + 3 when matched then do nothing when not matched then insert (id, note) values (p.id, p.ssn) returning merge_action(), o.*, p.ssn, old, new.note
merge into humans h using people p on h.id = p.id when matched then update set badge = p.name when not matched by source then delete returning h.badge
`

const schema = `
create table people (id int primary key, ssn text, email text, name text, salary int, tags text[], doc jsonb);
insert into people select i, 'αβγδ' || i, 'бвгд-' || i, 'აბგდ-' || i, 91000000 + i, array['աբգ' || i, 'եզէ'], jsonb_build_object('k', 'אבג' || i)
  from generate_series(1, 4) i;
create table orders (id int, person_id int, note text, total int);
insert into orders select i, i, 'جدك-' || i, i from generate_series(1, 4) i;
create view mails as select id, lower(email) as mail from people where ssn is not null;
create view rich as select mail, count(*) as n from mails group by mail;
create materialized view kept as select p.name, string_agg(o.note, ',') as all_notes from people p join orders o on o.person_id = p.id group by p.name;
create table humans (id int, badge text) partition by range (id);
create table humans_1 partition of humans for values from (0) to (100);
insert into humans values (1, 'กขค1'), (2, 'กขค2');
create table made (first text, whole text generated always as (reverse(first) || '!') stored);
insert into made values ('ཀཁག1'), ('ཀཁག2');
create type person as (a text, b text);
create table nested (id int, person person);
insert into nested values (1, row('កខគ', 'ឃង'));
`

describe('lineage, by what a real PostgreSQL shows', () => {
  let server: TestPostgres
  let client: Client
  let catalog: Catalog
  beforeAll(async () => {
    server = await startPostgres()
    client = new Client(server)
    await client.connect()
    await client.query(schema)
    catalog = await loadServerCatalog(client)
    await client.query(`set statement_timeout = '2s'`)
  })
  afterAll(async () => {
    await client.end()
    await server.stop()
  })

  type Shown = {
    readonly names: readonly string[]
    /** What the server itself says a column is, if it is one as it is. */
    readonly columns: readonly (string | undefined)[]
    readonly rows: readonly (readonly unknown[])[]
  }

  /** Undefined: the server does not take it. */
  const run = async (text: string): Promise<Shown | undefined> => {
    try {
      const { fields, rows } = await client.query<unknown[]>({ text, rowMode: 'array' })
      const columns = fields.map(({ tableID, columnID }) => {
        const relation = catalog.relationByOid(tableID)
        const column = relation?.columns.find(({ number }) => number === columnID)
        return relation && column ? `${relation.name}.${column.name}` : undefined
      })
      return { names: fields.map(({ name }) => name), columns, rows }
    } catch {
      return undefined
    }
  }

  const outputsOf = (text: string): readonly OutputColumn[] | string => {
    const lineage = lineageOf(parser, text, catalog, ['public'])
    return lineage.ok ? (lineage.statements.at(-1)?.outputs ?? []) : lineage.reason
  }

  /** What shows in a column that its sources do not say. */
  const leaks = (text: string, { names, columns, rows }: Shown): readonly string[] => {
    const outputs = outputsOf(text)
    // What * stands for is not always known, and refused.
    if (typeof outputs === 'string')
      return outputs.startsWith('what *') ? [] : [`${text}: ${outputs}`]
    if (outputs.map(({ name }) => name).join() !== names.join())
      return [`${text}: has ${names.join()}, said are ${outputs.map(({ name }) => name).join()}`]
    return outputs.flatMap(({ sources }, index) => {
      const said = columnsOf(sources).split(',')
      const column = columns[index]
      if (column !== undefined && !said.includes(column))
        return [`${text}: column ${index} is ${column}, said are ${said.join(' ')}`]
      const cells = rows.map((row) => JSON.stringify(row[index]) ?? '').join('\n')
      return scripts
        .filter(([column, script]) => script.test(cells) && !said.includes(column))
        .map(([column]) => `${text}: column ${index} shows ${column}, said are ${said.join(' ')}`)
    })
  }

  /** What shows in a table's column though no flow says it went there. */
  const unsaid = (text: string, into: string, column: string, shown: string): readonly string[] => {
    const lineage = lineageOf(parser, text, catalog, ['public'])
    if (!lineage.ok) return []
    const flows = lineage.statements.flatMap((statement) => statement.flows)
    const said = flows
      .filter((flow) => flow.into === into && flow.into_column === column)
      .flatMap(({ sources }) => columnsOf(sources).split(','))
    const own = new Set(['orders.note', 'humans_1.badge'])
    return scripts
      .filter(([name, script]) => script.test(shown) && !own.has(name) && !said.includes(name))
      .map(([name]) => `${text}: ${name} went into ${into}.${column}, said are ${said.join(' ')}`)
  }

  it('names the column of every value that shows, in queries made up at random', async () => {
    let accepted = 0
    const found: string[] = []
    for (let seed = 1; seed <= Number(process.env['LINEAGE_QUERIES'] ?? 400); seed += 1) {
      const text = makeQuery(diceOf(seed + Number(process.env['LINEAGE_SEED'] ?? 0)))
      const shown = await run(text)
      if (!shown) continue
      accepted += 1
      found.push(...leaks(text, shown))
    }
    expect(found).toEqual([])
    expect(accepted).toBeGreaterThan(200)
  })

  it('names what goes into a column, in writes made up at random', async () => {
    let accepted = 0
    const found: string[] = []
    for (let seed = 1; seed <= Number(process.env['LINEAGE_QUERIES'] ?? 400); seed += 1) {
      const { table, column, text } = makeWrite(
        diceOf(seed + Number(process.env['LINEAGE_SEED'] ?? 0)),
      )
      await client.query('begin')
      const shown = await run(text)
      if (shown) {
        accepted += 1
        found.push(...leaks(text, shown))
        const { rows } = await client.query<{ shown: string }>(
          `select string_agg(${column}, ' ') as shown from ${table}`,
        )
        found.push(...unsaid(text, `public.${table}`, column, rows[0]?.shown ?? ''))
      }
      await client.query('rollback')
    }
    expect(found).toEqual([])
    expect(accepted).toBeGreaterThan(100)
  })

  it('knows the columns of every function of the server that it follows', async () => {
    const { rows } = await client.query<{ name: string; columns: string[] | null }>(
      `select proname as name,
         (select array_agg(n order by o) from unnest(proargnames, proargmodes) with ordinality u (n, m, o)
            where m in ('o', 't', 'b')) as columns
       from pg_proc where pronamespace = 'pg_catalog'::regnamespace and (prorettype = 2249 or proretset)`,
    )
    const wrong = rows.filter(({ name, columns }) => {
      const kind = functionKind({ schema: '', name }, catalog.functions({ schema: '', name }, []))
      // unnest is looked at by its argument; max and min give no set of rows.
      const followed = kind === 'pure' || kind === 'stateful'
      if (!followed || ['unnest', 'max', 'min'].includes(name)) return false
      const known = functionColumns(name)
      return (
        columns &&
        columns.length > 1 &&
        known !== undefined &&
        [known].flat().join() !== columns.join()
      )
    })
    expect(wrong).toEqual([])
  })

  it('reads only relations of the system that there are', () => {
    const missing = [...readable_catalog_relations].filter(
      (name) => !catalog.relation({ schema: 'pg_catalog', name }, []),
    )
    expect(missing).toEqual([])
  })

  it.for(shown_statements.trim().split('\n'))('names the columns of %s', async (text) => {
    await client.query('begin')
    try {
      const shown = await run(text)
      expect(shown).toBeDefined()
      expect(leaks(text, shown!)).toEqual([])
      expect(outputsOf(text)).toBeTypeOf('object')
    } finally {
      await client.query('rollback')
    }
  })
})
