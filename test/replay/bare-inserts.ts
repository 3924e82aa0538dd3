import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@clickhouse/client'
import { Session } from 'chdb'
import { createChdbConnection } from 'chdb/connection'

/**
 * The reference of the replay bench, in a process of its own: rows that are ready made, inserted as JSONEachRow through @clickhouse/client into one
 * plain table of the same engine. Prints rows a second.
 */
const rows_count = Number(process.argv[2])
const batch_rows = 10_000

const folder = await mkdtemp(join(tmpdir(), 'cairn-bench-'))
const session = new Session(folder)
const client = createClient({
  connection: createChdbConnection({ path: folder }) as unknown as NonNullable<
    Parameters<typeof createClient>[0]
  >['connection'] & {},
})
const names = Array.from({ length: 30 }, (_, at) => `context_${at}`)
await client.command({
  query: `CREATE TABLE plain (topic LowCardinality(String), partition UInt16, offset UInt64, session String, sseq UInt64, time DateTime64(6),
    code LowCardinality(String), ${names.map((name) => `${name} LowCardinality(String)`).join(', ')}, header String, value String)
    ENGINE = MergeTree ORDER BY (session, sseq)`,
})
const context = Object.fromEntries(names.map((name) => [name, `value of ${name}`]))
const batch = (from: number): object[] =>
  Array.from({ length: Math.min(batch_rows, rows_count - from) }, (_, at) => ({
    topic: 'cairn.audit',
    partition: at % 6,
    offset: from + at,
    session: 'a'.repeat(64),
    sseq: from + at,
    time: '2026-11-21 00:00:00.000000',
    code: 'CRN1200I',
    ...context,
    header: 'h'.repeat(240),
    value: `select * from orders where id = ${from + at} ${'v'.repeat(500)}`,
  }))

const begun = process.hrtime.bigint()
for (let from = 0; from < rows_count; from += batch_rows)
  await client.insert({ table: 'plain', values: batch(from), format: 'JSONEachRow' })
const seconds = Number(process.hrtime.bigint() - begun) / 1e9
process.stdout.write(`${rows_count / seconds}\n`)
await client.close()
session.close()
await rm(folder, { recursive: true, force: true })
process.exit(0)
