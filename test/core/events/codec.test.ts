import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { avroType } from '#core/events/avro.ts'
import { catalogue } from '#core/events/catalogue.ts'
import {
  createValueBuffer,
  decodeValue,
  encodeContext,
  encodeValue,
  encodeValueInto,
  value_bytes_max,
} from '#core/events/codec.ts'
import type { EventBodies, EventType } from '#core/events/types.ts'
import { contextOf, sample_time_us, sampleContext, samples } from './samples.ts'

const types = Object.keys(catalogue) as EventType[]
const contextBytes = encodeContext(sampleContext)
const long_max = Number.MAX_SAFE_INTEGER - 1

const refused = (detail: string): EventBodies['session.refused'] => ({
  ...samples['session.refused'],
  detail,
})

const detailOf = (value: Buffer): string => {
  const decoded = decodeValue(value)
  if (!decoded.ok || decoded.type !== 'session.refused') throw new Error(JSON.stringify(decoded))
  return decoded.event.detail
}

/** Strings with everything in them that strings can hold, lone surrogates too. */
const anyText = fc.string({ unit: 'binary', maxLength: 200 }).chain((text) =>
  fc
    .array(fc.tuple(fc.nat(text.length), fc.integer({ min: 0xd800, max: 0xdfff })), {
      maxLength: 4,
    })
    .map((cuts) =>
      cuts.reduce(
        (s, [at, unit]) => s.slice(0, at) + String.fromCharCode(unit) + s.slice(at),
        text,
      ),
    ),
)

describe('a value', () => {
  it.each(types)('of %s has the bytes that avsc gives the whole record', (type) => {
    const { schema, schemaId } = catalogue[type]
    const context = contextOf(type)
    const whole = avroType(JSON.parse(schema)).toBuffer({
      time: sample_time_us,
      context,
      ...samples[type],
    })
    const frame = Buffer.alloc(5)
    frame.writeUInt32BE(schemaId, 1)
    const value = encodeValue(type, sample_time_us, encodeContext(context), samples[type])
    expect(value.equals(Buffer.concat([frame, whole]))).toBe(true)
  })

  it.each(types)('of %s is read back as it was', (type) => {
    const context = contextOf(type)
    const value = encodeValue(type, sample_time_us, encodeContext(context), samples[type])
    expect(decodeValue(value)).toEqual({
      ok: true,
      type,
      event: { time: sample_time_us, context, ...samples[type] },
    })
  })

  it('carries any string, lone surrogates as the replacement character', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const value = encodeValue('session.refused', 0, contextBytes, refused(text))
        expect(detailOf(value)).toBe(text.toWellFormed())
        expect(
          value.equals(
            encodeValue('session.refused', 0, contextBytes, refused(text.toWellFormed())),
          ),
        ).toBe(true)
      }),
    )
  })

  it('carries any map, keys that JavaScript treats specially too', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(anyText, fc.constant('__proto__')), anyText), { maxLength: 5 }),
        (entries) => {
          const parameters = Object.fromEntries(entries)
          const body = { ...samples['session.started'], parameters }
          const decoded = decodeValue(encodeValue('session.started', 0, contextBytes, body))
          if (!decoded.ok || decoded.type !== 'session.started') throw new Error('not read')
          expect(Object.entries(decoded.event.parameters)).toEqual(
            Object.entries(
              Object.fromEntries(
                Object.entries(parameters).map(([k, v]) => [k.toWellFormed(), v.toWellFormed()]),
              ),
            ),
          )
        },
      ),
    )
  })

  it('carries any whole number that fits a long and a JavaScript number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -(2 ** 52), max: long_max }),
        fc.integer({ min: 0, max: long_max }),
        (rows, time) => {
          const value = encodeValue('command.completed', time, contextBytes, {
            ...samples['command.completed'],
            rows,
          })
          expect(decodeValue(value)).toMatchObject({ ok: true, event: { time, rows } })
        },
      ),
    )
  })

  it('refuses a number that it could not give back', () => {
    for (const rows of [-(2 ** 52) - 1, 2 ** 53, 1.5, Number.NaN])
      expect(() =>
        encodeValue('command.completed', 0, contextBytes, {
          ...samples['command.completed'],
          rows,
        }),
      ).toThrow(RangeError)
  })

  it('carries a huge string, and refuses one that would not fit a record of the log', () => {
    const huge = 'é🚢'.repeat(1_000_000)
    expect(detailOf(encodeValue('session.refused', 0, contextBytes, refused(huge))) === huge).toBe(
      true,
    )
    expect(() =>
      encodeValue('session.refused', 0, contextBytes, refused('x'.repeat(value_bytes_max))),
    ).toThrow(RangeError)
  })

  it('has buffers of its own: what is written over the bytes later changes no event', () => {
    const bytes = Buffer.alloc(10_000, 0x41)
    const body = { ...samples['response.chunk'], bytes }
    const value = encodeValue('response.chunk', 0, contextBytes, body)
    bytes.fill(0)
    const decoded = decodeValue(value)
    if (!decoded.ok || decoded.type !== 'response.chunk') throw new Error('not read')
    value.fill(0)
    expect(decoded.event.bytes.equals(Buffer.alloc(10_000, 0x41))).toBe(true)
    expect(decoded.event.context.session.equals(sampleContext.session)).toBe(true)
  })
})

