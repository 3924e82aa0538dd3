import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import * as fc from 'fast-check'
import type { Type } from 'avsc'
import { beforeAll, describe, expect, it } from 'vitest'
import { avroType } from '#core/events/avro.ts'
import { catalogue, headerCodes } from '#core/events/catalogue.ts'
import {
  decodeHeader,
  encodeHeader,
  encodeHeaderInto,
  header_bytes_max,
  leafHash,
  type RecordHeader,
} from '#core/events/header.ts'

let schema: Type

beforeAll(async () => {
  const file = new URL('../../../schemas/record-header.avsc', import.meta.url)
  schema = avroType(JSON.parse(await readFile(file, 'utf8')))
})

const fixed = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((array) => Buffer.from(array))

/**
 * Whole numbers with the borders of each varint length among them; avsc stops one short of 2^53 -
 * 1.
 */
const natural = fc.oneof(
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 1 }),
  fc
    .tuple(fc.nat(52), fc.constantFrom(-1, 0, 1))
    .map(([bits, off]) => Math.max(0, 2 ** bits + off)),
)

const headers: fc.Arbitrary<RecordHeader> = fc.record({
  gateway: fixed(16),
  epoch: fixed(16),
  gseq: natural,
  session: fixed(32),
  sseq: natural,
  sprev: fixed(32),
  code: fc.constantFrom(...headerCodes),
  wall_us: natural,
  mono_ns: natural,
  schema: fixed(32),
  value: fixed(32),
  value_bytes: natural,
})

const example: RecordHeader = {
  gateway: Buffer.alloc(16, 1),
  epoch: Buffer.alloc(16, 2),
  gseq: 300,
  session: Buffer.alloc(32, 3),
  sseq: 7,
  sprev: Buffer.alloc(32, 4),
  code: 'CRN1200I',
  wall_us: 1_772_366_400_123_456,
  mono_ns: 81_000_000_001,
  schema: catalogue['command.received'].schemaHash,
  value: Buffer.alloc(32, 5),
  value_bytes: 512,
}

describe('the record header', () => {
  it("has the bytes of avsc's encoding of the schema", () => {
    fc.assert(
      fc.property(headers, (header) => {
        expect(encodeHeader(header).toString('hex')).toBe(schema.toBuffer(header).toString('hex'))
      }),
      { numRuns: 500 },
    )
  })

  it('is read back as it was', () => {
    fc.assert(
      fc.property(headers, (header) => {
        expect(decodeHeader(encodeHeader(header))).toEqual({ ok: true, header })
      }),
    )
    const largest = {
      ...example,
      gseq: Number.MAX_SAFE_INTEGER,
      value_bytes: Number.MAX_SAFE_INTEGER,
    }
    expect(decodeHeader(encodeHeader(largest))).toEqual({ ok: true, header: largest })
  })

  it('never takes more than its stated room', () => {
    const largest = { ...example }
    for (const name of ['gseq', 'sseq', 'wall_us', 'mono_ns', 'value_bytes'] as const)
      largest[name] = Number.MAX_SAFE_INTEGER
    expect(encodeHeader(largest).length).toBeLessThanOrEqual(header_bytes_max)
  })

  it('can be written in the middle of a buffer', () => {
    const target = Buffer.alloc(header_bytes_max + 20, 0xff)
    const end = encodeHeaderInto(target, 10, example)
    expect(target.subarray(10, end).equals(encodeHeader(example))).toBe(true)
    expect(target.subarray(end).every((byte) => byte === 0xff)).toBe(true)
  })

  it.each<[string, Partial<RecordHeader>]>([
    ['a negative number', { gseq: -1 }],
    ['a fraction', { sseq: 0.5 }],
    ['a number over 2^53 - 1', { mono_ns: 2 ** 53 }],
    ['a short id', { epoch: Buffer.alloc(15) }],
    ['a long hash', { value: Buffer.alloc(33) }],
    ['an unknown code', { code: 'CRN9999I' as RecordHeader['code'] }],
  ])('refuses to write %s', (_, wrong) => {
    expect(() => encodeHeader({ ...example, ...wrong })).toThrow(RangeError)
  })

  it('has the leaf hash of RFC 6962', () => {
    const bytes = encodeHeader(example)
    const expected = createHash('sha256')
      .update(Buffer.from([0]))
      .update(bytes)
      .digest()
    expect(leafHash(bytes).equals(expected)).toBe(true)
    expect(() => leafHash(Buffer.alloc(header_bytes_max + 1))).toThrow(RangeError)
  })

  it('has buffers of its own', () => {
    const bytes = encodeHeader(example)
    const decoded = decodeHeader(bytes)
    bytes.fill(0)
    expect(decoded).toEqual({ ok: true, header: example })
  })
})

describe('bytes that are no header', () => {
  const bytes = encodeHeader(example)

  it('are refused, cut at every offset', () => {
    for (let cut = 0; cut < bytes.length; cut++)
      expect(decodeHeader(bytes.subarray(0, cut)).ok, `cut at ${cut}`).toBe(false)
  })

  it('are refused with anything behind them', () => {
    expect(decodeHeader(Buffer.concat([bytes, Buffer.alloc(1)])).ok).toBe(false)
    expect(decodeHeader(Buffer.concat([bytes, bytes])).ok).toBe(false)
  })

  it.each([
    ['a padded number', [0xd8, 0x84, 0x00]],
    ['a negative number', [0x01]],
    ['a number over 2^53 - 1', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20]],
    ['a number without end', [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
  ])('are refused with %s', (_, gseq) => {
    // gseq, 300, stands behind the two ids as d8 04.
    expect(bytes.subarray(32, 34).toString('hex')).toBe('d804')
    const wrong = Buffer.concat([bytes.subarray(0, 32), Buffer.from(gseq), bytes.subarray(34)])
    expect(decodeHeader(wrong)).toMatchObject({ ok: false })
  })

  it('are refused with a code that does not exist', () => {
    const at = bytes.indexOf(Buffer.alloc(32, 4)) + 32
    const wrong = Buffer.from(bytes)
    wrong[at] = headerCodes.length * 2
    expect(decodeHeader(wrong)).toEqual({ ok: false, detail: 'unknown code' })
  })

  it('have one form only: whatever is read is written again byte for byte', () => {
    fc.assert(
      fc.property(headers, fc.nat(), fc.integer({ min: 1, max: 255 }), (header, at, flip) => {
        const changed = encodeHeader(header)
        changed[at % changed.length]! ^= flip
        const decoded = decodeHeader(changed)
        if (decoded.ok) expect(encodeHeader(decoded.header).equals(changed)).toBe(true)
      }),
      { numRuns: 1_000 },
    )
  })
})
