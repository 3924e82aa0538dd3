import type { PartitionRow, RecordReader } from './embedded-records.ts'
import type { Change, Watch } from './embedded-watch.ts'
import { createBell } from './bell.ts'
import { redelivery_backoff_ms } from './limits.ts'
import { pause } from './pause.ts'
import type { FollowOptions, LogFollower } from './port.ts'

/** Records handed out in one turn of the loop. */
const page = { records: 500, bytes: 4 * 1024 * 1024 } as const

export type FollowDeps = {
  readonly watch: Watch
  readonly reader: RecordReader
  /** The topic's partitions as they are now. */
  readonly partitions: readonly PartitionRow[]
  readonly closed: (follower: LogFollower) => void
}

type Cursor = { readonly at: PartitionRow; next: number; end: number }

/** Follows a topic: the file's change counter says when to look, and how far each partition goes then. */
export const openFollower = (options: FollowOptions, deps: FollowDeps): LogFollower => {
  const stop = new AbortController()
  const bell = createBell()
  const cursors = new Map<number, Cursor>(
    deps.partitions.map((at) => [at.id, { at, next: at.low, end: at.next }]),
  )
  const caughtUp = Promise.withResolvers<void>()

  const onChange = ({ partitions }: Change): void => {
    for (const [id, cursor] of cursors) {
      const bounds = partitions.get(id)
      if (bounds === undefined) continue
      cursor.next = Math.max(cursor.next, bounds.low)
      cursor.end = bounds.next
    }
    bell.ring()
  }

  /** Hands out one page. @returns whether there was one */
  const step = (cursor: Cursor): boolean => {
    if (cursor.next >= cursor.end) return false
    const records = deps.reader.fetch(cursor.at, cursor.next, cursor.end, page)
    // Nothing there: retention was quicker, and the next look brings the new lower bound.
    cursor.next = records.length === 0 ? cursor.end : Number(records.at(-1)?.offset) + 1
    if (records.length > 0) options.onRecords(records)
    return true
  }

  const handOut = async (): Promise<void> => {
    let more = true
    while (more && !stop.signal.aborted) {
      more = false
      for (const cursor of cursors.values()) if (step(cursor)) more = true
      // Other work of the process gets its turn between two pages.
      if (more) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  const run = async (): Promise<void> => {
    using listening = deps.watch.listen(onChange)
    void listening
    let backoff_ms: number = redelivery_backoff_ms.first
    while (!stop.signal.aborted) {
      try {
        await handOut()
        backoff_ms = redelivery_backoff_ms.first
        caughtUp.resolve()
        if (!stop.signal.aborted) await bell.wait()
      } catch (error) {
        options.onTrouble?.(error instanceof Error ? error : new Error(String(error)))
        await pause(backoff_ms, stop.signal)
        backoff_ms = Math.min(backoff_ms * 2, redelivery_backoff_ms.max)
      }
    }
  }

  const running = run()
  const follower: LogFollower = {
    caughtUp: caughtUp.promise,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      bell.ring()
      await running
      deps.closed(follower)
    },
  }
  return follower
}
