import type { EachBatchPayload } from 'kafkajs'
import { CairnError } from '#lib/error.ts'
import { headOf, planMetadata, readPlan, storedRecord } from './kafka-records.ts'
import { redelivery_backoff_ms } from './limits.ts'
import { pause } from './pause.ts'
import type { BatchContext, LogRange, StoredRecord, SubscribeOptions } from './port.ts'

/** A partition during one membership of the group. */
export type Partition = {
  readonly topic: string
  readonly partition: number
  readonly abort: AbortController
  /** Range that was planned and may have taken effect; undefined until it was looked up. */
  plan: Pick<LogRange, 'lo' | 'hi'> | null | undefined
  /** Records of the planned range that have come so far. */
  held: StoredRecord[]
  /** Offset behind the last record handed out. */
  cursor: bigint | null
}

/** What handing out a fetched batch needs of the subscription. */
export type Delivery = {
  readonly options: SubscribeOptions
  readonly payload: EachBatchPayload
  readonly state: Partition
  readonly max: { readonly records: number; readonly bytes: number }
  /** @throws CairnError('log_fenced' | 'log_unavailable') */
  readonly commit: (offset: bigint, metadata: string | null) => Promise<void>
  readonly committed: () => Promise<{ offset: bigint | null; metadata: string | null } | undefined>
  readonly heartbeat: () => Promise<void>
  /** True when the batch must end: the subscription stops, or the partition may go to another member. */
  readonly halted: () => boolean
  readonly stop: AbortSignal
  readonly fenced: () => CairnError
  readonly trouble: (error: unknown) => void
}

/** What the handler has done with its batch. */
type Progress = { done: bigint | null; planned_hi: bigint | null }

const contextOf = (
  { commit, heartbeat, state, fenced }: Delivery,
  records: readonly StoredRecord[],
  planned: LogRange | null,
  progress: Progress,
): BatchContext => {
  let first = records[0]?.offset ?? 0n
  const last = records.at(-1)?.offset ?? 0n
  return {
    planned,
    signal: state.abort.signal,
    heartbeat,
    plan: async ({ lo, hi }) => {
      if (lo !== first || hi < lo || hi > last)
        throw new TypeError(`plan ${lo}..${hi} is not a beginning of ${first}..${last}`)
      if (state.abort.signal.aborted) throw fenced()
      await commit(lo, planMetadata(hi))
      progress.planned_hi = hi
    },
    done: async (upTo = last) => {
      if (upTo < first || upTo > last)
        throw new TypeError(`done up to ${upTo} is not within ${first}..${last}`)
      await commit(upTo + 1n, null)
      progress.done = upTo
      progress.planned_hi = null
      first = records.find(({ offset }) => offset > upTo)?.offset ?? upTo + 1n
    },
  }
}

/** Hands out one batch until it was taken. @returns the last offset it went up to, or null when it must end before. */
const deliver = async (
  delivery: Delivery,
  batch: readonly StoredRecord[],
  planned: LogRange | null,
): Promise<bigint | null> => {
  const { options, state, halted, stop, trouble } = delivery
  const { topic, partition } = state
  let records = batch
  let range = planned
  let backoff_ms: number = redelivery_backoff_ms.first
  while (!halted()) {
    const progress: Progress = { done: null, planned_hi: null }
    try {
      const context = contextOf(delivery, records, range, progress)
      await options.onBatch({ topic, partition, records }, context)
      return progress.done ?? records.at(-1)?.offset ?? null
    } catch (error) {
      if (halted()) return null
      trouble(error)
    }
    const { done, planned_hi } = progress
    if (done !== null) {
      records = records.filter(({ offset }) => offset > done)
      range = null
    }
    const lo = records[0]?.offset
    if (lo === undefined) return done
    if (planned_hi !== null) {
      range = { topic, partition, lo, hi: planned_hi }
      records = records.filter(({ offset }) => offset <= planned_hi)
    }
    await pause(backoff_ms, AbortSignal.any([state.abort.signal, stop]))
    backoff_ms = Math.min(backoff_ms * 2, redelivery_backoff_ms.max)
  }
  return null
}

const lookUpPlan = async (delivery: Delivery, first: bigint): Promise<void> => {
  const { state, options } = delivery
  const { offset = null, metadata = null } = (await delivery.committed()) ?? {}
  state.plan = offset === null ? null : readPlan(offset, metadata)
  if (offset === null || first <= offset) return
  const what = `${first - offset} records of ${state.topic}/${state.partition}`
  delivery.trouble(
    new CairnError(
      'limit_exceeded',
      `retention removed ${what} that group ${options.group} had not read`,
    ),
  )
}

const took = ({ payload, state }: Delivery, offset: bigint): void => {
  payload.resolveOffset(String(offset))
  state.cursor = offset + 1n
}

/** Gathers a planned range, which fetches may cut anywhere, and hands it out as one batch. @returns what is behind it, null to end here. */
const takePlanned = async (
  delivery: Delivery,
  fetched: readonly StoredRecord[],
): Promise<readonly StoredRecord[] | null> => {
  const { payload, state } = delivery
  const { plan, topic, partition } = state
  if (plan === null || plan === undefined) return fetched
  const held_to = state.held.at(-1)?.offset ?? -1n
  state.held.push(...fetched.filter(({ offset }) => offset > held_to && offset <= plan.hi))
  if (BigInt(payload.batch.lastOffset()) < plan.hi) {
    payload.resolveOffset(payload.batch.lastOffset())
    return null
  }
  const { held } = state
  const range = { topic, partition, ...plan }
  const taken = held.length === 0 ? plan.hi : await deliver(delivery, held, range)
  if (taken === null) return null
  took(delivery, taken)
  state.plan = null
  state.held = []
  const rest = fetched.filter(({ offset }) => offset > plan.hi)
  return [...held.filter(({ offset }) => offset > taken), ...rest]
}

/** Hands out what one fetch brought for a partition, in batches, what was planned before a crash first. */
export const deliverFetched = async (delivery: Delivery): Promise<void> => {
  const { payload, state, max } = delivery
  const { topic, partition, cursor } = state
  const fetched = payload.batch.messages
    .map((message) => storedRecord(topic, partition, message))
    .filter(({ offset }) => cursor === null || offset >= cursor)
  const first = fetched[0]?.offset
  if (first === undefined) {
    payload.resolveOffset(payload.batch.lastOffset())
    return
  }
  if (state.plan === undefined) await lookUpPlan(delivery, first)
  let records = await takePlanned(delivery, fetched)
  while (records !== null && records.length > 0 && !delivery.halted()) {
    const taken = await deliver(delivery, headOf(records, max), null)
    if (taken === null) return
    took(delivery, taken)
    records = records.filter(({ offset }) => offset > taken)
  }
}
