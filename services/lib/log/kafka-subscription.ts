import type { Consumer, EachBatchPayload, KafkaMessage, PartitionAssigner } from 'kafkajs'
import { CairnError } from '#lib/error.ts'
import { asKafkaLogError, kafkaErrorType, type KafkaClients } from './kafka-client.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { batch_bytes_default, batch_records_default, redelivery_backoff_ms } from './limits.ts'
import type {
  BatchContext,
  LogRange,
  LogSubscription,
  StoredRecord,
  SubscribeOptions,
} from './port.ts'
import { recordBytes } from './record-check.ts'

export type KafkaTimes = {
  readonly session_timeout_ms: number
  readonly heartbeat_ms: number
  /** How long the other members wait for one that still works. */
  readonly rebalance_timeout_ms: number
  /** How long a batch may go on when the group is dividing its partitions anew. */
  readonly drain_ms: number
}

export const kafka_times: KafkaTimes = {
  session_timeout_ms: 10_000,
  heartbeat_ms: 3_000,
  rebalance_timeout_ms: 60_000,
  drain_ms: 20_000,
}

export type KafkaSubscriptionDeps = {
  readonly clients: KafkaClients
  readonly admin: KafkaAdmin
  readonly times: KafkaTimes
  readonly now_ms: () => number
  readonly closed: (subscription: LogSubscription) => void
}

/** Batches of different partitions that are handled at the same time. */
const concurrency = 8
/** What one request may bring: the bound of what a consumer holds, beside the batch of a planned range. */
const fetch_bytes_max = 32 * 1024 * 1024
/** The broker answers an idle consumer after so long; also how long stopping may wait. */
const idle_wait_ms = 500
/** With `linger_ms` the broker gathers up to so much before it answers. */
const linger_bytes = 1024 * 1024
const restart_backoff_ms = { first: 200, max: 10_000 } as const

/** A partition during one membership of the group. */
type Partition = {
  readonly topic: string
  readonly partition: number
  readonly abort: AbortController
  /** Range that was planned and may have taken effect; undefined until it was looked up. */
  plan: { readonly lo: bigint; readonly hi: bigint } | null | undefined
  /** Records of the planned range that have come so far. */
  held: StoredRecord[]
  /** Offset behind the last record handed out. */
  cursor: bigint | null
}

const fenced = (group: string): CairnError =>
  new CairnError('log_fenced', `group ${group} is dividing its partitions anew`)

const lost_types = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
])

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error))

const bytesOf = (value: unknown): Buffer => {
  if (Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return bytesOf(value.at(-1))
  return typeof value === 'string' ? Buffer.from(value) : Buffer.alloc(0)
}

export const storedRecord = (
  topic: string,
  partition: number,
  message: KafkaMessage,
): StoredRecord => {
  const headers: Record<string, Buffer> = {}
  for (const name in message.headers) headers[name] = bytesOf(message.headers[name])
  return {
    topic,
    partition,
    offset: BigInt(message.offset),
    timestamp_ms: Number(message.timestamp),
    key: bytesOf(message.key),
    value: bytesOf(message.value),
    headers,
  }
}

/** The plan stands in the metadata of the committed offset `lo`: {"hi":"<offset>"}. */
const planMetadata = (hi: bigint): string => JSON.stringify({ hi: String(hi) })

const readPlan = (offset: bigint, metadata: string | null): { lo: bigint; hi: bigint } | null => {
  const hi = /^\{"hi":"(\d{1,19})"\}$/.exec(metadata ?? '')?.[1]
  return hi === undefined || BigInt(hi) < offset ? null : { lo: offset, hi: BigInt(hi) }
}

/** The beginning of `records` that makes a batch. */
const headOf = (
  records: readonly StoredRecord[],
  max: { readonly records: number; readonly bytes: number },
): readonly StoredRecord[] => {
  let bytes = 0
  const end = records.findIndex((record, at) => {
    bytes += recordBytes(record)
    return at > 0 && (at === max.records || bytes > max.bytes)
  })
  return end === -1 ? records : records.slice(0, end)
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    if (signal.aborted) {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer)
        resolve()
      },
      { once: true },
    )
  })

