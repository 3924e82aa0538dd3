import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { detectors } from '#core/masking/detectors/index.ts'
import { customDetector } from '#core/masking/detectors/custom.ts'
import type { Detector } from '#core/masking/detector.ts'
import { openScanner } from '#core/masking/scanner.ts'

const found = (detector: Detector, text: string): readonly string[] => {
  const before = Buffer.from('bob@before.example 4111111111111111 ')
  const value = Buffer.from(text)
  const bytes = Buffer.concat([before, value, Buffer.from(' bob@behind.example')])
  const finds = openScanner([detector]).scan(bytes, before.length, before.length + value.length)
  if (finds === null) return []
  return finds.by.map((_, at) =>
    bytes.toString('utf8', finds.ranges[at * 2], finds.ranges[at * 2 + 1]),
  )
}

const jwt =
  'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U'
// Put together here, so that no scanner of repositories takes them for real ones.
const aws_id = ['AKIA', 'IOSFODNN7EXAMPLE'].join('')
const aws_secret = ['wJalrXUtnFEMI/K7MDENG', '/bPxRfiCYEXAMPLEKEY'].join('')
const gcp = ['AIza', 'SyA1234567890abcdefghijklmnopqrstuv'].join('')
const pem = ['-----BEGIN RSA', 'PRIVATE KEY-----\nMIIB\n-----END RSA', 'PRIVATE KEY-----'].join(' ')

