import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBinary } from '#core/postgres/binary-values.ts'

const int32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => bytes.writeInt32BE(value, index * 4))
  return bytes
}

describe('binary values that are not what their type says', () => {
  it.for([
    ['a bool of two bytes', 16, Buffer.from('0101', 'hex')],
    ['an integer of three bytes', 23, Buffer.from('010203', 'hex')],
    ['a numeric whose digits are missing', 1700, Buffer.from('0002000000000000270f', 'hex')],
    ['a numeric digit above 9999', 1700, Buffer.from('00010000000000002710', 'hex')],
    ['a numeric sign that is none', 1700, Buffer.from('0000000012340000', 'hex')],
    ['a time after midnight', 1083, Buffer.from('7fffffffffffffff', 'hex')],
    ['an address of an unknown family', 869, Buffer.from('0720000401020304', 'hex')],
    ['an address with too many prefix bits', 869, Buffer.from('0221000401020304', 'hex')],
    ['a jsonb of another version', 3802, Buffer.from('027b7d', 'hex')],
    ['bits that are fewer than announced', 1560, int32(9, 0).subarray(0, 5)],
    ['an array of other elements', 1007, int32(1, 0, 25, 1, 1, 4, 7)],
    ['an array with more elements than bytes', 1007, int32(1, 0, 23, 2 ** 30, 1)],
    [
      'an array whose dimensions multiply out of bounds',
      1007,
      int32(6, 0, 23, 65_536, 1, 65_536, 1),
    ],
    ['an array with a negative length', 1007, int32(1, 0, 23, 1, 1, -7)],
    ['an array with bytes behind it', 1007, Buffer.concat([int32(1, 0, 23, 1, 1, 4, 7), int32(1)])],
    ['a type that is not known', 600, int32(1)],
  ] as const)('are shown as bytes: %s', ([, oid, bytes]) => {
    expect(decodeBinary(bytes, oid)).toBe(`\\x${bytes.toString('hex')}`)
  })

  it('never throw, whatever the bytes', () => {
    const oids = [16, 17, 18, 20, 23, 114, 650, 700, 701, 829, 869, 1007, 1009, 1082, 1083, 1184]
    const more = [1186, 1231, 1266, 1560, 1700, 2950, 2951, 3802, 3807, 5069, 99_999]
    fc.assert(
      fc.property(
        fc.constantFrom(...oids, ...more),
        fc.uint8Array({ maxLength: 64 }),
        (oid, bytes) => {
          expect(typeof decodeBinary(Buffer.from(bytes), oid)).toBe('string')
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('reads text in the encoding it is given', () => {
    const latin1 = (bytes: Buffer, start: number, end: number) =>
      bytes.toString('latin1', start, end)
    expect(decodeBinary(Buffer.from([0xe9]), 25, latin1)).toBe('é')
  })
})
