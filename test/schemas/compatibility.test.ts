import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { eventBreaks, headerBreaks, recordBreaks } from '#schemas/compatibility.ts'
import { releasedEvents } from '#schemas/generate.ts'
import {
  assembled,
  readSource,
  type EventSchema,
  type Field,
  type RecordSchema,
  type Source,
} from '#schemas/source.ts'

const folder = join(import.meta.dirname, '../../schemas')

let source: Source
let released: readonly EventSchema[]

beforeAll(async () => {
  source = await readSource(folder)
  released = await releasedEvents()
})

describe('the present schemas', () => {
  it('read every released version and are read by it', () => {
    for (const old of released) {
      const present = source.events.find(({ event }) => event === old.event)
      if (present === undefined) throw new Error(`${old.event} was released and is gone`)
      expect(eventBreaks(old, assembled(present, source.context))).toEqual([])
    }
  })

  it('were all released', () => {
    const ids = released.map(({ schemaId }) => schemaId)
    expect(ids).toEqual(expect.arrayContaining(source.events.map(({ schemaId }) => schemaId)))
  })

  it('leave the record header as it was', async () => {
    const old = JSON.parse(
      await readFile(join(folder, 'released/record-header.avsc'), 'utf8'),
    ) as RecordSchema
    expect(headerBreaks(old, source.header)).toEqual([])
  })
})

const field = (name: string, type: Field['type'], rest: Partial<Field> = {}): Field => ({
  name,
  type,
  doc: 'A field.',
  sensitivity: 'public',
  ...rest,
})

const record = (...fields: readonly Field[]): RecordSchema => ({
  type: 'record',
  name: 'Thing',
  namespace: 'cairn',
  doc: 'A thing.',
  fields,
})

const colours = (...symbols: readonly string[]): Field =>
  field('colour', { type: 'enum', name: 'Colour', symbols })

const kinds = (...values: readonly string[]): Field => field('kind', 'string', { values })

const size = field('size', 'long')

describe('the checker', () => {
  it.each<[string, RecordSchema, RecordSchema]>([
    [
      'a field added with a default',
      record(size),
      record(size, field('note', 'string', { default: '' })),
    ],
    ['a value added to a set', record(kinds('a')), record(kinds('a', 'b'))],
    ['another doc', record(size), record({ ...size, doc: 'How large.' })],
  ])('accepts %s', (_, older, newer) => {
    expect(recordBreaks(older, newer)).toEqual([])
  })

  it.each<[string, RecordSchema, RecordSchema, RegExp]>([
    [
      'a removed field without default',
      record(size, field('note', 'string')),
      record(size),
      /old reader.*no matching field.*note/s,
    ],
    [
      'a removed field with default',
      record(size, field('note', 'string', { default: '' })),
      record(size),
      /note: removed/,
    ],
    [
      'a field added without default',
      record(size),
      record(size, field('note', 'string')),
      /new reader.*no matching field.*note/s,
    ],
    ['a narrowed type', record(size), record(field('size', 'int')), /new reader/],
    ['a widened type', record(field('size', 'int')), record(size), /old reader/],
    ['another type', record(size), record(field('size', 'string')), /cannot read/],
    ['a removed symbol', record(colours('RED', 'BLUE')), record(colours('RED')), /new reader/],
    ['an added symbol', record(colours('RED')), record(colours('RED', 'BLUE')), /old reader/],
    ['a removed value', record(kinds('a', 'b')), record(kinds('a')), /values removed: b/],
    [
      'another size of an id',
      record(field('id', { type: 'fixed', name: 'Id', size: 16 })),
      record(field('id', { type: 'fixed', name: 'Id', size: 32 })),
      /cannot read/,
    ],
    ['a renamed record', record(size), { ...record(size), name: 'Other' }, /no alias/],
  ])('refuses %s', (_, older, newer, expected) => {
    expect(recordBreaks(older, newer).join('\n')).toMatch(expected)
  })

  it('refuses a changed text under the released id, and another code, event or topic', () => {
    const event = assembled(source.events[0]!, source.context)
    expect(eventBreaks(event, { ...event, doc: 'Changed.' }).join()).toMatch(/next schemaId/)
    expect(eventBreaks(event, { ...event, code: 'CRN1009I' }).join()).toMatch(/code was/)
    expect(eventBreaks(event, { ...event, topic: 'cairn.other' }).join()).toMatch(/topic was/)
  })

  it('refuses any change of the record header but appended symbols', () => {
    const old = record(size, colours('RED'))
    expect(headerBreaks(old, record(size, colours('RED', 'BLUE')))).toEqual([])
    expect(headerBreaks(old, record(size, colours('BLUE', 'RED'))).join()).toMatch(
      /symbol 0 was RED/,
    )
    expect(headerBreaks(old, record(size, colours())).join()).toMatch(/symbol 0/)
    expect(headerBreaks(old, record(size, colours('RED'), field('more', 'long'))).join()).toMatch(
      /frozen/,
    )
  })
})
