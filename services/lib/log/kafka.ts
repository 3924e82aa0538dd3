import { CairnError } from '#lib/error.ts'
import { openKafkaAdmin } from './kafka-admin.ts'
import { openKafkaClients, type KafkaSettings } from './kafka-client.ts'
import { followKafka } from './kafka-follow.ts'
import { openKafkaProducer } from './kafka-producer.ts'
import { readPartition } from './kafka-read.ts'
import { kafka_times, openKafkaSubscription, type KafkaTimes } from './kafka-subscription.ts'
import type { Log, LogSubscription, TopicLag } from './port.ts'
import { checkRecords } from './record-check.ts'

export type { KafkaSettings } from './kafka-client.ts'

export type KafkaLogOptions = {
  readonly kafka: KafkaSettings
  readonly now_ms: () => number
  /** Unique names, for groups that read without a position. */
  readonly id: () => string
  readonly onTrouble?: (error: Error) => void
  readonly times?: Partial<KafkaTimes>
  /** How long an append may go without an acknowledgement. */
  readonly send_deadline_ms?: number
}

/**
 * Opens the log on Apache Kafka (brokers 2.1 and newer, tried with 4.1). Connects when first used, and again whenever a broker went away.
 * @throws CairnError('config_invalid') a TLS file cannot be read
 */
export const openKafkaLog = async (options: KafkaLogOptions): Promise<Log> => {
  const { now_ms } = options
  const clients = await openKafkaClients(options.kafka, {
    now_ms,
    onTrouble: (error) => options.onTrouble?.(error),
  })
  const admin = openKafkaAdmin(clients)
  const { send_deadline_ms } = options
  const producer = openKafkaProducer({
    clients,
    partitionsOf: admin.partitionsOf,
    compression: options.kafka.compression,
    ...(send_deadline_ms === undefined ? {} : { send_deadline_ms }),
  })
  const times = { ...kafka_times, ...options.times }
  const subscriptions = new Set<LogSubscription>()
  let closing: Promise<void> | null = null

  const openOnly = (): void => {
    if (closing !== null) throw new CairnError('log_closed', 'the log is closed')
  }

  const close = async (): Promise<void> => {
    await Promise.allSettled([...subscriptions].map((one) => one[Symbol.asyncDispose]()))
    await producer.close()
    await admin.close()
  }

  const read: Log['read'] = async function* (topic, partition, from, to) {
    openOnly()
    const bounds = (await admin.boundsOf(topic)).get(partition)
    if (bounds === undefined)
      throw new CairnError('log_unknown_topic', `Kafka has no partition ${topic}/${partition}`)
    const begin = from < bounds.low ? bounds.low : from
    const end = to === undefined || to >= bounds.high ? bounds.high : to + 1n
    if (begin >= end) return
    yield* readPartition(
      clients,
      { topic, partition, group: `cairn-read-${options.id()}` },
      begin,
      end,
    )
  }

  const subscribe: Log['subscribe'] = async (wanted) => {
    openOnly()
    for (const topic of wanted.topics) await admin.partitionsOf(topic)
    const subscription = openKafkaSubscription(wanted, {
      clients,
      admin,
      times,
      now_ms,
      closed: (one) => subscriptions.delete(one),
    })
    subscriptions.add(subscription)
    return subscription
  }

  return {
    append: async (topic, records) => {
      openOnly()
      const bytes = checkRecords(topic, records)
      return producer.append(topic, records, bytes)
    },
    subscribe,
    follow: (wanted) =>
      followKafka(wanted, {
        group: `cairn-follow-${options.id()}`,
        boundsOf: admin.boundsOf,
        subscribe,
      }),
    read,
    lag: async (group, topics) => {
      const lags: TopicLag[] = []
      for (const topic of topics) lags.push(...(await admin.lag(group, topic)))
      return lags
    },
    ensureTopics: async (specs) => {
      openOnly()
      await admin.ensure(specs)
    },
    [Symbol.asyncDispose]: () => (closing ??= close()),
  }
}
