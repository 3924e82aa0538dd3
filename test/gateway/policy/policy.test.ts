import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { holdPolicy, loadPolicy } from '../../../services/gateway/policy/policy.ts'

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
    const { set, text, source } = loadPolicy({ policies: [policy] }, 'cairn.yaml')
    expect(set.digest).toBe(hash('sha256', text))
    expect(source).toBe('cairn.yaml')
    expect(JSON.parse(text)).toEqual([policy])
  })

  it('has the same digest however its claims are ordered, and another one when anything differs', () => {
    const digest = (claims: Readonly<Record<string, string[]>>): string =>
      loadPolicy({ policies: [{ ...policy, claims }] }, '').set.digest
    expect(digest({ actor: ['me'], ref: ['main'] })).toBe(digest(policy.claims))
    expect(digest({ actor: ['you'], ref: ['main'] })).not.toBe(digest(policy.claims))
  })

  it('is replaced as a whole', () => {
    const [first, second] = [
      loadPolicy({ policies: [] }, 'a'),
      loadPolicy({ policies: [policy] }, 'b'),
    ]
    const holder = holdPolicy(first)
    expect(holder.current()).toBe(first)
    holder.replace(second)
    expect(holder.current()).toBe(second)
  })
})
