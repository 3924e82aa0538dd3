import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isFrameError,
  openFrontendFramer,
} from '../../../services/gateway/protocols/postgres/frontend-frames.ts'
import { wire } from '../../support/wire-client.ts'

const limit = 64 * 1024

type Seen = { readonly type: string; readonly bytes: string }

/** Feeds pieces and puts fragments of CopyData together again. */
const cut = (pieces: readonly Buffer[], bytes_max = limit): { seen: Seen[]; error: string } => {
  const framer = openFrontendFramer(bytes_max)
  const seen: Seen[] = []
  let copy = ''
  for (const piece of pieces) {
    framer.push(piece)
    for (;;) {
      const frame = framer.next()
      if (frame === null) break
      if (isFrameError(frame)) return { seen, error: frame.violation }
      const bytes = frame.buffer.toString('hex', frame.start, frame.end)
      copy = frame.first ? bytes : copy + bytes
      if (frame.last) seen.push({ type: String.fromCharCode(frame.type), bytes: copy })
    }
  }
  return { seen, error: '' }
}

const fixture = [
  wire.query('select 1'),
  wire.parse('select $1', 's', [23]),
  wire.bind(['a', null, Buffer.from([1, 2])], 's', 'p'),
  wire.describe('P', 'p'),
  wire.execute('p', 5),
  wire.close('S', 's'),
  wire.flush(),
  wire.sync(),
  wire.functionCall(1299, ['x']),
  wire.copyData('1\tone\n'),
  wire.copyData(''),
  wire.copyDone(),
  wire.copyFail('no'),
  wire.terminate(),
]

const expected = fixture.map((message) => ({
  type: String.fromCharCode(message[0]!),
  bytes: message.toString('hex'),
}))

const header = (type: string, length: number): Buffer => {
  const bytes = Buffer.alloc(5)
  bytes.write(type, 'latin1')
  bytes.writeInt32BE(length, 1)
  return bytes
}

describe('a client stream is cut into messages', () => {
  const all = Buffer.concat(fixture)

  it('that lie in one chunk', () => {
    expect(cut([all])).toEqual({ seen: expected, error: '' })
  })

  it('that come a byte at a time', () => {
    expect(cut([...all].map((byte) => Buffer.from([byte])))).toEqual({ seen: expected, error: '' })
  })

  it('that are cut in two at every offset', () => {
    for (let at = 0; at <= all.length; at++)
      expect(cut([all.subarray(0, at), all.subarray(at)])).toEqual({ seen: expected, error: '' })
  })

  it('whatever the messages and the cuts are', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom(...'QPBDECFdf'.split('')), fc.uint8Array({ maxLength: 300 })),
          {
            maxLength: 20,
          },
        ),
        fc.array(fc.nat(4000), { maxLength: 20 }),
        (messages, cuts) => {
          const built = messages.map(([type, body]) => wire.message(type, Buffer.from(body)))
          const bytes = Buffer.concat(built)
          const places = [0, ...cuts.filter((at) => at < bytes.length).sort((a, b) => a - b)]
          const pieces = places.map((at, i) => bytes.subarray(at, places[i + 1] ?? bytes.length))
          expect(cut(pieces).seen.map(({ bytes: hex }) => hex)).toEqual(
            built.map((message) => message.toString('hex')),
          )
        },
      ),
    )
  })

  it('without copying what lies in one chunk', () => {
    const framer = openFrontendFramer(limit)
    framer.push(all)
    const frame = framer.next()
    expect(frame !== null && !isFrameError(frame) && frame.buffer === all).toBe(true)
  })
})

describe('hostile lengths are refused', () => {
  it.each([
    ['zero', header('Q', 0)],
    ['less than itself', header('Q', 3)],
    ['negative', header('Q', -1)],
    ['the most negative', header('P', -0x8000_0000)],
    ['two gigabytes', header('Q', 0x7fff_ffff)],
    ['two gigabytes of COPY data', header('d', 0x7fff_ffff)],
    ['one more than the limit', header('B', limit + 1)],
    ['a body where there is none', header('S', 5)],
    ['a large message of a kind that is small', header('E', 10_001)],
  ])('%s', (_, bytes) => {
    expect(cut([bytes]).error).not.toBe('')
    expect(cut([...bytes].map((byte) => Buffer.from([byte]))).error).not.toBe('')
  })

  it('a type that is none', () => {
    expect(cut([header('z', 4)]).error).toContain('0x7a')
    expect(cut([header('\0', 4)]).error).not.toBe('')
    expect(cut([header('p', 4)]).error).not.toBe('')
  })

  it('and the largest good one is not', () => {
    const message = wire.message('Q', Buffer.alloc(limit - 4))
    expect(cut([message]).seen).toHaveLength(1)
  })
})

describe('memory is bounded by what has arrived', () => {
  it('a long announced message holds only its bytes', () => {
    const framer = openFrontendFramer(1024 * 1024 * 1024)
    framer.push(header('Q', 900 * 1024 * 1024))
    framer.push(Buffer.alloc(1000))
    expect(framer.next()).toBeNull()
    expect(framer.pending_bytes).toBe(1005)
  })

  it('COPY data of any size is handed on as it arrives', () => {
    const framer = openFrontendFramer(limit)
    framer.push(header('d', 100 * 1024 * 1024))
    for (let i = 0; i < 10; i++) {
      framer.push(Buffer.alloc(1000))
      while (framer.next() !== null);
      expect(framer.pending_bytes).toBe(0)
    }
  })
})