describe('a reused buffer', () => {
  it('holds values one after another, whatever their sizes, and grows in between', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...types), fc.nat(3_000)), {
          minLength: 1,
          maxLength: 20,
        }),
        (events) => {
          const target = createValueBuffer(16)
          const lengths = events.map(([type, size]) =>
            type === 'session.refused'
              ? encodeValueInto(target, type, size, contextBytes, refused('x'.repeat(size)))
              : encodeValueInto(target, type, size, contextBytes, samples[type]),
          )
          let at = 0
          for (const [index, [type, size]] of events.entries()) {
            const value = target.bytes.subarray(at, at + lengths[index]!)
            expect(decodeValue(value)).toMatchObject({ ok: true, type, event: { time: size } })
            at += lengths[index]!
          }
          expect(target.length).toBe(at)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('stays as it was when a body does not fit its schema', () => {
    const target = createValueBuffer()
    encodeValueInto(target, 'session.refused', 1, contextBytes, refused('first'))
    const { length } = target
    const broken = {
      ...samples['session.refused'],
      detail: 7,
    } as unknown as EventBodies['session.refused']
    expect(() => encodeValueInto(target, 'session.refused', 1, contextBytes, broken)).toThrow()
    expect(() => encodeValueInto(target, 'session.refused', -1, contextBytes, refused(''))).toThrow(
      RangeError,
    )
    expect(() =>
      encodeValueInto(
        target,
        'session.refused',
        1,
        contextBytes,
        refused('x'.repeat(value_bytes_max)),
      ),
    ).toThrow(RangeError)
    expect(target.length).toBe(length)
    expect(detailOf(target.bytes.subarray(0, length))).toBe('first')
  })
})

describe('bytes that are no value', () => {
  it('are said to be so, cut at every offset', () => {
    for (const type of types) {
      const value = encodeValue(type, sample_time_us, contextBytes, samples[type])
      for (let cut = 0; cut < value.length; cut++) {
        const decoded = decodeValue(value.subarray(0, cut))
        expect(decoded.ok, `${type} cut at ${cut}`).toBe(false)
        expect(decoded).toMatchObject({ reason: cut < 5 ? 'bad_framing' : 'bad_body' })
      }
    }
  })

  it('are never read past their end, nor with something behind them', () => {
    const value = encodeValue('gateway.stopped', 1, contextBytes, samples['gateway.stopped'])
    expect(decodeValue(Buffer.concat([value, Buffer.from([0])]))).toMatchObject({
      reason: 'bad_body',
    })
    expect(decodeValue(Buffer.concat([Buffer.from([1]), value.subarray(1)]))).toMatchObject({
      reason: 'bad_framing',
    })
  })

  it('of an unknown schema are told apart', () => {
    expect(decodeValue(Buffer.from('000000000100', 'hex'))).toMatchObject({
      reason: 'unknown_schema',
    })
    expect(decodeValue(Buffer.from('000000000100', 'hex'), () => 'no schema')).toMatchObject({
      reason: 'unknown_schema',
    })
    expect(
      decodeValue(
        Buffer.from('000000000100', 'hex'),
        () => '{"type":"record","name":"Elsewhere","fields":[]}',
      ),
    ).toMatchObject({ reason: 'unknown_schema' })
  })

  it('of any kind are answered, never thrown at', () => {
    const schemaIds = types.map((type) => catalogue[type].schemaId)
    fc.assert(
      fc.property(
        fc.constantFrom(...schemaIds),
        fc.uint8Array({ maxLength: 400 }),
        (schemaId, body) => {
          const frame = Buffer.alloc(5)
          frame.writeUInt32BE(schemaId, 1)
          expect(typeof decodeValue(Buffer.concat([frame, body])).ok).toBe('boolean')
        },
      ),
      { numRuns: 2_000 },
    )
  })

  it('that state a list of 2^40 items cost no memory', () => {
    const value = encodeValue('session.refused', 0, contextBytes, refused(''))
    // The rules, an empty list, are the last field: a zero byte.
    const count = avroType('long').toBuffer(2 ** 40)
    expect(decodeValue(Buffer.concat([value.subarray(0, -1), count]))).toMatchObject({
      reason: 'bad_body',
    })
  })
})

describe('a value of another version', () => {
  type Schema = { schemaId: number; fields: { name: string; type: unknown; default?: unknown }[] }
  const present = (): Schema => JSON.parse(catalogue['session.refused'].schema) as Schema

  const written = (schema: Schema, body: object, schemaId: number): Buffer => {
    const frame = Buffer.alloc(5)
    frame.writeUInt32BE(schemaId, 1)
    return Buffer.concat([
      frame,
      avroType(schema).toBuffer({ time: 1, context: sampleContext, ...body }),
    ])
  }

  it('older: what it lacks takes its default', () => {
    const older = present()
    older.fields = older.fields.filter(({ name }) => name !== 'rules')
    const decoded = decodeValue(written(older, refused('old'), 110_100), (id) =>
      id === 110_100 ? JSON.stringify(older) : undefined,
    )
    expect(decoded).toMatchObject({
      ok: true,
      type: 'session.refused',
      event: { detail: 'old', rules: [] },
    })
  })

  it('newer: what we do not know is left out', () => {
    const newer = present()
    newer.fields.splice(3, 0, { name: 'added', type: 'string', default: '' })
    const resolve = (): string => JSON.stringify(newer)
    const value = written(newer, { ...refused('new'), added: 'x' }, 110_199)
    for (let times = 0; times < 2; times++)
      expect(decodeValue(value, resolve)).toEqual({
        ok: true,
        type: 'session.refused',
        event: { time: 1, context: sampleContext, ...refused('new') },
      })
  })

  it('that cannot be read as ours is an unknown schema', () => {
    const other = present()
    other.fields = other.fields.filter(({ name }) => name !== 'detail')
    expect(
      decodeValue(written(other, refused(''), 110_100), () => JSON.stringify(other)),
    ).toMatchObject({
      reason: 'unknown_schema',
    })
  })
})
