import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtin_rules } from '#core/policy/decision.ts'
import { evaluateSession } from '#core/policy/evaluate.ts'
import { anyOf } from '#core/policy/pattern.ts'
import type { SessionRequest } from '#core/policy/policy-rule.ts'
import { compilePolicies } from '#core/policy/policy-set.ts'
import { now_ms, policyRule as rule, sessionRequest } from './policies.ts'

const request: SessionRequest = {
  ...sessionRequest,
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
}

const decide = (...rules: Parameters<typeof compilePolicies>[0]) =>
  evaluateSession(compilePolicies(rules, 'digest'), request, now_ms)

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

  it.for([
    ['a group', { groups: ['db*'] }],
    ['the kind of actor', { actors: ['human', 'workload'] }],
    ['the CI run', { pipeline: { workflow: ['deploy*'], environment: ['production'] } }],
    ['a condition on the session', { when: 'claims.run_attempt == 2 && role == "migrator"' }],
    ['a condition that asks for the command', { when: 'command.verb == "select"' }],
    ['a condition that asks for the time', { when: 'now < timestamp("1990-01-01T00:00:00Z")' }],
    ['some actions only', { actions: ['select'], objects: ['public.orders'] }],
  ] as const)('is allowed by %s', ([, more]) => {
    expect(decide(rule('a', more))).toMatchObject({ outcome: 'allow', rules: ['a'] })
  })

  it.for([
    ['a group', { groups: ['admin'] }],
    ['the kind of actor', { actors: ['human'] }],
    ['the CI run', { pipeline: { workflow: ['deploy*'], environment: ['staging'] } }],
    ['a condition', { when: 'claims.run_attempt > 2' }],
    ['a condition in error', { when: 'claims.no_such_claim == "x"' }],
    [
      'its effect, which holds',
      { effect: 'hold', hold: { groups: ['dba'], quorum: 1, expires_s: 60 } },
    ],
  ] as const)('is not allowed by a policy that differs in %s', ([, more]) => {
    expect(decide(rule('a', more)).outcome).toBe('deny')
  })

  it('is denied by a condition in error of a policy that denies', () => {
    const deny = rule('no', { effect: 'deny', when: 'claims.no_such_claim == "x"' })
    expect(decide(rule('a'), deny)).toMatchObject({ outcome: 'deny', rules: ['no'] })
  })

  it('is denied by any policy that denies everything, whatever their order', () => {
    const rules = [
      rule('a'),
      rule('b', { effect: 'hold', hold: { groups: ['dba'], quorum: 1, expires_s: 60 } }),
      rule('c', { effect: 'deny', roles: ['migrator'] }),
      rule('d', { effect: 'deny', targets: ['elsewhere'] }),
      rule('e', { effect: 'deny', actions: ['*'] }),
      rule('f', { effect: 'deny', actions: ['ddl.drop'] }),
      rule('g', { effect: 'deny', objects: ['public.secrets'] }),
      rule('h', { effect: 'deny', when: 'command.risk > 50' }),
      rule('i'),
    ]
    fc.assert(
      fc.property(fc.shuffledSubarray(rules, { minLength: 1 }), (some) => {
        const decision = decide(...some)
        const names = (wanted: string) =>
          some.map(({ name }) => name).filter((name) => wanted.includes(name))
        const [denies, allows] = [names('ce'), names('ai')]
        const expected =
          denies.length > 0 ? denies : allows.length > 0 ? allows : [builtin_rules.default_deny]
        expect(decision.rules).toEqual(expected)
        expect(decision.outcome).toBe(denies.length === 0 && allows.length > 0 ? 'allow' : 'deny')
      }),
    )
  })

  it('is not denied, and not allowed either, by a policy in a dry run', () => {
    const deny = rule('no', { effect: 'deny', dry_run: true, reason: 'freeze' })
    expect(decide(rule('a'), deny)).toMatchObject({
      outcome: 'deny',
      rules: ['no'],
      dry_run: true,
    })
    expect(decide(rule('a', { dry_run: true }))).toMatchObject({
      outcome: 'deny',
      rules: [builtin_rules.default_deny],
      dry_run: false,
    })
  })

  it('leaves conditions on the client open where a token is exchanged', () => {
    const set = compilePolicies([rule('a', { when: 'peer.address == "10.0.0.1"' })], 'digest')
    const at = (peer: SessionRequest['peer']) =>
      evaluateSession(set, { ...request, peer }, now_ms).outcome
    expect(at(null)).toBe('allow')
    expect(at({ address: '10.0.0.1', client_software: '' })).toBe('allow')
    expect(at({ address: '10.0.0.2', client_software: '' })).toBe('deny')
  })

  it('keeps what the client sends inside of quotes', () => {
    const hostile = { ...request, role: 'x"\nroot: allowed' }
    const { reason } = evaluateSession(compilePolicies([], 'digest'), hostile, now_ms)
    expect(reason).not.toContain('\n')
    expect(reason).toContain(String.raw`x\"\nroot`)
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
