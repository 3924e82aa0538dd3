import type { Admin, ITopicConfig } from 'kafkajs'
import { CairnError } from '#lib/error.ts'
import { asKafkaLogError, kafkaErrorType, type KafkaClients } from './kafka-client.ts'
import { record_bytes_max } from './limits.ts'
import type { TopicLag, TopicSpec } from './port.ts'

/** Room for the largest record and the framing around it. */
const message_bytes_max = record_bytes_max + 1024 * 1024
const topic_wait_ms = 15_000
const no_offset = -1n
/** A partition without a leader (just created, or its broker went) has one soon: how often and how long it is asked for, milliseconds. */
const leader_wait_ms = { between: 250, all: 10_000 } as const
const without_leader: ReadonlySet<string | null> = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'LEADER_NOT_AVAILABLE',
])

/** What a group has committed for a partition, as it was written. */
export type Committed = { readonly offset: bigint | null; readonly metadata: string | null }

export interface KafkaAdmin {
  /** Number of partitions. @throws CairnError('log_unknown_topic' | 'log_unavailable') */
  readonly partitionsOf: (topic: string) => Promise<number>
  readonly boundsOf: (topic: string) => Promise<ReadonlyMap<number, { low: bigint; high: bigint }>>
  readonly committed: (group: string, topic: string) => Promise<ReadonlyMap<number, Committed>>
  /** Sets the position of a group without members for the partitions where it has none. */
  readonly beginAtEnd: (group: string, topic: string) => Promise<void>
  readonly lag: (group: string, topic: string) => Promise<TopicLag[]>
  readonly ensure: (specs: readonly TopicSpec[]) => Promise<void>
  readonly close: () => Promise<void>
}

const topicConfig = ({
  name,
  partitions,
  replication = 1,
  retention_ms,
  retention_bytes,
}: TopicSpec): ITopicConfig => {
  const entries: Record<string, string> = {
    'cleanup.policy': 'delete',
    'message.timestamp.type': 'LogAppendTime',
    'max.message.bytes': String(message_bytes_max),
    // With three replicas one may be away; an acknowledged record then stands on two.
    'min.insync.replicas': replication >= 3 ? '2' : '1',
    ...(retention_ms === undefined ? {} : { 'retention.ms': String(retention_ms) }),
    ...(retention_bytes === undefined ? {} : { 'retention.bytes': String(retention_bytes) }),
  }
  return {
    topic: name,
    numPartitions: partitions,
    replicationFactor: replication,
    configEntries: Object.entries(entries).map(([key, value]) => ({ name: key, value })),
  }
}

const checkPartitions = (spec: TopicSpec, existing: number): void => {
  if (existing !== spec.partitions)
    throw new CairnError(
      'log_invalid',
      `topic ${spec.name} has ${existing} partitions, not ${spec.partitions}; changing them would break the order per key`,
    )
}

