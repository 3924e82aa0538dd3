import { readlinkSync } from 'node:fs'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { CairnError, type ErrorCode } from '#lib/error.ts'
import type { Log, LogRecord } from '#lib/log/port.ts'
import { openJournalWalk, type JournalWalk } from './journal-walk.ts'
import { unpackSecrets } from './secret-clone.ts'
import { openShipPosition, type ShipPosition } from './ship-position.ts'
import { isBefore, unpackPosition, type JournalPosition } from './segment.ts'
import {
  cell_durable,
  cell_sleeping,
  type ShipperOrder,
  type ShipperReport,
  type ShipperStart,
} from './shipper-messages.ts'

/**
 * The shipper's thread: reads what is durable in the journal and appends it to the log, in order, the same batch again until
 * the log has taken it; then the position moves.
 */
const batch_records_max = 4_000
const batch_bytes_max = 4 * 1024 * 1024
/** While the log is down. */
const retry_ms = { first: 50, max: 2_000 } as const
/** The gateway's loop goes first where both want the processor; a third of its share still keeps up. */
const nice_value = 5

/** Errors after which a log is of no use any more. */
const reopened: ReadonlySet<ErrorCode> = new Set(['log_closed', 'log_invalid'])

const start = workerData as ShipperStart
const port = parentPort
if (port === null) throw new TypeError('shipper.worker.ts runs as a thread')

const durable_cell = new BigInt64Array(start.cells)
const flag_cells = new Int32Array(start.cells)
const stop = new AbortController()
let wake: () => void = () => undefined

const tell = (report: ShipperReport): void => port.postMessage(report)

const durablePosition = (): JournalPosition =>
  unpackPosition(Atomics.load(durable_cell, cell_durable))

/** Linux gives each thread a priority of its own; elsewhere this thread has the process's. */
const giveWay = (): void => {
  try {
    const thread = /\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self'))?.[1]
    if (thread !== undefined) setPriority(Number(thread), nice_value)
  } catch {
    // No such thing here: everything works, with less regard for the gateway's loop.
  }
}

const openLog = async (): Promise<Log> => {
  const { module, config, data_dir } = start.log
  const { openLog: open } = (await import(module ?? '#lib/log/open.ts')) as {
    openLog: (config: unknown, deps: { data_dir: string }) => Promise<Log>
  }
  return open(unpackSecrets(config), { data_dir })
}

type Batch = {
  readonly by_topic: ReadonlyMap<string, readonly LogRecord[]>
  readonly records: number
  readonly end: JournalPosition
}

/** Takes the next records, at most a batch; null if there are none. */
const collect = (walk: JournalWalk): Batch | null => {
  const by_topic = new Map<string, LogRecord[]>()
  const durable = durablePosition()
  let records = 0
  let bytes = 0
  let end: JournalPosition | null = null
  while (records < batch_records_max && bytes < batch_bytes_max) {
    const item = walk.next(durable)
    if (item.kind === 'wait') break
    if (item.kind === 'fault') tell({ type: 'fault', segment: item.segment, detail: item.detail })
    else if (item.kind === 'torn') {
      const detail = `bytes from ${item.at} on are no records`
      tell({ type: 'fault', segment: item.segment, detail })
    } else {
      const { topic, key, value, header, code } = item.frame
      const record = { key, value, headers: { 'cairn-leaf': header, 'cairn-code': code } }
      const list = by_topic.get(topic)
      if (list === undefined) by_topic.set(topic, [record])
      else list.push(record)
      records++
      bytes += value.length + header.length
      end = item.end
    }
  }
  return end === null ? null : { by_topic, records, end }
}

/** Runs something until it works or the thread is to end; tells when trouble begins and when it is over. */
const insist = async <T>(attempt: () => Promise<T>, recover: () => Promise<void>): Promise<T> => {
  for (let wait_ms: number = retry_ms.first; ; wait_ms = Math.min(wait_ms * 2, retry_ms.max)) {
    try {
      const result = await attempt()
      if (wait_ms !== retry_ms.first) tell({ type: 'trouble', reason: null })
      return result
    } catch (error) {
      tell({ type: 'trouble', reason: error instanceof Error ? error.message : String(error) })
      await sleep(wait_ms)
      if (error instanceof CairnError && reopened.has(error.code)) await recover()
    }
  }
}

const pause = async (from: JournalPosition): Promise<void> => {
  const woken = new Promise<void>((resolve) => (wake = resolve))
  Atomics.store(flag_cells, cell_sleeping, 1)
  // What became durable before the flag stood would wake nobody.
  if (!isBefore(from, durablePosition()) && !stop.signal.aborted) await woken
  Atomics.store(flag_cells, cell_sleeping, 0)
}

const linger = async (): Promise<void> => {
  if (start.linger_ms === 0 || stop.signal.aborted) return
  await sleep(start.linger_ms, undefined, { signal: stop.signal }).catch(() => undefined)
}

/** A position that cannot be written makes the next start ship records twice, nothing worse. */
const keepPosition = (position: ShipPosition, end: JournalPosition): void => {
  try {
    position.write(end)
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    tell({ type: 'note', message: `the position in the journal cannot be written: ${detail}` })
  }
}

const ship = async (): Promise<void> => {
  using position = openShipPosition(start.folder)
  using walk = openJournalWalk(start.folder, start.from)
  const never = async (): Promise<void> => undefined
  let log = await insist(openLog, never)
  const reopen = async (): Promise<void> => {
    await Promise.resolve(log[Symbol.asyncDispose]()).catch(() => undefined)
    log = await insist(openLog, never)
  }
  for (;;) {
    const batch = collect(walk)
    if (batch === null) {
      if (stop.signal.aborted && !isBefore(walk.position(), durablePosition())) break
      await pause(walk.position())
      await linger()
      continue
    }
    for (const [topic, records] of batch.by_topic)
      await insist(() => log.append(topic, records), reopen)
    keepPosition(position, batch.end)
    tell({ type: 'acked', position: batch.end, records: batch.records })
    if (batch.records < batch_records_max) await linger()
  }
  await log[Symbol.asyncDispose]()
}

port.on('message', (order: ShipperOrder) => {
  if (order.type === 'stop') stop.abort()
  wake()
})
if (start.nice) giveWay()
await ship()
tell({ type: 'stopped' })
port.close()
