import { execFile } from 'node:child_process'
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { ClickHouseLogLevel, createClient } from '@clickhouse/client'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedClickHouse, type EmbeddedClickHouse } from '#lib/clickhouse/embedded.ts'
import { openServerReader } from '#lib/clickhouse/server.ts'
import { openHttpInterface, type HttpInterface } from '../../services/replay/http/server.ts'
import { eventually } from '../support/eventually.ts'

const run = promisify(execFile)
const logger = pino({ level: 'silent' })

let folder: string
let clickhouse: EmbeddedClickHouse
let http: HttpInterface
let url: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-http-'))
  clickhouse = await openEmbeddedClickHouse({
    folder: join(folder, 'clickhouse'),
    database: 'cairn',
    memory_bytes_max: 1024 * 1024 * 1024,
  })
  await clickhouse.command(
    'CREATE TABLE things (id UInt64, name String) ENGINE = MergeTree ORDER BY id',
  )
  const lines = Array.from({ length: 1000 }, (_, id) => `${id}\tname ${id}\n`).join('')
  await clickhouse.insert({
    table: 'things',
    columns: ['id', 'name'],
    rows: 1000,
    data: Buffer.from(lines),
    token: 'things',
  })
  http = await openHttpInterface({
    clickhouse,
    host: '127.0.0.1',
    port: 0,
    password: null,
    logger,
    queries_max: 2,
  })
  url = `http://127.0.0.1:${http.port}`
})
afterAll(async () => {
  await http[Symbol.asyncDispose]()
  await clickhouse[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

type Answer = {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

const ask = async (sql: string, address = ''): Promise<Answer> => {
  const response = await fetch(`${url}/${address}`, { method: 'POST', body: sql })
  return { status: response.status, text: await response.text(), headers: response.headers }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

describe("ClickHouse's HTTP interface", () => {
  test('answers @clickhouse/client: parameters, formats, streams, errors', async () => {
    const client = createClient({
      url,
      username: 'cairn_reader',
      database: 'cairn',
      log: { level: ClickHouseLogLevel.OFF },
    })
    expect(await client.ping()).toEqual({ success: true })
    const result = await client.query({
      query:
        'SELECT id, name FROM things WHERE name = {name:String} OR id IN {ids:Array(UInt64)} ORDER BY id',
      query_params: { name: "name 7'); --", ids: [3, 5] },
      format: 'JSON',
    })
    const answer = await result.json<{ id: string; name: string }>()
    expect(answer.data.map(({ name }) => name)).toEqual(['name 3', 'name 5'])
    const rows = await client.query({
      query: 'SELECT number FROM numbers(200000)',
      format: 'JSONEachRow',
    })
    let seen = 0
    for await (const part of rows.stream()) seen += part.length
    expect(seen).toBe(200_000)
    await expect(
      client.query({ query: 'SELECT nothing FROM things', format: 'JSON' }),
    ).rejects.toMatchObject({ code: '47' })
    await expect(
      client.insert({ table: 'things', values: [{ id: 1 }], format: 'JSONEachRow' }),
    ).rejects.toThrow(/INSERT/)
    await client.close()
  })

  test('answers our own reader, as other processes use it', async () => {
    await using reader = openServerReader({
      url,
      user: 'cairn_reader',
      password: '',
      database: 'cairn',
    })
    expect(await reader.query('SELECT count() AS n FROM things')).toEqual([{ n: 1000 }])
    let sum = 0
    for await (const { id } of reader.stream<{ id: number }>('SELECT id FROM things')) sum += id
    expect(sum).toBe(499_500)
  })

  test('answers curl: query in the address, in the body, in both; formats; basic authentication', async () => {
    const curl = async (...args: string[]): Promise<string> =>
      (await run('curl', ['-sS', ...args])).stdout
    expect(await curl(`${url}/?query=SELECT%20count()%20FROM%20cairn.things`)).toBe('1000\n')
    expect(await curl(url, '--data-binary', 'SELECT 1 AS one FORMAT CSVWithNames')).toBe(
      '"one"\n1\n',
    )
    expect(await curl(`${url}/?query=SELECT%20sum(id)`, '--data-binary', 'FROM things')).toBe(
      '499500\n',
    )
    expect(
      await curl('-u', 'default:', `${url}/?query=SELECT+1&default_format=JSONCompact`),
    ).toMatch(/"data":\s*\[\s*\[1\]/)
    expect(await curl(`${url}/?query=SELECT+{a:UInt8}%2B1&param_a=41`, '-g')).toBe('42\n')
    expect(await curl(`${url}/ping`)).toBe('Ok.\n')
    expect(await curl(`${url}/replicas_status`)).toBe('Ok.\n')
    expect(await curl('-I', `${url}/?query=SELECT+1`)).toMatch(/^HTTP\/1.1 200/)
    expect(await curl('-I', `${url}/ping`)).toMatch(/^HTTP\/1.1 200/)
    expect(
      await curl(
        '--compressed',
        `${url}/?query=SELECT+1&enable_http_compression=1`,
        '-w',
        '%header{content-encoding}',
      ),
    ).toBe('1\ngzip')
  })

  test('takes a packed body, and says what the answer is', async () => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-encoding': 'gzip' },
      body: gzipSync('SELECT 1 AS a FORMAT JSONEachRow'),
    })
    expect(await response.text()).toBe('{"a":1}\n')
    expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=UTF-8')
    expect(response.headers.get('x-clickhouse-format')).toBe('JSONEachRow')
    expect(response.headers.get('x-clickhouse-query-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(JSON.parse(response.headers.get('x-clickhouse-summary')!)).toHaveProperty('read_rows')
  })

  test('describes tables to tools', async () => {
    expect((await ask('SHOW TABLES')).text).toContain('things')
    expect((await ask('DESCRIBE TABLE things')).text).toMatch(/^id\tUInt64/)
    expect((await ask('EXISTS TABLE things')).text).toBe('1\n')
    expect((await ask('EXPLAIN SELECT 1')).status).toBe(200)
    expect(
      (await ask("SELECT name FROM system.columns WHERE database = 'cairn' AND table = 'things'"))
        .text,
    ).toBe('id\nname\n')
    expect((await ask('SELECT version(), timezone(), currentDatabase()')).text).toMatch(/cairn\n$/)
  })

  test('Native comes in the form of the revision that a client states', async () => {
    const native = async (sql: string, revision: string): Promise<Buffer> => {
      const response = await fetch(`${url}/?default_format=Native${revision}`, {
        method: 'POST',
        body: sql,
      })
      expect(response.status).toBe(200)
      return Buffer.from(await response.arrayBuffer())
    }
    const now = '&client_protocol_version=54460'
    expect((await native("SELECT toUInt8(7) AS a, 'x' AS b", now)).toString('hex')).toBe(
      // info, 2 columns, 1 row, then name, type, mark and data of each
      '010002ffffffff00' +
        '0201' +
        '0161' +
        '0555496e7438' +
        '00' +
        '07' +
        '0162' +
        '06537472696e67' +
        '00' +
        '0178',
    )
    // Every type is stepped over to its last byte, or the transfer would break off.
    const sql = `SELECT number, toString(number) AS s, toFixedString('abc', 3) AS f, toDecimal64(number, 3) AS d,
      if(number % 2 = 0, NULL, number) AS n, [number, 2] AS a, [[], ['x', toString(number)]] AS aa, (number, 'y', NULL) AS t,
      map('k', number) AS m, toLowCardinality(toString(number % 300)) AS l, arrayMap(x -> toLowCardinality(toString(x)), range(number % 3)) AS al,
      toLowCardinality(toNullable('z')) AS ln, CAST('a', 'Enum8(\\'a\\' = 1, \\'(b,\\' = 2)') AS e, now64(6) AS dt, toIPv6('::1') AS ip,
      generateUUIDv4() AS u, CAST((1, 'b'), 'Tuple(one UInt8, \`two words\` String)') AS named, true AS yes, toInt256(number) AS big,
      map('k', [toLowCardinality('v')]) AS ml, INTERVAL 1 DAY AS i FROM numbers(1000)`
    const [plain, stated] = [await native(sql, ''), await native(sql, now)]
    expect(stated.length).toBe(plain.length + 8 + 21)
  })

  test('errors come as ClickHouse says them', async () => {
    const answer = await ask('SELECT nonsense')
    expect(answer.status).toBe(404)
    expect(answer.headers.get('x-clickhouse-exception-code')).toBe('47')
    expect(answer.text).toMatch(/^Code: 47\. DB::Exception: .*nonsense/)
    expect((await ask('SELEKT 1')).headers.get('x-clickhouse-exception-code')).toBe('62')
  })

  test('an error in the middle of an answer breaks it off', async () => {
    const response = await fetch(url, {
      method: 'POST',
      body: 'SELECT number, throwIf(number = 2000000) FROM numbers(10000000)',
    })
    expect(response.status).toBe(200)
    await expect(response.text()).rejects.toThrow()
  })

  test('large answers are not held in memory, and stop when the client goes', async () => {
    const gone = new AbortController()
    const response = await fetch(url, {
      method: 'POST',
      body: "SELECT number, repeat('x', 1000) FROM numbers(100000000)",
      signal: gone.signal,
    })
    const reader = response.body!.getReader()
    await reader.read()
    // Nobody reads on: the engine stops producing, far from the end.
    let last = -1
    const read_rows = await eventually('the engine waits for its client', async () => {
      const [row] = await clickhouse.query<{ n: number }>(
        "SELECT read_rows AS n FROM system.processes WHERE query LIKE '%repeat%' AND query NOT LIKE '%processes%'",
      )
      const stands = row?.n === last
      last = row?.n ?? -1
      return stands ? last : undefined
    })
    expect(read_rows).toBeLessThan(10_000_000)
    gone.abort()
    await eventually('the query has ended', async () => {
      const [row] = await clickhouse.query<{ n: number }>(
        "SELECT count() AS n FROM system.processes WHERE query LIKE '%repeat%' AND query NOT LIKE '%processes%'",
      )
      return row?.n === 0
    })
  })
})

describe('a reader cannot', () => {
  const forbidden: readonly string[] = [
    "INSERT INTO things VALUES (1, 'x')",
    'INSERT INTO things SELECT 1, 2',
    'TRUNCATE TABLE things',
    'DROP TABLE things',
    'ALTER TABLE things DELETE WHERE 1',
    'DELETE FROM things WHERE 1',
    'OPTIMIZE TABLE things FINAL',
    'CREATE TABLE t (a UInt8) ENGINE = Memory',
    'CREATE TEMPORARY TABLE t (a UInt8)',
    'CREATE FUNCTION f AS (x) -> x',
    'CREATE VIEW v AS SELECT 1',
    "CREATE DICTIONARY d (a UInt64) PRIMARY KEY a SOURCE(FILE(path '/etc/passwd' format 'TSV')) LAYOUT(FLAT()) LIFETIME(1)",
    'ATTACH TABLE things',
    'DETACH TABLE things',
    'RENAME TABLE things TO other',
    'SET readonly = 0',
    'SET max_memory_usage = 0',
    'USE system',
    'SYSTEM FLUSH LOGS',
    'SYSTEM SHUTDOWN',
    'KILL QUERY WHERE 1',
    'GRANT ALL ON *.* TO default',
    'EXECUTE AS default SELECT 1',
    'BEGIN TRANSACTION',
    "BACKUP TABLE things TO File('/tmp/backup')",
    'SELECT 1; SELECT 2',
    'SELECT 1; DROP TABLE things',
    'SELECT 1 PARALLEL WITH DROP TABLE things',
    'SELECT 1 SETTINGS readonly = 0',
    'SELECT 1 SETTINGS max_execution_time = 0',
    "SELECT 1 FORMAT Template SETTINGS format_template_row = '/etc/passwd'",
    "SELECT * FROM file('/etc/passwd', 'LineAsString')",
    "SELECT * FROM `file`('/etc/passwd', 'LineAsString')",
    "SELECT * FROM FILE('/etc/passwd', LineAsString)",
    "SELECT file('/etc/passwd')",
    "SELECT /* c */ file /* d */ ('/etc/passwd')",
    "SELECT * APPLY file FROM (SELECT '/etc/passwd')",
    "SELECT * APPLY(file) FROM (SELECT '/etc/passwd')",
    "SELECT arrayMap(x -> file(x), ['/etc/passwd'])",
    "DESCRIBE TABLE file('/etc/passwd')",
    "DESCRIBE url('http://127.0.0.1:1/')",
    "EXPLAIN SELECT * FROM file('/etc/passwd')",
    'SELECT * FROM default.`/etc/passwd`',
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM `/etc/passwd`',
    "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    "SELECT * FROM s3('http://127.0.0.1:1/b/k', 'TSV', 'a String')",
    "SELECT * FROM remote('127.0.0.1', 'system.one')",
    "SELECT * FROM executable('x', 'TSV', 'a String')",
    "SELECT * FROM mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "SELECT * FROM sqlite('/tmp/x', 'y')",
    "SELECT * FROM filesystem('/etc')",
    "SELECT * FROM merge('system', '.*')",
    "SELECT * FROM cluster('default', system.one)",
    "SELECT * FROM dictionary('d')",
    "SELECT * FROM input('a String')",
    'SELECT * FROM view(SELECT 1)',
    "SELECT * FROM viewExplain('EXPLAIN', '', (SELECT 1))",
    "SELECT dictGet('d', 'a', 1)",
    "SELECT joinGet('things', 'name', 1)",
    "SELECT catboostEvaluate('/etc/passwd', 1)",
    "SELECT reverseDNSQuery('1.1.1.1')",
    'SELECT filesystemAvailable()',
    "SELECT getServerSetting('path')",
    'SELECT showCertificate()',
    'SELECT sleep(3)',
    "SELECT aiGenerate('x')",
    'SELECT addressToLine(1)',
    "SELECT __actionName('x', 1)",
    "SELECT 1 INTO OUTFILE '/tmp/cairn-outfile'",
    "SELECT 1 INTO/**/OUTFILE '/tmp/cairn-outfile' TRUNCATE FORMAT TSV",
    "WITH 'x' AS y SELECT y INTO OUTFILE '/tmp/cairn-outfile'",
    "(SELECT 1) INTO OUTFILE '/tmp/cairn-outfile'",
    'SELECT * FROM system.users',
    'SELECT * FROM system.query_log',
    'SELECT * FROM system.disks',
    'SELECT * FROM `system`.`processes`',
    'SELECT 1 WHERE (1) IN system.processes',
    'SELECT * FROM system.stack_trace',
    'SHOW PROCESSLIST',
  ]

  test.each(forbidden)('%s', async (sql) => {
    const answer = await ask(sql)
    expect(answer.status).toBeGreaterThanOrEqual(400)
    expect(answer.text).not.toContain('root:')
  })

  test('change anything by any of that', async () => {
    expect((await ask('SELECT count(), sum(id) FROM things')).text).toBe('1000\t499500\n')
    expect((await ask('SHOW TABLES')).text).toBe('things\n')
    expect(await exists('/tmp/cairn-outfile')).toBe(false)
    expect(await exists('/tmp/backup')).toBe(false)
  })

  test('get past the gate behind which the engine holds too', async () => {
    const secret = join(folder, 'secret.txt')
    await writeFile(secret, 'secret')
    const through = async (sql: string): Promise<string> => {
      const chunks: Uint8Array[] = []
      for await (const chunk of clickhouse.readOnly({
        sql,
        format: 'TSV',
        settings: {},
        params: {},
        signal: AbortSignal.timeout(10_000),
        id: 'attack',
      }))
        chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    }
    for (const sql of [
      "INSERT INTO things VALUES (1, 'x')",
      'DROP TABLE things',
      'SET readonly = 0',
      'SELECT 1 SETTINGS readonly = 0',
      `SELECT * FROM file('${secret}', 'LineAsString')`,
      "SELECT * FROM url('http://127.0.0.1:1/', 'LineAsString')",
    ])
      await expect(through(sql)).rejects.toThrow(/READONLY|readonly|Not enough privileges/)
    expect(await readFile(secret, 'utf8')).toBe('secret')
  })

  test('take more time, memory or threads than it is given', async () => {
    const endless =
      'SELECT count() FROM numbers(1000000000000000) WHERE NOT ignore(sipHash64(number))'
    const begun = Date.now()
    const slow = await ask(endless, '?max_execution_time=1')
    expect(slow.headers.get('x-clickhouse-exception-code')).toBe('159')
    expect(Date.now() - begun).toBeLessThan(10_000)
    const large = await ask('SELECT length(groupArray(number)) FROM numbers(1000000000)')
    expect(large.headers.get('x-clickhouse-exception-code')).toBe('241')
    const wide = await ask("SELECT repeat('x', 1000000) FROM numbers(1000000) ORDER BY 1")
    expect(wide.status).toBe(500)
    for (const setting of ['max_execution_time=0', 'max_memory_usage=0', 'max_threads=64']) {
      const name = setting.split('=')[0]!
      const answer = await ask(`SELECT getSetting('${name}')`, `?${setting}`)
      expect(Number.parseFloat(answer.text)).toBeLessThanOrEqual(256 * 1024 * 1024)
      expect(Number.parseFloat(answer.text)).toBeGreaterThan(0)
    }
    for (const setting of [
      'allow_experimental_eval_table_function=1',
      'output_format_schema=/tmp/x',
      'format_schema=x',
    ])
      expect((await ask('SELECT 1', `?${setting}`)).status).toBe(403)
    expect((await ask(`SELECT '${'x'.repeat(300_000)}'`)).status).toBe(413)
    expect((await ask(`SELECT ${'('.repeat(5000)}1${')'.repeat(5000)}`)).status).toBeGreaterThan(
      399,
    )
  })

  test('keep inserts from going on: too many queries are turned away', async () => {
    const gone = new AbortController()
    const endless =
      'SELECT count() FROM numbers(1000000000000000) WHERE NOT ignore(sipHash64(number))'
    const asked = Array.from({ length: 10 }, () =>
      fetch(url, { method: 'POST', body: endless, signal: gone.signal }).then(
        async (response) => ({ status: response.status, text: await response.text() }),
        () => null,
      ),
    )
    const refused = await Promise.race(asked)
    expect(refused?.status).toBe(503)
    await clickhouse.insert({
      table: 'things',
      columns: ['id', 'name'],
      rows: 1,
      data: Buffer.from('1000\tlast\n'),
      token: 'while busy',
    })
    gone.abort()
    await Promise.all(asked)
    await eventually('queries run again', async () => (await ask('SELECT 1')).status === 200)
  })

  test("reach it from another site's page, or by another name of the machine", async () => {
    const status = (headers: Record<string, string>): Promise<number> =>
      new Promise((resolve, reject) => {
        request(`${url}/?query=SELECT+1`, { headers }, (response) => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
          .on('error', reject)
          .end()
      })
    expect(await status({})).toBe(200)
    expect(await status({ host: 'localhost:8123' })).toBe(200)
    expect(await status({ host: 'evil.example' })).toBe(403)
    expect(await status({ host: '127.0.0.1.evil.example' })).toBe(403)
    expect(await status({ origin: 'https://evil.example' })).toBe(403)
    expect(await status({ 'sec-fetch-site': 'cross-site' })).toBe(403)
  })

  test('come without the password where one is configured, or as another user', async () => {
    await using locked = await openHttpInterface({
      clickhouse,
      host: '127.0.0.1',
      port: 0,
      password: 'correct horse',
      logger,
      queries_max: 1,
    })
    const status = async (headers: Record<string, string>, address = ''): Promise<number> =>
      (await fetch(`http://127.0.0.1:${locked.port}/?query=SELECT+1${address}`, { headers })).status
    const basic = (text: string) => ({
      authorization: `Basic ${Buffer.from(text).toString('base64')}`,
    })
    expect(await status({})).toBe(403)
    expect(await status({ 'x-clickhouse-user': 'cairn_reader', 'x-clickhouse-key': 'wrong' })).toBe(
      403,
    )
    expect(
      await status({ 'x-clickhouse-user': 'admin', 'x-clickhouse-key': 'correct horse' }),
    ).toBe(403)
    expect(
      await status({ 'x-clickhouse-user': 'cairn_reader', 'x-clickhouse-key': 'correct horse' }),
    ).toBe(200)
    expect(await status(basic('cairn_reader:correct horse'))).toBe(200)
    expect(await status({}, '&user=default&password=correct+horse')).toBe(200)
    expect((await fetch(`http://127.0.0.1:${locked.port}/ping`)).status).toBe(200)
  })
})