export const openKafkaAdmin = (clients: KafkaClients): KafkaAdmin => {
  let admin: Promise<Admin> | null = null
  const partitions = new Map<string, number>()

  const connect = async (): Promise<Admin> => {
    const made = clients().admin()
    await made.connect()
    return made
  }

  /** A client that failed is thrown away: the next call connects anew. */
  const use = async <T>(doing: string, work: (client: Admin) => Promise<T>): Promise<T> => {
    try {
      return await work(await (admin ??= connect()))
    } catch (error) {
      if (kafkaErrorType(error) !== 'UNKNOWN_TOPIC_OR_PARTITION') await drop()
      throw asKafkaLogError(error, doing)
    }
  }

  const drop = async (): Promise<void> => {
    const old = admin
    admin = null
    await old?.then((made) => made.disconnect()).catch(() => undefined)
  }

  const partitionsOf = async (topic: string): Promise<number> => {
    const known = partitions.get(topic)
    if (known !== undefined) return known
    const { topics } = await use(`find topic ${topic}`, (client) =>
      client.fetchTopicMetadata({ topics: [topic] }),
    )
    const count = topics.find(({ name }) => name === topic)?.partitions.length ?? 0
    if (count === 0) throw new CairnError('log_unknown_topic', `Kafka has no topic ${topic}`)
    partitions.set(topic, count)
    return count
  }

  /** Asks again while a partition has no leader. */
  const fetchBounds = async (topic: string): ReturnType<Admin['fetchTopicOffsets']> => {
    const until_ms = performance.now() + leader_wait_ms.all
    for (;;) {
      try {
        return await use(`read the bounds of ${topic}`, (client) => client.fetchTopicOffsets(topic))
      } catch (error) {
        if (!without_leader.has(kafkaErrorType(error)) || performance.now() > until_ms) throw error
      }
      await new Promise((resolve) => setTimeout(resolve, leader_wait_ms.between))
    }
  }

  const boundsOf: KafkaAdmin['boundsOf'] = async (topic) => {
    const rows = await fetchBounds(topic)
    return new Map(
      rows.map(({ partition, low, high }) => [partition, { low: BigInt(low), high: BigInt(high) }]),
    )
  }

  const committed: KafkaAdmin['committed'] = async (group, topic) => {
    const rows = await use(`read the position of ${group}`, (client) =>
      client.fetchOffsets({ groupId: group, topics: [topic] }),
    )
    const found = rows.find((row) => row.topic === topic)?.partitions ?? []
    return new Map(
      found.map(({ partition, offset, metadata }) => [
        partition,
        { offset: BigInt(offset) <= no_offset ? null : BigInt(offset), metadata },
      ]),
    )
  }

  const beginAtEnd: KafkaAdmin['beginAtEnd'] = async (group, topic) => {
    const { groups } = await use(`describe group ${group}`, (client) =>
      client.describeGroups([group]),
    )
    const active = groups.some(({ members }) => members.length > 0)
    if (active) return
    const known = await committed(group, topic)
    const bounds = await boundsOf(topic)
    const missing = [...bounds]
      .filter(([partition]) => (known.get(partition)?.offset ?? null) === null)
      .map(([partition, { high }]) => ({ partition, offset: String(high) }))
    if (missing.length > 0)
      await use(`set the position of ${group}`, (client) =>
        client.setOffsets({ groupId: group, topic, partitions: missing }),
      )
  }

  const lag: KafkaAdmin['lag'] = async (group, topic) => {
    await partitionsOf(topic)
    const [bounds, known] = [await boundsOf(topic), await committed(group, topic)]
    return [...bounds]
      .map(([partition, { low, high }]) => ({
        topic,
        partition,
        low,
        high,
        committed: known.get(partition)?.offset ?? null,
      }))
      .sort((a, b) => a.partition - b.partition)
  }

  const ensure: KafkaAdmin['ensure'] = async (specs) => {
    const existing = new Set(await use('list topics', (client) => client.listTopics()))
    const missing = specs.filter(({ name }) => !existing.has(name))
    if (missing.length > 0)
      await use('create topics', async (client) => {
        try {
          await client.createTopics({
            topics: missing.map(topicConfig),
            waitForLeaders: true,
            timeout: topic_wait_ms,
          })
        } catch (error) {
          // Another process was quicker with some of them; what counts is checked below.
          if (!isAlreadyThere(error)) throw error
        }
      })
    for (const spec of specs) checkPartitions(spec, await partitionsOf(spec.name))
  }

  return { partitionsOf, boundsOf, committed, beginAtEnd, lag, ensure, close: drop }
}

/** kafkajs gathers the errors of several topics in one. */
const isAlreadyThere = (error: unknown): boolean => {
  if (kafkaErrorType(error) === 'TOPIC_ALREADY_EXISTS') return true
  const errors = error instanceof Error && 'errors' in error ? error.errors : []
  return (
    Array.isArray(errors) &&
    errors.length > 0 &&
    errors.every((each) => kafkaErrorType(each) === 'TOPIC_ALREADY_EXISTS')
  )
}
