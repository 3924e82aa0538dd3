import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  isFrameError,
  openFrontendFramer,
  type Frame,
} from '../../../services/gateway/protocols/postgres/frontend-frames.ts'
import {
  readBind,
  readExecute,
  readFunctionCall,
  readNamed,
  readOnlyString,
  readParse,
} from '../../../services/gateway/protocols/postgres/frontend-messages.ts'
import { wire } from '../../support/wire-client.ts'

const frameOf = (bytes: Buffer): Frame => {
  const framer = openFrontendFramer(1024 * 1024)
  framer.push(bytes)
  const frame = framer.next()
  if (frame === null || isFrameError(frame)) throw new Error('no frame')
  return frame
}

const body = (type: string, ...bytes: readonly (string | number)[]): Frame =>
  frameOf(
    wire.message(
      type,
      Buffer.concat(
        bytes.map((part) => (typeof part === 'string' ? Buffer.from(part) : Buffer.from([part]))),
      ),
    ),
  )

describe('bodies of client messages', () => {
  it('Query', () => {
    const frame = frameOf(wire.query('select 1'))
    const span = readOnlyString(frame)!
    expect(frame.buffer.toString('utf8', span.start, span.end)).toBe('select 1')
  })

  it('Parse', () => {
    const frame = frameOf(wire.parse('select $1', 'name', [23, 25]))
    const message = readParse(frame)!
    expect(message).toMatchObject({ name: 'name', oids: [23, 25] })
    expect(frame.buffer.toString('utf8', message.text.start, message.text.end)).toBe('select $1')
  })

  it('Bind', () => {
    const frame = frameOf(wire.bind(['text', null, Buffer.from([1])], 's', 'p'))
    const message = readBind(frame)!
    expect(message).toMatchObject({ statement: 's', portal: 'p' })
    expect(message.parameters.map(({ binary, length }) => [binary, length])).toEqual([
      [false, 4],
      [false, -1],
      [true, 1],
    ])
    const { start } = message.parameters[0]!
    expect(frame.buffer.toString('utf8', start, start + 4)).toBe('text')
  })

  it('one format code for all parameters', () => {
    const frame = body('B', 0, 0, 0, 1, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    expect(readBind(frame)!.parameters.map(({ binary }) => binary)).toEqual([true, true])
  })

  it('Execute, Describe, Close, FunctionCall', () => {
    expect(readExecute(frameOf(wire.execute('p', 7)))).toEqual({ portal: 'p', row_limit: 7 })
    expect(readNamed(frameOf(wire.describe('S', 's')))).toEqual({ statement: true, name: 's' })
    expect(readNamed(frameOf(wire.close('P', 'p')))).toEqual({ statement: false, name: 'p' })
    expect(readFunctionCall(frameOf(wire.functionCall(1299, ['a'])))).toMatchObject({ oid: 1299 })
  })

  it('names are cut where the server cuts them', () => {
    expect(readParse(frameOf(wire.parse('x', 'n'.repeat(80))))!.name).toBe('n'.repeat(63))
  })
})

describe('bodies that do not fit are refused', () => {
  it.each([
    ['a 5-byte Query', readOnlyString, body('Q')],
    ['a Query without its end', readOnlyString, body('Q', 'select 1')],
    ['a Query with something behind its end', readOnlyString, body('Q', 'select 1', 0, 'drop', 0)],
    ['an empty Parse', readParse, body('P')],
    ['a Parse without a text', readParse, body('P', 'name', 0)],
    ['a Parse with more types than it has', readParse, body('P', 0, 'x', 0, 0, 2, 0, 0, 0, 23)],
    ['a Parse with something left over', readParse, body('P', 0, 'x', 0, 0, 0, 9)],
    ['an empty Bind', readBind, body('B')],
    ['a Bind with a format that is none', readBind, body('B', 0, 0, 0, 1, 0, 2, 0, 0, 0, 0)],
    [
      'a Bind with a value longer than it',
      readBind,
      body('B', 0, 0, 0, 0, 0, 1, 0, 0, 0, 9, 1, 0, 0),
    ],
    [
      'a Bind with a length below -1',
      readBind,
      body('B', 0, 0, 0, 0, 0, 1, 255, 255, 255, 254, 0, 0),
    ],
    ['a Bind with something left over', readBind, body('B', 0, 0, 0, 0, 0, 0, 0, 0, 7)],
    ['a Describe of neither kind', readNamed, body('D', 'X', 'name', 0)],
    ['an Execute without a limit', readExecute, body('E', 'p', 0)],
    ['a FunctionCall without a result format', readFunctionCall, body('F', 0, 0, 0, 1, 0, 0, 0, 0)],
  ])('%s', (_, read: (frame: Frame) => unknown, frame) => {
    expect(read(frame)).toBeNull()
  })

  it('and nothing makes the readers throw or read outside of the message', () => {
    const readers: readonly ((frame: Frame) => unknown)[] = [
      readOnlyString,
      readParse,
      readBind,
      readNamed,
      readExecute,
      readFunctionCall,
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        // What lies behind the message looks like more of it.
        const message = wire.message('B', Buffer.from(bytes))
        const frame = frameOf(Buffer.concat([message, Buffer.alloc(200, 1)]))
        for (const read of readers) expect(() => read(frame)).not.toThrow()
        const bind = readBind(frame)
        for (const { start, length } of bind?.parameters ?? [])
          expect(start + Math.max(length, 0)).toBeLessThanOrEqual(message.length)
      }),
      { numRuns: 2000 },
    )
  })
})
