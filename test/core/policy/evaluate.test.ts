import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { effectOn, type SqlAnalysis } from '#core/sql/analysis.ts'
import { builtin_rules } from '#core/policy/decision.ts'
import { evaluateCommand, evaluateSession } from '#core/policy/evaluate.ts'
import { anyOf } from '#core/policy/pattern.ts'
import { compilePolicies, type PolicyRule, type SessionRequest } from '#core/policy/policy-set.ts'

const rule = (name: string, more: Partial<PolicyRule> = {}): PolicyRule => ({
  name,
  effect: 'allow',
  issuers: ['*'],
  claims: {},
  targets: ['*'],
  roles: ['*'],
  databases: ['*'],
  ...more,
})

const request: SessionRequest = {
  issuer: 'github',
  claims: {
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    groups: ['dev', 'dba'],
    run_attempt: 2,
    protected: true,
    realm_access: { roles: ['admin'] },
    empty: '',
    nothing: null,
  },
  protocol: 'postgres',
  target: 'orders',
  role: 'migrator',
  database: 'shop',
}

const decide = (...rules: readonly PolicyRule[]) =>
  evaluateSession(compilePolicies(rules, 'digest'), request)

const analysis = (...actions: readonly string[]): SqlAnalysis => ({
  ok: true,
  fingerprint: '',
  statements: [
    { verb: 'x', offset: 0, length: 1, effects: actions.map((action) => effectOn(action)) },
  ],
  pureRead: false,
  prepares: [],
  executes: [],
  deallocates: [],
  transactions: [],
  sets: [],
  secrets: 0,
})

const unparsed: SqlAnalysis = { ok: false, kind: 'syntax', error: 'syntax error', position: 1 }

describe('a session', () => {
  it('is denied when no policy speaks of it', () => {
    expect(decide()).toMatchObject({ outcome: 'deny', rules: [builtin_rules.default_deny] })
    expect(decide(rule('other', { targets: ['billing'] }))).toMatchObject({ outcome: 'deny' })
  })

  it('is allowed by a policy whose every field matches, and the decision names it', () => {
    expect(
      decide(
        rule('migrations', {
          issuers: ['git*'],
          claims: { repository: ['acme/*'], ref: ['refs/heads/main', 'refs/tags/*'] },
          targets: ['orders'],
          roles: ['migr*'],
          databases: ['s*p'],
        }),
        rule('other', { roles: ['reader'] }),
      ),
    ).toEqual({
      outcome: 'allow',
      rules: ['migrations'],
      reason:
        'role "migrator" on target "orders", database "shop", by issuer "github": allowed by migrations',
      policy_digest: 'digest',
      risk: 0,
      dry_run: false,
    })
  })

  it.for([
    ['issuers', { issuers: ['gitlab'] }],
    ['targets', { targets: ['order'] }],
    ['roles', { roles: ['Migrator'] }],
    ['databases', { databases: ['shop2'] }],
    ['a claim', { claims: { repository: ['acme/other'] } }],
    ['one of two claims', { claims: { repository: ['acme/shop'], ref: ['refs/heads/dev'] } }],
    ['a claim that is absent', { claims: { environment: ['*'] } }],
    ['a claim that is null', { claims: { nothing: ['*'] } }],
    ['no pattern at all', { targets: [] }],
    ['a claim of the prototype', { claims: { constructor: ['*'] } }],
    ['a group that is a part of one', { claims: { groups: ['db'] } }],
  ] as const)('is not allowed by a policy that differs in %s', ([, more]) => {
    expect(decide(rule('a', more)).outcome).toBe('deny')
  })

  it.for([
    ['an entry of a list', { groups: ['dba'] }],
    ['a number', { run_attempt: ['2'] }],
    ['a boolean', { protected: ['true'] }],
    ['a claim inside of another', { 'realm_access.roles': ['admin'] }],
    ['an empty text', { empty: [''] }],
  ] as const)('is allowed by %s', ([, claims]) => {
    expect(decide(rule('a', { claims })).outcome).toBe('allow')
  })

  it('is denied by any policy that denies, held by any that holds, whatever their order', () => {
    const rules = [
      rule('a'),
      rule('b', { effect: 'hold' }),
      rule('c', { effect: 'deny', roles: ['migrator'] }),
      rule('d', { effect: 'deny', targets: ['elsewhere'] }),
      rule('e', { effect: 'deny' }),
      rule('f'),
    ]
    fc.assert(
      fc.property(fc.shuffledSubarray(rules, { minLength: 1 }), (some) => {
        const decision = decide(...some)
        const matching = some.filter(({ name }) => name !== 'd')
        const strictest = (['deny', 'hold', 'allow'] as const).find((effect) =>
          matching.some((at) => at.effect === effect),
        )
        expect(decision.outcome).toBe(strictest ?? 'deny')
        expect(decision.rules).toEqual(
          strictest === undefined
            ? [builtin_rules.default_deny]
            : matching.filter(({ effect }) => effect === strictest).map(({ name }) => name),
        )
      }),
    )
  })

  it('keeps what the client sends inside of quotes', () => {
    const hostile = { ...request, role: 'x"\nroot: allowed' }
    const { reason } = evaluateSession(compilePolicies([], 'digest'), hostile)
    expect(reason).not.toContain('\n')
    expect(reason).toContain(String.raw`x\"\nroot`)
  })
})

