import { CairnError } from '#lib/error.ts'
import { createBell, type Bell } from './bell.ts'
import type { Groups, Membership, Ownership } from './embedded-group.ts'
import type { GroupCommit } from './embedded-commit.ts'
import type { Change, Watch } from './embedded-watch.ts'
import { batch_bytes_default, batch_records_default, redelivery_backoff_ms } from './limits.ts'
import type {
  BatchContext,
  LogRange,
  LogSubscription,
  StoredRecord,
  SubscribeOptions,
} from './port.ts'

export type SubscriptionDeps = {
  readonly groups: Groups
  readonly commit: GroupCommit
  readonly watch: Watch
  readonly fetch: (
    at: Pick<Ownership, 'id' | 'topic' | 'partition'>,
    from: number,
    to: number,
    max: { readonly records: number; readonly bytes: number },
  ) => StoredRecord[]
  readonly process: string
  readonly id: () => string
  readonly now_ms: () => number
  readonly heartbeat_ms: number
  /** How long a batch may go on when its partition should go to another member. */
  readonly drain_ms: number
  readonly closed: (subscription: LogSubscription) => void
}

/** A partition while this subscription owns it. */
type Consumer = {
  readonly at: Ownership
  readonly bell: Bell
  readonly abort: AbortController
  /** Offset of the next record to hand out; ahead of the group's position while batches go without `done`. */
  cursor: number
  plan: { readonly lo: number; readonly hi: number } | null
  low: number
  next: number
  /** Ends the loop after the batch that runs. */
  ending: boolean
  ended: Promise<void>
}

type Batch = { readonly records: readonly StoredRecord[]; readonly planned: LogRange | null }

const isFenced = (error: unknown): boolean =>
  error instanceof CairnError && error.code === 'log_fenced'

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error))

