import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { catalogue } from '#core/events/catalogue.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, leafHash, valueHash, zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import type { Log, LogRecord } from '#lib/log/port.ts'
import { applyTopics } from '#lib/log/topics.ts'
import { contextOf, sample_time_us, sampleContext, samples } from '../core/events/samples.ts'

/** Records as a gateway would append them, and a log of one's own to append them to. */

const gateway = Buffer.alloc(16, 7)
export const epoch = Buffer.alloc(16, 8)

/** One event's record. A context with a session of zeros makes it one without a session. */
export const recordOf = <T extends EventType>(
  type: T,
  gseq: number,
  body: EventBodies[T] = samples[type],
  context: Context = contextOf(type),
): LogRecord => {
  const entry = catalogue[type]
  const { session } = context
  const value = encodeValue(type, sample_time_us + gseq, encodeContext(context), body)
  const started = type === 'session.started'
  const header = encodeHeader({
    gateway,
    epoch,
    gseq,
    session: started ? zero_hash : session,
    sseq: session.equals(zero_hash) || started ? 0 : gseq,
    sprev: zero_hash,
    code: entry.code,
    wall_us: sample_time_us + gseq,
    mono_ns: gseq,
    schema: entry.schemaHash,
    value: valueHash(value),
    value_bytes: value.length,
  })
  return {
    key: started ? leafHash(header) : session.equals(zero_hash) ? gateway : session,
    value,
    headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(entry.code) },
  }
}

/** Records of `count` commands, from `first` on, over several sessions. */
export const commands = (first: number, count: number): readonly LogRecord[] =>
  Array.from({ length: count }, (_, at) => {
    const gseq = first + at
    const body = { ...samples['command.refused'], command: gseq }
    const session = Buffer.alloc(32, (gseq % 7) + 1)
    return recordOf('command.refused', gseq, body, { ...sampleContext, session })
  })

export interface TestLog extends AsyncDisposable {
  readonly log: Log
  readonly path: string
}

/** An embedded log in a folder of its own, or another opening of the one at `path`. */
export const openTestLog = async (path?: string): Promise<TestLog> => {
  const folder = path === undefined ? await mkdtemp(join(tmpdir(), 'cairn-forward-')) : null
  const file = path ?? join(folder ?? '', 'cairn.sqlite')
  const log = openEmbeddedLog({ path: file, now_ms: Date.now, id: randomUUID, heartbeat_ms: 100 })
  await applyTopics(log, { partitions: 3, replication: 1, retention_hours: 24 })
  return {
    log,
    path: file,
    [Symbol.asyncDispose]: async () => {
      await log[Symbol.asyncDispose]()
      if (folder !== null) await rm(folder, { recursive: true, force: true })
    },
  }
}
