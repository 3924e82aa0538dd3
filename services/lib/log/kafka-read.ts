import kafkajs, { type KafkaMessage, type PartitionAssigner } from 'kafkajs'
import { createBell } from './bell.ts'
import { asKafkaLogError, type KafkaClients } from './kafka-client.ts'
import { storedRecord } from './kafka-records.ts'
import type { StoredRecord } from './port.ts'

const partition_bytes_max = 4 * 1024 * 1024
const wait_ms = 250
const retries = 20
const retry_ms = 500

/** kafkajs reads only as a member of a group: one of its own that gets one partition, commits nothing and is gone afterwards. */
const onlyPartition =
  (topic: string, partition: number): PartitionAssigner =>
  () => ({
    name: 'CairnOnePartition',
    version: 0,
    protocol: ({ topics }) => ({
      name: 'CairnOnePartition',
      metadata: kafkajs.AssignerProtocol.MemberMetadata.encode({
        version: 0,
        topics,
        userData: Buffer.alloc(0),
      }),
    }),
    assign: async ({ members }) =>
      members.map(({ memberId }) => ({
        memberId,
        memberAssignment: kafkajs.AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment: { [topic]: [partition] },
          userData: Buffer.alloc(0),
        }),
      })),
  })

type At = { readonly topic: string; readonly partition: number; readonly group: string }

/** One consumer's worth of reading, until `end` or until it crashes. */
const readOnce = async function* (
  clients: KafkaClients,
  at: At,
  from: bigint,
  end: bigint,
): AsyncGenerator<StoredRecord> {
  const { topic, partition, group } = at
  const consumer = clients().consumer({
    groupId: group,
    partitionAssigners: [onlyPartition(topic, partition)],
    allowAutoTopicCreation: false,
    maxBytesPerPartition: partition_bytes_max,
    maxWaitTimeInMs: wait_ms,
    retry: { retries: 5, restartOnFailure: () => Promise.resolve(false) },
  })
  const arrived = createBell()
  const taken = createBell()
  const state: {
    page: readonly KafkaMessage[] | null
    past: bigint
    crash: Error | null
    over: boolean
  } = { page: null, past: from, crash: null, over: false }
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    state.crash = payload.error
    arrived.ring()
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topics: [topic], fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => {
        const last = BigInt(payload.batch.lastOffset())
        if (state.over || last < state.past) return
        state.page = payload.batch.messages
        state.past = last + 1n
        arrived.ring()
        while (state.page !== null && !state.over) {
          await taken.wait(1_000)
          await payload.heartbeat()
        }
        payload.resolveOffset(String(last))
      },
    })
    // A crash at the start is told by the event alone, and `seek` does not exist then.
    if (state.crash !== null) throw asKafkaLogError(state.crash, `read ${topic}/${partition}`)
    consumer.seek({ topic, partition, offset: String(from) })
    let next = from
    while (next < end) {
      if (state.page === null && state.crash === null) await arrived.wait()
      if (state.crash !== null) throw asKafkaLogError(state.crash, `read ${topic}/${partition}`)
      for (const message of state.page ?? []) {
        const record = storedRecord(topic, partition, message)
        if (record.offset < next) continue
        if (record.offset >= end) return
        yield record
        next = record.offset + 1n
      }
      if (state.past > next) next = state.past
      state.page = null
      taken.ring()
    }
  } finally {
    state.over = true
    taken.ring()
    await consumer.disconnect().catch(() => undefined)
  }
}

/**
 * Reads offsets `from` to `end` (exclusive) of a partition; `end` must not be past the partition's end. A consumer that crashes
 * (coordinators move, brokers restart) is replaced a few times.
 * @throws CairnError('log_unavailable')
 */
export const readPartition = async function* (
  clients: KafkaClients,
  at: At,
  from: bigint,
  end: bigint,
): AsyncGenerator<StoredRecord> {
  let next = from
  for (let failures = 0; ;) {
    try {
      for await (const record of readOnce(clients, at, next, end)) {
        yield record
        next = record.offset + 1n
        failures = 0
      }
      return
    } catch (error) {
      failures++
      if (failures > retries) throw asKafkaLogError(error, `read ${at.topic}/${at.partition}`)
      await new Promise((resolve) => setTimeout(resolve, retry_ms))
    }
  }
}
