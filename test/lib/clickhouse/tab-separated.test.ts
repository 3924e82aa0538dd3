import {
  array,
  assert,
  boolean,
  constantFrom,
  property,
  record,
  string,
  tuple,
  uint8Array,
} from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openTabSeparated, uint_max } from '#lib/clickhouse/tab-separated.ts'

const text = string({ unit: constantFrom('\n', '\r', '\t', '\\', "'", 'a', '€', '\0', ';') })

const rows = array(
  record({
    word: text,
    bytes: uint8Array(),
    words: array(text),
    pairs: array(tuple(text, boolean())),
  }),
  { minLength: 1 },
)

describe('TabSeparated', () => {
  test('no value makes an empty line, or another line or field than its own', () => {
    assert(
      property(rows, (values) => {
        const writer = openTabSeparated(1)
        for (const { word, bytes, words, pairs } of values) {
          writer.string(word)
          writer.bytes(bytes)
          writer.strings(words)
          writer.map({ [word]: word })
          writer.tuples(pairs)
          writer.end()
        }
        const written = writer.take()
        expect(written.includes('\n\n')).toBe(false)
        expect(written[0]).not.toBe(10)
        const lines = written.toString('latin1').split('\n')
        expect(lines.length).toBe(values.length + 1)
        for (const line of lines.slice(0, -1)) expect(line.split('\t').length).toBe(5)
      }),
    )
  })

  test('numbers that a column would wrap round are refused', () => {
    const writer = openTabSeparated()
    for (const [value, max] of [
      [256, uint_max[8]],
      [-1, uint_max[64]],
      [1.5, uint_max[32]],
      [Number.NaN, uint_max[32]],
    ] as const)
      expect(() => writer.uint(value, max)).toThrow(RangeError)
    expect(() => writer.int(2 ** 60)).toThrow(RangeError)
    writer.uint(255, uint_max[8])
    writer.uint(2n ** 63n, uint_max[64])
    writer.int(-5)
    writer.end()
    expect(writer.take().toString()).toBe('255\t9223372036854775808\t-5\n')
  })

  test('times keep every tick', () => {
    const writer = openTabSeparated()
    writer.time(1_700_000_000_000_001, 6)
    writer.time(1_700_000_000_999, 3)
    writer.time(0, 6)
    writer.end()
    expect(writer.take().toString()).toBe(
      '2023-11-14 22:13:20.000001\t2023-11-14 22:13:20.999\t1970-01-01 00:00:00.000000\n',
    )
  })

  test('a row that was begun can be taken back', () => {
    const writer = openTabSeparated()
    writer.string('whole')
    writer.bool(true)
    writer.end()
    const start = writer.length
    writer.string('half')
    writer.bytes(Buffer.from('way'))
    writer.cut(start)
    expect(writer.take().toString()).toBe('whole\ttrue\n')
  })
})
