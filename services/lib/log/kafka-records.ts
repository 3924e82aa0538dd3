import type { KafkaMessage } from 'kafkajs'
import type { LogRange, StoredRecord } from './port.ts'
import { recordBytes } from './record-check.ts'

const bytesOf = (value: unknown): Buffer => {
  if (Buffer.isBuffer(value)) return value
  if (Array.isArray(value)) return bytesOf(value.at(-1))
  return typeof value === 'string' ? Buffer.from(value) : Buffer.alloc(0)
}

/** A message as the port has it: a missing key or value is empty, of several headers of a name the last counts. */
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
export const planMetadata = (hi: bigint): string => JSON.stringify({ hi: String(hi) })

export const readPlan = (
  offset: bigint,
  metadata: string | null,
): Pick<LogRange, 'lo' | 'hi'> | null => {
  const hi = /^\{"hi":"(\d{1,19})"\}$/.exec(metadata ?? '')?.[1]
  return hi === undefined || BigInt(hi) < offset ? null : { lo: offset, hi: BigInt(hi) }
}

/** The beginning of `records` that makes a batch: the first one whatever its size. */
export const headOf = (
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
