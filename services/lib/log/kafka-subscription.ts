import type { Consumer, EachBatchPayload } from 'kafkajs'
import { CairnError } from '#lib/error.ts'
import type { KafkaAdmin } from './kafka-admin.ts'
import { asKafkaLogError, kafkaErrorType, type KafkaClients } from './kafka-client.ts'
import { deliverFetched, type Partition } from './kafka-delivery.ts'
import { batch_bytes_default, batch_records_default } from './limits.ts'
import { pause } from './pause.ts'
import type { LogSubscription, SubscribeOptions } from './port.ts'

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

/** The broker does not count this consumer as the owner any more. */
const lost_types = new Set([
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
])

const isLost = (error: unknown): boolean => lost_types.has(kafkaErrorType(error) ?? '')

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error))

/**
 * What is known of the membership: which partitions are ours, since the last time the group was joined. kafkajs joins again once all
 * handlers have returned, but commits under whatever generation is current by then: what was handed out before a join may not
 * commit after it, and `owns` says so.
 */
const openMembership = (group: string, drain_ms: number) => {
  let partitions = new Map<string, Partition>()
  /** Set while the group divides anew: nothing new is begun, what runs may finish. */
  let rebalancing: Error | null = null
  const fenced = (): CairnError =>
    new CairnError('log_fenced', `group ${group} is dividing its partitions anew`)

  return {
    fenced,
    rebalancing: () => rebalancing,
    partition: (topic: string, partition: number): Partition => {
      const name = `${topic}/${partition}`
      const known = partitions.get(name)
      if (known !== undefined) return known
      const abort = new AbortController()
      const fresh: Partition = { topic, partition, abort, plan: undefined, held: [], cursor: null }
      partitions.set(name, fresh)
      return fresh
    },
    owns: (state: Partition): boolean =>
      partitions.get(`${state.topic}/${state.partition}`) === state,
    /** Joined again, or left: everything before is void. */
    renew: (): void => {
      for (const { abort } of partitions.values()) abort.abort(fenced())
      partitions = new Map()
      rebalancing = null
    },
    /** The broker said so. Asked to rejoin, the commits of what runs still count for a while; cast out, they do not. */
    lose: (error: unknown, at_once: boolean): void => {
      if (rebalancing !== null && !at_once) return
      rebalancing ??= asError(error)
      const current = [...partitions.values()]
      const abort = (): void => {
        for (const state of current) state.abort.abort(fenced())
      }
      if (at_once || kafkaErrorType(error) !== 'REBALANCE_IN_PROGRESS') abort()
      else setTimeout(abort, drain_ms).unref()
    },
    abort: (): void => {
      for (const { abort } of partitions.values()) abort.abort()
    },
  }
}

/** Consumes the topics as a member of the Kafka consumer group until disposed. */
export const openKafkaSubscription = (
  options: SubscribeOptions,
  deps: KafkaSubscriptionDeps,
): LogSubscription => {
  const max = {
    records: options.batch_records_max ?? batch_records_default,
    bytes: options.batch_bytes_max ?? batch_bytes_default,
  }
  const stop = new AbortController()
  const membership = openMembership(options.group, deps.times.drain_ms)

  const trouble = (error: unknown): void => {
    if (!stop.signal.aborted) options.onTrouble?.(asError(error))
  }

  /**
   * Commits through the batch's own call: the consumer's `commitOffsets` retries under whatever generation is current, and does
   * nothing at all, without a word, once the consumer is stopping.
   */
  const commit = async (
    payload: EachBatchPayload,
    state: Partition,
    offset: bigint,
    metadata: string | null,
  ): Promise<void> => {
    if (!membership.owns(state)) throw membership.fenced()
    const { topic, partition } = state
    const position = { partition, offset: String(offset), metadata }
    try {
      await payload.commitOffsetsIfNecessary({ topics: [{ topic, partitions: [position] }] })
    } catch (error) {
      if (!isLost(error)) throw asKafkaLogError(error, `commit the position of ${options.group}`)
      membership.lose(error, true)
      throw membership.fenced()
    }
    if (!membership.owns(state)) throw membership.fenced()
  }

  /** Keeps the membership while a handler works. What it learns about the group ends the batch, not the handler. */
  const beat = async (payload: EachBatchPayload): Promise<void> => {
    try {
      await payload.heartbeat()
    } catch (error) {
      if (isLost(error)) membership.lose(error, false)
      else trouble(error)
    }
  }

  const eachBatch = async (payload: EachBatchPayload): Promise<void> => {
    const { topic, partition } = payload.batch
    const state = membership.partition(topic, partition)
    const timer = setInterval(() => void beat(payload), deps.times.heartbeat_ms)
    try {
      await deliverFetched({
        options,
        payload,
        state,
        max,
        commit: (offset, metadata) => commit(payload, state, offset, metadata),
        committed: async () => (await deps.admin.committed(options.group, topic)).get(partition),
        heartbeat: () => beat(payload),
        halted: () =>
          stop.signal.aborted ||
          membership.rebalancing() !== null ||
          !membership.owns(state) ||
          !payload.isRunning() ||
          payload.isStale(),
        stop: stop.signal,
        fenced: membership.fenced,
        trouble,
      })
    } finally {
      clearInterval(timer)
    }
    // Only now, with the handler done, may the library hear of it and join the group again.
    const rebalancing = membership.rebalancing()
    if (rebalancing !== null) throw rebalancing
  }

  /** Runs one consumer until it crashes or the subscription stops. */
  const runConsumer = async (): Promise<void> => {
    const consumer = makeConsumer(options, deps, max.bytes)
    const ended = Promise.withResolvers<Error | null>()
    consumer.on(consumer.events.CRASH, ({ payload }) => ended.resolve(payload.error))
    consumer.on(consumer.events.GROUP_JOIN, membership.renew)
    const onStop = (): void => {
      membership.abort()
      ended.resolve(null)
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
      const error = await ended.promise
      if (error !== null) throw error
    } finally {
      stop.signal.removeEventListener('abort', onStop)
      await consumer.disconnect().catch(trouble)
      membership.renew()
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
  const subscription: LogSubscription = {
    finished: running,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await running
      deps.closed(subscription)
    },
  }
  return subscription
}

const makeConsumer = (
  { group, linger_ms = 0 }: SubscribeOptions,
  { clients, times }: KafkaSubscriptionDeps,
  batch_bytes: number,
): Consumer =>
  clients().consumer({
    groupId: group,
    allowAutoTopicCreation: false,
    sessionTimeout: times.session_timeout_ms,
    heartbeatInterval: times.heartbeat_ms,
    rebalanceTimeout: times.rebalance_timeout_ms,
    maxBytesPerPartition: Math.min(batch_bytes, fetch_bytes_max),
    maxBytes: fetch_bytes_max,
    minBytes: linger_ms > 0 ? linger_bytes : 1,
    maxWaitTimeInMs: linger_ms > 0 ? linger_ms : idle_wait_ms,
    // Every crash comes to us: what the library restarts by itself and what not is too fine a line.
    retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
  })
