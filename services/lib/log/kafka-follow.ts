import type { FollowOptions, LogFollower, LogSubscription, SubscribeOptions } from './port.ts'

export type KafkaFollowDeps = {
  /** Name of a group that nobody else has: it commits nothing and is gone with its one member. */
  readonly group: string
  readonly boundsOf: (
    topic: string,
  ) => Promise<ReadonlyMap<number, { readonly low: bigint; readonly high: bigint }>>
  readonly subscribe: (options: SubscribeOptions) => Promise<LogSubscription>
}

/** Follows a topic as the only member of a group. A consumer that crashes begins again at the start: what came before is passed over. */
export const followKafka = async (
  options: FollowOptions,
  deps: KafkaFollowDeps,
): Promise<LogFollower> => {
  const { topic } = options
  const caughtUp = Promise.withResolvers<void>()
  const next = new Map<number, bigint>()
  const bounds = await deps.boundsOf(topic)
  const missing = new Map(
    [...bounds].filter(([, { low, high }]) => low < high).map(([id, { high }]) => [id, high]),
  )
  if (missing.size === 0) caughtUp.resolve()
  const subscription = await deps.subscribe({
    group: deps.group,
    topics: [topic],
    from: 'beginning',
    onBatch: async ({ partition, records }) => {
      const from = next.get(partition) ?? 0n
      const fresh = records.filter(({ offset }) => offset >= from)
      const last = fresh.at(-1)
      if (last === undefined) return
      next.set(partition, last.offset + 1n)
      options.onRecords(fresh)
      if (last.offset + 1n < (missing.get(partition) ?? 0n)) return
      missing.delete(partition)
      if (missing.size === 0) caughtUp.resolve()
    },
    ...(options.onTrouble === undefined ? {} : { onTrouble: options.onTrouble }),
  })
  return {
    caughtUp: caughtUp.promise,
    [Symbol.asyncDispose]: () => subscription[Symbol.asyncDispose](),
  }
}
