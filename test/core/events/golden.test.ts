import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format } from 'prettier'
import { describe, expect, it } from 'vitest'
import { catalogue } from '#core/events/catalogue.ts'
import { decodeValue, encodeContext, encodeValue } from '#core/events/codec.ts'
import { eventJson } from '#core/events/json.ts'
import type { EventType } from '#core/events/types.ts'
import { contextOf, sample_time_us, samples } from './samples.ts'

const folder = join(import.meta.dirname, 'golden')

type Golden = {
  readonly code: string
  readonly schemaId: number
  readonly hex: string
  readonly event: Record<string, unknown>
}

const types = Object.keys(catalogue) as EventType[]

describe('golden examples', () => {
  it.each(types)('%s is encoded to the bytes and the JSON of its golden example', async (type) => {
    const { code, schemaId } = catalogue[type]
    const value = encodeValue(type, sample_time_us, encodeContext(contextOf(type)), samples[type])
    const decoded = decodeValue(value)
    if (!decoded.ok || decoded.type !== type) throw new Error(JSON.stringify(decoded))
    const event = eventJson(decoded.type, decoded.event)
    const golden = { code, schemaId, hex: value.toString('hex'), event }
    // A release's examples stay when a schema changes: the schema id stands in the name.
    const text = await format(JSON.stringify(golden), { parser: 'json', printWidth: 100 })
    await expect(text).toMatchFileSnapshot(join(folder, `${type}.${schemaId}.json`))
  })

  it('every example ever made can still be read, and says what it said', async () => {
    const files = await readdir(folder)
    expect(files.length).toBeGreaterThanOrEqual(types.length)
    for (const file of files) {
      const golden = JSON.parse(await readFile(join(folder, file), 'utf8')) as Golden
      const decoded = decodeValue(Buffer.from(golden.hex, 'hex'))
      if (!decoded.ok) throw new Error(`${file}: ${decoded.reason}: ${decoded.detail}`)
      expect(JSON.parse(JSON.stringify(eventJson(decoded.type, decoded.event)))).toMatchObject(
        golden.event,
      )
    }
  })
})
