import { CairnError } from '#lib/error.ts'
import { createBell } from './bell.ts'
import type { Ownership } from './embedded-group.ts'
import { redelivery_backoff_ms } from './limits.ts'
import { pause } from './pause.ts'
import type { BatchContext, LogRange, StoredRecord, SubscribeOptions } from './port.ts'

export type Bounds = { readonly low: number; readonly next: number }

export type ConsumerDeps = {
  readonly options: SubscribeOptions
  readonly max: { readonly records: number; readonly bytes: number }
  readonly now_ms: () => number
  readonly fetch: (
    from: number,
    to: number,
    max: { readonly records: number; readonly bytes: number },
  ) => StoredRecord[]
  /** Moves the group's position. @throws CairnError('log_fenced' | 'log_unavailable') */
  readonly move: (position: number, plan_hi: number | null) => Promise<void>
  readonly heartbeat: () => Promise<void>
  /** The partition turned out to be another's. */
  readonly fenced: () => void
  readonly trouble: (error: unknown) => void
}

/** A partition while this subscription owns it: hands out its batches, one at a time. */
export interface PartitionConsumer {
  readonly at: Ownership
  /** Tells how far the partition goes now. */
  readonly offer: (bounds: Bounds) => void
  /** Begins nothing more after the batch that runs. */
  readonly end: () => void
  readonly ending: () => boolean
  /** Ends, and tells the running batch that nothing of it may take effect any more. */
  readonly abort: (reason: CairnError) => void
  /** Resolves when the last batch has been handled; never rejects. */
  readonly ended: Promise<void>
}

type Batch = { readonly records: readonly StoredRecord[]; readonly planned: LogRange | null }

type State = {
  /** Offset of the next record to hand out; ahead of the group's position while batches go without `done`. */
  cursor: number
  plan: { readonly lo: number; readonly hi: number } | null
  low: number
  next: number
  /** Ends the loop after the batch that runs. */
  ending: boolean
}

export const isFenced = (error: unknown): boolean =>
  error instanceof CairnError && error.code === 'log_fenced'

const lastOf = ({ records }: Batch): number => Number(records.at(-1)?.offset)

/** How a batch is getting on: whether any of it was done, and whether its handler has returned. */
type Progress = { done: boolean; returned: boolean }

/** What the handler may do with its batch. */
const contextOf = (
  batch: Batch,
  state: State,
  signal: AbortSignal,
  { move, heartbeat }: ConsumerDeps,
  progress: Progress,
): BatchContext => {
  const last = lastOf(batch)
  let first = Number(batch.records[0]?.offset)
  return {
    planned: batch.planned,
    signal,
    heartbeat,
    plan: async (range) => {
      const [lo, hi] = [Number(range.lo), Number(range.hi)]
      if (lo !== first || hi < lo || hi > last)
        throw new TypeError(`plan ${lo}..${hi} is not a beginning of ${first}..${last}`)
      if (signal.aborted) throw new CairnError('log_fenced', 'the subscription is stopping')
      await move(lo, hi)
      state.plan = { lo, hi }
    },
    done: async (upTo) => {
      const hi = upTo === undefined ? last : Number(upTo)
      if (hi < first || hi > last)
        throw new TypeError(`done up to ${hi} is not within ${first}..${last}`)
      await move(hi + 1, null)
      // After the handler has returned, later batches may be on their way: the position moves, the cursor stays.
      if (!progress.returned) {
        state.plan = null
        state.cursor = hi + 1
      }
      progress.done = true
      first = Number(batch.records.find(({ offset }) => offset > hi)?.offset ?? hi + 1)
    },
  }
}

/** Begins to consume a partition from where its group is. */
export const openPartitionConsumer = (
  at: Ownership,
  bounds: Bounds,
  deps: ConsumerDeps,
): PartitionConsumer => {
  const { options, max } = deps
  const { topic, partition } = at
  const { linger_ms = 0 } = options
  const bell = createBell()
  const abort = new AbortController()
  const state: State = {
    cursor: at.position,
    plan: at.plan_hi === null ? null : { lo: at.position, hi: at.plan_hi },
    low: bounds.low,
    next: bounds.next,
    ending: false,
  }

  /** A planned range again as it was, or what is left of it. */
  const plannedBatch = (): Batch | null => {
    const { plan } = state
    if (plan === null) return null
    const whole = { records: plan.hi - plan.lo + 1, bytes: Number.MAX_SAFE_INTEGER }
    const records = deps.fetch(plan.lo, plan.hi + 1, whole)
    if (records.length > 0) {
      const [lo, hi] = [BigInt(plan.lo), BigInt(plan.hi)]
      return { records, planned: { topic, partition, lo, hi } }
    }
    state.plan = null
    state.cursor = plan.hi + 1
    return null
  }

  const skipPruned = (): void => {
    if (state.cursor >= state.low) return
    const what = `${state.low - state.cursor} records of ${topic}/${partition}`
    state.cursor = state.low
    deps.trouble(
      new CairnError(
        'limit_exceeded',
        `retention removed ${what} that group ${options.group} had not read`,
      ),
    )
  }

  const nextBatch = async (): Promise<Batch | null> => {
    const planned = plannedBatch()
    if (planned !== null) return planned
    let lingering_until = 0
    while (!state.ending) {
      skipPruned()
      const available = state.next - state.cursor
      const now = deps.now_ms()
      if (available > 0 && lingering_until === 0) lingering_until = now + linger_ms
      if (available > 0 && (available >= max.records || now >= lingering_until)) {
        const records = deps.fetch(state.cursor, state.next, max)
        if (records.length > 0) return { records, planned: null }
      }
      await bell.wait(available > 0 ? Math.max(lingering_until - now, 1) : undefined)
    }
    return null
  }

  const handOut = async (batch: Batch): Promise<void> => {
    const progress: Progress = { done: false, returned: false }
    const context = contextOf(batch, state, abort.signal, deps, progress)
    await options.onBatch({ topic, partition, records: batch.records }, context)
    progress.returned = true
    if (progress.done) return
    // Without done() nothing is committed; the group goes on behind the batch until a restart.
    state.cursor = lastOf(batch) + 1
    state.plan = null
  }

  const consume = async (): Promise<void> => {
    let backoff_ms: number = redelivery_backoff_ms.first
    while (!state.ending) {
      try {
        const batch = await nextBatch()
        if (batch === null) return
        await handOut(batch)
        backoff_ms = redelivery_backoff_ms.first
        // Other work of the process gets its turn between two batches.
        await new Promise((resolve) => setImmediate(resolve))
      } catch (error) {
        if (isFenced(error)) deps.fenced()
        if (state.ending) return
        deps.trouble(error)
        await pause(backoff_ms, abort.signal)
        backoff_ms = Math.min(backoff_ms * 2, redelivery_backoff_ms.max)
      }
    }
  }

  const end = (): void => {
    state.ending = true
    bell.ring()
  }

  return {
    at,
    offer: ({ low, next }) => {
      state.low = low
      state.next = next
      if (next > state.cursor) bell.ring()
    },
    end,
    ending: () => state.ending,
    abort: (reason) => {
      end()
      abort.abort(reason)
    },
    ended: consume(),
  }
}
