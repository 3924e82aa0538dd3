import { createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { detectors } from '#core/masking/detectors/index.ts'
import { foundMask, type FoundRule } from '#core/masking/found-value.ts'
import { hashKey, keyedHash, maskedText, type Method } from '#core/masking/method.ts'
import { openScanner } from '#core/masking/scanner.ts'
import { valueMask } from '#core/masking/typed-value.ts'
import { decodeBinary } from '#core/postgres/binary-values.ts'

const redact: Method = { kind: 'redact' }
const hash: Method = { kind: 'hash', key: hashKey(Buffer.from('a key')) }
const partial: Method = { kind: 'partial', keep_first: 1, keep_last: 4 }
const text = (value: Buffer | null | undefined): string | null | undefined =>
  value ? value.toString('utf8') : value

const hmac = (value: string): string => createHmac('sha256', 'a key').update(value).digest('hex')

describe('methods', () => {
  test('a keyed hash is HMAC-SHA-256, also with a key longer than a block', () => {
    for (const key of [Buffer.from('a'), Buffer.alloc(64, 1), Buffer.alloc(200, 2)])
      for (const value of ['value', '', 'long'.repeat(1000), 'v'.repeat(1024)])
        expect(keyedHash(hashKey(key), Buffer.from(value))).toBe(
          createHmac('sha256', key).update(value).digest('hex'),
        )
  })

  test('partial keeps whole characters of both ends, and never more than half', () => {
    const masked = (value: string): string => maskedText(partial, Buffer.from(value)).toString()
    expect(masked('4111111111111111')).toBe('4***1111')
    expect(masked('ördög@example.com')).toBe('ö***.com')
    expect(masked('短い日本語の文章です長い')).toBe('短***です長い')
    expect(masked('short')).toBe('***')
    expect(masked('')).toBe('***')
  })
})

describe('whole values', () => {
  /** Type OID, its text form masked by redact, and by hash (null: NULL). */
  const types: readonly (readonly [number, string, string | null, RegExp | null])[] = [
    [25, 'secret', '[masked]', /^[0-9a-f]{32}$/],
    [1043, 'secret', '[masked]', /^[0-9a-f]{32}$/],
    [18, 's', '*', /^\*$/],
    [114, '{"a":1}', '"[masked]"', /^"[0-9a-f]{32}"$/],
    [3802, '{"a":1}', '"[masked]"', /^"[0-9a-f]{32}"$/],
    [21, '77', '0', /^\d{1,5}$/],
    [23, '77', '0', /^\d{1,10}$/],
    [20, '77', '0', /^\d{1,19}$/],
    [1700, '77.5', '0', /^\d{1,18}$/],
    [701, '77.5', '0', /^\d{1,16}$/],
    [26, '77', '0', /^0$/],
    [
      2950,
      'c0ffee00-0000-4000-8000-000000000001',
      '00000000-0000-0000-0000-000000000000',
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ],
    [17, '\\x00', '\\x5b6d61736b65645d', /^\\x[0-9a-f]{32}$/],
    [1009, '{a,b}', '{}', null],
    [1082, '2026-01-01', null, null],
    [16, 't', null, null],
    [2249, '(a,b)', null, null],
    [99_999, 'anything', null, null],
  ]

  test.each(types)('of type %i stay values of it', (oid, value, plain, hashed) => {
    expect(text(valueMask(redact, oid, false)(Buffer.from(value)))).toBe(plain)
    expect(text(valueMask({ kind: 'null' }, oid, false)(Buffer.from(value)))).toBeNull()
    const masked = text(valueMask(hash, oid, false)(Buffer.from(value)))
    if (hashed === null) expect(masked).toBeNull()
    else expect(masked).toMatch(hashed)
  })

  test('binary and text agree in what a masked value means', () => {
    const binary: readonly (readonly [number, Buffer, string])[] = [
      [25, Buffer.from('secret'), 'secret'],
      [20, Buffer.from('000000000000004d', 'hex'), '77'],
      [23, Buffer.from('0000004d', 'hex'), '77'],
      [21, Buffer.from('004d', 'hex'), '77'],
      [701, Buffer.from('4053600000000000', 'hex'), '77.5'],
      [1700, Buffer.from('0002000000000001004d1388', 'hex'), '77.5'],
      [
        2950,
        Buffer.from('c0ffee00000040008000000000000001', 'hex'),
        'c0ffee00-0000-4000-8000-000000000001',
      ],
      [3802, Buffer.from('\u0001{"a": 1}'), '{"a": 1}'],
    ]
    for (const [oid, wire, shown] of binary) {
      expect(decodeBinary(wire, oid)).toBe(shown)
      for (const method of [redact, hash]) {
        const masked = valueMask(method, oid, true)(wire)
        expect(masked && decodeBinary(masked, oid)).toBe(
          text(valueMask(method, oid, false)(Buffer.from(shown))),
        )
      }
    }
    const empty = valueMask(redact, 1009, true)(Buffer.alloc(0))
    expect(empty && decodeBinary(empty, 1009)).toBe('{}')
  })

  test('the hash of a text can be computed by whoever has the key', () => {
    expect(text(valueMask(hash, 25, false)(Buffer.from('bob')))).toBe(hmac('bob').slice(0, 32))
  })
})

const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => bytes.writeInt32BE(value, index * 4))
  return bytes
}
const element = (value: string): Buffer => Buffer.concat([words(value.length), Buffer.from(value)])
const bigint = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

