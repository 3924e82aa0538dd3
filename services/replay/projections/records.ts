import type { EventBody } from '../body.ts'
import { bytes, int64, millis, text, tuples, uint32, uint64 } from '../columns.ts'
import { context, position, session, sseq, time } from '../common-columns.ts'
import type { Entry } from '../entry.ts'
import { defineRecordProjection } from '../projection.ts'

const no_bytes = Buffer.alloc(0)

type Chunk = EventBody<'response.chunk' | 'input.chunk'>['body']

const chunkOf = (entry: Entry): Chunk | null =>
  entry.problem === null &&
  (entry.event.type === 'response.chunk' || entry.event.type === 'input.chunk')
    ? entry.event.body
    : null

/** Where in the value the chunk's bytes begin: response bytes are kept once, in the value, and `responses` cuts them out. */
const chunkAt = (entry: Entry): number => {
  const chunk = chunkOf(entry)
  if (chunk === null) return 0
  const { value } = entry.stored
  // Behind the bytes stands, at most, the empty list of what was masked: one zero byte.
  for (const behind of [1, 0]) {
    const at = value.length - behind - chunk.bytes.length
    if (chunk.bytes.compare(value, at, at + chunk.bytes.length) === 0) return at
  }
  return value.indexOf(chunk.bytes)
}

const commandOf = (entry: Entry): number => {
  if (entry.problem !== null) return -1
  if (entry.event.type === 'command.received') return entry.header?.sseq ?? -1
  return 'command' in entry.event.body ? entry.event.body.command : -1
}

const masked = (entry: Entry) => {
  const chunk = chunkOf(entry)
  return chunk !== null && 'masked' in chunk ? chunk.masked : []
}

export const records = defineRecordProjection({
  table: 'records',
  columns: [
    ...position,
    millis('logged', ({ stored }) => stored.timestamp_ms),
    text('problem', ({ problem }) => problem ?? ''),
    text('detail', (entry) => (entry.problem === null ? '' : entry.detail)),
    text('gateway_id', ({ header }) => header?.gateway.toString('hex') ?? ''),
    text('epoch', ({ header }) => header?.epoch.toString('hex') ?? ''),
    uint64('gseq', ({ header }) => header?.gseq ?? 0),
    session,
    sseq,
    time,
    uint64('mono_ns', ({ header }) => header?.mono_ns ?? 0),
    text('code', ({ header }) => header?.code ?? ''),
    text('event', (entry) => (entry.problem === null ? entry.event.type : '')),
    uint32('schema_id', ({ schema_id }) => schema_id),
    uint64('value_bytes', ({ header }) => header?.value_bytes ?? 0),
    context,
    int64('command', commandOf),
    text('chunk_stream', (entry) => chunkOf(entry)?.stream ?? ''),
    text('chunk_format', (entry) => chunkOf(entry)?.format ?? ''),
    uint64('chunk_start', (entry) => chunkOf(entry)?.offset ?? 0),
    uint32('chunk_at', chunkAt),
    uint32('chunk_bytes', (entry) => chunkOf(entry)?.bytes.length ?? 0),
    tuples<{ readonly rule: string; readonly count: number }>(
      'rule String, count UInt64',
      ({ rule, count }) => [rule, count],
    )('chunk_masked', masked),
    bytes('key', ({ problem, stored }) => (problem === null ? no_bytes : stored.key)),
    bytes('header', ({ header_bytes }) => header_bytes),
    bytes('value', ({ stored }) => stored.value),
  ],
})
