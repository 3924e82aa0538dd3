import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { catalogue } from '#core/events/catalogue.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import type { StoredRecord } from '#lib/log/port.ts'
import { jsonFormat } from '../../services/forward/formats/json.ts'
import {
  octetCounted,
  openSyslogWriter,
  paramValue,
  timestamp,
} from '../../services/forward/formats/rfc5424.ts'
import { readRecord } from '../../services/forward/record.ts'
import { sampleContext, samples } from '../core/events/samples.ts'
import { recordOf } from './recording.ts'

const types = Object.keys(catalogue) as EventType[]

const writer = (message_bytes_max = 65_536) =>
  openSyslogWriter({
    facility: 13,
    app_name: 'cairn',
    enterprise_number: 32_473,
    message_bytes_max,
    hostname: 'host 1\n',
    format: jsonFormat,
  })

const stored = (record: Pick<StoredRecord, 'key' | 'value' | 'headers'>): StoredRecord => ({
  ...record,
  topic: 'cairn.audit',
  partition: 2,
  offset: 99n,
  timestamp_ms: 1_772_366_400_000,
})

const written = <T extends EventType>(
  type: T,
  body: EventBodies[T] = samples[type],
  bytes_max?: number,
) => writer(bytes_max).record(readRecord(stored(recordOf(type, 5, body))), 17)

type Parsed = {
  readonly header: readonly string[]
  readonly data: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly msg: string
}

