import kafkajs, { type Producer, type RecordMetadata, type TopicMessages } from 'kafkajs'
import { CairnError } from '#lib/error.ts'
import {
  asKafkaLogError,
  compressionType,
  type KafkaClients,
  type KafkaSettings,
} from './kafka-client.ts'
import { append_queue_bytes_max } from './limits.ts'
import { partitionOf } from './murmur2.ts'
import type { LogPosition, LogRecord } from './port.ts'
import { recordBytes } from './record-check.ts'

/** Records sent in one request; a batch of a partition stays under `max.message.bytes` of kafka-topics.ts. */
const request_bytes_max = 8 * 1024 * 1024
const request_records_max = 10_000
/** Messages of the library's own timeout and retries end by then; what is not acknowledged has failed. */
const send_deadline_ms = 30_000

type Task = {
  readonly topic: string
  readonly records: readonly LogRecord[]
  readonly bytes: number
  readonly resolve: (positions: readonly LogPosition[]) => void
  readonly reject: (error: unknown) => void
}

type Item = {
  readonly task: Task
  readonly topic: string
  readonly partition: number
  readonly record: LogRecord
}

export interface KafkaProducer {
  /** Sends records behind everything appended before. */
  readonly append: (
    topic: string,
    records: readonly LogRecord[],
    bytes: number,
  ) => Promise<readonly LogPosition[]>
  readonly close: () => Promise<void>
}

export type KafkaProducerDeps = Pick<KafkaSettings, 'compression'> & {
  readonly clients: KafkaClients
  readonly partitionsOf: (topic: string) => Promise<number>
  readonly send_deadline_ms?: number
}

/** One idempotent request at a time: only so does kafkajs keep the order and lose nothing when it sends again. */
const makeProducer = (clients: KafkaClients): Producer =>
  clients().producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: 8 },
  })

const topicMessages = (items: readonly Item[]): TopicMessages[] => {
  const byTopic = Map.groupBy(items, ({ topic }) => topic)
  return [...byTopic].map(([topic, ofTopic]) => ({
    topic,
    messages: ofTopic.map(({ partition, record: { key, value, headers } }) => ({
      key,
      value,
      headers,
      partition,
    })),
  }))
}

/** Where each record came to stand. A partition without an answer was not written: kafkajs passes over one that moved during a retry. */
const positionsOf = (items: readonly Item[], answers: readonly RecordMetadata[]): LogPosition[] => {
  const next = new Map<string, bigint>()
  for (const { topicName, partition, errorCode, baseOffset } of answers)
    if (errorCode === 0 && baseOffset !== undefined && baseOffset !== '-1')
      next.set(`${topicName}/${partition}`, BigInt(baseOffset))
  return items.map(({ topic, partition }) => {
    const name = `${topic}/${partition}`
    const offset = next.get(name)
    if (offset === undefined)
      throw new CairnError('log_unavailable', `Kafka did not acknowledge ${name}`)
    next.set(name, offset + 1n)
    return { topic, partition, offset }
  })
}

const requestsOf = function* (items: readonly Item[]): Generator<readonly Item[]> {
  let request: Item[] = []
  let bytes = 0
  for (const item of items) {
    const size = recordBytes(item.record)
    const full = bytes + size > request_bytes_max || request.length === request_records_max
    if (request.length > 0 && full) {
      yield request
      request = []
      bytes = 0
    }
    request.push(item)
    bytes += size
  }
  if (request.length > 0) yield request
}

const withDeadline = async <T>(work: Promise<T>, ms: number, doing: string): Promise<T> => {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => reject(new CairnError('log_unavailable', `Kafka did not ${doing} within ${ms} ms`)),
    ms,
  )
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

