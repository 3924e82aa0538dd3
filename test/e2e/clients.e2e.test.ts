import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import postgresClient from 'postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { rig_role, rig_target, startRig, type Rig } from '../support/rig.ts'
import { runOk, runProgram } from '../support/run-program.ts'
import { readStatementLog } from '../support/statement-log.ts'
import { jdbcDriver, postgres18, python, systemTool } from '../support/tools.ts'

const debian_psql = systemTool('psql')
const psql18 = postgres18('psql')
const psqls = [
  ['psql of Debian', debian_psql === null ? null : { file: debian_psql, env: {} }],
  ['psql 18', psql18],
  [
    'psql 18 with protocol 3.2',
    psql18 === null ? null : { ...psql18, env: { ...psql18.env, PGMAXPROTOCOLVERSION: '3.2' } },
  ],
] as const
const pgbench = systemTool('pgbench')
const pg_dump = postgres18('pg_dump')
const pg_restore = postgres18('pg_restore')

let rig: Rig
let folder: string

beforeAll(async () => {
  rig = await startRig({ postgres: { log: true, tls: true }, services: ['gateway'] })
  folder = await mkdtemp(join(tmpdir(), 'cairn-clients-'))
})

afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const digestOf = async (file: string): Promise<string> => {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

const openPg = async (): Promise<Client> => {
  const client = new Client({
    host: '127.0.0.1',
    port: rig.cairn.ports['postgres']!,
    user: rig_role,
    database: rig_target,
    password: await rig.token(),
    ssl: { rejectUnauthorized: false },
  })
  await client.connect()
  return client
}

for (const [name, psql] of psqls)
  describe.skipIf(psql === null)(`${name} through the gateway`, () => {
    const run = async (...args: readonly string[]) =>
      runOk(psql!.file, ['-X', '-v', 'ON_ERROR_STOP=1', ...args], {
        env: { ...(await rig.libpq()), ...psql!.env },
        cwd: folder,
      })

    it('runs statements and its own catalogue queries', async () => {
      await run(
        '-c',
        'drop table if exists notes',
        '-c',
        'create table notes (id int primary key, text text)',
      )
      await run('-c', "insert into notes values (1, 'one'), (2, 'two')")
      expect(await run('-At', '-c', 'select text from notes order by id')).toBe('one\ntwo\n')
      expect(await run('-c', '\\d notes')).toContain('notes_pkey')
    })

    it('shows an error as the server words it, with its position', async () => {
      const { code, stderr } = await runProgram(
        psql!.file,
        ['-X', '-c', 'select nothing from notes'],
        {
          env: { ...(await rig.libpq()), ...psql!.env },
        },
      )
      expect(code).toBe(1)
      expect(stderr).toMatch(
        /ERROR: {2}column "nothing" does not exist\nLINE 1: select nothing from notes\n {15}\^/,
      )
    })

    it('copies 100 MB out and in, byte for byte', async () => {
      const out = join(folder, 'out.copy')
      const again = join(folder, 'again.copy')
      const rows = 'select i, repeat(md5(i::text), 32) from generate_series(1, 100000) i'
      await run('-q', '-c', `\\copy (${rows}) to '${out}'`)
      expect((await stat(out)).size).toBeGreaterThan(100e6)
      await run(
        '-q',
        '-c',
        'drop table if exists big',
        '-c',
        'create table big (i int, t text)',
        '-c',
        `\\copy big from '${out}'`,
      )
      await run('-q', '-c', `\\copy (select * from big order by i) to '${again}'`)
      expect(await digestOf(again)).toBe(await digestOf(out))
    })

    it('reads a million rows', async () => {
      const out = join(folder, 'million')
      await run('-q', '-At', '-o', out, '-c', 'select i, i * 2 from generate_series(1, 1000000) i')
      expect((await stat(out)).size).toBe(
        Array.from({ length: 1_000_000 }, (_, i) => `${i + 1}|${(i + 1) * 2}\n`.length).reduce(
          (a, b) => a + b,
        ),
      )
    })

    it('fetches through a cursor a few rows at a time', async () => {
      expect(
        (await run('-At', '-v', 'FETCH_COUNT=10', '-c', 'select i from generate_series(1, 95) i'))
          .trim()
          .split('\n'),
      ).toHaveLength(95)
    })

    it('cancels with Ctrl-C', async () => {
      const env = await rig.libpq()
      const result = await runProgram(psql!.file, ['-X', '-c', 'select pg_sleep(600)'], {
        env: { ...env, ...psql!.env, PGAPPNAME: `cancel ${name}` },
        onStart: (child) =>
          void eventually('the statement runs', async () =>
            (await readStatementLog(rig.postgres.logFile)).some(
              ({ application, text }) =>
                application === `cancel ${name}` && text.includes('pg_sleep'),
            ),
          ).then(() => child.kill('SIGINT')),
      })
      expect(result.stderr).toContain('canceling statement due to user request')
    })
  })

describe.skipIf(pgbench === null)('pgbench through the gateway', () => {
  it('initialises and runs in its three query modes', async () => {
    const env = await rig.libpq()
    await runOk(pgbench!, ['-i', '-q', '-s', '1'], { env })
    for (const mode of ['simple', 'extended', 'prepared']) {
      const out = await runOk(pgbench!, ['-n', '-M', mode, '-c', '4', '-t', '50'], {
        env: await rig.libpq(),
      })
      expect(out).toContain('number of transactions actually processed: 200/200')
      expect(out).toContain('number of failed transactions: 0')
    }
  })
})

describe.skipIf(pg_dump === null)('pg_dump and pg_restore through the gateway', () => {
  it('carry a schema with data from one database to another unchanged', async () => {
    const client = await openPg()
    await client.query('drop schema if exists shop cascade; create schema shop')
    await client.query(`
      create type shop.state as enum ('new', 'paid');
      create table shop.orders (id int primary key generated always as identity, state shop.state not null, note text, at timestamptz default now());
      create view shop.paid as select * from shop.orders where state = 'paid';
      create function shop.total() returns bigint language sql stable as 'select count(*) from shop.orders';
      insert into shop.orders (state, note) select 'paid', repeat('x', i) from generate_series(1, 500) i`)
    await client.query('drop database if exists restored')
    await client.query('create database restored')
    await client.end()
    const file = join(folder, 'shop.dump')
    const environment = async (database: string) => ({
      ...(await rig.libpq()),
      ...pg_dump!.env,
      PGDATABASE: database,
    })
    await runOk(pg_dump!.file, ['-Fc', '-n', 'shop', '-f', file], {
      env: await environment(rig_target),
    })
    await runOk(
      pg_restore!.file,
      ['-d', `dbname=${rig_target}/restored`, '--exit-on-error', file],
      { env: await environment(`${rig_target}/restored`) },
    )
    const dump = async (database: string) =>
      // Each dump carries a random key of its own in \\restrict.
      (await runOk(pg_dump!.file, ['-n', 'shop'], { env: await environment(database) })).replace(
        /^\\(un)?restrict .*$/gm,
        '',
      )
    expect(await dump(`${rig_target}/restored`)).toBe(await dump(rig_target))
  })
})

describe('drivers through the gateway', () => {
  it('pg: parameters, prepared statements, LISTEN and NOTIFY', async () => {
    const listener = await openPg()
    const notified = new Promise((resolve) =>
      listener.once('notification', ({ payload }) => resolve(payload)),
    )
    await listener.query('listen news')
    const client = await openPg()
    for (const n of [1, 2, 3]) {
      const { rows } = await client.query({
        name: 'twice',
        text: 'select $1::int * 2 as n',
        values: [n],
      })
      expect(rows).toEqual([{ n: n * 2 }])
    }
    await client.query("select pg_notify('news', 'hello')")
    expect(await notified).toBe('hello')
    await Promise.all([client.end(), listener.end()])
  })

  it('postgres: pipelined queries, types, a transaction rolled back, a cursor', async () => {
    const sql = postgresClient({
      host: '127.0.0.1',
      port: rig.cairn.ports['postgres']!,
      user: rig_role,
      database: rig_target,
      password: await rig.token(),
      ssl: { rejectUnauthorized: false },
      max: 1,
      onnotice: () => undefined,
    })
    try {
      const answers = await Promise.all(
        Array.from({ length: 100 }, (_, i) => sql`select ${i}::int as i`),
      )
      expect(answers.map(([row]) => (row as { i: number }).i)).toEqual(
        Array.from({ length: 100 }, (_, i) => i),
      )
      const moment = new Date('2026-01-02T03:04:05.678Z')
      expect(await sql`select ${moment}::timestamptz as at, ${[1, 2]}::int[] as list`).toEqual([
        { at: moment, list: [1, 2] },
      ])
      await sql`create temporary table t (i int)`
      await expect(
        sql.begin(async (tx) => {
          await tx`insert into t values (1)`
          await tx`select 1 / 0`
        }),
      ).rejects.toThrow('division by zero')
      expect(await sql`select count(*)::int as n from t`).toEqual([{ n: 0 }])
      let rows = 0
      await sql`select i from generate_series(1, 250) i`.cursor(100, (batch) => {
        rows += batch.length
      })
      expect(rows).toBe(250)
    } finally {
      await sql.end()
    }
  })

  it.skipIf(python() === null)(
    'psycopg: pipeline mode, binary parameters, COPY, server-side cursor, a session that goes on after a cancel',
    async () => {
      const script = `
import psycopg, threading
with psycopg.connect("") as c:
    with c.pipeline():
        results = [c.execute("select %s::int * 2", (i,)) for i in range(200)]
    assert [r.fetchone()[0] for r in results] == [i * 2 for i in range(200)]
    cur = c.execute("select %b::bytea, %b::int8, %b::float8", (bytes(range(256)), 2**40, 1.5), binary=True)
    assert cur.fetchone() == (bytes(range(256)), 2**40, 1.5)
    c.execute("create temporary table t (i int, t text)")
    with c.cursor().copy("copy t from stdin") as copy:
        for i in range(10000):
            copy.write_row((i, "x" * (i % 50)))
    with c.cursor("server_side") as s:
        s.itersize = 1000
        s.execute("select i from t order by i")
        assert sum(1 for _ in s) == 10000
    try:
        with c.pipeline() as p:
            c.execute("insert into t values (-1, '')")
            c.execute("select 1/0")
            p.sync()
    except psycopg.errors.DivisionByZero:
        pass
    c.rollback()
    def cancel():
        with psycopg.connect("", autocommit=True) as other:
            running = "select 1 from pg_stat_activity where state = 'active' and query = 'select pg_sleep(600)'"
            while other.execute(running).fetchone() is None:
                pass
        c.cancel_safe()
    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        c.execute("select pg_sleep(600)")
        raise SystemExit("not cancelled")
    except psycopg.errors.QueryCanceled:
        pass
    thread.join()
    c.rollback()
    assert c.execute("select 42").fetchone() == (42,)
print("ok")
`
      expect(await runOk(python()!, ['-c', script], { env: await rig.libpq() })).toBe('ok\n')
    },
  )

  const jar = jdbcDriver()
  it.skipIf(jar === null)(
    'JDBC: batches and a fetch size, which is an execution with a row limit',
    async () => {
      const env = await rig.libpq()
      await writeFile(
        join(folder, 'Client.java'),
        `
import java.sql.*;
public class Client {
  public static void main(String[] a) throws Exception {
    try (Connection c = DriverManager.getConnection("jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE") + "?sslmode=require", System.getenv("PGUSER"), System.getenv("PGPASSWORD"))) {
      c.setAutoCommit(false);
      c.createStatement().execute("create temporary table t (i int)");
      try (PreparedStatement p = c.prepareStatement("insert into t values (?)")) {
        for (int i = 0; i < 1000; i++) { p.setInt(1, i); p.addBatch(); }
        p.executeBatch();
      }
      try (PreparedStatement p = c.prepareStatement("select i from t order by i")) {
        p.setFetchSize(100);
        ResultSet r = p.executeQuery();
        int n = 0; while (r.next()) n++;
        System.out.println(n);
      }
      c.commit();
    }
  }
}`,
      )
      expect(await runOk('java', ['-cp', jar!, join(folder, 'Client.java')], { env })).toBe(
        '1000\n',
      )
    },
  )
})
