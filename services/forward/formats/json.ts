import { eventJson, type JsonObject } from '#core/events/json.ts'
import { defineFormat, type Body } from '../format.ts'
import type { ForwardedRecord } from '../record.ts'
import { asciiJson } from './ascii-json.ts'
import { cutToFit } from './json-cut.ts'

const eventOf = ({ event }: ForwardedRecord): JsonObject | null =>
  // The union's members fit each other by construction; the compiler sees only the union.
  event === null ? null : eventJson(event.type as 'session.ended', event.event as never)

/**
 * The whole record as JSON data: what schemas/json describes under `event`, or the value as it is,
 * in base64, under `raw`.
 */
const recordJson = (record: ForwardedRecord): JsonObject => {
  const { id, code, header, leaf, session } = record
  const event = eventOf(record)
  return {
    id,
    code,
    type: record.event?.type ?? null,
    time: new Date(Math.floor(record.time_us / 1_000)).toISOString(),
    ...(header === null
      ? {}
      : { epoch: header.epoch.toString('hex'), gseq: header.gseq, sseq: header.sseq }),
    leaf,
    session,
    ...(event === null
      ? { unread: record.unread, raw: record.value.toString('base64') }
      : { event }),
  }
}

const body = (record: ForwardedRecord, bytes_max: number): Body => {
  const json = recordJson(record)
  const text = asciiJson(json)
  if (text.length <= bytes_max) return { text, full_bytes: text.length, cut: false }
  const marked = { ...json, cut: true, full_bytes: text.length }
  return { text: cutToFit(marked, bytes_max), full_bytes: text.length, cut: true }
}

export const jsonFormat = defineFormat({
  name: 'json',
  doc: 'The event as schemas/json describes it, with its ids and sequence numbers.',
  body,
})