export const openKafkaProducer = (deps: KafkaProducerDeps): KafkaProducer => {
  const { clients, partitionsOf } = deps
  const compression = compressionType(deps.compression)
  const deadline_ms = deps.send_deadline_ms ?? send_deadline_ms
  let producer: Promise<Producer> | null = null
  let queue: Task[] = []
  let queue_bytes = 0
  let pumping: Promise<void> | null = null
  let closed = false

  const connect = async (): Promise<Producer> => {
    const made = makeProducer(clients)
    await made.connect()
    return made
  }

  /**
   * After a failure nobody knows whether the last batch was taken, and a different batch under the same sequence numbers would be
   * thrown away as its duplicate, silently. A new producer id makes sure that it is written.
   */
  const renew = (work: Promise<unknown>): void => {
    const old = producer
    producer = null
    const drop = (): void => void old?.then((made) => made.disconnect()).catch(() => undefined)
    drop()
    // What still tries again inside the library would have connected anew.
    work.then(drop, drop)
  }

  const send = async (items: readonly Item[]): Promise<LogPosition[]> => {
    const sending = async (): Promise<RecordMetadata[]> => {
      const made = await (producer ??= connect())
      return made.sendBatch({ topicMessages: topicMessages(items), acks: -1, compression })
    }
    const work = sending()
    try {
      return positionsOf(items, await withDeadline(work, deadline_ms, 'acknowledge'))
    } catch (error) {
      renew(work)
      throw asKafkaLogError(error, `append to ${items[0]?.topic ?? ''}`)
    }
  }

  const takeGroup = (): Task[] => {
    let bytes = 0
    const end = queue.findIndex((task, at) => {
      bytes += task.bytes
      return at > 0 && bytes > request_bytes_max
    })
    const group = end === -1 ? queue : queue.slice(0, end)
    queue = end === -1 ? [] : queue.slice(end)
    return group
  }

  /** The records of a task with their partitions. A topic that does not exist fails its task alone. */
  const itemsOf = async (task: Task): Promise<Item[]> => {
    const { topic, records } = task
    try {
      const count = await partitionsOf(topic)
      return records.map((record) => {
        const partition = partitionOf(record.key, count)
        return { task, topic, partition, record }
      })
    } catch (error) {
      if (!(error instanceof CairnError) || error.code !== 'log_unknown_topic') throw error
      task.reject(error)
      return []
    }
  }

  const sendGroup = async (group: readonly Task[]): Promise<void> => {
    const positions = new Map(group.map((task) => [task, [] as LogPosition[]]))
    const items = (await Promise.all(group.map(itemsOf))).flat()
    for (const request of requestsOf(items)) {
      const sent = await send(request)
      for (const [at, { task }] of request.entries()) {
        const position = sent[at]
        if (position !== undefined) positions.get(task)?.push(position)
      }
    }
    for (const [task, done] of positions) task.resolve(done)
  }

  const pump = async (): Promise<void> => {
    while (queue.length > 0) {
      // What is appended in one turn of the loop goes out together.
      await new Promise((resolve) => setImmediate(resolve))
      const group = takeGroup()
      try {
        await sendGroup(group)
      } catch (error) {
        // What waits behind must not overtake what failed.
        for (const task of [...group, ...queue]) task.reject(error)
        queue = []
        queue_bytes = 0
        continue
      }
      for (const { bytes } of group) queue_bytes -= bytes
    }
    pumping = null
  }

  return {
    append: (topic, records, bytes) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new CairnError('log_closed', 'the log is closed'))
          return
        }
        if (queue_bytes + bytes > append_queue_bytes_max && queue_bytes > 0) {
          const message = `more than ${append_queue_bytes_max} bytes wait to be sent to Kafka`
          reject(new CairnError('log_unavailable', message))
          return
        }
        queue.push({ topic, records, bytes, resolve, reject })
        queue_bytes += bytes
        pumping ??= pump()
      }),
    close: async () => {
      closed = true
      await pumping
      const last = producer
      producer = null
      await last?.then((made) => made.disconnect()).catch(() => undefined)
    },
  }
}
