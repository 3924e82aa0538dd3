import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEmbeddedClickHouse, type EmbeddedClickHouse } from '#lib/clickhouse/embedded.ts'
import { openLog } from '#lib/log/open.ts'
import type { Log, StoredRecord } from '#lib/log/port.ts'
import { openReplayMetrics } from '../../services/replay/metrics.ts'
import { applyMigrations, readMigrations } from '../../services/replay/migrations.ts'
import { projections } from '../../services/replay/projections/index.ts'
import { openRanges, type ApplyRange } from '../../services/replay/ranges.ts'
import { dropTables } from '../../services/replay/rebuild.ts'
import { openGatewayLog, type Produced } from './gateway-log.ts'

let folder: string
let clickhouse: EmbeddedClickHouse
let log: Log
let apply: ApplyRange

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-refusal-'))
  clickhouse = await openEmbeddedClickHouse({
    folder: join(folder, 'clickhouse'),
    database: 'cairn',
    memory_bytes_max: 512 * 1024 * 1024,
  })
  log = await openLog(
    { kind: 'embedded', partitions: 1, replication: 1, retention_hours: 1 },
    { data_dir: folder },
  )
  const metrics = openReplayMetrics()
  const logger = pino({ level: 'silent' })
  await applyMigrations(clickhouse, await readMigrations())
  apply = openRanges({ log, clickhouse, projections, logger, metrics })
})
afterAll(async () => {
  await clickhouse[Symbol.asyncDispose]()
  await log[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const stored = (produced: readonly Produced[]): StoredRecord[] =>
  produced.map(({ topic, record }, at) => ({
    ...record,
    topic,
    partition: 0,
    offset: BigInt(at),
    timestamp_ms: 1_790_000_000_000 + at,
  }))

const count = async (sql: string): Promise<number> => {
  const [row] = await clickhouse.query<{ n: number }>(`SELECT count() AS n FROM ${sql}`)
  return row?.n ?? -1
}

test('every column of every table is the one that is written, and is described', async () => {
  for (const { table, columns } of projections) {
    const found = await clickhouse.query<{ name: string; type: string; comment: string }>(
      `SELECT name, type, comment FROM system.columns
       WHERE database = 'cairn' AND table = {table:String} AND default_kind = '' ORDER BY position`,
      { table },
    )
    const plain = (type: string): string => type.replaceAll(/LowCardinality\((\w+)\)/g, '$1')
    expect(found.map(({ name, type }) => ({ name, type: plain(type) }))).toEqual(columns)
    expect(found.filter(({ comment }) => comment === '')).toEqual([])
  }
  const bare = await clickhouse.query(
    `SELECT table, name FROM system.columns WHERE database = 'cairn' AND comment = ''`,
  )
  expect(bare).toEqual([])
  expect(await count("system.tables WHERE database = 'cairn' AND comment = ''")).toBe(0)
})

test('a record that tables refuse is found among its batch, kept raw, and holds nothing up', async () => {
  await clickhouse.command(
    "ALTER TABLE command_received ADD CONSTRAINT no_poison CHECK position(text, 'poison') = 0",
  )
  await clickhouse.command(
    "ALTER TABLE records ADD CONSTRAINT no_poison CHECK position(actor_subject, 'poison') = 0",
  )
  const gateway = openGatewayLog()
  const records = stored([
    ...gateway.session({
      commands: 50,
      text: (at) => (at % 20 === 7 ? `poison ${at}` : `select ${at}`),
    }).records,
    ...gateway.session({ commands: 0, subject: 'poison', open: true }).records,
  ])
  const range = { topic: 'cairn.audit', partition: 0, lo: 0n, hi: BigInt(records.length - 1) }
  await apply(range, records)
  // As after a crash between the inserts and `done`.
  await apply(range, records)

  expect(await count('records')).toBe(records.length)
  expect(await count('command_received')).toBe(47)
  expect(await count('decisions')).toBe(50)
  const refused = await clickhouse.query<{ offset: number; detail: string; code: string }>(
    "SELECT offset, detail, code FROM records WHERE problem = 'refused' ORDER BY offset",
  )
  expect(refused.map(({ code }) => code)).toEqual(['CRN1200I', 'CRN1200I', 'CRN1200I', 'CRN1100I'])
  expect(refused[0]?.detail).toMatch(/^command_received: .*no_poison/)
  expect(await count("records WHERE problem = 'refused' AND value != ''")).toBe(4)

  const origins = new Set<string>()
  for (const { partition } of await log.lag('none', ['cairn.deadletter']))
    for await (const letter of log.read('cairn.deadletter', partition, 0n))
      origins.add(letter.headers['cairn-origin']!.toString())
  expect(origins).toEqual(new Set(refused.map(({ offset }) => `cairn.audit:0:${offset}`)))
})

test('a migration whose content changed is refused, and one that was applied is not applied again', async () => {
  const migrations = await readMigrations()
  expect(await applyMigrations(clickhouse, migrations)).toEqual([])
  const changed = migrations.map((one) => (one.id === 3 ? { ...one, checksum: 'other' } : one))
  await expect(applyMigrations(clickhouse, changed)).rejects.toMatchObject({
    code: 'schema_conflict',
  })
  await expect(applyMigrations(clickhouse, migrations.slice(0, -1))).rejects.toMatchObject({
    code: 'schema_conflict',
  })
})

test('dropped tables come back with the same rows', async () => {
  const sums = (): Promise<readonly unknown[]> =>
    Promise.all(
      projections.map(({ table }) =>
        clickhouse.query(
          `SELECT count() AS rows, groupBitXor(sipHash64(tuple(*))) AS sum FROM ${table}`,
        ),
      ),
    )
  await dropTables(clickhouse)
  await applyMigrations(clickhouse, await readMigrations())
  const gateway = openGatewayLog()
  const records = stored(gateway.session({ commands: 100 }).records)
  const topic = 'cairn.audit'
  const rangeOf = (part: readonly StoredRecord[]) => ({
    topic,
    partition: 0,
    lo: part[0]!.offset,
    hi: part.at(-1)!.offset,
  })
  await apply(rangeOf(records), records)
  const before = await sums()
  await dropTables(clickhouse)
  expect(await count("system.tables WHERE database = 'cairn'")).toBe(0)
  await applyMigrations(clickhouse, await readMigrations())
  // Cut otherwise than the first time.
  for (const part of [records.slice(0, 7), records.slice(7, 200), records.slice(200)])
    await apply(rangeOf(part), part)
  expect(await sums()).toEqual(before)
})
