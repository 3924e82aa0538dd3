import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fieldsOf, login, openSecure, wire, type WireClient } from '../support/wire-client.ts'
import { eventually } from '../support/eventually.ts'
import { rig_role, rig_target, startRig, type Rig } from '../support/rig.ts'
import { openRsyslog, rsyslogd, type Rsyslog } from '../forward/rsyslog.ts'
import { leaksIn } from '../gateway/postgres/masking/planted.ts'

/** By column rules. */
const columns = ['wario-planted', 'daisy-planted', '88123456']
/** By detectors, wherever they are. */
const found = ['luigi.planted@mail.example.com', '4000056655665556', '457-55-5462']
const planted = [...columns, ...found]
const marker = 'the last command'

const setUp = async (url: string): Promise<void> => {
  const direct = new pg.Client({ connectionString: url })
  await direct.connect()
  await direct.query(`
    create table people (id int primary key, name text unique, code int, note text, doc jsonb);
    insert into people values
      (1, 'wario-planted', 88123456, 'luigi.planted@mail.example.com or 4000056655665556', '{"ssn": "457-55-5462"}'),
      (2, 'daisy-planted', 88123456, 'nothing', '[]');
    create table notes (id int, note text);
    create function complain() returns trigger language plpgsql as
      $$begin raise notice 'notice of %', new.note; return new; end$$;
    create trigger complain before insert on notes for each row execute function complain()`)
  await direct.end()
}

/** Everything a client may do with these values, each way in which they could be recorded. */
const useValues = async (client: WireClient): Promise<void> => {
  const texts = [
    `select * from people`,
    `select reverse(name), code + 1, upper(note), doc->>'ssn' from people`,
    `select id from people where name = 'wario-planted' or code = 88123456`,
    `select name::int from people`,
    `insert into people (id, name) values (3, 'daisy-planted')`,
    `insert into notes values (1, 'to luigi.planted@mail.example.com') returning note`,
    `update people set name = 'wario-planted' where id = 1 returning name`,
    `select '4000056655665556', '457-55-5462' as "luigi.planted@mail.example.com" -- 457-55-5462`,
    `selec 'wario-planted' 'luigi.planted@mail.example.com'`,
    `explain select * from people where name = 'daisy-planted'`,
    `prepare q as select note from people where name = 'wario-planted'; execute q`,
    `deallocate q`,
    `listen channel; notify channel, 'luigi.planted@mail.example.com'`,
    `create table copied as select name from people`,
    `copy people to stdout`,
    `copy people to stdout csv header`,
    `copy people to stdout binary`,
    `raise 'luigi.planted@mail.example.com'`,
  ]
  for (const text of texts) {
    client.send(wire.query(text))
    await client.ready()
  }
  client.send(
    wire.parse('select name, note, $2::text from people where name = $1'),
    wire.bind(['wario-planted', Buffer.from('luigi.planted@mail.example.com')]),
    wire.execute(),
    wire.sync(),
  )
  await client.ready()
  client.send(wire.query('copy people (id, name, note) from stdin'))
  const opened = await client.take(({ type }) => type === 'G' || type === 'E')
  if (opened.at(-1)?.type === 'E') throw new Error(JSON.stringify(fieldsOf(opened.at(-1)!)))
  client.send(wire.copyData('7\tdaisy-'), wire.copyData('planted\tluigi.planted@mail.exa'))
  client.send(wire.copyData('mple.com\n'), wire.copyDone())
  await client.ready()
  client.send(wire.query(`select '${marker}'`))
  await client.ready()
}

describe.skipIf(rsyslogd === null && process.env['CI'] !== 'true')('masked values', () => {
  let rsyslog: Rsyslog
  let rig: Rig
  beforeAll(async () => {
    rsyslog = await openRsyslog()
    await rsyslog.start()
    rig = await startRig({
      postgres: {},
      config: {
        forward: {
          sinks: [{ name: 'siem', transport: 'tcp', host: '127.0.0.1', port: rsyslog.port }],
        },
        masking: {
          rules: [
            { name: 'names', columns: ['people.name', 'people.code'] },
            { name: 'anywhere', detectors: ['email', 'card', 'us_ssn'] },
          ],
        },
      },
    })
    await setUp(rig.postgres.url)
  }, 200_000)
  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]()
    await rsyslog?.[Symbol.asyncDispose]()
  })

  it('are in no file, no table, no message to the SIEM and no metric, whatever a client does with them', async () => {
    await using client = await openSecure(rig.cairn.ports['postgres']!)
    await login(client, { user: rig_role, database: rig_target }, await rig.token())
    await useValues(client)
    client.send(wire.query('select 1 / 0'))
    const error = (await client.ready()).find(({ type }) => type === 'E')
    // The session is still of use.
    expect(error === undefined ? '' : fieldsOf(error)['M']).toBe('division by zero')

    const arrived = `select count() as n from cairn.commands where text = 'select \\'${marker}\\''`
    await eventually('the last command in the tables', async () => {
      const [counted] = await rig.query<{ n: string }>(arrived)
      return Number(counted?.n) > 0
    })
    await eventually('the last command at the SIEM', async () =>
      (await rsyslog.received()).some((message) => JSON.stringify(message).includes(marker)),
    )

    const leaks: string[] = []
    const search = (where: string, text: string): void => {
      for (const value of planted) {
        const forms = [
          value,
          Buffer.from(value).toString('hex'),
          Buffer.from(value).toString('base64').replace(/=*$/, '').slice(0, -1),
        ]
        if (forms.some((form) => text.includes(form))) leaks.push(`${where}: ${value}`)
      }
    }
    const tables = await rig.query<{ name: string }>(
      `select name from system.tables where database = 'cairn'`,
    )
    expect(tables.length).toBeGreaterThan(5)
    for (const { name } of tables)
      search(name, JSON.stringify(await rig.query(`select * from cairn.${name}`)))
    for (const message of await rsyslog.received()) search('syslog', JSON.stringify(message))
    const metrics = await fetch(`http://127.0.0.1:${rig.cairn.ports['api']}/metrics`)
    const metrics_text = await metrics.text()
    expect(metrics_text).toContain('cairn_gateway_masked_values_total')
    search('metrics', metrics_text)
    search('standard error', rig.cairn.stderr())
    expect(leaks).toEqual([])
    // What does stand in the files shows that they can be searched.
    expect(await leaksIn(rig.cairn.data_dir, [marker])).not.toEqual([])
    expect(await leaksIn(rig.cairn.data_dir, planted)).toEqual([])
  })
})