/** RFC 5424, section 6, to the letter; throws for anything else. */
const parse = (bytes: Buffer): Parsed => {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  const head =
    /^<(\d{1,3})>1 ([\x21-\x7e]+) ([\x21-\x7e]{1,255}) ([\x21-\x7e]{1,48}) ([\x21-\x7e]{1,128}) ([\x21-\x7e]{1,32}) /.exec(
      text,
    )
  if (head === null) throw new Error(`no header: ${text.slice(0, 200)}`)
  let at = head[0].length
  const data = new Map<string, Map<string, string>>()
  while (text[at] === '[') {
    const id = /^\[([!#-<>-\\^-~]{1,32})/.exec(text.slice(at))
    if (id === null) throw new Error(`no SD-ID at ${at}`)
    at += id[0].length
    const params = new Map<string, string>()
    for (;;) {
      const param = /^ ([!#-<>-\\^-~]{1,32})="((?:[^"\\\]]|\\["\\\]]|\\(?!["\\\]]))*)"/s.exec(
        text.slice(at),
      )
      if (param === null) break
      params.set(param[1]!, param[2]!.replace(/\\(["\\\]])/g, '$1'))
      at += param[0].length
    }
    if (text[at++] !== ']')
      throw new Error(`no end of structured data at ${at}: ${text.slice(at - 50, at + 50)}`)
    data.set(id[1]!, params)
  }
  if (at < text.length && text[at] !== ' ') throw new Error(`no space before MSG at ${at}`)
  return { header: head.slice(1), data, msg: text.slice(at + 1) }
}

const cairn = (parsed: Parsed): ReadonlyMap<string, string> =>
  parsed.data.get('cairn@32473') ?? new Map()

const hostile =
  'a"b]c\\d\n<14>1 - - - - - - forged\r\n58 <14>1 - x\u0000\u001b[2J\u007f\u0085\u2028\u202e\ud800 ü 海 🚢 [x@1 y="z"]'

/** Characters that end a line or a string, move a cursor or turn the direction of a text. */
// eslint-disable-next-line no-control-regex
const controls = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/

const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom('"', '\\', ']', '[', '=', '\n'),
    ),
  )
  .map((parts) => parts.join(''))

const poisoned = (value: unknown): unknown => {
  if (typeof value === 'string') return hostile
  if (Array.isArray(value)) return value.map(poisoned)
  if (Buffer.isBuffer(value) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, poisoned(item)]))
}

describe('a syslog message', () => {
  it.each(types)(
    'of %s is RFC 5424 with its ids in structured data and the event as JSON',
    (type) => {
      const { code } = catalogue[type]
      const { bytes, cut, raw } = written(type)
      const parsed = parse(bytes)
      expect({ cut, raw }).toEqual({ cut: false, raw: false })
      expect(parsed.header).toEqual([
        String(13 * 8 + { I: 6, W: 4, E: 3, A: 1 }[code.slice(-1)]!),
        '2026-03-01T12:00:00.123461Z',
        'host_1_',
        'cairn',
        'gw-1/0',
        code,
      ])
      expect(cairn(parsed).get('id')).toBe(`gw-1/0/${'08'.repeat(16)}/5`)
      expect(cairn(parsed).get('event')).toBe(type)
      expect(parsed.data.get('meta')?.get('sequenceId')).toBe('17')
      expect(JSON.parse(parsed.msg)).toMatchObject({ code, type, gseq: 5 })
    },
  )

  it.each(types)('of %s cannot be broken out of by anything in the event', (type) => {
    const body = poisoned(samples[type]) as EventBodies[typeof type]
    const { bytes } = written(type, body)
    const parsed = parse(bytes)
    expect(bytes.toString('utf8')).not.toMatch(controls)
    // eslint-disable-next-line no-control-regex
    expect(parsed.msg).toMatch(/^[\x20-\x7e]*$/)
    const { event } = JSON.parse(parsed.msg) as { event: Record<string, unknown> }
    for (const [name, value] of Object.entries(body))
      if (typeof value === 'string') expect(event[name]).toBe(value.toWellFormed())
  })

  it('cannot be broken out of by anything that an issuer or a client says of itself', () => {
    const context = poisoned(sampleContext) as Context
    const record = stored(recordOf('command.refused', 5, samples['command.refused'], context))
    const { bytes } = writer().record(readRecord(record), 1)
    const parsed = parse(bytes)
    expect(bytes.toString('utf8')).not.toMatch(controls)
    expect(parsed.header[4]).toMatch(/^[\x21-\x7e]+$/)
    for (const name of ['actor', 'issuer', 'run', 'target', 'role', 'deployment'])
      expect(cairn(parsed).get(name)).toMatch(/^a"b\]c\\d\\u000a<14>1 /)
    expect([...parsed.data.keys()]).toEqual(['cairn@32473', 'meta'])
  })

  it('carries any text in structured data so that a parser gets it back, controls made visible', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const message = `<14>1 - - - - - [x@1 y="${paramValue(text)}"]`
        const back = parse(Buffer.from(message)).data.get('x@1')?.get('y') ?? ''
        expect(back).not.toMatch(controls)
        if (!controls.test(text)) expect(back).toBe(text)
      }),
    )
  })

  it('is framed by its length in bytes', () => {
    expect(octetCounted(Buffer.from('grüße')).toString()).toBe('7 grüße')
  })

  it.each([
    [0, '1970-01-01T00:00:00.000000Z'],
    [1_772_366_400_000_001, '2026-03-01T12:00:00.000001Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
    [Number.MAX_SAFE_INTEGER, '2255-06-05T23:47:34.740991Z'],
    [8.64e18, '-'],
    [Number.NaN, '-'],
  ])('writes the time %d as %s', (time_us, expected) => {
    expect(timestamp(time_us)).toBe(expected)
  })
})

describe('an event over the largest message', () => {
  const text = `select '${'é"\n🚢'.repeat(50_000)}'`
  const body = { ...samples['command.received'], text }

  it.each([65_536, 8_192, 2_048, 1_024, 480])(
    'is cut to %d bytes, with flag, whole length and id',
    (bytes_max) => {
      const { bytes, cut } = written('command.received', body, bytes_max)
      expect(cut).toBe(true)
      expect(bytes.length).toBeLessThanOrEqual(bytes_max)
      const parsed = parse(bytes)
      expect(cairn(parsed).get('cut')).toBe('true')
      expect(cairn(parsed).get('id')).toBe(`gw-1/0/${'08'.repeat(16)}/5`)
      const whole = Number(cairn(parsed).get('full_bytes'))
      expect(whole).toBeGreaterThan(text.length)
      if (bytes_max < 8_192) return
      expect(bytes.length).toBeGreaterThan(bytes_max - 200)
      const msg = JSON.parse(parsed.msg) as { cut: boolean; full_bytes: number; event: typeof body }
      expect(msg).toMatchObject({
        cut: true,
        full_bytes: whole,
        event: { verb: 'update', row_limit: 0 },
      })
      expect(text.startsWith(msg.event.text)).toBe(true)
    },
  )

  it('whose size lies in its structure keeps what identifies it', () => {
    const parameters = Array.from(
      { length: 5_000 },
      () => samples['command.received'].parameters[0]!,
    )
    const { bytes } = written(
      'command.received',
      { ...samples['command.received'], parameters },
      8_192,
    )
    expect(bytes.length).toBeLessThanOrEqual(8_192)
    expect(JSON.parse(parse(bytes).msg)).toMatchObject({ code: 'CRN1200I', gseq: 5, cut: true })
  })

  it('is cut only when it must be, and always fits, whatever the limit', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 480, max: 4_000 }),
        fc.string({ unit: 'grapheme', maxLength: 800 }),
        (bytes_max, detail) => {
          const { bytes, cut } = written(
            'session.refused',
            { ...samples['session.refused'], detail },
            bytes_max,
          )
          expect(bytes.length).toBeLessThanOrEqual(bytes_max)
          expect(cairn(parse(bytes)).has('cut')).toBe(cut)
        },
      ),
    )
  })
})

