import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { holdPolicy, loadPolicy } from '#lib/policy/policy.ts'

const policy = {
  name: 'a',
  effect: 'allow' as const,
  issuers: ['*'],
  claims: { ref: ['main'], actor: ['me'] },
  targets: ['*'],
  roles: ['*'],
  databases: ['*'],
}

describe('the policy of a configuration', () => {
  it('has the digest of its text', () => {
    const { set, text, source } = loadPolicy(
      { policies: [policy], policy_mode: 'enforce' },
      'cairn.yaml',
    )
    expect(set.digest).toBe(hash('sha256', text))
    expect(source).toBe('cairn.yaml')
    expect(JSON.parse(text)).toEqual({ mode: 'enforce', policies: [policy] })
    expect(set.dry_run).toBe(false)
  })

  it('has the same digest however its claims are ordered, and another one when anything differs', () => {
    const digest = (claims: Readonly<Record<string, string[]>>): string =>
      loadPolicy({ policies: [{ ...policy, claims }], policy_mode: 'enforce' }, '').set.digest
    expect(digest({ actor: ['me'], ref: ['main'] })).toBe(digest(policy.claims))
    expect(digest({ actor: ['you'], ref: ['main'] })).not.toBe(digest(policy.claims))
  })

  it('has another digest in a dry run', () => {
    const enforced = loadPolicy({ policies: [policy], policy_mode: 'enforce' }, '').set
    const dry = loadPolicy({ policies: [policy], policy_mode: 'dry_run' }, '').set
    expect(dry.dry_run).toBe(true)
    expect(dry.digest).not.toBe(enforced.digest)
  })

  it('is replaced as a whole', () => {
    const [first, second] = [
      loadPolicy({ policies: [], policy_mode: 'enforce' }, 'a'),
      loadPolicy({ policies: [policy], policy_mode: 'enforce' }, 'b'),
    ]
    const holder = holdPolicy(first)
    expect(holder.current()).toBe(first)
    holder.replace(second)
    expect(holder.current()).toBe(second)
  })
})
