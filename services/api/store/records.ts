import { decodeValue } from '#core/events/codec.ts'
import { eventJson, type JsonObject } from '#core/events/json.ts'
import type { QueryReader } from './reader.ts'

/** Values of one page, bytes; a single larger record still comes alone. */
const page_bytes_max = 8 * 1024 * 1024

/** A record as the API shows it. */
export type SessionRecord = {
  readonly sseq: number
  readonly type: string
  readonly code: string
  readonly time_us: number
  readonly gateway: string
  readonly epoch: string
  readonly gseq: number
  /** Leaf hash, hex. */
  readonly leaf: string
  /** Fields of the event's body; empty when it was not understood. */
  readonly event: JsonObject
  /** Why it was not understood; null if it was. */
  readonly problem: string | null
}

export type RecordPage = {
  readonly items: readonly SessionRecord[]
  /** More records are there now. */
  readonly more: boolean
  /** The last record so far (of this page, or before it) is session.ended. */
  readonly ended: boolean
}

type SizeRow = { readonly sseq: number; readonly value_bytes: number }

type RecordRow = {
  readonly sseq: number
  readonly event: string
  readonly code: string
  readonly time_us: number
  readonly gateway: string
  readonly epoch: string
  readonly gseq: number
  readonly leaf: string
  readonly problem: string
  readonly value: string
}

const decoded = (
  row: RecordRow,
): { readonly event: JsonObject; readonly problem: string | null } => {
  if (row.problem !== '') return { event: {}, problem: row.problem }
  const value = decodeValue(Buffer.from(row.value, 'base64'))
  if (!value.ok) return { event: {}, problem: value.reason }
  const { time: _time, context: _context, ...event } = eventJson(value.type, value.event)
  return { event, problem: null }
}

const recordOf = (row: RecordRow): SessionRecord => ({
  sseq: row.sseq,
  type: row.event,
  code: row.code,
  time_us: row.time_us,
  gateway: row.gateway,
  epoch: row.epoch,
  gseq: row.gseq,
  leaf: row.leaf,
  ...decoded(row),
})

/** Where a page ends that begins behind `after`: by count and by bytes, whichever comes first. */
const pageEnd = (
  sizes: readonly SizeRow[],
  limit: number,
): { readonly last: number; readonly more: boolean } | undefined => {
  let bytes = 0
  let last: number | undefined
  for (const [index, { sseq, value_bytes }] of sizes.entries()) {
    bytes += value_bytes
    if (last !== undefined && (index >= limit || bytes > page_bytes_max))
      return { last, more: true }
    last = sseq
  }
  return last === undefined ? undefined : { last, more: false }
}

/** Records of a session behind `after` (a sequence number; -1: from the first), in order. */
export const listRecords = async (
  reader: QueryReader,
  session: string,
  after: number,
  limit: number,
): Promise<RecordPage> => {
  const sizes = await reader.query<SizeRow>(
    `SELECT sseq, value_bytes FROM records WHERE session = {session:String} AND sseq >= {from:UInt64}
     ORDER BY sseq LIMIT {limit:UInt32}`,
    { session, from: after + 1, limit: limit + 1 },
  )
  const end = pageEnd(sizes, limit)
  if (end === undefined) {
    const last = await reader.query<{ readonly event: string }>(
      'SELECT event FROM records WHERE session = {session:String} ORDER BY sseq DESC LIMIT 1',
      { session },
    )
    return { items: [], more: false, ended: last[0]?.event === 'session.ended' }
  }
  const rows = await reader.query<RecordRow>(
    `SELECT sseq, event, code, toUnixTimestamp64Micro(time) AS time_us, gateway, epoch, gseq, leaf, problem,
       base64Encode(value) AS value
     FROM records
     WHERE session = {session:String} AND sseq >= {from:UInt64} AND sseq <= {last:UInt64}
     ORDER BY sseq, gateway_id, epoch, gseq`,
    { session, from: after + 1, last: end.last },
  )
  return {
    items: rows.map(recordOf),
    more: end.more,
    ended: !end.more && rows.at(-1)?.event === 'session.ended',
  }
}
