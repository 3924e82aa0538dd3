import { createInterface } from 'node:readline'
import type { BatchContext, LogBatch } from '#lib/log/port.ts'
import { openPlace, type LogPlace } from './log-open.ts'

/**
 * Another process on the log under test: `log-child.ts JSON`, speaking one JSON line each way.
 * - append: appends numbered records one after another and tells each acknowledged number, until killed
 * - fill:   appends `count` records of `bytes` bytes in calls of 100 and ends
 * - hold:   consumes one batch, plans it (as far as `plan_records`), tells it, and waits: on "done" it calls done() and tells the outcome
 */
export type ChildOrder = {
  readonly place: LogPlace
  readonly topic: string
  readonly role: 'append' | 'fill' | 'hold'
  readonly group?: string
  readonly count?: number
  readonly bytes?: number
  readonly first?: number
  readonly plan_records?: number
  readonly batch_bytes_max?: number
}

const order = JSON.parse(process.argv[2] ?? '') as ChildOrder
const tell = (message: object): void => void process.stdout.write(`${JSON.stringify(message)}\n`)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const log = await openPlace(order.place)

const append = async (): Promise<void> => {
  for (let number = order.first ?? 0; ; number++) {
    const value = Buffer.from(String(number))
    await log.append(order.topic, [{ key: Buffer.from('one'), value, headers: {} }])
    tell({ acknowledged: number })
  }
}

const fill = async (): Promise<void> => {
  const { count = 0, bytes = 0 } = order
  for (let at = 0; at < count; at += 100) {
    const records = Array.from({ length: Math.min(100, count - at) }, (_, index) => ({
      key: Buffer.from(`key ${at + index}`),
      value: Buffer.alloc(bytes, at + index),
      headers: {},
    }))
    await log.append(order.topic, records)
  }
  tell({ filled: count })
}

const hold = async (batch: LogBatch, ctx: BatchContext): Promise<void> => {
  const { topic, partition, records } = batch
  const last = records[Math.min(order.plan_records ?? records.length, records.length) - 1]
  const [lo, hi] = [records[0]?.offset ?? 0n, last?.offset ?? 0n]
  await ctx.plan({ topic, partition, lo, hi })
  const rss = process.memoryUsage().rss
  tell({ holding: { partition, lo: String(lo), hi: String(hi), records: records.length, rss } })
  for (;;) {
    const { value: line, done } = await lines.next()
    if (done === true) return
    if (line === 'memory') tell({ rss: process.memoryUsage().rss })
    if (line === 'done') break
  }
  try {
    await ctx.done(hi)
    tell({ outcome: 'done' })
  } catch (error) {
    tell({ outcome: error instanceof Error && 'code' in error ? error.code : String(error) })
  }
}

if (order.role === 'append') await append()
else if (order.role === 'fill') await fill()
else {
  const { group = 'hold', topic, batch_bytes_max } = order
  await log.subscribe({
    group,
    topics: [topic],
    onBatch: hold,
    ...(batch_bytes_max === undefined ? {} : { batch_bytes_max }),
  })
  tell({ subscribed: true })
  await new Promise(() => setInterval(() => undefined, 60_000))
}
await log[Symbol.asyncDispose]()
process.exit(0)