describe('what cannot be read', () => {
  const good = recordOf('command.refused', 5)

  it.each<[string, Partial<StoredRecord>, RegExp]>([
    ['an unknown schema', { value: Buffer.from('00000000ff0102', 'hex') }, /unknown_schema/],
    ['a value that is no Avro', { value: Buffer.from('hello') }, /bad_framing/],
    ['a value cut short', { value: good.value.subarray(0, 40) }, /bad_body/],
    [
      'a value of another event',
      { value: recordOf('gateway.stopped', 1).value },
      /gateway\.stopped under the code CRN1202W/,
    ],
  ])('is passed on raw: %s', (_, changes, why) => {
    const record = { ...stored(good), ...changes }
    const { bytes, raw } = writer().record(readRecord(record), 1)
    const parsed = parse(bytes)
    expect(raw).toBe(true)
    expect(parsed.header[5]).toBe('CRN1202W')
    expect(cairn(parsed).get('raw')).toBe('true')
    const body = JSON.parse(parsed.msg) as { raw: string; unread: string; gseq: number }
    expect(Buffer.from(body.raw, 'base64').equals(record.value)).toBe(true)
    expect(body.unread).toMatch(why)
    expect(body.gseq).toBe(5)
  })

  it('is passed on raw under its place in the log where even its header is none', () => {
    const headers = { 'cairn-leaf': Buffer.from('x'), 'cairn-code': Buffer.from('CRN9999E') }
    const { bytes } = writer().record(
      readRecord({ ...stored(good), headers, value: Buffer.alloc(0) }),
      1,
    )
    const parsed = parse(bytes)
    expect(parsed.header).toEqual([
      '107',
      '2026-03-01T12:00:00.000000Z',
      'host_1_',
      'cairn',
      '-',
      'CRN9999E',
    ])
    expect(cairn(parsed).get('id')).toBe('cairn.audit/2/99')
  })

  it('breaks nothing with a hostile code or no headers at all', () => {
    for (const headers of [{}, { 'cairn-code': Buffer.from('A B\n]') }]) {
      const { bytes } = writer().record(
        readRecord({ ...stored(good), headers, value: Buffer.alloc(3) }),
        1,
      )
      expect(parse(bytes).header[5]).toBe('-')
    }
  })
})
