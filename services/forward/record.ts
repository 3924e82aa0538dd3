import { byCode } from '#core/events/catalogue.ts'
import { decodeValue, type DecodedEvent } from '#core/events/codec.ts'
import { decodeHeader, leafHash, zero_hash, type RecordHeader } from '#core/events/header.ts'
import type { StoredRecord } from '#lib/log/port.ts'

/**
 * A record of the log as formats see it: as much of it as could be read. Nothing is skipped: what
 * cannot be read is passed on raw.
 */
export type ForwardedRecord = {
  /**
   * Unique in the deployment: gateway/epoch/gseq, or the place in the log where the header cannot
   * be read. Two deliveries of a record have the same.
   */
  readonly id: string
  /** Event code as the record's own header says; empty if it says nothing. */
  readonly code: string
  /**
   * When it was minted, microseconds since the Unix epoch; when the log took it, where that cannot
   * be read.
   */
  readonly time_us: number
  /**
   * Name of the gateway process; its id in hex where the value cannot be read; empty if unknown.
   */
  readonly gateway: string
  readonly header: RecordHeader | null
  /** Leaf hash, hex. */
  readonly leaf: string | null
  /**
   * Session id, hex; null without a session. The session id of session.started is its own leaf
   * hash.
   */
  readonly session: string | null
  readonly event: DecodedEvent | null
  /** Why there is no event. */
  readonly unread: string | null
  readonly value: Buffer
}

const codePattern = /^[\x21-\x7e]{1,32}$/

const sessionOf = (header: RecordHeader, leaf: Buffer): string | null => {
  if (header.code === 'CRN1100I') return leaf.toString('hex')
  return header.session.equals(zero_hash) ? null : header.session.toString('hex')
}

const readEvent = (
  value: Buffer,
  code: string,
): { readonly event: DecodedEvent | null; readonly unread: string | null } => {
  const decoded = decodeValue(value)
  if (!decoded.ok) return { event: null, unread: `${decoded.reason}: ${decoded.detail}` }
  if (byCode.get(code)?.type !== decoded.type)
    return { event: null, unread: `a value of ${decoded.type} under the code ${code}` }
  return { event: decoded, unread: null }
}

/** Reads what a record of the log holds. Never throws. */
export const readRecord = (record: StoredRecord): ForwardedRecord => {
  const stated = record.headers['cairn-code']?.toString('latin1') ?? ''
  const bytes = record.headers['cairn-leaf']
  const decoded = bytes === undefined ? null : decodeHeader(bytes)
  const header = decoded?.ok === true ? decoded.header : null
  const leaf = header === null || bytes === undefined ? null : leafHash(bytes)
  const code = header?.code ?? (codePattern.test(stated) ? stated : '')
  const { event, unread } = readEvent(record.value, code)
  const gateway = event?.event.context.gateway ?? header?.gateway.toString('hex') ?? ''
  return {
    id:
      header === null
        ? `${record.topic}/${record.partition}/${record.offset}`
        : `${gateway}/${header.epoch.toString('hex')}/${header.gseq}`,
    code,
    time_us: event?.event.time ?? header?.wall_us ?? record.timestamp_ms * 1_000,
    gateway,
    header,
    leaf: leaf?.toString('hex') ?? null,
    session: header === null || leaf === null ? null : sessionOf(header, leaf),
    event,
    unread: decoded?.ok === false ? `header: ${decoded.detail}` : unread,
    value: record.value,
  }
}
