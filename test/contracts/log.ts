import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { partitionOf } from '#lib/log/murmur2.ts'
import type {
  BatchContext,
  Log,
  LogRange,
  LogSubscription,
  StoredRecord,
  TopicSpec,
} from '#lib/log/port.ts'
import { followContract } from './log-follow.ts'
import { openPlace, type LogPlace } from './log-open.ts'
import { rangeOf, readAll, record, startChild, texts, until } from './log-support.ts'

export type LogHarness = {
  readonly place: () => LogPlace
  /** Makes old records go, where it does not happen by itself. */
  readonly applyRetention: (log: Log) => Promise<void>
  /** Makes the log unable to take appends, and able again. */
  readonly interrupt: () => Promise<{ readonly recover: () => Promise<void> }>
}

const MiB = 1024 * 1024

/** The contract of the log port, run on every adapter. */
export const logContract = (name: string, harness: LogHarness): void => {
  describe(name, () => {
    let log: Log
    const troubles: Error[] = []
    const open = (): Promise<Log> => openPlace(harness.place(), (error) => troubles.push(error))

    beforeAll(async () => {
      log = await open()
    })
    afterAll(async () => {
      await log[Symbol.asyncDispose]()
    })

    const newTopic = async (spec: Partial<TopicSpec> = {}): Promise<string> => {
      const topic = `test.${randomUUID()}`
      await log.ensureTopics([{ name: topic, partitions: 1, replication: 1, ...spec }])
      return topic
    }
    const newGroup = (): string => `group-${randomUUID()}`

    /** Collects what a group gets until it has `count` records, each batch done. */
    const collect = async (
      from: Log,
      topic: string,
      group: string,
      count: number,
    ): Promise<StoredRecord[]> => {
      const got: StoredRecord[] = []
      await using subscription = await from.subscribe({
        group,
        topics: [topic],
        onBatch: async (batch, ctx) => {
          got.push(...batch.records)
          await ctx.done()
        },
      })
      void subscription
      await until(() => got.length >= count, `${count} records, ${got.length} so far`)
      return got
    }

    describe('append', () => {
      test('gives positions in the order of the records, each record in the partition of its key', async () => {
        const topic = await newTopic({ partitions: 5 })
        const records = Array.from({ length: 50 }, (_, at) => record(`key ${at % 13}`, `${at}`))
        const positions = await log.append(topic, records)
        expect(positions.map(({ partition }) => partition)).toEqual(
          records.map(({ key }) => partitionOf(key, 5)),
        )
        for (const [at, { partition, offset }] of positions.entries()) {
          const there = await readAll(log, topic, partition)
          expect(there.find((each) => each.offset === offset)?.value.toString()).toBe(`${at}`)
        }
      })

      test('keeps the order of a key over many appends at the same time', async () => {
        const topic = await newTopic({ partitions: 3 })
        const appends = Array.from({ length: 200 }, (_, at) =>
          log.append(topic, [record(`key ${at % 7}`, `${at}`), record(`key ${at % 7}`, `${at}+`)]),
        )
        await Promise.all(appends)
        const all = (
          await Promise.all([0, 1, 2].map((partition) => readAll(log, topic, partition)))
        ).flat()
        expect(all).toHaveLength(400)
        for (let key = 0; key < 7; key++) {
          const mine = all.filter((each) => each.key.toString() === `key ${key}`)
          const numbers = Array.from({ length: 200 }, (_, at) => at).filter((at) => at % 7 === key)
          const expected = numbers.flatMap((at) => [`${at}`, `${at}+`])
          expect(texts(mine)).toEqual(expected)
        }
      })

      test('keeps an 8 MiB value, empty values, empty keys and binary headers byte for byte', async () => {
        const topic = await newTopic()
        const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at))
        const huge = Buffer.alloc(8 * MiB, bytes)
        const headers = { 'cairn-leaf': bytes, empty: Buffer.alloc(0), ünï: Buffer.from([0]) }
        await log.append(topic, [
          { key: bytes, value: huge, headers },
          { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: {} },
        ])
        const before = Date.now()
        const [first, second] = await collect(log, topic, newGroup(), 2)
        expect(first?.value.equals(huge)).toBe(true)
        expect(first?.key).toEqual(bytes)
        expect(first?.headers).toEqual(headers)
        expect(second).toMatchObject({ key: Buffer.alloc(0), value: Buffer.alloc(0), headers: {} })
        expect(Math.abs((first?.timestamp_ms ?? 0) - before)).toBeLessThan(60_000)
      })

      test('refuses an unknown topic and a record over the limit, and takes none of the call', async () => {
        const topic = await newTopic()
        await expect(log.append(`none.${randomUUID()}`, [record('a')])).rejects.toMatchObject({
          code: 'log_unknown_topic',
        })
        const large = record('a', Buffer.alloc(17 * MiB))
        await expect(log.append(topic, [record('a'), large])).rejects.toMatchObject({
          code: 'log_record_too_large',
        })
        expect(await readAll(log, topic)).toEqual([])
      })

      test('takes a call far larger than one request', async () => {
        const topic = await newTopic({ partitions: 2 })
        const records = Array.from({ length: 40 }, (_, at) =>
          record(`key ${at}`, Buffer.alloc(MiB, at)),
        )
        const positions = await log.append(topic, records)
        expect(positions).toHaveLength(40)
        const all = [...(await readAll(log, topic, 0)), ...(await readAll(log, topic, 1))]
        expect(all).toHaveLength(40)
        expect(new Set(all.map(({ value }) => value[0])).size).toBe(40)
      })

      test('fails with log_unavailable while the log is away, and works again afterwards', async () => {
        const topic = await newTopic()
        await log.append(topic, [record('a', 'before')])
        const { recover } = await harness.interrupt()
        try {
          await expect(log.append(topic, [record('a', 'during')])).rejects.toMatchObject({
            code: 'log_unavailable',
          })
        } finally {
          await recover()
        }
        await until(async () => {
          try {
            await log.append(topic, [record('a', 'after')])
            return true
          } catch {
            return false
          }
        }, 'an append after the recovery')
        const all = texts(await readAll(log, topic))
        expect(all[0]).toBe('before')
        expect(all.at(-1)).toBe('after')
      })

      test('keeps every acknowledged record through ten SIGKILLs of the appender', async () => {
        const topic = await newTopic()
        const place = harness.place()
        let acknowledged = -1
        for (let round = 0; round < 10; round++) {
          await using child = startChild({ place, topic, role: 'append', first: acknowledged + 1 })
          const wanted = 5 + round * 3
          await until(() => child.messages.length >= wanted, 'acknowledged appends')
          child.signal('SIGKILL')
          await child.exited()
          acknowledged = Number(child.messages.at(-1)?.['acknowledged'])
        }
        const there = texts(await readAll(log, topic)).map(Number)
        // The record in flight at a kill may be there without having been acknowledged, and then comes again.
        const distinct = [...new Set(there)]
        expect(distinct.slice(0, acknowledged + 1)).toEqual(
          Array.from({ length: acknowledged + 1 }, (_, at) => at),
        )
      })
    })

    describe('a group', () => {
      test('resumes behind what was done, in another process of the log', async () => {
        const topic = await newTopic()
        const group = newGroup()
        await log.append(topic, [record('a', '1'), record('a', '2'), record('a', '3')])
        expect(texts(await collect(log, topic, group, 3))).toEqual(['1', '2', '3'])
        await using other = await open()
        await other.append(topic, [record('a', '4')])
        expect(texts(await collect(other, topic, group, 1))).toEqual(['4'])
        const [lag] = await log.lag(group, [topic])
        expect(lag).toEqual({ topic, partition: 0, low: 0n, high: 4n, committed: 4n })
      })

      test('has its own position beside other groups', async () => {
        const topic = await newTopic()
        await log.append(topic, [record('a', '1'), record('a', '2')])
        const groups = [newGroup(), newGroup()]
        expect(texts(await collect(log, topic, groups[0]!, 2))).toEqual(['1', '2'])
        expect(texts(await collect(log, topic, groups[1]!, 2))).toEqual(['1', '2'])
        expect((await log.lag(newGroup(), [topic]))[0]?.committed).toBeNull()
      })

      test('that begins at the end gets only what comes later', async () => {
        const topic = await newTopic()
        const group = newGroup()
        await log.append(topic, [record('a', 'old')])
        const got: string[] = []
        const subscribe = (): Promise<LogSubscription> =>
          log.subscribe({
            group,
            topics: [topic],
            from: 'end',
            onBatch: async ({ records }, ctx) => {
              got.push(...texts(records))
              await ctx.done()
            },
          })
        {
          await using subscription = await subscribe()
          void subscription
          await until(async () => (await log.lag(group, [topic]))[0]?.committed === 1n, 'begun')
        }
        await log.append(topic, [record('a', 'while away')])
        await using subscription = await subscribe()
        void subscription
        await until(() => got.length > 0, 'a record')
        expect(got).toEqual(['while away'])
      })

      test('goes on without done(), commits nothing, and gets it all again at the next start', async () => {
        const topic = await newTopic()
        const group = newGroup()
        const got: string[] = []
        const subscription = await log.subscribe({
          group,
          topics: [topic],
          onBatch: async ({ records }) => void got.push(...texts(records)),
        })
        await log.append(topic, [record('a', '1')])
        await until(() => got.length === 1, 'the first')
        await log.append(topic, [record('a', '2')])
        await until(() => got.length === 2, 'the second')
        await subscription[Symbol.asyncDispose]()
        await subscription.finished
        expect(texts(await collect(log, topic, group, 2))).toEqual(['1', '2'])
      })

      test('may be done after its handler returned: the position moves, and nothing comes twice', async () => {
        const topic = await newTopic()
        const group = newGroup()
        const got: string[] = []
        const open: BatchContext[] = []
        await using subscription = await log.subscribe({
          group,
          topics: [topic],
          batch_records_max: 2,
          onBatch: async ({ records }, ctx) => {
            got.push(...texts(records))
            open.push(ctx)
          },
        })
        void subscription
        const values = ['1', '2', '3', '4', '5', '6']
        await log.append(
          topic,
          values.map((value) => record('a', value)),
        )
        await until(() => got.length === values.length, 'every record')
        await open[0]!.done()
        expect((await log.lag(group, [topic]))[0]?.committed).toBe(2n)
        await log.append(topic, [record('a', '7')])
        await until(() => got.length > values.length, 'the next')
        expect(got).toEqual([...values, '7'])
      })

      test('gets the rest again after done(upTo), and a batch again after a throw', async () => {
        const topic = await newTopic()
        await log.append(
          topic,
          ['1', '2', '3', '4'].map((value) => record('a', value)),
        )
        const got: string[][] = []
        let failed = false
        await using subscription = await log.subscribe({
          group: newGroup(),
          topics: [topic],
          onBatch: async ({ records }, ctx) => {
            got.push(texts(records))
            if (records[0]?.value.toString() === '3' && !failed) {
              failed = true
              throw new Error('the first time')
            }
            await ctx.done(records.length > 2 ? records[1]?.offset : undefined)
          },
        })
        void subscription
        await until(() => got.length === 3, 'three batches')
        expect(got).toEqual([
          ['1', '2', '3', '4'],
          ['3', '4'],
          ['3', '4'],
        ])
      })

      test('keeps within the bounds of a batch, a larger record coming alone', async () => {
        const topic = await newTopic()
        const sizes = [10, 10, 5_000, 10, 10, 10, 10]
        await log.append(
          topic,
          sizes.map((size) => record('a', Buffer.alloc(size))),
        )
        const got: number[][] = []
        await using subscription = await log.subscribe({
          group: newGroup(),
          topics: [topic],
          batch_records_max: 3,
          batch_bytes_max: 1_000,
          onBatch: async ({ records }, ctx) => {
            got.push(records.map(({ value }) => value.length))
            await ctx.done()
          },
        })
        void subscription
        await until(() => got.flat().length === sizes.length, 'all')
        expect(got).toEqual([[10, 10], [5_000], [10, 10, 10], [10]])
      })

      test('waits for more with linger_ms', async () => {
        const topic = await newTopic()
        const got: number[] = []
        await using subscription = await log.subscribe({
          group: newGroup(),
          topics: [topic],
          linger_ms: 500,
          onBatch: async ({ records }, ctx) => {
            got.push(records.length)
            await ctx.done()
          },
        })
        void subscription
        for (let at = 0; at < 20; at++) await log.append(topic, [record('a', `${at}`)])
        await until(() => got.reduce((sum, each) => sum + each, 0) === 20, 'all')
        expect(got.length).toBeLessThanOrEqual(5)
      })

      test('shares the partitions among its members, and those of one that leaves go to the others', async () => {
        const topic = await newTopic({ partitions: 6 })
        const group = newGroup()
        const logs = [await open(), await open()]
        const got: [Set<number>, Set<number>] = [new Set(), new Set()]
        let count = 0
        const subscribe = (member: 0 | 1): Promise<LogSubscription> =>
          logs[member]!.subscribe({
            group,
            topics: [topic],
            onBatch: async ({ partition, records }, ctx) => {
              await ctx.done()
              got[member].add(partition)
              count += records.length
            },
          })
        const subscriptions = [await subscribe(0), await subscribe(1)]
        const feed = async (): Promise<void> => {
          const keys = Array.from({ length: 60 }, (_, at) => record(`key ${at}`))
          await log.append(topic, keys)
        }
        await until(async () => {
          got[0].clear()
          got[1].clear()
          const before = count
          await feed()
          await until(() => count >= before + 60, 'the fed records')
          return got[0].size === 3 && got[1].size === 3 && got[0].isDisjointFrom(got[1])
        }, 'three partitions each')
        await subscriptions[1]![Symbol.asyncDispose]()
        await until(async () => {
          const before = count
          await feed()
          await until(() => count >= before + 60, 'the fed records')
          return got[0].size === 6
        }, 'all six at the one left')
        for (const each of logs) await each[Symbol.asyncDispose]()
        expect(troubles.filter((each) => 'code' in each && each.code === 'log_invalid')).toEqual([])
      })

      test('reads what another process appends, as it comes', async () => {
        const topic = await newTopic()
        const got: string[] = []
        await using subscription = await log.subscribe({
          group: newGroup(),
          topics: [topic],
          onBatch: async ({ records }, ctx) => {
            got.push(...texts(records))
            await ctx.done()
          },
        })
        void subscription
        await using child = startChild({ place: harness.place(), topic, role: 'append' })
        await until(() => got.length >= 30, 'thirty records')
        child.signal('SIGKILL')
        expect(got.slice(0, 30)).toEqual(Array.from({ length: 30 }, (_, at) => `${at}`))
      })

      test('keeps its partition through a batch that takes longer than the lease', async () => {
        const topic = await newTopic()
        const group = newGroup()
        await using other = await open()
        const outcomes: unknown[] = []
        let delivered = 0
        const subscribe = (member: Log): Promise<LogSubscription> =>
          member.subscribe({
            group,
            topics: [topic],
            onBatch: async (_, ctx) => {
              delivered++
              const until_ms = Date.now() + 4_500
              await until(() => Date.now() > until_ms, 'longer than the lease')
              outcomes.push(await ctx.done().catch((error: unknown) => error))
            },
          })
        await using subscriptions = new AsyncDisposableStack()
        subscriptions.use(await subscribe(log))
        await log.append(topic, [record('a', 'slow')])
        await until(() => delivered === 1, 'the batch')
        // Whoever should have the partition now waits until the batch is done.
        subscriptions.use(await subscribe(other))
        await until(() => outcomes.length > 0, 'done')
        expect(outcomes).toEqual([undefined])
        expect(delivered).toBe(1)
      })
    })

    describe('a planned range', () => {
      test('comes again exactly, as one batch, after a SIGKILL between plan and done', async () => {
        const topic = await newTopic()
        const group = newGroup()
        // One by one, so that a fetch may end anywhere in the range.
        for (let at = 0; at < 10; at++) await log.append(topic, [record('a', `${at}`)])
        await using child = startChild({
          place: harness.place(),
          topic,
          group,
          role: 'hold',
          plan_records: 7,
        })
        const { holding } = await child.next('holding')
        expect(holding).toMatchObject({ lo: '0', hi: '6', records: 10 })
        child.signal('SIGKILL')
        await log.append(
          topic,
          Array.from({ length: 5 }, (_, at) => record('a', `${10 + at}`)),
        )

        const got: { planned: LogRange | null; values: string[] }[] = []
        await using subscription = await log.subscribe({
          group,
          topics: [topic],
          // Smaller than the planned range, which comes whole all the same.
          batch_records_max: 4,
          batch_bytes_max: 8,
          onBatch: async (batch, ctx) => {
            got.push({ planned: ctx.planned, values: texts(batch.records) })
            await ctx.plan(rangeOf(batch))
            await ctx.done()
          },
        })
        void subscription
        await until(() => got.flatMap(({ values }) => values).length === 15, 'everything')
        expect(got[0]).toEqual({
          planned: { topic, partition: 0, lo: 0n, hi: 6n },
          values: ['0', '1', '2', '3', '4', '5', '6'],
        })
        expect(got.slice(1).every(({ planned }) => planned === null)).toBe(true)
        expect(got.flatMap(({ values }) => values)).toEqual(
          Array.from({ length: 15 }, (_, at) => `${at}`),
        )
      })

      test('comes again exactly when the handler throws between plan and done', async () => {
        const topic = await newTopic()
        await log.append(
          topic,
          Array.from({ length: 6 }, (_, at) => record('a', `${at}`)),
        )
        const got: { planned: LogRange | null; count: number }[] = []
        await using subscription = await log.subscribe({
          group: newGroup(),
          topics: [topic],
          onBatch: async (batch, ctx) => {
            got.push({ planned: ctx.planned, count: batch.records.length })
            if (got.length === 1) {
              await ctx.plan(rangeOf(batch, 4))
              await log.append(topic, [record('a', '6')])
              throw new Error('between plan and done')
            }
            await ctx.done()
          },
        })
        void subscription
        await until(() => got.reduce((sum, { count }) => sum + count, 0) >= 13, 'everything')
        expect(got[0]).toEqual({ planned: null, count: 6 })
        expect(got[1]).toEqual({ planned: { topic, partition: 0, lo: 0n, hi: 3n }, count: 4 })
        expect(got.slice(2).every(({ planned }) => planned === null)).toBe(true)
      })

      test('is done once the next batch is planned', async () => {
        const topic = await newTopic()
        const group = newGroup()
        const got: string[][] = []
        const subscription = await log.subscribe({
          group,
          topics: [topic],
          onBatch: async (batch, ctx) => {
            got.push(texts(batch.records))
            await ctx.plan(rangeOf(batch))
          },
        })
        await log.append(topic, [record('a', '1')])
        await until(() => got.length === 1, 'the first')
        await log.append(topic, [record('a', '2')])
        await until(() => got.length === 2, 'the second')
        await subscription[Symbol.asyncDispose]()
        const planned: (LogRange | null)[] = []
        await using again = await log.subscribe({
          group,
          topics: [topic],
          onBatch: async (batch, ctx) => {
            planned.push(ctx.planned)
            got.push(texts(batch.records))
            await ctx.done()
          },
        })
        void again
        await until(() => got.length === 3, 'the second again')
        expect(got[2]).toEqual(['2'])
        expect(planned).toEqual([{ topic, partition: 0, lo: 1n, hi: 1n }])
      })

      test('refuses a range that is not a beginning of the batch', async () => {
        const topic = await newTopic()
        await log.append(topic, [record('a', '1'), record('a', '2')])
        const outcome = Promise.withResolvers<unknown>()
        await using subscription = await log.subscribe({
          group: newGroup(),
          topics: [topic],
          onBatch: async (batch, ctx) => {
            const range = { ...rangeOf(batch), lo: 1n }
            await ctx.plan(range).then(outcome.resolve, outcome.resolve)
          },
        })
        void subscription
        expect(await outcome.promise).toBeInstanceOf(TypeError)
      })

      test('can not be done any more by a consumer that was replaced', async () => {
        const topic = await newTopic()
        const group = newGroup()
        await log.append(topic, [record('a', '1'), record('a', '2')])
        await using child = startChild({ place: harness.place(), topic, group, role: 'hold' })
        await child.next('holding')
        // Stopped, not dead: it sends no heartbeat, and comes back with the batch in its hands.
        child.signal('SIGSTOP')
        const got: (LogRange | null)[] = []
        await using subscription = await log.subscribe({
          group,
          topics: [topic],
          onBatch: async (_, ctx) => {
            got.push(ctx.planned)
            await ctx.done()
          },
        })
        void subscription
        await until(() => got.length === 1, 'the batch at its new owner')
        expect(got).toEqual([{ topic, partition: 0, lo: 0n, hi: 1n }])
        await until(async () => (await log.lag(group, [topic]))[0]?.committed === 2n, 'committed')
        child.signal('SIGCONT')
        child.tell('done')
        expect((await child.next('outcome'))['outcome']).toBe('log_fenced')
        expect((await log.lag(group, [topic]))[0]?.committed).toBe(2n)
      })
    })

    test('a slow consumer holds no more than its batches, however much waits', async () => {
      const topic = await newTopic({ partitions: 2 })
      const place = harness.place()
      await using holder = startChild({
        place,
        topic,
        role: 'hold',
        group: newGroup(),
        batch_bytes_max: MiB,
      })
      await holder.next('subscribed')
      await log.append(topic, [record('a', Buffer.alloc(1_000))])
      const { holding } = await holder.next('holding')
      await using filler = startChild({ place, topic, role: 'fill', count: 20_000, bytes: 10_000 })
      await filler.next('filled')
      holder.tell('memory')
      const grown = Number((await holder.next('rss'))['rss']) - (holding as { rss: number }).rss
      expect(grown).toBeLessThan(100 * MiB)
    })

    test('retention removes what is old, and a new group begins behind it', async () => {
      const topic = await newTopic({ retention_ms: 1_000 })
      await log.append(topic, [record('a', 'old 1'), record('a', 'old 2')])
      await until(async () => {
        await harness.applyRetention(log)
        return (await log.lag('none', [topic]))[0]?.low === 2n
      }, 'the old records gone')
      const [position] = await log.append(topic, [record('a', 'new')])
      expect(position?.offset).toBe(2n)
      expect(texts(await collect(log, topic, newGroup(), 1))).toEqual(['new'])
    })

    test('reads a range without a group, as far as it went at the call', async () => {
      const topic = await newTopic()
      await log.append(
        topic,
        Array.from({ length: 1_200 }, (_, at) => record('a', `${at}`)),
      )
      const got: string[] = []
      for await (const each of log.read(topic, 0, 5n, 1_100n)) got.push(each.value.toString())
      expect(got).toEqual(Array.from({ length: 1_096 }, (_, at) => `${at + 5}`))
      const last: bigint[] = []
      for await (const each of log.read(topic, 0, 1_198n)) last.push(each.offset)
      expect(last).toEqual([1_198n, 1_199n])
    })

    describe('a follower', () => {
      followContract({ place: harness.place, log: () => log, open, newTopic })
    })

    test('topics: creating them again changes nothing, another number of partitions is refused', async () => {
      const topic = await newTopic({ partitions: 2 })
      await log.append(topic, [record('a', 'kept')])
      await log.ensureTopics([{ name: topic, partitions: 2, replication: 1 }])
      const wrong = log.ensureTopics([{ name: topic, partitions: 3, replication: 1 }])
      await expect(wrong).rejects.toMatchObject({ code: 'log_invalid' })
      expect(await log.lag('none', [topic])).toHaveLength(2)
    })

    test('a closed log refuses', async () => {
      const topic = await newTopic()
      const other = await open()
      const subscription = await other.subscribe({
        group: newGroup(),
        topics: [topic],
        onBatch: async (_, ctx) => ctx.done(),
      })
      await other[Symbol.asyncDispose]()
      await subscription.finished
      await expect(other.append(topic, [record('a')])).rejects.toMatchObject({ code: 'log_closed' })
    })
  })
}
