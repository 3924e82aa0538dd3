import type { DatabaseSync } from 'node:sqlite'
import { CairnError } from '#lib/error.ts'
import { offsets_per_partition, type EmbeddedDatabase } from './embedded-database.ts'
import { recordBytes } from './record-check.ts'
import type { LogRecord, StoredRecord } from './port.ts'

/*
 * headers = { name_length u16, name UTF-8, value_length u32, value }     integers big-endian; none: empty
 */
export const encodeHeaders = (headers: LogRecord['headers']): Buffer => {
  let length = 0
  for (const name in headers) length += 6 + Buffer.byteLength(name) + (headers[name]?.length ?? 0)
  const bytes = Buffer.allocUnsafe(length)
  let at = 0
  for (const name in headers) {
    const value = headers[name]
    const name_end = at + 2 + bytes.write(name, at + 2)
    bytes.writeUInt16BE(name_end - at - 2, at)
    at = bytes.writeUInt32BE(value?.length ?? 0, name_end)
    if (value !== undefined) at += value.copy(bytes, at)
  }
  return bytes
}

export const decodeHeaders = (bytes: Buffer): Record<string, Buffer> => {
  const headers: Record<string, Buffer> = {}
  let at = 0
  while (at < bytes.length) {
    const name_end = at + 2 + bytes.readUInt16BE(at)
    const value_end = name_end + 4 + bytes.readUInt32BE(name_end)
    headers[bytes.toString('utf8', at + 2, name_end)] = bytes.subarray(name_end + 4, value_end)
    at = value_end
  }
  return headers
}

/** What a partition's row says. */
export type PartitionRow = {
  readonly id: number
  readonly topic: string
  readonly partition: number
  readonly low: number
  readonly next: number
}

const asBuffer = (bytes: unknown): Buffer => {
  const view = bytes as Uint8Array
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength)
}

type RecordRow = readonly [
  id: number,
  timestamp_ms: number,
  key: Uint8Array,
  headers: Uint8Array,
  value: Uint8Array,
]

/** Reads records in offset order; each call is one short read transaction. */
export const openRecordReader = (database: DatabaseSync) => {
  const select = database.prepare(
    'SELECT id, timestamp_ms, key, headers, value FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?',
  )
  select.setReturnArrays(true)

  /** Offsets `from` to `to` (exclusive), at most so many records and bytes; the first record comes whatever its size. */
  const fetch = (
    at: Pick<PartitionRow, 'id' | 'topic' | 'partition'>,
    from: number,
    to: number,
    max: { readonly records: number; readonly bytes: number },
  ): StoredRecord[] => {
    const base = at.id * offsets_per_partition
    const records: StoredRecord[] = []
    let bytes = 0
    for (const row of select.iterate(base + from, base + to, max.records)) {
      const [id, timestamp_ms, key, headers, value] = row as unknown as RecordRow
      const record: StoredRecord = {
        topic: at.topic,
        partition: at.partition,
        offset: BigInt(id - base),
        timestamp_ms,
        key: asBuffer(key),
        value: asBuffer(value),
        headers: decodeHeaders(asBuffer(headers)),
      }
      bytes += recordBytes(record)
      if (records.length > 0 && bytes > max.bytes) break
      records.push(record)
    }
    return records
  }
  return { fetch }
}

export type RecordReader = ReturnType<typeof openRecordReader>

/** Appends inside a transaction that the group commit has begun. */
export const openRecordWriter = ({ writer }: EmbeddedDatabase) => {
  const insert = writer.prepare(
    'INSERT INTO records (id, timestamp_ms, key, headers, value) VALUES (?, ?, ?, ?, ?)',
  )
  const selectNext = writer.prepare('SELECT next FROM partitions WHERE id = ?')
  const update = writer.prepare('UPDATE partitions SET next = ?, bytes = bytes + ? WHERE id = ?')
  const touched = new Map<number, { next: number; bytes: number }>()
  let now_ms = 0

  const tail = (id: number): { next: number; bytes: number } => {
    const known = touched.get(id)
    if (known !== undefined) return known
    const row = selectNext.get(id)
    if (row === undefined)
      throw new CairnError('log_invalid', `partition ${id} is gone from the embedded log`)
    const fresh = { next: Number(row['next']), bytes: 0 }
    touched.set(id, fresh)
    return fresh
  }

  return {
    begin: (timestamp_ms: number): void => {
      now_ms = timestamp_ms
      touched.clear()
    },
    /** @returns the offset that the record got. */
    append: (id: number, record: LogRecord): number => {
      const end = tail(id)
      const offset = end.next
      const row_id = id * offsets_per_partition + offset
      insert.run(row_id, now_ms, record.key, encodeHeaders(record.headers), record.value)
      end.next = offset + 1
      end.bytes += recordBytes(record)
      return offset
    },
    end: (): void => {
      for (const [id, { next, bytes }] of touched) update.run(next, bytes, id)
    },
  }
}