/** Consumes the topics as a member of the Kafka consumer group until disposed. */
export const openKafkaSubscription = (
  options: SubscribeOptions,
  deps: KafkaSubscriptionDeps,
): LogSubscription => {
  const max = {
    records: options.batch_records_max ?? batch_records_default,
    bytes: options.batch_bytes_max ?? batch_bytes_default,
  }
  const linger_ms = options.linger_ms ?? 0
  const stop = new AbortController()
  const finished = Promise.withResolvers<void>()
  let partitions = new Map<string, Partition>()
  /** Set while the group divides anew: nothing new is begun, what runs may finish. */
  let rebalancing: unknown = null

  const trouble = (error: unknown): void => {
    if (!stop.signal.aborted) options.onTrouble?.(asError(error))
  }

  const forget = (reason: CairnError): void => {
    for (const { abort } of partitions.values()) abort.abort(reason)
    partitions = new Map()
  }

  const partitionOf = (topic: string, partition: number): Partition => {
    const name = `${topic}/${partition}`
    const known = partitions.get(name)
    if (known !== undefined) return known
    const abort = new AbortController()
    const fresh: Partition = { topic, partition, abort, plan: undefined, held: [], cursor: null }
    partitions.set(name, fresh)
    return fresh
  }

  const owns = (state: Partition): boolean =>
    partitions.get(`${state.topic}/${state.partition}`) === state

  /**
   * Commits through the batch's own call: the consumer's `commitOffsets` retries under whatever generation is current, and does nothing at
   * all, without a word, once the consumer is stopping.
   */
  const commit = async (
    payload: EachBatchPayload,
    state: Partition,
    offset: bigint,
    metadata: string | null,
  ): Promise<void> => {
    if (!owns(state)) throw fenced(options.group)
    const { topic, partition } = state
    const position = { partition, offset: String(offset), metadata }
    try {
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [position] }] })
    } catch (error) {
      if (!lost_types.has(kafkaErrorType(error) ?? ''))
        throw asKafkaLogError(error, `commit the position of ${options.group}`)
      rebalancing ??= error
      state.abort.abort(fenced(options.group))
      throw fenced(options.group)
    }
    if (!owns(state)) throw fenced(options.group)
  }

  /** Keeps the membership while a handler works. What it learns about the group ends the batch, not the handler. */
  const beat = async (payload: EachBatchPayload): Promise<void> => {
    try {
      await payload.heartbeat()
    } catch (error) {
      const type = kafkaErrorType(error)
      if (type === null || !lost_types.has(type)) {
        trouble(error)
        return
      }
      if (rebalancing === null) drain(type)
      rebalancing ??= error
    }
  }

  const drain = (type: string): void => {
    const current = [...partitions.values()]
    const abort = (): void => {
      for (const state of current) state.abort.abort(fenced(options.group))
    }
    // Asked to rejoin, the commits of what runs still count for a while; cast out, they do not.
    if (type !== 'REBALANCE_IN_PROGRESS') abort()
    else setTimeout(abort, deps.times.drain_ms).unref()
  }

  const rangeOf = ({ topic, partition }: Partition, lo: bigint, hi: bigint): LogRange => ({
    topic,
    partition,
    lo,
    hi,
  })

  type Progress = { planned: LogRange | null; done: bigint | null; hi: bigint | null }

  const contextOf = (
    payload: EachBatchPayload,
    state: Partition,
    records: readonly StoredRecord[],
    progress: Progress,
  ): BatchContext => {
    let first = records[0]?.offset ?? 0n
    const last = records.at(-1)?.offset ?? 0n
    return {
      planned: progress.planned,
      signal: state.abort.signal,
      heartbeat: () => beat(payload),
      plan: async ({ lo, hi }) => {
        if (lo !== first || hi < lo || hi > last)
          throw new TypeError(`plan ${lo}..${hi} is not a beginning of ${first}..${last}`)
        if (state.abort.signal.aborted) throw fenced(options.group)
        await commit(payload, state, lo, planMetadata(hi))
        progress.hi = hi
      },
      done: async (upTo = last) => {
        if (upTo < first || upTo > last)
          throw new TypeError(`done up to ${upTo} is not within ${first}..${last}`)
        await commit(payload, state, upTo + 1n, null)
        progress.done = upTo
        progress.hi = null
        first = records.find(({ offset }) => offset > upTo)?.offset ?? upTo + 1n
      },
    }
  }

  const halted = (payload: EachBatchPayload, state: Partition): boolean =>
    stop.signal.aborted ||
    rebalancing !== null ||
    !owns(state) ||
    !payload.isRunning() ||
    payload.isStale()

  /** Hands out one batch until it was taken. @returns the last offset it went up to, or null when the batch must end here. */
  const deliver = async (
    payload: EachBatchPayload,
    state: Partition,
    batch: readonly StoredRecord[],
    planned: LogRange | null,
  ): Promise<bigint | null> => {
    let records = batch
    let range = planned
    let backoff_ms: number = redelivery_backoff_ms.first
    while (!halted(payload, state)) {
      const progress: Progress = { planned: range, done: null, hi: null }
      const { topic, partition } = state
      try {
        await options.onBatch(
          { topic, partition, records },
          contextOf(payload, state, records, progress),
        )
        return progress.done ?? records.at(-1)?.offset ?? null
      } catch (error) {
        if (halted(payload, state)) return null
        trouble(error)
      }
      const { done, hi } = progress
      if (done !== null) {
        records = records.filter(({ offset }) => offset > done)
        range = null
        if (records.length === 0) return done
      }
      const lo = records[0]?.offset
      if (hi !== null && lo !== undefined) {
        range = rangeOf(state, lo, hi)
        records = records.filter(({ offset }) => offset <= hi)
      }
      await pause(backoff_ms, AbortSignal.any([state.abort.signal, stop.signal]))
      backoff_ms = Math.min(backoff_ms * 2, redelivery_backoff_ms.max)
    }
    return null
  }

  const lookUpPlan = async (state: Partition, first: bigint): Promise<void> => {
    const known = (await deps.admin.committed(options.group, state.topic)).get(state.partition)
    const offset = known?.offset ?? null
    state.plan = offset === null ? null : readPlan(offset, known?.metadata ?? null)
    if (offset !== null && first > offset)
      trouble(
        new CairnError(
          'limit_exceeded',
          `${first - offset} records of ${state.topic}/${state.partition} were gone before group ${options.group} had read them`,
        ),
      )
  }

  /** Gathers a planned range, which fetches may cut anywhere, and hands it out as one batch. @returns what is behind it, null when to end. */
  const takePlanned = async (
    payload: EachBatchPayload,
    state: Partition,
    fetched: readonly StoredRecord[],
  ): Promise<readonly StoredRecord[] | null> => {
    const { plan } = state
    if (plan === null || plan === undefined) return fetched
    const held_to = state.held.at(-1)?.offset ?? -1n
    state.held.push(...fetched.filter(({ offset }) => offset > held_to && offset <= plan.hi))
    if (BigInt(payload.batch.lastOffset()) < plan.hi) {
      payload.resolveOffset(payload.batch.lastOffset())
      return null
    }
    const range = rangeOf(state, plan.lo, plan.hi)
    const held = state.held
    const rest = fetched.filter(({ offset }) => offset > plan.hi)
    const taken = held.length === 0 ? plan.hi : await deliver(payload, state, held, range)
    if (taken === null) return null
    payload.resolveOffset(String(taken))
    state.cursor = taken + 1n
    state.plan = null
    state.held = []
    return [...held.filter(({ offset }) => offset > taken), ...rest]
  }

  const handle = async (payload: EachBatchPayload, state: Partition): Promise<void> => {
    const { topic, partition, cursor } = state
    let records: readonly StoredRecord[] = payload.batch.messages
      .map((message) => storedRecord(topic, partition, message))
      .filter(({ offset }) => cursor === null || offset >= cursor)
    const first = records[0]?.offset
    if (first === undefined) {
      payload.resolveOffset(payload.batch.lastOffset())
      return
    }
    if (state.plan === undefined) await lookUpPlan(state, first)
    const rest = await takePlanned(payload, state, records)
    if (rest === null) return
    records = rest
    while (records.length > 0 && !halted(payload, state)) {
      const taken = await deliver(payload, state, headOf(records, max), null)
      if (taken === null) return
      payload.resolveOffset(String(taken))
      state.cursor = taken + 1n
      records = records.filter(({ offset }) => offset > taken)
    }
  }

  const eachBatch = async (payload: EachBatchPayload): Promise<void> => {
    const state = partitionOf(payload.batch.topic, payload.batch.partition)
    if (halted(payload, state)) return
    const timer = setInterval(() => void beat(payload), deps.times.heartbeat_ms)
    try {
      await handle(payload, state)
    } finally {
      clearInterval(timer)
    }
    // Only now, with the handler done, may the library hear of it and join the group again.
    if (rebalancing !== null) throw asError(rebalancing)
  }

  const makeConsumer = (assigners: { partitionAssigners?: PartitionAssigner[] }): Consumer =>
    deps.clients().consumer({
      groupId: options.group,
      ...assigners,
      allowAutoTopicCreation: false,
      sessionTimeout: deps.times.session_timeout_ms,
      heartbeatInterval: deps.times.heartbeat_ms,
      rebalanceTimeout: deps.times.rebalance_timeout_ms,
      maxBytesPerPartition: Math.min(max.bytes, fetch_bytes_max),
      maxBytes: fetch_bytes_max,
      minBytes: linger_ms > 0 ? linger_bytes : 1,
      maxWaitTimeInMs: linger_ms > 0 ? linger_ms : idle_wait_ms,
      // Every crash comes to us: what the library restarts by itself and what not is too fine a line.
      retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
    })

  /** Runs one consumer until it crashes or the subscription stops. */
  const runConsumer = async (): Promise<void> => {
    const consumer = makeConsumer({})
    const crashed = Promise.withResolvers<Error | null>()
    consumer.on(consumer.events.CRASH, ({ payload }) => crashed.resolve(payload.error))
    consumer.on(consumer.events.GROUP_JOIN, () => {
      forget(fenced(options.group))
      rebalancing = null
    })
    const onStop = (): void => {
      for (const { abort } of partitions.values()) abort.abort()
      crashed.resolve(null)
    }
    stop.signal.addEventListener('abort', onStop, { once: true })
    try {
      if (stop.signal.aborted) return
      await consumer.connect()
      const fromBeginning = options.from !== 'end'
      if (!fromBeginning)
        for (const topic of options.topics) await deps.admin.beginAtEnd(options.group, topic)
      await consumer.subscribe({ topics: [...options.topics], fromBeginning })
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: concurrency,
        eachBatch,
      })
      const error = await crashed.promise
      if (error !== null) throw error
    } finally {
      stop.signal.removeEventListener('abort', onStop)
      await consumer.disconnect().catch(trouble)
      forget(fenced(options.group))
      rebalancing = null
    }
  }

  const supervise = async (): Promise<void> => {
    let backoff_ms: number = restart_backoff_ms.first
    while (!stop.signal.aborted) {
      const began = deps.now_ms()
      try {
        await runConsumer()
      } catch (error) {
        trouble(asKafkaLogError(error, `consume as ${options.group}`))
      }
      if (deps.now_ms() - began > restart_backoff_ms.max) backoff_ms = restart_backoff_ms.first
      await pause(backoff_ms, stop.signal)
      backoff_ms = Math.min(backoff_ms * 2, restart_backoff_ms.max)
    }
  }

  const running = supervise()
  running.then(finished.resolve, finished.reject)
  const subscription: LogSubscription = {
    finished: finished.promise,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await running
      deps.closed(subscription)
    },
  }
  return subscription
}
