import { byCode } from '#core/events/catalogue.ts'
import type { SchemaResolver } from '#core/events/codec.ts'
import { decodeHeader, leafHash, valueHash, type RecordHeader } from '#core/events/header.ts'
import { readFrame } from '#core/events/framing.ts'
import type { Context, EventType } from '#core/events/types.ts'
import type { StoredRecord } from '#lib/log/port.ts'
import { openBodyReader, type EventBody } from './body.ts'

/** Why a record was not understood. Stable: they stand in the tables, in dead letters and in metrics. */
export const problems = [
  'no_header',
  'bad_header',
  'header_mismatch',
  'value_mismatch',
  'bad_framing',
  'unknown_schema',
  'bad_body',
  'refused',
] as const

export type Problem = (typeof problems)[number]

type Read = {
  readonly stored: StoredRecord
  /** Bytes of the record header; empty without one. */
  readonly header_bytes: Buffer
  readonly header: RecordHeader | null
  /** Leaf hash; null without a header. */
  readonly leaf: Buffer | null
  /** Session id, hex; empty for a record without a session. */
  readonly session: string
  /** Id of the writer's schema on the wire; 0 without framing. */
  readonly schema_id: number
  readonly time_us: number
}

/** A record that was understood. */
export type EventEntry<T extends EventType = EventType> = Read & {
  readonly problem: null
  readonly event: EventBody<T>
  readonly context: Context
}

/** A record that was not. */
export type BrokenEntry = Read & { readonly problem: Problem; readonly detail: string }

/** A record of the log, read as far as it can be. Every one becomes a row of `records`; the ones without a problem feed the other tables. */
export type Entry = EventEntry | BrokenEntry

const no_bytes = Buffer.alloc(0)
const no_session = '0'.repeat(64)

/** Header of a log record that holds the record header. */
const leaf_header = 'cairn-leaf'

/**
 * Reads records of the log into entries; a function of the record alone, so that a record read again gives the same rows.
 * @param resolve finds a writer's schema that this version does not know
 */
export const openEntryReader = (resolve?: SchemaResolver): ((stored: StoredRecord) => Entry) => {
  const readBody = openBodyReader(resolve)

  return (stored) => {
    const header_bytes = stored.headers[leaf_header] ?? no_bytes
    const decoded = header_bytes.length === 0 ? null : decodeHeader(header_bytes)
    const header = decoded?.ok === true ? decoded.header : null
    const leaf = header === null ? null : leafHash(header_bytes)
    const base = {
      stored,
      header_bytes,
      header,
      leaf,
      session: sessionOf(header, leaf),
      schema_id: readFrame(stored.value) ?? 0,
      time_us: header?.wall_us ?? stored.timestamp_ms * 1000,
    }
    const broken = (problem: Problem, detail: string): Entry => ({ ...base, problem, detail })

    if (decoded === null) return broken('no_header', 'the record carries no record header')
    if (!decoded.ok) return broken('bad_header', decoded.detail)
    const { code, value, value_bytes } = decoded.header
    if (value_bytes !== stored.value.length || !valueHash(stored.value).equals(value))
      return broken('value_mismatch', 'the value is not the one that the header commits to')
    const read = readBody(base.session, stored.value)
    if (!read.ok) return broken(read.reason as Problem, read.detail)
    if (byCode.get(code)?.type !== read.event.type)
      return broken('header_mismatch', `the header says ${code}, the value is ${read.event.type}`)
    return { ...base, problem: null, event: read.event, context: read.context }
  }
}

const sessionOf = (header: RecordHeader | null, leaf: Buffer | null): string => {
  if (header === null || leaf === null) return ''
  if (header.code === 'CRN1100I') return leaf.toString('hex')
  const session = header.session.toString('hex')
  return session === no_session ? '' : session
}
