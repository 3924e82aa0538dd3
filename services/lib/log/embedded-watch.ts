import type { DatabaseSync } from 'node:sqlite'
import type { PartitionRow } from './embedded-records.ts'

const poll_ms = { busy: 5, idle: 25 } as const
/** Polls without a change after which the watch slows down. */
const idle_polls = 200

export type Change = {
  readonly partitions: ReadonlyMap<number, PartitionRow>
  /** Changes of membership, by group. */
  readonly generations: ReadonlyMap<string, number>
}

/** Tells listeners when any process has committed to the file: `PRAGMA data_version` moves then. */
export interface Watch {
  readonly listen: (listener: (change: Change) => void) => Disposable
  /** This process has just committed: look now instead of at the next poll. */
  readonly poke: () => void
  readonly close: () => void
}

export const openWatch = (reader: DatabaseSync): Watch => {
  const version = reader.prepare('PRAGMA data_version')
  const selectPartitions = reader.prepare('SELECT id, topic, partition, low, next FROM partitions')
  const selectGroups = reader.prepare('SELECT name, generation FROM groups')
  const listeners = new Set<(change: Change) => void>()
  let seen: unknown = null
  let quiet = 0
  let timer: NodeJS.Timeout | null = null
  let poked = false

  const look = (): void => {
    const now = version.get()?.['data_version']
    if (now === seen) {
      quiet++
      return
    }
    seen = now
    quiet = 0
    const partitions = new Map<number, PartitionRow>()
    for (const row of selectPartitions.all()) {
      const partition = row as unknown as PartitionRow
      partitions.set(partition.id, partition)
    }
    const generations = new Map<string, number>()
    for (const row of selectGroups.all())
      generations.set(String(row['name']), Number(row['generation']))
    for (const listener of listeners) listener({ partitions, generations })
  }

  const poll = (): void => {
    timer = null
    if (listeners.size === 0) return
    try {
      look()
    } catch {
      // Unreadable for now (busy recovery, disk trouble): the subscriptions' own reads report it; look again.
      seen = null
    }
    timer = setTimeout(poll, quiet > idle_polls ? poll_ms.idle : poll_ms.busy)
  }

  return {
    listen: (listener) => {
      listeners.add(listener)
      seen = null
      timer ??= setTimeout(poll, 0)
      return { [Symbol.dispose]: () => void listeners.delete(listener) }
    },
    poke: () => {
      if (poked || listeners.size === 0) return
      poked = true
      setImmediate(() => {
        poked = false
        if (timer !== null) clearTimeout(timer)
        poll()
      })
    },
    close: () => {
      listeners.clear()
      if (timer !== null) clearTimeout(timer)
      timer = null
    },
  }
}
