import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBackendDecoder, type BackendMessage } from '#core/postgres/backend-messages.ts'

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int16 = (value: number): Buffer => int32(value).subarray(2)
const text = (value: string): Buffer => Buffer.from(`${value}\0`)

const message = (code: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(code), int32(body.length + 4), body])
}

const field = (name: string, oid: number, format: number): Buffer =>
  Buffer.concat([
    text(name),
    int32(16_384),
    int16(1),
    int32(oid),
    int16(4),
    int32(-1),
    int16(format),
  ])

const value = (bytes: string | null): Buffer =>
  bytes === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(bytes)), Buffer.from(bytes)])

const stream = Buffer.concat([
  message('1'),
  message('2'),
  message('t', int16(1), int32(23)),
  message('T', int16(2), field('id', 23, 1), field('naïve', 25, 0)),
  message('D', int16(2), value('\u0000\u0000\u0000\u0001'), value('größe')),
  message('D', int16(2), value(null), value('')),
  message('s'),
  message('C', text('SELECT 2')),
  message('N', Buffer.from('S'), text('NOTICE'), Buffer.from('M'), text('hi'), Buffer.from([0])),
  message('E', Buffer.from('C'), text('42P01'), Buffer.from('M'), text('none'), Buffer.from([0])),
  message('H', Buffer.from([0]), int16(2), int16(0), int16(0)),
  message('d', Buffer.from('1\ta\n')),
  message('c'),
  message('A', int32(7), text('jobs'), text('now')),
  message('S', text('TimeZone'), text('UTC')),
  message('V', value('x')),
  message('I'),
  message('n'),
  message('3'),
  message('v', int32(0), int32(0)),
  message('Z', Buffer.from('T')),
])

const expected: readonly BackendMessage[] = [
  { type: 'parse_complete' },
  { type: 'bind_complete' },
  { type: 'parameter_description', type_oids: [23] },
  {
    type: 'row_description',
    fields: [
      { name: 'id', type_oid: 23, format: 'binary' },
      { name: 'naïve', type_oid: 25, format: 'text' },
    ].map(({ name, type_oid, format }) => ({
      name,
      table_oid: 16_384,
      column: 1,
      type_oid,
      type_bytes: 4,
      type_modifier: -1,
      format: format === 'binary' ? 'binary' : 'text',
    })),
  },
  { type: 'data_row', values: [Buffer.from([0, 0, 0, 1]), Buffer.from('größe')] },
  { type: 'data_row', values: [null, Buffer.alloc(0)] },
  { type: 'portal_suspended' },
  { type: 'command_complete', tag: 'SELECT 2' },
  { type: 'notice', fields: { S: 'NOTICE', M: 'hi' } },
  { type: 'error', fields: { C: '42P01', M: 'none' } },
  { type: 'copy_response', direction: 'out', format: 'text', columns: 2 },
  { type: 'copy_data', data: Buffer.from('1\ta\n') },
  { type: 'copy_done' },
  { type: 'notification', pid: 7, channel: 'jobs', payload: 'now' },
  { type: 'parameter_status', name: 'TimeZone', value: 'UTC' },
  { type: 'function_result', value: Buffer.from('x') },
  { type: 'empty_query' },
  { type: 'no_data' },
  { type: 'close_complete' },
  { type: 'skipped', code: 'v', bytes: 8, why: 'unknown' },
  { type: 'ready', status: 'T' },
]

const decode = (chunks: readonly Buffer[], options = {}): readonly BackendMessage[] => {
  const decoder = createBackendDecoder(options)
  return chunks.flatMap((chunk) => decoder.push(chunk))
}

describe('the decoder of recorded responses', () => {
  it('reads every message of a stream', () => {
    expect(decode([stream])).toEqual(expected)
  })

  it('reads the same a byte at a time', () => {
    expect(decode(Array.from(stream, (byte) => Buffer.from([byte])))).toEqual(expected)
  })

  it('reads the same cut at every offset', () => {
    for (let at = 0; at <= stream.length; at += 1)
      expect(decode([stream.subarray(0, at), stream.subarray(at)])).toEqual(expected)
  })

  it('says how much of a message is missing its end', () => {
    const decoder = createBackendDecoder()
    decoder.push(stream.subarray(0, 3))
    expect(decoder.pending_bytes).toBe(3)
  })

  it.for([
    ['a length below four', Buffer.concat([Buffer.from('D'), int32(3)])],
    ['a negative length', Buffer.concat([Buffer.from('D'), int32(-1)])],
    ['more values than bytes', message('D', int16(500))],
    ['a value longer than its message', message('D', int16(1), int32(1000))],
    ['a value with a negative length', message('D', int16(1), int32(-2))],
    ['a text without an end', message('C', Buffer.from('SELECT'))],
    ['bytes behind the last field', message('Z', Buffer.from('II'))],
  ] as const)('stops at %s', ([, bytes]) => {
    const messages = decode([Buffer.concat([message('1'), bytes, message('2')])])
    expect(messages.map(({ type }) => type)).toEqual(['parse_complete', 'malformed'])
  })

  it('passes over a message above the limit without keeping it', () => {
    const decoder = createBackendDecoder({ message_bytes_max: 100 })
    expect(decoder.push(Buffer.concat([Buffer.from('d'), int32(2 ** 31 - 1)]))).toEqual([
      { type: 'skipped', code: 'd', bytes: 2 ** 31 - 5, why: 'too_large' },
    ])
    const large = message('d', Buffer.alloc(1000))
    const small = message('Z', Buffer.from('I'))
    const all = Buffer.concat([large, small])
    for (const size of [1, 7, 1004, 1005, 1006, 2000]) {
      const chunks = []
      for (let at = 0; at < all.length; at += size) chunks.push(all.subarray(at, at + size))
      expect(decode(chunks, { message_bytes_max: 100 })).toEqual([
        { type: 'skipped', code: 'd', bytes: 1000, why: 'too_large' },
        { type: 'ready', status: 'I' },
      ])
    }
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 8 }), (chunks) => {
        decode(chunks.map((chunk) => Buffer.from(chunk)))
      }),
      { numRuns: 2000 },
    )
  })
})