describe('finds in values', () => {
  const rules = (method: Method): FoundRule[] => ['email', 'card'].map((rule) => ({ rule, method }))
  const scanner = openScanner([detectors.get('email')!, detectors.get('card')!])
  const masked = (
    oid: number,
    value: string | Buffer,
    { binary = false, method = redact }: { binary?: boolean; method?: Method } = {},
  ): string | null | undefined => {
    const counts: string[] = []
    const mask = foundMask(scanner, rules(method), oid, binary, (rule) => counts.push(rule))
    const bytes = Buffer.from(value)
    const result = mask?.(bytes, 0, bytes.length)
    expect(counts.length > 0).toBe(result !== undefined)
    if (binary && result) return decodeBinary(result, oid)
    return text(result)
  }

  test('are replaced where they stand, the rest stays', () => {
    expect(masked(25, 'write to bob@example.com or to 4111111111111111!')).toBe(
      'write to [masked] or to [masked]!',
    )
    expect(masked(25, 'card 4111111111111111', { method: partial })).toBe('card 4***1111')
    expect(masked(25, 'to bob@example.com', { method: hash })).toBe(
      `to ${hmac('bob@example.com').slice(0, 32)}`,
    )
    expect(masked(25, 'to bob@example.com', { method: { kind: 'null' } })).toBeNull()
    expect(masked(25, 'nothing')).toBeUndefined()
  })

  test('leave JSON valid', () => {
    expect(masked(3802, '{"a": "bob@example.com"}')).toBe('{"a": "[masked]"}')
    expect(masked(3802, '{"a": 4111111111111111}')).toBe('"[masked]"')
    expect(masked(3802, '\u0001{"a": "bob@example.com"}', { binary: true })).toBe(
      '{"a": "[masked]"}',
    )
    expect(masked(3802, '\u0001{"a": 4111111111111111}', { binary: true })).toBe('"[masked]"')
  })

  test('in numbers mask the number, in bytes the bytes, in arrays the element', () => {
    expect(masked(20, '4111111111111111')).toBe('0')
    expect(masked(20, bigint(4111111111111111n), { binary: true })).toBe('0')
    expect(masked(1700, '4111111111111111')).toBe('0')
    expect(masked(17, `\\x${Buffer.from('a bob@example.com').toString('hex')}`)).toBe(
      `\\x${Buffer.from('a [masked]').toString('hex')}`,
    )
    expect(masked(1009, '{x,bob@example.com}')).toBe('{x,[masked]}')
    expect(masked(1016, '{1,4111111111111111}')).toBe('{}')
    const array = Buffer.concat([words(1, 0, 25, 2, 1), element('x'), element('bob@example.com')])
    expect(decodeBinary(array, 1009)).toBe('{x,bob@example.com}')
    expect(masked(1009, array, { binary: true })).toBe('{x,[masked]}')
    expect(masked(1009, array, { binary: true, method: { kind: 'null' } })).toBeNull()
  })

  test('in types that nobody here knows make the value NULL; in dates nothing is looked for', () => {
    expect(masked(99_999, '(1,bob@example.com)')).toBeNull()
    expect(masked(99_999, '\0\0bob@example.com', { binary: true })).toBeNull()
    expect(masked(1184, 'bob@example.com')).toBeUndefined()
  })
})
