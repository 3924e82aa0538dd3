import { CairnError } from '#lib/error.ts'
import { openGroupCommit } from './embedded-commit.ts'
import { openDatabase } from './embedded-database.ts'
import { openFollower } from './embedded-follow.ts'
import { openGroups } from './embedded-group.ts'
import { openRecordReader, openRecordWriter, type PartitionRow } from './embedded-records.ts'
import { openRetention, type RetentionCounts } from './embedded-retention.ts'
import { openSubscription } from './embedded-subscription.ts'
import { openTopics } from './embedded-topics.ts'
import { openWatch } from './embedded-watch.ts'
import { partitionOf } from './murmur2.ts'
import type { Log, LogFollower, LogSubscription, StoredRecord, TopicLag } from './port.ts'
import { isProcessGone, ownProcessMark } from './process-mark.ts'
import { checkRecords } from './record-check.ts'

const read_records_max = 500
const read_bytes_max = 4 * 1024 * 1024

export type EmbeddedLogOptions = {
  /** The SQLite file; created with its folder where missing. */
  readonly path: string
  readonly now_ms: () => number
  /** Unique names for members of groups. */
  readonly id: () => string
  /** A consumer that said nothing for so long loses its partitions. A process that has ended loses them at the next heartbeat of another. */
  readonly lease_ms?: number
  readonly heartbeat_ms?: number
  readonly drain_ms?: number
  /** How long another process may hold the write lock before a write fails. */
  readonly lock_wait_ms?: number
  /** How often retention is applied, by one of the processes that have the file open. */
  readonly prune_interval_ms?: number
  readonly onTrouble?: (error: Error) => void
}

export interface EmbeddedLog extends Log {
  /** Applies retention now. */
  readonly prune: () => Promise<RetentionCounts>
}

/**
 * Opens the embedded log: one SQLite file that any number of processes of one machine share.
 * Its calls block for as long as a disk write takes: keep it off an event loop that serves clients.
 * @throws CairnError('log_unavailable' | 'log_invalid')
 */
export const openEmbeddedLog = (options: EmbeddedLogOptions): EmbeddedLog => {
  const database = openDatabase(options.path)
  const { now_ms } = options
  const watch = openWatch(database.reader)
  const records = openRecordWriter(database)
  const reader = openRecordReader(database.reader)
  const topics = openTopics(database)
  const commit = openGroupCommit({
    database: database.writer,
    lock_wait_ms: options.lock_wait_ms ?? 10_000,
    now_ms,
    begin: records.begin,
    end: records.end,
    committed: watch.poke,
  })
  const groups = openGroups(database, {
    now_ms,
    lease_ms: options.lease_ms ?? 10_000,
    isGone: isProcessGone,
  })
  const retention = openRetention(database, {
    commit,
    now_ms,
    path: options.path,
    interval_ms: options.prune_interval_ms ?? 60_000,
    onTrouble: (error) => options.onTrouble?.(error),
  })
  const subscriptions = new Set<LogSubscription | LogFollower>()
  let closing: Promise<void> | null = null

  const openOnly = (): void => {
    if (closing !== null) throw new CairnError('log_closed', 'the log is closed')
  }

  const read = async function* (
    at: PartitionRow,
    from: bigint,
    to: bigint | undefined,
  ): AsyncGenerator<StoredRecord> {
    const end = Math.min(at.next, to === undefined ? at.next : Number(to) + 1)
    let cursor = Math.max(Number(from), at.low)
    while (cursor < end) {
      openOnly()
      const page = reader.fetch(at, cursor, end, {
        records: read_records_max,
        bytes: read_bytes_max,
      })
      if (page.length === 0) return
      yield* page
      cursor = Number(page.at(-1)?.offset) + 1
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  const close = async (): Promise<void> => {
    await Promise.allSettled([...subscriptions].map((one) => one[Symbol.asyncDispose]()))
    await retention.close()
    await commit.close()
    watch.close()
    database.close()
  }

  return {
    append: async (topic, appended) => {
      openOnly()
      const bytes = checkRecords(topic, appended)
      const partitions = topics.partitionsOf(topic)
      if (appended.length === 0) return []
      const targets = appended.map(({ key }) => partitionOf(key, partitions.length))
      return commit.submit(
        () =>
          appended.map((record, at) => {
            const partition = targets[at] ?? 0
            const offset = BigInt(records.append(partitions[partition] ?? -1, record))
            return { topic, partition, offset }
          }),
        bytes,
      )
    },
    subscribe: async (wanted) => {
      openOnly()
      for (const topic of wanted.topics) topics.partitionsOf(topic)
      const subscription = openSubscription(wanted, {
        groups,
        commit,
        watch,
        reader,
        process: ownProcessMark(),
        id: options.id,
        now_ms,
        heartbeat_ms: options.heartbeat_ms ?? 1_000,
        drain_ms: options.drain_ms ?? 10_000,
        closed: (one) => subscriptions.delete(one),
      })
      subscriptions.add(subscription)
      return subscription
    },
    follow: async (wanted) => {
      openOnly()
      const partitions = topics.partitionsOf(wanted.topic)
      const follower = openFollower(wanted, {
        watch,
        reader,
        partitions: partitions.map((_, partition) => topics.boundsOf(wanted.topic, partition)),
        closed: (one) => subscriptions.delete(one),
      })
      subscriptions.add(follower)
      return follower
    },
    read: (topic, partition, from, to) => read(topics.boundsOf(topic, partition), from, to),
    lag: async (group, names) => names.flatMap((topic): TopicLag[] => topics.lag(group, topic)),
    ensureTopics: async (specs) => {
      openOnly()
      await commit.submit(() => topics.ensure(specs))
    },
    prune: retention.prune,
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}
