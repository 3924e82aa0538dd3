import { statSync } from 'node:fs'
import { CairnError } from '#lib/error.ts'
import type { GroupCommit } from './embedded-commit.ts'
import { asLogError, offsets_per_partition, type EmbeddedDatabase } from './embedded-database.ts'

/** Records deleted in one transaction: appends wait for no longer than such a chunk takes. */
const chunk_records = 500
/** Free pages given back to the file system in one transaction. */
const chunk_pages = 256
/** Free pages that stay in the file for new records. */
const spare_pages = 4_096
/** A WAL that grew past this, because readers were never all away at a checkpoint, is emptied by force. */
const wal_bytes_max = 256 * 1024 * 1024

export type RetentionCounts = {
  /** Records deleted. */
  readonly records: number
  readonly bytes: number
  /** Of these, ones that some group had not read yet, counted once for each group. */
  readonly unread: number
}

type PartitionRow = {
  readonly id: number
  readonly topic: string
  readonly partition: number
  readonly low: number
  readonly next: number
  readonly bytes: number
  readonly retention_ms: number | null
  readonly retention_bytes: number | null
}

const prepare = ({ writer }: EmbeddedDatabase) => ({
  claim: writer.prepare('UPDATE maintenance SET pruned_ms = ? WHERE pruned_ms <= ?'),
  partitions: writer.prepare('SELECT * FROM partitions'),
  oldest: writer.prepare(
    `SELECT id, timestamp_ms, length(key) + length(value) + length(headers) AS bytes
     FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ${chunk_records}`,
  ),
  remove: writer.prepare('DELETE FROM records WHERE id >= ? AND id < ?'),
  raise: writer.prepare('UPDATE partitions SET low = ?, bytes = max(bytes - ?, 0) WHERE id = ?'),
  lose: writer.prepare(
    `UPDATE consumers SET lost = lost + ? - max(position, ?)
     WHERE partition_id = ? AND position < ? RETURNING ? - max(position, ?) AS lost`,
  ),
  free: writer.prepare('PRAGMA freelist_count'),
})

/**
 * Applies each topic's retention, by time and by bytes, oldest first, in small transactions. Like Kafka's it does not wait for
 * consumers; what a group had not read is counted in its `consumers.lost` and told to it when it comes there.
 */
export const openRetention = (
  database: EmbeddedDatabase,
  deps: {
    readonly commit: GroupCommit
    readonly now_ms: () => number
    readonly path: string
    readonly interval_ms: number
    readonly onTrouble: (error: Error) => void
  },
) => {
  const sql = prepare(database)
  const closed = new AbortController()

  /** One chunk of one partition; null when nothing (more) is too old or too much. */
  const pruneChunk = (id: number): RetentionCounts | null => {
    const row = (sql.partitions.all() as unknown as PartitionRow[]).find((each) => each.id === id)
    if (row === undefined) return null
    const base = id * offsets_per_partition
    const oldest_ms = deps.now_ms() - (row.retention_ms ?? Number.POSITIVE_INFINITY)
    let excess = row.bytes - (row.retention_bytes ?? Number.POSITIVE_INFINITY)
    let end = row.low
    let bytes = 0
    for (const record of sql.oldest.all(base + row.low, base + row.next)) {
      const size = Number(record['bytes'])
      if (Number(record['timestamp_ms']) >= oldest_ms && excess <= 0) break
      excess -= size
      bytes += size
      end = Number(record['id']) - base + 1
    }
    if (end === row.low) return null
    const records = Number(sql.remove.run(base + row.low, base + end).changes)
    sql.raise.run(end, bytes, id)
    const lost = sql.lose.all(end, row.low, id, end, end, row.low)
    return { records, bytes, unread: lost.reduce((sum, each) => sum + Number(each['lost']), 0) }
  }

  const shrink = async (): Promise<void> => {
    while (!closed.signal.aborted && Number(sql.free.get()?.['freelist_count']) > spare_pages) {
      await deps.commit.submit(() =>
        database.writer.exec(`PRAGMA incremental_vacuum(${chunk_pages})`),
      )
    }
  }

  const emptyWal = (): void => {
    const bytes = statSync(`${deps.path}-wal`, { throwIfNoEntry: false })?.size ?? 0
    // Busy is an answer here, not an error: the next round tries again.
    if (bytes > wal_bytes_max) database.writer.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  const prune = async (): Promise<RetentionCounts> => {
    const sum = { records: 0, bytes: 0, unread: 0 }
    const partitions = sql.partitions.all() as unknown as PartitionRow[]
    for (const { id, retention_ms, retention_bytes } of partitions) {
      if (retention_ms === null && retention_bytes === null) continue
      for (;;) {
        const counts = closed.signal.aborted ? null : await deps.commit.submit(() => pruneChunk(id))
        if (counts === null) break
        sum.records += counts.records
        sum.bytes += counts.bytes
        sum.unread += counts.unread
      }
    }
    if (sum.records > 0) await shrink()
    emptyWal()
    if (sum.unread > 0)
      deps.onTrouble(
        new CairnError(
          'limit_exceeded',
          `retention removed ${sum.unread} records before a group had read them`,
        ),
      )
    return sum
  }

  /** Only one of the processes does it in each interval. */
  const pruneIfDue = async (): Promise<void> => {
    const now = deps.now_ms()
    const claimed = await deps.commit.submit(
      () => Number(sql.claim.run(now, now - deps.interval_ms).changes) > 0,
    )
    if (claimed) await prune()
  }

  let running: Promise<void> = Promise.resolve()
  const timer = setInterval(() => {
    running = pruneIfDue().catch((error: unknown) => {
      if (!closed.signal.aborted) deps.onTrouble(asLogError(error, 'apply retention'))
    })
  }, deps.interval_ms)
  timer.unref()

  return {
    prune,
    close: async (): Promise<void> => {
      closed.abort()
      clearInterval(timer)
      await running
    },
  }
}
