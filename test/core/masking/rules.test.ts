import { describe, expect, test } from 'vitest'
import { columnMatcher, isColumnPattern } from '#core/masking/column-pattern.ts'
import { hashKey } from '#core/masking/method.ts'
import { compileMasking, type MaskingFacts, type MaskingRule } from '#core/masking/rules.ts'

const everybody: MaskingRule = {
  name: 'rule',
  columns: ['people.email'],
  detectors: [],
  method: 'redact',
  partial: { keep_first: 0, keep_last: 4 },
  targets: ['*'],
  roles: ['*'],
  databases: ['*'],
  issuers: ['*'],
  groups: [],
  claims: {},
}

const session = (more: Partial<Omit<MaskingFacts, 'identity'>> = {}): MaskingFacts => ({
  identity: {
    issuer: 'ci',
    actor: {
      kind: 'workload',
      issuer: 'https://ci.example',
      subject: 'job',
      display_name: 'job',
      groups: ['build', 'qa'],
      credential_fingerprint: '',
      token_id: '',
    },
    pipeline: null,
    claims: { repository: 'acme/shop', roles: ['a', 'b'] },
    expires_at_s: 0,
    binding: null,
  },
  target: 'shop',
  role: 'app',
  database: 'shop',
  ...more,
})

const applies = (rule: Partial<MaskingRule>, facts = session()): boolean =>
  compileMasking([{ ...everybody, ...rule }], [], null).forSession(facts) !== null

describe('columns of a rule', () => {
  test.each([
    ['people.email', 'public', 'people', 'email', true],
    ['people.email', 'other', 'people', 'email', true],
    ['people.email', 'public', 'people', 'id', false],
    ['public.people.email', 'other', 'people', 'email', false],
    ['people.*', 'public', 'people', 'anything', true],
    ['*.ssn', 'hr', 'staff', 'ssn', true],
    ['*.*_ssn', 'hr', 'staff', 'old_ssn', true],
    ['hr.*.*', 'hr', 'staff', 'x', true],
    ['hr.*.*', 'public', 'staff', 'x', false],
    ['people.email', 'public', 'people', '*', true],
    ['people.email', 'public', 'pets', '*', false],
    ['people.email', 'public', 'People', 'email', false],
  ])('%s and %s.%s.%s', (pattern, schema, table, column, expected) => {
    expect(columnMatcher([pattern])({ schema, table, column })).toBe(expected)
  })

  test('are table and column at least', () => {
    expect(['email', 'a.b.c.d', 'a..b', '.a', 'a.', ''].filter(isColumnPattern)).toEqual([])
  })
})

describe('who a rule is for', () => {
  test.each<readonly [string, Partial<MaskingRule>, boolean]>([
    ['everybody', {}, true],
    ['a target', { targets: ['shop'] }, true],
    ['another target', { targets: ['other'] }, false],
    ['a role', { roles: ['ap*'] }, true],
    ['another role', { roles: ['admin'] }, false],
    ['another database', { databases: ['postgres'] }, false],
    ['an issuer', { issuers: ['ci'] }, true],
    ['another issuer', { issuers: ['people'] }, false],
    ['a group', { groups: ['qa'] }, true],
    ['another group', { groups: ['dba'] }, false],
    ['a claim', { claims: { repository: ['acme/*'] } }, true],
    ['a claim that is a list', { claims: { roles: ['b'] } }, true],
    ['a claim that is not there', { claims: { nothing: ['*'] } }, false],
  ])('%s', (_, rule, expected) => {
    expect(applies(rule)).toBe(expected)
  })

  test('not those excepted, and an exception matches as a whole', () => {
    const nobody = { issuers: [], groups: [], claims: {}, roles: [] }
    expect(applies({ unless: { ...nobody, groups: ['qa'] } })).toBe(false)
    expect(applies({ unless: { ...nobody, groups: ['qa'], roles: ['other'] } })).toBe(true)
    expect(applies({ unless: { ...nobody, groups: ['qa'], roles: ['app'] } })).toBe(false)
    expect(applies({ unless: { ...nobody, groups: ['dba'] } })).toBe(true)
  })

  test('an empty exception excepts nobody', () => {
    expect(applies({ unless: { issuers: [], groups: [], claims: {}, roles: [] } })).toBe(true)
  })

  test('rules keep their order, each detector with the method of its rule', () => {
    const key = hashKey(Buffer.from('key'))
    const rules = compileMasking(
      [
        { ...everybody, name: 'a', columns: [], detectors: ['email', 'badge'], method: 'hash' },
        { ...everybody, name: 'b', detectors: ['card'], method: 'partial' },
        { ...everybody, name: 'c', targets: ['other'] },
      ],
      [{ name: 'badge', re2: 'EMP', literal: '' }],
      key,
    ).forSession(session())
    expect(rules?.columns.map(({ name }) => name)).toEqual(['b'])
    expect(
      rules?.detectors.map(({ rule, detector, method }) => [rule, detector.name, method.kind]),
    ).toEqual([
      ['a', 'email', 'hash'],
      ['a', 'badge', 'hash'],
      ['b', 'card', 'partial'],
    ])
  })

  test('what names an unknown detector, or hashes without a key, does not compile', () => {
    expect(() => applies({ detectors: ['nothing'] })).toThrow('nothing')
    expect(() => applies({ method: 'hash' })).toThrow('key')
  })
})
