import { describe, expect, it } from 'vitest'
import { catalogue } from '#core/events/catalogue.ts'
import { verifyChain, type ChainRecord } from '#core/events/chain.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import {
  decodeHeader,
  encodeHeader,
  leafHash,
  valueHash,
  zero_hash,
  type RecordHeader,
} from '#core/events/header.ts'
import type { EventType } from '#core/events/types.ts'
import { sampleContext, samples } from './samples.ts'

const story: readonly EventType[] = [
  'session.started',
  'command.received',
  'decision.made',
  'response.chunk',
  'command.completed',
  'session.ended',
]

/** A session as a gateway would record it. */
const session = (): ChainRecord[] => {
  const records: ChainRecord[] = []
  let id = zero_hash
  let leaf = zero_hash
  for (const [sseq, type] of story.entries()) {
    const context = { ...sampleContext, session: id }
    const body = type === 'session.ended' ? { ...samples[type], records: sseq + 1 } : samples[type]
    const value = encodeValue(type, 1_000 + sseq, encodeContext(context), body)
    const header = encodeHeader({
      gateway: Buffer.alloc(16, 1),
      epoch: Buffer.alloc(16, 2),
      gseq: 40 + sseq * 3,
      session: id,
      sseq,
      sprev: leaf,
      code: catalogue[type].code,
      wall_us: 1_000 + sseq,
      mono_ns: sseq,
      schema: catalogue[type].schemaHash,
      value: valueHash(value),
      value_bytes: value.length,
    })
    leaf = leafHash(header)
    if (sseq === 0) id = leaf
    records.push({ header, value })
  }
  return records
}

const changed = (record: ChainRecord, changes: Partial<RecordHeader>): ChainRecord => {
  const decoded = decodeHeader(record.header)
  if (!decoded.ok) throw new Error(decoded.detail)
  return { ...record, header: encodeHeader({ ...decoded.header, ...changes }) }
}

const withRecord = (
  at: number,
  change: (record: ChainRecord) => ChainRecord,
): readonly ChainRecord[] =>
  session().map((record, index) => (index === at ? change(record) : record))

describe('the session chain', () => {
  it('of a whole session is whole, and says who and how many', () => {
    const records = session()
    expect(verifyChain(records)).toMatchObject({
      ok: true,
      session: leafHash(records[0]!.header),
      records: 6,
      ended: true,
      leaf: leafHash(records[5]!.header),
    })
  })

  it('of a session that still runs is whole as far as it goes', () => {
    expect(verifyChain(session().slice(0, 3))).toMatchObject({ ok: true, records: 3, ended: false })
    expect(verifyChain([])).toMatchObject({ ok: true, records: 0, session: null })
  })

  it.each<[string, number, string, () => readonly ChainRecord[]]>([
    ['a record that is missing', 2, 'sseq', () => session().filter((_, at) => at !== 2)],
    ['the first that is missing', 0, 'sseq', () => session().slice(1)],
    [
      'two records that changed places',
      1,
      'sseq',
      () => {
        const [a, b, c, ...rest] = session()
        return [a!, c!, b!, ...rest]
      },
    ],
    [
      'a record that stands twice',
      3,
      'sseq',
      () => session().flatMap((r, at) => (at === 2 ? [r, r] : [r])),
    ],
    ['a record after the end', 6, 'after_end', () => [...session(), ...session().slice(-1)]],
    [
      'a changed value',
      3,
      'value',
      () =>
        withRecord(3, (r) => {
          const value = Buffer.from(r.value)
          value[value.length - 2]! ^= 1
          return { ...r, value }
        }),
    ],
    [
      'a value cut short',
      3,
      'value',
      () => withRecord(3, (r) => ({ ...r, value: r.value.subarray(0, -1) })),
    ],
    [
      'a header that is none',
      1,
      'header',
      () => withRecord(1, (r) => ({ ...r, header: r.header.subarray(1) })),
    ],
    [
      'a clock set back in a header',
      3,
      'sprev',
      () => withRecord(2, (r) => changed(r, { wall_us: 1 })),
    ],
    [
      'a record of another session',
      2,
      'session',
      () => withRecord(2, (r) => changed(r, { session: Buffer.alloc(32, 9) })),
    ],
    [
      'a session that begins with a session id',
      0,
      'session',
      () => withRecord(0, (r) => changed(r, { session: Buffer.alloc(32, 9) })),
    ],
    [
      'a session that begins with another event',
      0,
      'first',
      () => withRecord(0, (r) => changed(r, { code: 'CRN1102I' })),
    ],
    [
      'another epoch',
      4,
      'epoch',
      () => withRecord(4, (r) => changed(r, { epoch: Buffer.alloc(16, 9) })),
    ],
    ['a gseq that goes back', 4, 'gseq', () => withRecord(4, (r) => changed(r, { gseq: 41 }))],
    [
      'a value under the code of another event',
      1,
      'schema',
      () => withRecord(1, (r) => changed(r, { code: 'CRN1201I' })),
    ],
    [
      'a schema that is not the one of its id',
      1,
      'schema',
      () => withRecord(1, (r) => changed(r, { schema: Buffer.alloc(32) })),
    ],
  ])('finds %s', (_, index, reason, records) => {
    expect(verifyChain(records())).toMatchObject({ ok: false, index, reason })
  })

  it('finds an end that counts other records than there are', () => {
    const last = session()[5]!
    const value = encodeValue('session.ended', 1, encodeContext(sampleContext), {
      ...samples['session.ended'],
      records: 5,
    })
    const records = withRecord(5, () => ({
      ...changed(last, { value: valueHash(value), value_bytes: value.length }),
      value,
    }))
    expect(verifyChain(records)).toMatchObject({ ok: false, index: 5, reason: 'count' })
  })

  it('finds a whole session put in the place of another', () => {
    expect(verifyChain(session(), Buffer.alloc(32, 9))).toMatchObject({
      ok: false,
      index: 0,
      reason: 'session',
    })
  })
})
