import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { openEmbeddedLog, type EmbeddedLog } from '#lib/log/embedded.ts'
import { logContract } from '../../contracts/log.ts'
import { openPlace } from '../../contracts/log-open.ts'
import { readAll, record, startChild, texts, until } from '../../contracts/log-support.ts'

const folder = await mkdtemp(join(tmpdir(), 'cairn-log-'))
afterAll(() => rm(folder, { recursive: true, force: true }))
const path = join(folder, 'log', 'cairn.sqlite')

logContract('the embedded log', {
  place: () => ({ kind: 'embedded', path }),
  applyRetention: async (log) => void (await (log as EmbeddedLog).prune()),
  interrupt: async () => {
    const other = new DatabaseSync(path)
    other.exec('BEGIN IMMEDIATE')
    return { recover: async () => other.close() }
  },
})

describe('the embedded log as a file', () => {
  const open = (file: string, options: { now_ms?: () => number; troubles?: Error[] } = {}) =>
    openEmbeddedLog({
      path: file,
      now_ms: options.now_ms ?? Date.now,
      id: randomUUID,
      heartbeat_ms: 100,
      onTrouble: (error) => options.troubles?.push(error),
    })

  test('refuses to append when the disk takes no more, keeps what was acknowledged, and recovers', async () => {
    const file = join(folder, 'full.sqlite')
    await using log = open(file)
    await log.ensureTopics([{ name: 'full', partitions: 1 }])
    // The limit on the size of files stands for a full disk; in KiB.
    await using child = startChild(
      {
        place: { kind: 'embedded', path: file },
        topic: 'full',
        role: 'fill',
        count: 1_000,
        bytes: 10_000,
      },
      'ulimit -f 3000',
    )
    await expect(child.next('filled')).rejects.toThrow(/log_unavailable/)
    const kept = (await readAll(log, 'full')).length
    expect(kept % 100).toBe(0)
    expect(kept).toBeGreaterThan(0)
    const [position] = await log.append('full', [record('a', 'after')])
    expect(position?.offset).toBe(BigInt(kept))
  })

  test('refuses a file that is something else, and one of a later version', async () => {
    const text = join(folder, 'text.sqlite')
    await writeFile(text, 'not a database at all, but long enough to look at'.repeat(100))
    expect(() => open(text)).toThrow(expect.objectContaining({ code: 'log_invalid' }))
    const foreign = join(folder, 'foreign.sqlite')
    const database = new DatabaseSync(foreign)
    database.exec('CREATE TABLE other (a)')
    database.close()
    expect(() => open(foreign)).toThrow(expect.objectContaining({ code: 'log_invalid' }))
    const later = join(folder, 'later.sqlite')
    await open(later)[Symbol.asyncDispose]()
    const raised = new DatabaseSync(later)
    raised.exec('PRAGMA user_version = 99')
    raised.close()
    expect(() => open(later)).toThrow(expect.objectContaining({ code: 'log_invalid' }))
  })

  test('cannot be opened where there can be no folder', async () => {
    const file = join(folder, 'a file')
    await writeFile(file, '')
    expect(() => open(join(file, 'log', 'cairn.sqlite'))).toThrow(
      expect.objectContaining({ code: 'log_unavailable' }),
    )
  })

  test('gives the partitions of a killed process away at once, not after its lease', async () => {
    const file = join(folder, 'killed.sqlite')
    await using log = open(file)
    await log.ensureTopics([{ name: 'killed', partitions: 1 }])
    await log.append('killed', [record('a', '1')])
    // This lease would outlive the test.
    const lease_ms = 10 * 60_000
    await using other = openEmbeddedLog({
      path: file,
      now_ms: Date.now,
      id: randomUUID,
      lease_ms,
      heartbeat_ms: 100,
    })
    await using child = startChild({
      place: { kind: 'embedded', path: file },
      topic: 'killed',
      group: 'g',
      role: 'hold',
    })
    await child.next('holding')
    const database = new DatabaseSync(file, { timeout: 5_000 })
    child.signal('SIGKILL')
    await child.exited()
    database.exec(`UPDATE members SET expires_ms = ${Date.now() + lease_ms}`)
    database.close()
    const got: string[] = []
    await using subscription = await other.subscribe({
      group: 'g',
      topics: ['killed'],
      onBatch: async ({ records }, ctx) => {
        got.push(...texts(records))
        await ctx.done()
      },
    })
    void subscription
    await until(() => got.length === 1, 'taken over')
  })

  test('retention by bytes removes the oldest, counts what a group had not read and tells it', async () => {
    const troubles: Error[] = []
    await using log = open(join(folder, 'bytes.sqlite'), { troubles })
    await log.ensureTopics([{ name: 'bytes', partitions: 1, retention_bytes: 50_000 }])
    const append = async (count: number): Promise<void> => {
      const value = Buffer.alloc(1_000)
      await log.append(
        'bytes',
        Array.from({ length: count }, () => record('', value)),
      )
    }
    await append(10)
    const told: string[] = []
    const first = Promise.withResolvers<void>()
    {
      await using subscription = await log.subscribe({
        group: 'g',
        topics: ['bytes'],
        onBatch: async (_, ctx) => {
          await ctx.done()
          first.resolve()
        },
      })
      void subscription
      await first.promise
    }
    await append(1_200)
    expect(await log.prune()).toEqual({ records: 1_160, bytes: 1_160_000, unread: 1_150 })
    expect((await log.lag('g', ['bytes']))[0]).toMatchObject({
      low: 1_160n,
      high: 1_210n,
      committed: 10n,
    })
    expect(troubles.map(({ message }) => message).join()).toContain('1150 records')
    const got: bigint[] = []
    await using subscription = await log.subscribe({
      group: 'g',
      topics: ['bytes'],
      onTrouble: ({ message }) => told.push(message),
      onBatch: async ({ records }, ctx) => {
        got.push(...records.map(({ offset }) => offset))
        await ctx.done()
      },
    })
    void subscription
    await until(() => got.length === 50, 'the rest')
    expect(got[0]).toBe(1_160n)
    expect(told.join()).toContain('removed 1150 records')
    expect(await log.prune()).toEqual({ records: 0, bytes: 0, unread: 0 })
  })

  test('can be looked into with any SQLite tool', async () => {
    const file = join(folder, 'look.sqlite')
    await using log = open(file)
    await log.ensureTopics([{ name: 'look', partitions: 3 }])
    await log.append('look', [record('a', '1'), record('a', '2')])
    using database = new DatabaseSync(file, { readOnly: true })
    const rows = database.prepare('SELECT topic, "offset", CAST(value AS TEXT) AS value FROM log')
    expect(rows.all()).toMatchObject([
      { topic: 'look', offset: 0, value: '1' },
      { topic: 'look', offset: 1, value: '2' },
    ])
  })

  test('many processes append at the same time without losing or mixing anything', async () => {
    const file = join(folder, 'many.sqlite')
    await using log = await openPlace({ kind: 'embedded', path: file })
    await log.ensureTopics([{ name: 'many', partitions: 2 }])
    const children = Array.from({ length: 4 }, () =>
      startChild({
        place: { kind: 'embedded', path: file },
        topic: 'many',
        role: 'fill',
        count: 1_000,
        bytes: 100,
      }),
    )
    for (const child of children) {
      await child.next('filled')
      await child[Symbol.asyncDispose]()
    }
    const all = [...(await readAll(log, 'many', 0)), ...(await readAll(log, 'many', 1))]
    expect(all).toHaveLength(4_000)
    expect(new Set(all.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(4_000)
  })
})
