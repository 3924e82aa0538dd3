import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseSync } from 'node:sqlite'
import { CairnError } from '#lib/error.ts'
import { asLogError, isBusy } from './embedded-database.ts'
import { append_queue_bytes_max } from './limits.ts'

const group_tasks_max = 1_000
const group_bytes_max = 16 * 1024 * 1024
/** How often a lock held by another process is asked for again. */
const lock_retry_ms = 1

type Task = {
  readonly bytes: number
  readonly run: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/** Runs writes in groups: whatever has come together while the disk was busy shares one transaction and one fsync. */
export interface GroupCommit {
  /**
   * Runs `write` inside the next transaction and resolves with its result once that is on disk. A `CairnError` thrown by `write` (which
   * then must not have changed anything) fails this write alone; anything else fails and rolls back the whole group.
   * @throws CairnError('log_unavailable') queue full, disk full, read-only, or locked for longer than `lock_wait_ms`
   */
  readonly submit: <T>(write: () => T, bytes?: number) => Promise<T>
  /** Refuses further writes and resolves when the ones taken are settled. */
  readonly close: () => Promise<void>
}

export type GroupCommitOptions = {
  readonly database: DatabaseSync
  /** How long another process may hold the write lock. */
  readonly lock_wait_ms: number
  readonly now_ms: () => number
  /** Called at the beginning of a transaction, with its time. */
  readonly begin: (timestamp_ms: number) => void
  /** Called before the commit: writes what the group's writes have in common. */
  readonly end: () => void
  /** Called after each commit. */
  readonly committed: () => void
}

export const openGroupCommit = (options: GroupCommitOptions): GroupCommit => {
  const { database } = options
  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  let queue: Task[] = []
  let queue_bytes = 0
  let closed = false
  let pumping: Promise<void> | null = null

  const takeGroup = (): Task[] => {
    let bytes = 0
    let count = 0
    for (const task of queue) {
      if (count === group_tasks_max || (count > 0 && bytes + task.bytes > group_bytes_max)) break
      bytes += task.bytes
      count++
    }
    const group = queue.slice(0, count)
    queue = queue.slice(count)
    queue_bytes -= bytes
    return group
  }

  const lock = async (): Promise<void> => {
    const deadline = options.now_ms() + options.lock_wait_ms
    for (;;) {
      try {
        begin.run()
        return
      } catch (error) {
        if (!isBusy(error) || options.now_ms() >= deadline) throw error
      }
      await sleep(lock_retry_ms)
    }
  }

  /** Between lock and commit nothing is awaited: the lock is held for as short as it can be. */
  const write = (group: readonly Task[]): (() => void)[] => {
    const settle: (() => void)[] = []
    options.begin(options.now_ms())
    for (const task of group) {
      try {
        const value = task.run()
        settle.push(() => task.resolve(value))
      } catch (error) {
        if (!(error instanceof CairnError)) throw error
        settle.push(() => task.reject(error))
      }
    }
    options.end()
    commit.run()
    return settle
  }

  const commitGroup = async (group: readonly Task[]): Promise<void> => {
    try {
      await lock()
      const settle = write(group)
      options.committed()
      for (const done of settle) done()
    } catch (error) {
      rollback()
      const reason = asLogError(error, 'write')
      // What waits behind must not overtake what failed.
      for (const task of [...group, ...queue]) task.reject(reason)
      queue = []
      queue_bytes = 0
    }
  }

  const rollback = (): void => {
    try {
      if (database.isOpen && database.isTransaction) database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled back by itself (disk full, I/O error).
    }
  }

  const pump = async (): Promise<void> => {
    while (queue.length > 0) {
      // What is appended in one turn of the loop is committed together, and other work gets a turn between two groups.
      await new Promise((resolve) => setImmediate(resolve))
      await commitGroup(takeGroup())
    }
    pumping = null
  }

  return {
    submit: <T>(run: () => T, bytes = 0) =>
      new Promise<T>((resolve, reject) => {
        if (closed) {
          reject(new CairnError('log_closed', 'the log is closed'))
          return
        }
        if (queue_bytes + bytes > append_queue_bytes_max && queue.length > 0) {
          reject(
            new CairnError(
              'log_unavailable',
              `more than ${append_queue_bytes_max} bytes wait to be written to the embedded log`,
            ),
          )
          return
        }
        queue.push({ bytes, run, resolve: resolve as (value: unknown) => void, reject })
        queue_bytes += bytes
        pumping ??= pump()
      }),
    close: async () => {
      closed = true
      await pumping
    },
  }
}
