import { CairnError } from '#lib/error.ts'
import type { BatchContext, LogPosition } from '#lib/log/port.ts'

/** A batch of the log while its records are on their way. */
export type OpenBatch = {
  readonly ctx: BatchContext
  /**
   * Resolves when the handler has returned. Until then a position within the batch would end it and
   * have its rest delivered again.
   */
  readonly returned: Promise<void>
}

/**
 * A group's position behind the resend window: records count as delivered one by one, in order per
 * partition, long after their batch was handed out; commits are gathered, one at a time per
 * partition.
 */
export interface Positions {
  /** A record counts as delivered. */
  delivered(at: LogPosition, batch: OpenBatch): void
  /** Resolves when what counts as delivered is committed. */
  settled(): Promise<void>
}

type Partition = {
  waiting: { readonly offset: bigint; readonly batch: OpenBatch } | null
  running: Promise<void> | null
}

/** @param gather_ms how long a commit waits for more */
export const openPositions = (
  gather_ms: number,
  onTrouble: (error: unknown) => void,
): Positions => {
  const partitions = new Map<string, Partition>()
  let hurried = false

  const pause = (): Promise<void> =>
    hurried ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, gather_ms))

  const commit = async (partition: Partition): Promise<void> => {
    await pause()
    while (partition.waiting !== null) {
      const { offset, batch } = partition.waiting
      partition.waiting = null
      await batch.returned
      try {
        await batch.ctx.done(offset)
      } catch (error) {
        // A partition that has gone to another consumer is delivered again by it, from its own
        // position.
        if (!(error instanceof CairnError && error.code === 'log_fenced')) onTrouble(error)
      }
    }
  }

  return {
    delivered: ({ topic, partition: number, offset }, batch) => {
      const key = `${topic}/${number}`
      const partition = partitions.get(key) ?? { waiting: null, running: null }
      partitions.set(key, partition)
      partition.waiting = { offset, batch }
      partition.running ??= commit(partition).finally(() => {
        partition.running = null
      })
    },
    settled: async () => {
      hurried = true
      await Promise.all([...partitions.values()].flatMap(({ running }) => running ?? []))
    },
  }
}