/** Detector, text, what is found in it. */
const cases: readonly (readonly [string, string, readonly string[]])[] = [
  ['email', 'bob@example.com', ['bob@example.com']],
  ['email', 'mail Bob <bob.x+tag@mail.example.co.uk>, please.', ['bob.x+tag@mail.example.co.uk']],
  ['email', 'a@b.co and c@d.org', ['a@b.co', 'c@d.org']],
  ['email', '{"email":"jörg@exämple.de"}', ['jörg@exämple.de']],
  ['email', 'end of a sentence: bob@example.com.', ['bob@example.com']],
  ['email', 'x@y', []],
  ['email', '@example.com', []],
  ['email', 'bob@localhost', []],
  ['email', 'bob@example.c', []],
  ['email', 'user@@example.com', []],
  ['email', 'bob@-.com', []],
  ['card', '4111111111111111', ['4111111111111111']],
  ['card', 'card 4111 1111 1111 1111 ok', ['4111 1111 1111 1111']],
  ['card', '5500-0000-0000-0004', ['5500-0000-0000-0004']],
  ['card', '378282246310005', ['378282246310005']],
  ['card', '30569309025904', ['30569309025904']],
  ['card', '6011000990139424', ['6011000990139424']],
  ['card', '3530111333300000', ['3530111333300000']],
  ['card', '12 4111 1111 1111 1111', ['4111 1111 1111 1111']],
  ['card', '{"card":4111111111111111}', ['4111111111111111']],
  ['card', '4111111111111112', []],
  ['card', '41111111111111111111111111', []],
  ['card', 'x4111111111111111', []],
  ['card', '4111111111111111x', []],
  ['card', '9111111111111111', []],
  ['card', '4111  1111  1111  1111', []],
  ['iban', 'DE89370400440532013000', ['DE89370400440532013000']],
  ['iban', 'IBAN: GB82 WEST 1234 5698 7654 32, thanks', ['GB82 WEST 1234 5698 7654 32']],
  ['iban', 'fr1420041010050500013m02606', ['fr1420041010050500013m02606']],
  ['iban', 'NO9386011117947', ['NO9386011117947']],
  ['iban', 'DE89370400440532013001', []],
  ['iban', 'XX89370400440532013000', []],
  ['iban', 'ADE89370400440532013000', []],
  ['iban', 'DE8937040044053201300', []],
  ['iban', 'DE893704004405320130000', []],
  ['jwt', jwt, [jwt]],
  ['jwt', `Bearer ${jwt}.`, [`${jwt}.`]],
  ['jwt', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.', ['eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.']],
  ['jwt', 'eyJ.eyJ.x', []],
  ['jwt', 'eyJhbGciOiJIUzI1NiJ9', []],
  ['aws_key', `id ${aws_id}`, [aws_id]],
  ['aws_key', `aws_secret_access_key = ${aws_secret}`, [aws_secret]],
  ['aws_key', `{"SecretAccessKey": "${aws_secret}"}`, [aws_secret]],
  ['aws_key', `${aws_id}X`, []],
  ['aws_key', `X${aws_id}`, []],
  ['gcp_key', `key=${gcp}`, [gcp]],
  ['gcp_key', gcp.slice(0, -1), []],
  ['private_key', `a ${pem} b`, [pem]],
  [
    'private_key',
    '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl',
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl'],
  ],
  ['private_key', '-----BEGIN CERTIFICATE-----', []],
  ['us_ssn', '078-05-1120', ['078-05-1120']],
  ['us_ssn', 'ssn 078 05 1120.', ['078 05 1120']],
  ['us_ssn', '666-05-1120', []],
  ['us_ssn', '900-05-1120', []],
  ['us_ssn', '078-00-1120', []],
  ['us_ssn', '078-05-0000', []],
  ['us_ssn', '078-05 1120', []],
  ['us_ssn', '1078-05-1120', []],
  ['us_ssn', '078-05-11201', []],
  ['phone', '+49 30 901820', ['+49 30 901820']],
  ['phone', 'call (212) 555-0123 now', ['(212) 555-0123']],
  ['phone', '212-555-0123', ['212-555-0123']],
  ['phone', '+1 (212) 555-0123', ['+1 (212) 555-0123']],
  ['phone', '212.555.0123', ['212.555.0123']],
  ['phone', '2026-11-24 13:00:00+00', []],
  ['phone', '2125550123', []],
  ['phone', '112-555-0123', []],
  ['phone', '+1234567', []],
  ['phone', '10.212.555.0123', []],
]

describe('detectors', () => {
  test.each(cases)('%s in %j', (name, text, expected) => {
    expect(found(detectors.get(name)!, text)).toEqual(expected)
  })

  // A secret key is one only behind its name.
  test.each(
    cases.filter(([, , [only, more]]) => more === undefined && only && only !== aws_secret),
  )('%s finds the same wherever it stands: %j', (name, _, [value]) => {
    for (const [before, behind] of [
      ['', ''],
      ['"', '"'],
      ['(', ')'],
      ['äöü, ', ' äöü'],
      ['\t', '\n'],
    ] as const)
      if (name !== 'private_key' || behind === '')
        expect(found(detectors.get(name)!, `${before}${value}${behind}`)).toEqual([value])
  })

  test('a custom detector matches by RE2, also where the text before it is not ASCII', () => {
    const badge = customDetector({ name: 'badge', re2: String.raw`\bEMP-\d{4}\b`, literal: 'EMP-' })
    expect(found(badge, 'jörg has EMP-1234 and EMP-99999')).toEqual(['EMP-1234'])
    expect(found(badge, 'nothing')).toEqual([])
  })

  test('a pattern that is no RE2, or matches nothing at all, is refused', () => {
    expect(() => customDetector({ name: 'a', re2: '(?=x)', literal: '' })).toThrow()
    expect(() => customDetector({ name: 'a', re2: 'x*', literal: '' })).toThrow('empty text')
  })

  test('no bytes make a detector fail, look beyond its range, or find an empty range', () => {
    const all = [...detectors.values()]
    const scanner = openScanner(all)
    const tokens = fc.constantFrom(
      ...cases.map(([, text]) => text),
      '@',
      '.',
      '-',
      ' ',
      '+',
      '(',
      'eyJ',
      '-----BEGIN ',
      'AKIA',
      '4111',
      'DE89',
      'ö',
      '\0',
    )
    const text = fc.array(fc.oneof(tokens, fc.string({ maxLength: 5 })), { maxLength: 12 })
    fc.assert(
      fc.property(text, fc.nat(20), fc.nat(20), (parts, before, behind) => {
        const bytes = Buffer.from(parts.join(''))
        const start = Math.min(before, bytes.length)
        const end = Math.max(start, bytes.length - behind)
        const finds = scanner.scan(bytes, start, end)
        const alone = scanner.scan(Buffer.from(bytes.subarray(start, end)), 0, end - start)
        expect(finds?.by ?? []).toEqual(alone?.by ?? [])
        let last = start
        for (let at = 0; at < (finds?.by.length ?? 0); at++) {
          const [from = 0, to = 0] = finds!.ranges.slice(at * 2, at * 2 + 2)
          expect(from).toBeGreaterThanOrEqual(last)
          expect(to).toBeGreaterThan(from)
          last = to
        }
        expect(last).toBeLessThanOrEqual(end)
      }),
      { numRuns: 2000 },
    )
  })

  test('time grows with the length of a value, not with its square', () => {
    const scanner = openScanner([...detectors.values()])
    for (const part of ['a@', '4 ', '1-', '+1', 'eyJ', 'DE89', '-----BEGIN ', '(2', 'a.']) {
      const bytes = Buffer.from(part.repeat(200_000))
      // With quadratic time these would run into the test's limit by far.
      scanner.scan(bytes, 0, bytes.length)
    }
  })
})
