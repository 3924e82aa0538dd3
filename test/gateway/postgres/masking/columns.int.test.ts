import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway, type TestGateway } from '../../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../../support/postgres.ts'
import { fieldsOf, login, openSecure, wire, type WireClient } from '../../../support/wire-client.ts'
import { leaksIn, rowsOf } from './planted.ts'

const planted = ['ganon-planted', 'tingle-planted', '7777123', 'ritalin-planted', 'epona-planted']

describe('column rules', () => {
  let postgres: TestPostgres
  let gateway: TestGateway
  let client: WireClient
  beforeAll(async () => {
    postgres = await startPostgres()
    const direct = new pg.Client({ connectionString: postgres.url })
    await direct.connect()
    await direct.query(`
      create table people (id int primary key, email text unique, ssn int, note text, born date, tags text[]);
      insert into people values (1, 'ganon-planted', 7777123, 'clear', '1999-01-02', '{epona-planted}'),
        (2, 'tingle-planted', null, 'clear too', null, null);
      create view contacts as select id, upper(email) as mail, note from people;
      create table staff (badge text) inherits (people);
      insert into staff values (3, 'ritalin-planted', 7777123, 'clear three', null, null, 'b');
      create table log (id int, entry text);
      create function leak(i int) returns text language plpgsql as 'begin return (select email from people where id = i); end';
      create table checked (id int check (id < 100), email text);
      create index on people (ssn)`)
    await direct.end()
    gateway = await startTestGateway({
      targets: { main: postgres },
      config: {
        masking: {
          rules: [
            {
              name: 'contact',
              columns: ['people.email', 'checked.email', 'kept.email'],
              method: 'partial',
              partial: { keep_first: 2, keep_last: 0 },
            },
            {
              name: 'numbers',
              columns: ['public.people.ssn', 'kept.ssn', 'people.born', 'people.tags'],
            },
          ],
        },
      },
    })
    client = await openSecure(gateway.port)
    await login(client, { user: 'admin', database: 'main' }, await gateway.token())
  }, 60_000)
  afterAll(async () => {
    await client[Symbol.asyncDispose]()
    await gateway[Symbol.asyncDispose]()
    await postgres.stop()
  })

  const answer = async (text: string) => {
    client.send(wire.query(text))
    return client.ready()
  }
  const rows = async (text: string): Promise<string[][]> => {
    const answers = await answer(text)
    const error = answers.find(({ type }) => type === 'E')
    expect(error === undefined ? undefined : fieldsOf(error)).toBeUndefined()
    return rowsOf(answers)
  }
  const refused = async (text: string): Promise<Record<string, string>> => {
    const error = (await answer(text)).find(({ type }) => type === 'E')
    return error === undefined ? {} : fieldsOf(error)
  }

  it('mask the columns themselves by the method of the rule, under any name', async () => {
    const expected = [
      ['1', 'ga***', '0', 'clear', 'NULL', '{}'],
      ['2', 'ti***', 'NULL', 'clear too', 'NULL', 'NULL'],
      ['3', 'ri***', '0', 'clear three', 'NULL', 'NULL'],
    ]
    expect(await rows(`select * from people order by id`)).toEqual(expected)
    expect(await rows(`table people`)).toHaveLength(3)
    expect(
      await rows(
        `with x (a, b) as (select email, id from people) select x.a as c, x.b from x order by b`,
      ),
    ).toEqual(expected.map(([id, email]) => [email, id]))
  })

  it('redact whatever is computed from them', async () => {
    expect(
      await rows(`select reverse(email), email || 'x', substr(email, 1, 2), length(email), ssn + 1, 'a' = email,
        case when ssn > 5 then 1 else 0 end, coalesce(email, note), row(email, id), note from people where id = 1`),
    ).toEqual([
      ['[masked]', '[masked]', '[masked]', '0', '0', 'NULL', '0', '[masked]', 'NULL', 'clear'],
    ])
    expect(await rows(`select max(email), count(*) from people`)).toEqual([['[masked]', '3']])
    expect(await rows(`select to_jsonb(p), p, p::text from people p where id = 1`)).toEqual([
      ['"[masked]"', 'NULL', '[masked]'],
    ])
    expect(await rows(`select (select email from people where id = 1), 1`)).toEqual([
      ['[masked]', '1'],
    ])
    expect(await rows(`select email from people where id = 1 union select 'a'`)).toEqual([
      ['[masked]'],
      ['[masked]'],
    ])
  })

  it('reach through views, inheritance, RETURNING and EXPLAIN', async () => {
    expect(await rows(`select * from contacts where id = 1`)).toEqual([['1', '[masked]', 'clear']])
    expect(await rows(`select email, badge from staff`)).toEqual([['ri***', 'b']])
    expect(
      await rows(`update people set note = 'clear' where id = 1 returning email, note`),
    ).toEqual([['ga***', 'clear']])
    const plan = await rows(
      `explain (costs off) select id from people where email = 'ganon-planted'`,
    )
    expect(new Set(plan.flat())).toEqual(new Set(['[masked]']))
  })

  it('hold for prepared statements, portals and cursors', async () => {
    client.send(
      wire.parse(`select email, note from people where email = $1`, 's'),
      wire.bind(['ganon-planted'], 's'),
      wire.execute(),
      wire.bind([Buffer.from('ganon-planted')], 's'),
      wire.execute(),
      wire.sync(),
    )
    expect(rowsOf(await client.ready())).toEqual([
      ['ga***', 'clear'],
      ['ga***', 'clear'],
    ])
    expect(
      await rows(`prepare q (text) as select reverse(email) from people where email = $1;
        execute q('ganon-planted'); deallocate q; prepare q as select 1; execute q`),
    ).toEqual([['[masked]'], ['1']])
    await rows(`prepare q2 as select email from people where id = 1`)
    expect(await rows(`execute q2`)).toEqual([['ga***']])
    expect(
      await rows(`begin; declare c cursor for select email from people order by id; fetch 1 from c; close c;
        declare c cursor for select note from public.people order by id; fetch 1 from c; close c`),
    ).toEqual([['ga***'], ['clear']])
    await rows(`declare c cursor for select reverse(email) from people order by id`)
    expect(await rows(`fetch 1 from c; fetch next from c`)).toEqual([['[masked]'], ['[masked]']])
    await rows(`rollback`)
    expect(await refused(`fetch 1 from nosuch`)).toMatchObject({ C: '42501' })
  })

  it('refuse what nobody can follow, and what would write masked values elsewhere', async () => {
    for (const text of [
      `select leak(1)`,
      `select * from nosuch`,
      `do $$ begin perform email from people; end $$`,
      `select most_common_vals from pg_stats`,
      `select query_to_xml('select email from people', true, true, '')`,
      `select generate_series(1, ssn) from people where id = 1`,
    ])
      expect([text, await refused(text)]).toMatchObject([text, { C: '42501', V: 'ERROR' }])
    for (const text of [
      `create table copied as select email from people`,
      `select email into copied from people`,
      `insert into log select id, email from people`,
      `update log set entry = (select email from people where id = 1)`,
      `select set_config('my.x', email, false) from people`,
      `select pg_notify('c', email) from people`,
      `copy people to program 'cat'`,
      `create materialized view copied as select email from people`,
      `create view renamed as select email as mail from people`,
      `alter table people rename column email to mail`,
      `alter table people rename to folk`,
    ])
      expect([text, await refused(text)]).toMatchObject([
        text,
        { C: '42501', M: 'command refused by masking' },
      ])
    // Where the other column hides all of its values as well, nothing gets out.
    await rows(`create table kept (id int, email text, ssn int)`)
    await rows(`insert into kept (id, ssn) select id, ssn from people`)
    expect(await rows(`select ssn from kept where id = 1`)).toEqual([['0']])
    // One that shows parts would show them all, one part after the other.
    for (const text of [
      `insert into kept (id, email) select id, substr(email, 3) from people`,
      `update people set email = substr(email, 3)`,
      `update people set email = ssn::text`,
    ])
      expect([text, await refused(text)]).toMatchObject([
        text,
        { C: '42501', M: 'command refused by masking' },
      ])
    await rows(
      `insert into people (id, email) values (1, 'ganon-planted') on conflict (id) do update set email = excluded.email`,
    )
  })

  it('withhold the texts of errors that may quote values, not those that cannot', async () => {
    const withheld = { M: 'the text is withheld: it may hold values of masked columns' }
    const error = await refused(`select email::int from people where id = 1`)
    expect(error).toMatchObject({ C: '22P02', ...withheld })
    expect(await refused(`insert into people values (9, 'ganon-planted')`)).toMatchObject({
      C: '23505',
      n: 'people_email_key',
      ...withheld,
    })
    expect(await refused(`insert into checked values (1000, 'tingle-planted')`)).toMatchObject({
      C: '23514',
      ...withheld,
    })
    expect(await refused(`select 1 / 0`)).toMatchObject({ C: '22012', M: 'division by zero' })
    expect((await refused(`alter table log drop column nosuch`))['M']).toContain('nosuch')
    expect((await refused(`select nosuch from log`))['D']).toContain('nosuch')
  })

  it('keep literals and parameters of masked columns out of the record, and nothing else', async () => {
    await rows(
      `select id from people where email = 'ganon-planted' and note = 'kept in the record'`,
    )
    await rows(`insert into checked (id, email) values (1, 'ritalin-planted')`)
    await rows(`select id from people where ssn in (7777123, 7777124) and id = 4444`)
    await answer(`selec 'tingle-planted'`)
    client.send(
      wire.parse(`select id from people where email = $1 and note = $2`),
      wire.bind(['ganon-planted', 'a note']),
      wire.execute(),
      wire.sync(),
    )
    await client.ready()
    await rows(`select 'the last'`)
    const records = await gateway.until((all) =>
      all.some(
        (record) => record.type === 'command.received' && record.text === `select 'the last'`,
      )
        ? all
        : undefined,
    )
    const commands = records.filter((record) => record.type === 'command.received')
    const texts = commands.map(({ text }) => text)
    expect(texts).toContain(
      `select id from people where email = '[masked]' and note = 'kept in the record'`,
    )
    expect(texts).toContain(`insert into checked (id, email) values (1, '[masked]')`)
    expect(texts).toContain(`select id from people where ssn in ([masked], [masked]) and id = 4444`)
    expect(commands.find(({ text }) => text.endsWith('note = $2'))?.parameters).toMatchObject([
      { value: null, masked: true },
      { value: 'a note', masked: false },
    ])
    const decided = records.filter((record) => record.type === 'decision.made')
    expect(
      decided.some(({ outcome, rules }) => outcome === 'mask' && rules.includes('contact')),
    ).toBe(true)
    expect(
      new Set(decided.filter(({ outcome }) => outcome === 'deny').flatMap(({ rules }) => rules)),
    ).toEqual(new Set(['builtin:mask-unresolved', 'builtin:masked-write', 'builtin:unparsed']))
    expect(await leaksIn(gateway.data_dir, ['the last'])).not.toEqual([])
    expect(await leaksIn(gateway.data_dir, planted)).toEqual([])
  })
})
