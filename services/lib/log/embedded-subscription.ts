import { CairnError } from '#lib/error.ts'
import { createBell } from './bell.ts'
import type { GroupCommit } from './embedded-commit.ts'
import { isFenced, openPartitionConsumer, type PartitionConsumer } from './embedded-consumer.ts'
import type { Groups, Membership, Ownership } from './embedded-group.ts'
import type { RecordReader } from './embedded-records.ts'
import type { Change, Watch } from './embedded-watch.ts'
import { batch_bytes_default, batch_records_default } from './limits.ts'
import type { LogSubscription, SubscribeOptions } from './port.ts'

export type SubscriptionDeps = {
  readonly groups: Groups
  readonly commit: GroupCommit
  readonly watch: Watch
  readonly reader: RecordReader
  readonly process: string
  readonly id: () => string
  readonly now_ms: () => number
  readonly heartbeat_ms: number
  /** How long a batch may go on when its partition should go to another member. */
  readonly drain_ms: number
  readonly closed: (subscription: LogSubscription) => void
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error))

/** Consumes the topics as a member of the group until disposed. The options' topics must exist. */
export const openSubscription = (
  options: SubscribeOptions,
  deps: SubscriptionDeps,
): LogSubscription => {
  const { groups, commit, now_ms } = deps
  const max = {
    records: options.batch_records_max ?? batch_records_default,
    bytes: options.batch_bytes_max ?? batch_bytes_default,
  }
  const consumers = new Map<number, PartitionConsumer>()
  const stop = new AbortController()
  const tickBell = createBell()
  let member = newMember()
  let joined = false
  let generation = -1
  let partitions: Change['partitions'] = new Map()
  let beaten_ms = now_ms()
  let ticking: Promise<void> | null = null

  function newMember(): Membership {
    const { group, topics, from = 'beginning' } = options
    return { group, topics, from, id: deps.id(), process: deps.process }
  }

  const trouble = (error: unknown): void => {
    if (!stop.signal.aborted) options.onTrouble?.(asError(error))
  }

  /** The partition is not ours any more: nothing that still runs for it may take effect. */
  const lose = (consumer: PartitionConsumer): void => {
    consumer.abort(new CairnError('log_fenced', 'the partition has gone to another consumer'))
    if (consumers.get(consumer.at.id) === consumer) consumers.delete(consumer.at.id)
    tickBell.ring()
  }

  const start = (at: Ownership): void => {
    const owner = member
    const fenced = (): void => {
      const consumer = consumers.get(at.id)
      if (consumer?.at === at) lose(consumer)
    }
    const move = async (position: number, plan_hi: number | null): Promise<void> => {
      try {
        await commit.submit(() => groups.move(owner, at, position, plan_hi))
      } catch (error) {
        if (isFenced(error)) fenced()
        throw error
      }
    }
    const consumer = openPartitionConsumer(at, partitions.get(at.id) ?? { low: 0, next: 0 }, {
      options,
      max,
      now_ms,
      fetch: (from, to, limits) => deps.reader.fetch(at, from, to, limits),
      move,
      heartbeat: beat,
      fenced,
      trouble,
    })
    consumers.set(at.id, consumer)
  }

  /** Lets the running batch finish, for a while, then gives the partition to whoever should have it. */
  const handOver = async (consumer: PartitionConsumer): Promise<void> => {
    const owner = member
    consumer.end()
    const late = new CairnError('log_fenced', 'the partition should go to another consumer')
    const timer = setTimeout(() => consumer.abort(late), deps.drain_ms)
    await consumer.ended
    clearTimeout(timer)
    if (consumers.get(consumer.at.id) === consumer) consumers.delete(consumer.at.id)
    await commit.submit(() => groups.release(owner, consumer.at)).catch(trouble)
  }

  /** Brings what runs here in line with what the rows say is ours. */
  const reconcile = (owned: readonly Ownership[]): void => {
    const current = new Map(owned.map((at) => [at.id, at]))
    for (const consumer of consumers.values())
      if (current.get(consumer.at.id)?.epoch !== consumer.at.epoch) lose(consumer)
    for (const at of owned) {
      const consumer = consumers.get(at.id)
      if (consumer === undefined && !stop.signal.aborted) start(at)
      else if (consumer !== undefined && !at.wanted && !consumer.ending()) void handOver(consumer)
    }
  }

  const tick = async (): Promise<void> => {
    const owned = await commit.submit(() => groups.renew(member))
    if (owned !== null) {
      reconcile(owned)
      return
    }
    for (const consumer of consumers.values()) lose(consumer)
    if (joined) {
      const message = `group ${options.group} gave this member up for dead; joining again`
      trouble(new CairnError('log_fenced', message))
    }
    const again = newMember()
    await commit.submit(() => groups.join(again))
    member = again
    joined = true
    tickBell.ring()
  }

  const tickNow = (): Promise<void> => {
    beaten_ms = now_ms()
    ticking ??= tick()
      .catch(trouble)
      .finally(() => {
        ticking = null
      })
    return ticking
  }

  const beat = async (): Promise<void> => {
    if (now_ms() - beaten_ms >= deps.heartbeat_ms) await tickNow()
  }

  const onChange = (change: Change): void => {
    partitions = change.partitions
    const now = change.generations.get(options.group) ?? 0
    if (now !== generation) {
      generation = now
      tickBell.ring()
    }
    for (const consumer of consumers.values()) {
      const bounds = partitions.get(consumer.at.id)
      if (bounds !== undefined) consumer.offer(bounds)
    }
  }

  const run = async (): Promise<void> => {
    using listening = deps.watch.listen(onChange)
    void listening
    // A tick of a member that has not joined joins: trouble at the start is retried like any later one.
    while (!stop.signal.aborted) {
      await tickNow()
      await tickBell.wait(deps.heartbeat_ms)
    }
    const ending = [...consumers.values()].map(({ ended }) => ended)
    await Promise.all(ending)
    // Without it the others notice by themselves, later.
    await commit.submit(() => groups.leave(member)).catch(() => undefined)
  }

  const finished = run()
  finished.catch(() => undefined)
  const dispose = async (): Promise<void> => {
    stop.abort()
    for (const consumer of consumers.values())
      consumer.abort(new CairnError('log_closed', 'the subscription is stopping'))
    tickBell.ring()
    try {
      await finished
    } finally {
      deps.closed(subscription)
    }
  }
  let disposing: Promise<void> | null = null
  const subscription: LogSubscription = {
    finished,
    [Symbol.asyncDispose]: () => (disposing ??= dispose()),
  }
  return subscription
}