describe('a command', () => {
  const set = compilePolicies([rule('a')], 'one')
  const session = { request, decision: evaluateSession(set, request) }

  it('is decided as its session is', () => {
    expect(evaluateCommand(set, session, analysis('select'))).toMatchObject({
      outcome: 'allow',
      rules: ['a'],
    })
  })

  it('is denied when it could not be parsed, also in a dry run', () => {
    const dry = compilePolicies([rule('a')], 'one', { dry_run: true })
    for (const policy of [set, dry])
      expect(evaluateCommand(policy, session, unparsed)).toMatchObject({
        outcome: 'deny',
        rules: [builtin_rules.unparsed],
        dry_run: false,
      })
  })

  it('is decided by a policy that came after its session began', () => {
    const later = compilePolicies([rule('no', { effect: 'deny' })], 'two')
    expect(evaluateCommand(later, session, analysis('select'))).toMatchObject({
      outcome: 'deny',
      rules: ['no'],
      policy_digest: 'two',
    })
  })

  it('has the risk of its worst effect', () => {
    const risk = (at: SqlAnalysis): number => evaluateCommand(set, session, at).risk
    expect(risk(analysis('select'))).toBe(1)
    expect(risk(analysis('select', 'delete', 'insert'))).toBe(30)
    expect(risk(analysis('copy.program'))).toBe(90)
    expect(risk(unparsed)).toBe(90)
  })
})

describe('a pattern', () => {
  it.for([
    ['*', '', true],
    ['a', 'a', true],
    ['a', 'A', false],
    ['a*', 'a', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*a*b*', 'xaybz', true],
    ['*a*b*', 'xbya', false],
    ['ab*bc', 'abc', false],
    ['a**b', 'ab', true],
    ['a.b', 'axb', false],
    ['', '', true],
    ['', 'a', false],
  ] as const)('%s on %s: %s', ([pattern, text, expected]) => {
    expect(anyOf([pattern])(text)).toBe(expected)
  })

  it('matches as a regular expression of the same meaning would', () => {
    const unit = fc.constantFrom('a', 'b', '*')
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }),
        (pattern, text) => {
          const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text)
          expect(anyOf([pattern])(text)).toBe(expected)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('takes no time to fail, however many stars', () => {
    const matches = anyOf([`${'*a'.repeat(500)}b`])
    const started = performance.now()
    expect(matches('a'.repeat(5000))).toBe(false)
    expect(performance.now() - started).toBeLessThan(500)
  })
})
