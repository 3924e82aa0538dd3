import { expect, test } from 'vitest'
import { partitionOf } from '#lib/log/murmur2.ts'
import type { Log, LogFollower, StoredRecord, TopicSpec } from '#lib/log/port.ts'
import type { LogPlace } from './log-open.ts'
import { record, startChild, texts, until } from './log-support.ts'

export type FollowHarness = {
  readonly place: () => LogPlace
  readonly log: () => Log
  readonly open: () => Promise<Log>
  readonly newTopic: (spec?: Partial<TopicSpec>) => Promise<string>
}

/** What the contract of the log says of followers. */
export const followContract = ({ place, log, open, newTopic }: FollowHarness): void => {
  const follow = async (
    from: Log,
    topic: string,
  ): Promise<{ readonly got: StoredRecord[]; readonly follower: LogFollower }> => {
    const got: StoredRecord[] = []
    const follower = await from.follow({ topic, onRecords: (records) => got.push(...records) })
    return { got, follower }
  }

  test('every follower gets all records, those from before and those that come, in the order of each partition', async () => {
    const topic = await newTopic({ partitions: 3 })
    const keys = ['a', 'b', 'c', 'd', 'e']
    await log().append(
      topic,
      keys.map((key) => record(key, `${key} before`)),
    )
    await using other = await open()
    const one = await follow(log(), topic)
    const two = await follow(other, topic)
    await using closing = new AsyncDisposableStack()
    for (const { follower } of [one, two]) closing.use(follower)
    await Promise.all([one.follower.caughtUp, two.follower.caughtUp])
    expect(texts(one.got).sort()).toEqual(keys.map((key) => `${key} before`))
    await log().append(
      topic,
      keys.map((key) => record(key, `${key} after`)),
    )
    for (const { got } of [one, two]) {
      await until(() => got.length >= 10, `10 records, ${got.length} so far`)
      expect(new Set(texts(got)).size).toBe(10)
      for (const key of keys) {
        expect(
          texts(got.filter((each) => each.partition === partitionOf(Buffer.from(key), 3))),
        ).toContain(`${key} after`)
        const of_key = got.filter((each) => each.key.toString() === key)
        expect(texts(of_key)).toEqual([`${key} before`, `${key} after`])
        expect(of_key[1]!.offset).toBeGreaterThan(of_key[0]!.offset)
      }
    }
  })

  test('a follower of an empty topic has caught up at once, and gets what another process appends, none twice', async () => {
    const topic = await newTopic()
    const { got, follower } = await follow(log(), topic)
    await using closing = follower
    void closing
    await follower.caughtUp
    await using child = startChild({ place: place(), topic, role: 'append' })
    const { acknowledged } = await child.next('acknowledged')
    await until(() => got.length > 20, `records of the other process, ${got.length} so far`)
    expect(acknowledged).toBe(0)
    expect(texts(got)).toEqual(got.map((_, at) => `${at}`))
  })

  test('a follower that is closed hands out nothing more, and closing the log closes it', async () => {
    const topic = await newTopic()
    const other = await open()
    const closed = await follow(log(), topic)
    await follow(other, topic)
    const witness = await follow(log(), topic)
    await using closing = witness.follower
    void closing
    await closed.follower[Symbol.asyncDispose]()
    await other[Symbol.asyncDispose]()
    await log().append(topic, [record('a', 'late')])
    await until(() => witness.got.length === 1, 'the record at another follower')
    expect(closed.got).toEqual([])
    await expect(
      log().follow({ topic: `${topic}.none`, onRecords: () => undefined }),
    ).rejects.toMatchObject({
      code: 'log_unknown_topic',
    })
  })
}