/** Consumes the topics as a member of the group until disposed. The options' topics must exist. */
export const openSubscription = (
  options: SubscribeOptions,
  deps: SubscriptionDeps,
): LogSubscription => {
  const max = {
    records: options.batch_records_max ?? batch_records_default,
    bytes: options.batch_bytes_max ?? batch_bytes_default,
  }
  const linger_ms = options.linger_ms ?? 0
  const consumers = new Map<number, Consumer>()
  const finished = Promise.withResolvers<void>()
  const tickBell = createBell()
  let member = newMember()
  let generation = -1
  const stop = new AbortController()

  function newMember(): Membership {
    const { group, topics, from = 'beginning' } = options
    return { group, topics, from, id: deps.id(), process: deps.process }
  }

  const trouble = (error: unknown): void => {
    if (!stop.signal.aborted) options.onTrouble?.(asError(error))
  }

  const rangeOf = (at: Ownership, lo: number, hi: number): LogRange => ({
    topic: at.topic,
    partition: at.partition,
    lo: BigInt(lo),
    hi: BigInt(hi),
  })

  /** A planned range again as it was, or what is left of it. */
  const plannedBatch = (consumer: Consumer): Batch | null => {
    const { at, plan } = consumer
    if (plan === null) return null
    const all = { records: plan.hi - plan.lo + 1, bytes: Number.MAX_SAFE_INTEGER }
    const records = deps.fetch(at, plan.lo, plan.hi + 1, all)
    if (records.length > 0) return { records, planned: rangeOf(at, plan.lo, plan.hi) }
    consumer.plan = null
    consumer.cursor = plan.hi + 1
    return null
  }

  const skipPruned = (consumer: Consumer): void => {
    if (consumer.cursor >= consumer.low) return
    const { topic, partition } = consumer.at
    const count = consumer.low - consumer.cursor
    consumer.cursor = consumer.low
    trouble(
      new CairnError(
        'limit_exceeded',
        `retention removed ${count} records of ${topic}/${partition} that group ${options.group} had not read`,
      ),
    )
  }

  const nextBatch = async (consumer: Consumer): Promise<Batch | null> => {
    const planned = plannedBatch(consumer)
    if (planned !== null) return planned
    let lingering_until = 0
    while (!consumer.ending) {
      skipPruned(consumer)
      const available = consumer.next - consumer.cursor
      const now = deps.now_ms()
      if (available > 0 && lingering_until === 0) lingering_until = now + linger_ms
      if (available > 0 && (available >= max.records || now >= lingering_until)) {
        const records = deps.fetch(consumer.at, consumer.cursor, consumer.next, max)
        if (records.length > 0) return { records, planned: null }
      }
      await consumer.bell.wait(available > 0 ? Math.max(lingering_until - now, 1) : undefined)
    }
    return null
  }

  const contextOf = (
    consumer: Consumer,
    batch: Batch,
  ): BatchContext & { readonly rest: () => number | null } => {
    const { at } = consumer
    const last = Number(batch.records.at(-1)?.offset)
    let first = Number(batch.records[0]?.offset)
    let done_to: number | null = null
    let returned = false
    const move = (position: number, plan_hi: number | null): Promise<void> =>
      deps.commit.submit(() => deps.groups.move(member, at, position, plan_hi))
    const guarded = async (write: () => Promise<void>): Promise<void> => {
      try {
        await write()
      } catch (error) {
        if (isFenced(error)) lose(consumer)
        throw error
      }
    }
    return {
      planned: batch.planned,
      signal: consumer.abort.signal,
      heartbeat: () => beat(),
      plan: (range) =>
        guarded(async () => {
          const [lo, hi] = [Number(range.lo), Number(range.hi)]
          if (lo !== first || hi < lo || hi > last)
            throw new TypeError(`plan ${lo}..${hi} is not a beginning of ${first}..${last}`)
          if (consumer.abort.signal.aborted)
            throw new CairnError('log_fenced', `the subscription of ${options.group} is stopping`)
          await move(lo, hi)
          consumer.plan = { lo, hi }
        }),
      done: (upTo) =>
        guarded(async () => {
          const hi = upTo === undefined ? last : Number(upTo)
          if (hi < first || hi > last)
            throw new TypeError(`done up to ${hi} is not within ${first}..${last}`)
          await move(hi + 1, null)
          done_to = hi
          // After the handler has returned, later batches may be on their way: the position moves, the cursor stays.
          if (!returned) {
            consumer.plan = null
            consumer.cursor = hi + 1
          }
          first = Number(batch.records.find(({ offset }) => offset > hi)?.offset ?? hi + 1)
        }),
      rest: () => {
        returned = true
        return done_to
      },
    }
  }

  const handOut = async (consumer: Consumer, batch: Batch): Promise<void> => {
    const { topic, partition } = consumer.at
    const { rest, ...ctx } = contextOf(consumer, batch)
    await options.onBatch({ topic, partition, records: batch.records }, ctx)
    if (rest() !== null) return
    // Without done() nothing is committed; the group goes on behind the batch until a restart.
    consumer.cursor = Number(batch.records.at(-1)?.offset) + 1
    consumer.plan = null
  }

  const consume = async (consumer: Consumer): Promise<void> => {
    let backoff_ms: number = redelivery_backoff_ms.first
    while (!consumer.ending) {
      try {
        const batch = await nextBatch(consumer)
        if (batch === null) return
        await handOut(consumer, batch)
        backoff_ms = redelivery_backoff_ms.first
        await new Promise((resolve) => setImmediate(resolve))
      } catch (error) {
        if (isFenced(error)) lose(consumer)
        if (consumer.ending) return
        trouble(error)
        await Promise.race([pause(backoff_ms), aborted(consumer.abort.signal)])
        backoff_ms = Math.min(backoff_ms * 2, redelivery_backoff_ms.max)
      }
    }
  }

  /** The partition is not ours any more: nothing that still runs for it may take effect. */
  const lose = (consumer: Consumer): void => {
    end(consumer)
    consumer.abort.abort(new CairnError('log_fenced', 'the partition has gone to another consumer'))
    if (consumers.get(consumer.at.id) === consumer) consumers.delete(consumer.at.id)
    tickBell.ring()
  }

  const end = (consumer: Consumer): void => {
    consumer.ending = true
    consumer.bell.ring()
  }

  const start = (at: Ownership, bounds: Change['partitions']): void => {
    const { low = 0, next = 0 } = bounds.get(at.id) ?? {}
    const consumer: Consumer = {
      at,
      bell: createBell(),
      abort: new AbortController(),
      cursor: at.position,
      plan: at.plan_hi === null ? null : { lo: at.position, hi: at.plan_hi },
      low,
      next,
      ending: false,
      ended: Promise.resolve(),
    }
    consumers.set(at.id, consumer)
    consumer.ended = consume(consumer)
  }

  /** Lets the running batch finish, for a while, then gives the partition to whoever should have it. */
  const handOver = async (consumer: Consumer): Promise<void> => {
    end(consumer)
    const timer = setTimeout(() => consumer.abort.abort(), deps.drain_ms)
    await consumer.ended
    clearTimeout(timer)
    consumers.delete(consumer.at.id)
    await deps.commit.submit(() => deps.groups.release(member, consumer.at)).catch(trouble)
  }

  let bounds: Change['partitions'] = new Map()
  const onChange = (change: Change): void => {
    bounds = change.partitions
    const now = change.generations.get(options.group) ?? 0
    if (now !== generation) {
      generation = now
      tickBell.ring()
    }
    for (const consumer of consumers.values()) {
      const row = change.partitions.get(consumer.at.id)
      if (row === undefined) continue
      consumer.low = row.low
      consumer.next = row.next
      if (row.next > consumer.cursor) consumer.bell.ring()
    }
  }

  const reconcile = (owned: readonly Ownership[]): void => {
    const current = new Map(owned.map((at) => [at.id, at]))
    for (const consumer of consumers.values())
      if (current.get(consumer.at.id)?.epoch !== consumer.at.epoch) lose(consumer)
    for (const at of owned) {
      const consumer = consumers.get(at.id)
      if (consumer === undefined && !stop.signal.aborted) start(at, bounds)
      else if (consumer !== undefined && !at.wanted && !consumer.ending) void handOver(consumer)
    }
  }

  const tick = async (): Promise<void> => {
    const owned = await deps.commit.submit(() => deps.groups.renew(member))
    if (owned !== null) {
      reconcile(owned)
      return
    }
    for (const consumer of consumers.values()) lose(consumer)
    trouble(
      new CairnError(
        'log_fenced',
        `group ${options.group} gave this member up for dead; joining again`,
      ),
    )
    const again = newMember()
    await deps.commit.submit(() => deps.groups.join(again))
    member = again
    tickBell.ring()
  }

  let beaten_ms = deps.now_ms()
  let ticking: Promise<void> | null = null
  const tickNow = (): Promise<void> => {
    beaten_ms = deps.now_ms()
    ticking ??= tick()
      .catch(trouble)
      .finally(() => {
        ticking = null
      })
    return ticking
  }
  const beat = async (): Promise<void> => {
    if (deps.now_ms() - beaten_ms >= deps.heartbeat_ms) await tickNow()
  }

  const run = async (): Promise<void> => {
    using listening = deps.watch.listen(onChange)
    await deps.commit.submit(() => deps.groups.join(member))
    while (!stop.signal.aborted) {
      await tickNow()
      await tickBell.wait(deps.heartbeat_ms)
    }
    void listening
  }

  const stopAll = async (running: Promise<void>): Promise<void> => {
    stop.abort()
    tickBell.ring()
    for (const consumer of consumers.values()) {
      end(consumer)
      consumer.abort.abort(new CairnError('log_closed', 'the subscription is stopping'))
    }
    await running
    await Promise.all([...consumers.values()].map(({ ended }) => ended))
    await deps.commit.submit(() => deps.groups.leave(member))
  }

  const running = run()
  running.catch(finished.reject)
  finished.promise.catch(() => {
    // Whoever cares awaits `finished`; nobody doing so must not end the process.
  })

  let stopped: Promise<void> | null = null
  const subscription: LogSubscription = {
    finished: finished.promise,
    [Symbol.asyncDispose]: () => {
      stopped ??= stopAll(running)
        .then(finished.resolve, finished.reject)
        .finally(() => deps.closed(subscription))
      return stopped
    },
  }
  return subscription
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
