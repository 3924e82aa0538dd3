import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import type { LogRecord } from '#lib/log/port.ts'
import type { Bench, Row } from './row.ts'

/**
 * The embedded log beside a bare loop on the same SQLite: one table, one prepared insert, WAL, synchronous=FULL, one commit a batch.
 * What lies between is partitioning, offsets, headers, positions and the event loop.
 */
const duration_ms = 1_500
const value_bytes = 300
const batches = [1, 100, 1_000]

const records = (count: number): LogRecord[] =>
  Array.from({ length: count }, (_, at) => ({
    key: Buffer.from(`session ${at % 50}`.padEnd(32)),
    value: Buffer.alloc(value_bytes, at),
    headers: { 'cairn-leaf': Buffer.alloc(200, at), 'cairn-code': Buffer.from('0201') },
  }))

/** Calls `batch` for a while; records per second. */
const measure = async (count: number, batch: () => void | Promise<unknown>): Promise<number> => {
  await batch()
  const begun = performance.now()
  let done = 0
  while (performance.now() - begun < duration_ms) {
    await batch()
    done += count
  }
  return (done * 1_000) / (performance.now() - begun)
}

const bare = async (folder: string, count: number): Promise<number> => {
  using database = new DatabaseSync(join(folder, `bare-${count}.sqlite`))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
  database.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, at INTEGER, k BLOB, h BLOB, v BLOB)')
  const insert = database.prepare('INSERT INTO t (at, k, h, v) VALUES (?, ?, ?, ?)')
  const [begin, commit] = [database.prepare('BEGIN'), database.prepare('COMMIT')]
  const input = records(count)
  const headers = Buffer.alloc(230)
  return await measure(count, () => {
    begin.run()
    for (const { key, value } of input) insert.run(Date.now(), key, headers, value)
    commit.run()
  })
}

const appending = async (folder: string, count: number): Promise<number> => {
  await using log = openEmbeddedLog({
    path: join(folder, `log-${count}.sqlite`),
    now_ms: Date.now,
    id: randomUUID,
  })
  await log.ensureTopics([{ name: 'bench', partitions: 6 }])
  const input = records(count)
  return await measure(count, () => log.append('bench', input))
}

/** Many callers at once, one record each: what group commit makes of them. */
const concurrent = async (folder: string, callers: number): Promise<number> => {
  await using log = openEmbeddedLog({
    path: join(folder, `callers-${callers}.sqlite`),
    now_ms: Date.now,
    id: randomUUID,
  })
  await log.ensureTopics([{ name: 'bench', partitions: 6 }])
  const input = records(callers)
  return await measure(callers, () =>
    Promise.all(input.map((record) => log.append('bench', [record]))),
  )
}

const consuming = async (folder: string): Promise<number> => {
  await using log = openEmbeddedLog({
    path: join(folder, 'consume.sqlite'),
    now_ms: Date.now,
    id: randomUUID,
  })
  await log.ensureTopics([{ name: 'bench', partitions: 6 }])
  const total = 100_000
  for (let at = 0; at < total; at += 1_000) await log.append('bench', records(1_000))
  const finished = Promise.withResolvers<void>()
  let seen = 0
  const begun = performance.now()
  await using subscription = await log.subscribe({
    group: 'bench',
    topics: ['bench'],
    onBatch: async ({ topic, partition, records: batch }, ctx) => {
      const [lo, hi] = [batch[0]?.offset ?? 0n, batch.at(-1)?.offset ?? 0n]
      await ctx.plan({ topic, partition, lo, hi })
      await ctx.done()
      seen += batch.length
      if (seen === total) finished.resolve()
    },
  })
  void subscription
  await finished.promise
  return (total * 1_000) / (performance.now() - begun)
}

const rowOf = (name: string, per_second: number, of: readonly [string, number]): Row => ({
  case: name,
  unit: 'records/s',
  per_second,
  reference: of[0],
  ratio: per_second / of[1],
})

const run = async (): Promise<readonly Row[]> => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-bench-log-'))
  try {
    const rows: Row[] = []
    let single = 0
    for (const count of batches) {
      const reference = `bare SQLite, by ${count}`
      const per_second = await bare(folder, count)
      if (count === 1) single = per_second
      rows.push({ case: reference, unit: 'records/s', per_second })
      const ours = await appending(folder, count)
      rows.push(rowOf(`embedded log, by ${count}`, ours, [reference, per_second]))
    }
    const together = await concurrent(folder, 100)
    rows.push(rowOf('embedded log, 100 callers of one', together, ['bare SQLite, by 1', single]), {
      case: 'consume, plan and done',
      unit: 'records/s',
      per_second: await consuming(folder),
    })
    return rows
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const bench: Bench = { name: 'the embedded log', run }
