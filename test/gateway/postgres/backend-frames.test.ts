import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  openBackendWalker,
  whole_message_bytes_max,
} from '../../../services/gateway/protocols/postgres/backend-frames.ts'
import { wire } from '../../support/wire-client.ts'

/** Walks chunks; messages that come in pieces are put together again. `invalid` ends the walk. */
const walk = (chunks: readonly Buffer[]): string[] => {
  const walker = openBackendWalker()
  const seen: string[] = []
  let open = ''
  for (const chunk of chunks) {
    walker.push(chunk)
    for (;;) {
      const piece = walker.next()
      if (piece === null) break
      if (piece === 'invalid') return [...seen, 'invalid']
      const bytes = piece.buffer.toString('hex', piece.start, piece.end)
      open = piece.first ? bytes : open + bytes
      if (piece.last) seen.push(open)
    }
  }
  return seen
}

const types = 'DTNAVd123CIsntEZSGHWc'
const fixture = types.split('').map((type, i) => wire.message(type, Buffer.alloc(i * 3, type)))

describe('a server stream is walked message by message', () => {
  const all = Buffer.concat(fixture)
  const expected = fixture.map((message) => message.toString('hex'))

  it('in one chunk, a byte at a time, and cut in two at every offset', () => {
    expect(walk([all])).toEqual(expected)
    expect(walk([...all].map((byte) => Buffer.from([byte])))).toEqual(expected)
    for (let at = 0; at <= all.length; at++)
      expect(walk([all.subarray(0, at), all.subarray(at)])).toEqual(expected)
  })

  it('whatever the messages and the cuts are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...types.split('')), fc.uint8Array({ maxLength: 200 }))),
        fc.array(fc.nat(3000), { maxLength: 20 }),
        (messages, cuts) => {
          const built = messages.map(([type, body]) => wire.message(type, Buffer.from(body)))
          const bytes = Buffer.concat(built)
          const places = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b)]
          const chunks = places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length))
          expect(walk(chunks)).toEqual(built.map((message) => message.toString('hex')))
        },
      ),
    )
  })

  it('gives messages that decide something whole, rows in pieces and uncopied', () => {
    const walker = openBackendWalker()
    const error = wire.message('E', Buffer.from('SERROR\0Mno\0\0'))
    walker.push(error.subarray(0, 7))
    expect(walker.next()).toBeNull()
    walker.push(error.subarray(7))
    expect(walker.next()).toMatchObject({ type: 0x45, first: true, last: true, end: error.length })
    const row = wire.message('D', Buffer.alloc(100))
    const chunk = row.subarray(0, 50)
    walker.push(chunk)
    const piece = walker.next()
    expect(piece).toMatchObject({ first: true, last: false, start: 0, end: 50 })
    expect(piece !== null && piece !== 'invalid' && piece.buffer === chunk).toBe(true)
  })
})

describe('bytes that are no message are seen', () => {
  const header = (type: string, length: number): Buffer => {
    const bytes = Buffer.alloc(5)
    bytes.write(type, 'latin1')
    bytes.writeInt32BE(length, 1)
    return bytes
  }

  it.each([
    ['an unknown type', header('x', 4)],
    ['a length below four', header('D', 3)],
    ['a negative length', header('D', -5)],
    ['an error that is too long to be collected', header('E', whole_message_bytes_max + 1)],
  ])('%s', (_, bytes) => {
    expect(walk([bytes])).toEqual(['invalid'])
    expect(walk([bytes.subarray(0, 2), bytes.subarray(2)])).toEqual(['invalid'])
  })
})
