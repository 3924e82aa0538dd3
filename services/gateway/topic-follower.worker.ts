import { parentPort, workerData } from 'node:worker_threads'
import type { Log, StoredRecord } from '#lib/log/port.ts'
import { unpackSecrets } from './recorder/secret-clone.ts'
import type {
  FollowedRecord,
  FollowerOrder,
  FollowerReport,
  FollowerStart,
} from './topic-follower-messages.ts'

/** The follower's thread: follows a topic for as long as it lives. */

/** Between two tries to open the log. */
const retry_ms = 1_000

/** Only where the topic ends is asked for; nobody is a member of it. */
const no_group = 'followers'

const start = workerData as FollowerStart
const port = parentPort
if (port === null) throw new TypeError('topic-follower.worker.ts runs as a thread')

const tell = (report: FollowerReport): void => port.postMessage(report)
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

const openLog = async (): Promise<Log> => {
  const { module, config, data_dir } = start.log
  const { openLog: open } = (await import(module ?? '#lib/log/open.ts')) as {
    openLog: (config: unknown, deps: { data_dir: string }) => Promise<Log>
  }
  for (;;) {
    try {
      return await open(unpackSecrets(config), { data_dir })
    } catch (error) {
      tell({ type: 'trouble', reason: wordsOf(error) })
      await new Promise((resolve) => setTimeout(resolve, retry_ms))
    }
  }
}

const log = await openLog()
/** Where the partitions end, but for those that hold nothing (any more). */
const ends = async (): Promise<Map<number, bigint>> =>
  new Map(
    (await log.lag(no_group, [start.topic]))
      .filter(({ low, high }) => high > low)
      .map(({ partition, high }) => [partition, high]),
  )

/** What was there before this thread: history. */
const begun = await ends()
/** Offset of the next record of each partition. */
const positions = new Map<number, bigint>()
let borders: { readonly id: number; readonly at: ReadonlyMap<number, bigint> }[] = []

const tellBorders = (): void => {
  borders = borders.filter(({ id, at }) => {
    const passed = [...at].every(([partition, end]) => (positions.get(partition) ?? 0n) >= end)
    if (passed) tell({ type: 'reached', id })
    return !passed
  })
}

const recordOf = (record: StoredRecord): FollowedRecord => ({
  value: record.value,
  header: record.headers['cairn-leaf'] ?? Buffer.alloc(0),
  code: record.headers['cairn-code']?.toString('latin1') ?? '',
  history: record.offset < (begun.get(record.partition) ?? 0n),
})

const follower = await log.follow({
  topic: start.topic,
  onRecords: (records) => {
    const last = records.at(-1)
    if (last === undefined) return
    tell({ type: 'records', records: records.map(recordOf) })
    positions.set(last.partition, last.offset + 1n)
    tellBorders()
  },
  onTrouble: (error) => tell({ type: 'trouble', reason: error.message }),
})

const stop = async (): Promise<void> => {
  await follower[Symbol.asyncDispose]()
  await log[Symbol.asyncDispose]()
  port.close()
}

const mark = async (id: number): Promise<void> => {
  borders.push({ id, at: await ends() })
  tellBorders()
}

port.on('message', (order: FollowerOrder) => {
  const done = order.type === 'stop' ? stop() : mark(order.id)
  done.catch((error: unknown) => tell({ type: 'trouble', reason: wordsOf(error) }))
})
