import { randomBytes } from 'node:crypto'
import { catalogue } from '#core/events/catalogue.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, valueHash } from '#core/events/header.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import type { LogRecord } from '#lib/log/port.ts'

/** A well-formed record that no part of Cairn made: what somebody appends who can write to the log and has no key. */
export const forgedRecord = <T extends EventType>(
  type: T,
  context: Context,
  body: EventBodies[T],
): LogRecord => {
  const value = encodeValue(type, Date.now() * 1000, encodeContext(context), body)
  const { code, schemaHash } = catalogue[type]
  const header = encodeHeader({
    gateway: Buffer.alloc(16, 1),
    epoch: randomBytes(16),
    gseq: 0,
    session: Buffer.alloc(32),
    sseq: 0,
    sprev: Buffer.alloc(32),
    code,
    wall_us: Date.now() * 1000,
    mono_ns: 0,
    schema: schemaHash,
    value: valueHash(value),
    value_bytes: value.length,
  })
  return {
    key: Buffer.alloc(16, 1),
    value,
    headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(code) },
  }
}
