import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { generated } from '#schemas/generate.ts'
import { problems, readSource, type EventSchema, type Source } from '#schemas/source.ts'

const root = join(import.meta.dirname, '../..')

describe('npm run generate', () => {
  it('would change nothing: what is committed follows from the schemas', async () => {
    for (const [path, text] of await generated())
      expect(await readFile(join(root, path), 'utf8'), path).toBe(text)
  })

  it('leaves no JSON Schema behind of an event that is gone', async () => {
    const files = new Set((await generated()).keys())
    for (const file of await readdir(join(root, 'schemas/json')))
      expect(files).toContain(`schemas/json/${file}`)
  })
})

describe('an unsound schema is refused', () => {
  let source: Source
  let event: EventSchema

  beforeAll(async () => {
    source = await readSource(join(root, 'schemas'))
    event = source.events[0]!
  })

  const withEvent = (changed: unknown): readonly string[] =>
    problems({ ...source, events: [changed as EventSchema, ...source.events.slice(1)] })

  const withField = (changes: object): readonly string[] =>
    withEvent({
      ...event,
      fields: [...event.fields.slice(0, -1), { ...event.fields.at(-1), ...changes }],
    })

  it('accepts the ones there are', () => {
    expect(problems(source)).toEqual([])
  })

  it.each([
    ['a field without doc', { doc: '' }, /no doc/],
    ['a field without sensitivity', { sensitivity: undefined }, /sensitivity/],
    ['a field with an unknown sensitivity', { sensitivity: 'secret' }, /sensitivity/],
    ['an unknown type', { type: 'float' }, /unknown type float/],
    ['a union of two things', { type: ['string', 'long'] }, /union/],
    ['a name in camel case', { name: 'openSessions' }, /snake_case/],
    ['values on a number', { type: 'long', values: ['a'] }, /values belong to a string/],
  ])('for %s', (_, changes, expected) => {
    expect(withField(changes).join('\n')).toMatch(expected)
  })

  it.each([
    ['a code of another event', { code: 'CRN1100I' }, /code CRN1100 stands twice/],
    [
      'a code under two severities',
      { code: 'CRN1100W', schemaId: 110002 },
      /code CRN1100 stands twice/,
    ],
    ['a schema id of another event', { schemaId: 110001 }, /schemaId 110001 stands twice/],
    ['a schema id that is not the code and a version', { schemaId: 7 }, /version of two digits/],
    [
      'an event name of another event',
      { event: 'session.started' },
      /event session.started stands twice/,
    ],
    [
      'a record name of another event',
      { name: 'SessionStarted' },
      /name SessionStarted stands twice/,
    ],
    ['a code that the record header does not know', { code: 'CRN1999I' }, /not a symbol/],
  ])('for %s', (_, changes, expected) => {
    expect(withEvent({ ...event, ...changes }).join('\n')).toMatch(expected)
  })

  it('for an event that does not begin with time and context', () => {
    expect(withEvent({ ...event, fields: event.fields.slice(1) }).join('\n')).toMatch(
      /first fields/,
    )
  })

  it('for one name with two shapes', () => {
    const nested = { type: 'record', name: 'Target', doc: 'Another.', fields: [] }
    expect(withField({ type: nested }).join('\n')).toMatch(/two shapes/)
  })
})
