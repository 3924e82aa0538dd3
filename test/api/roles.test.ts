import { describe, expect, it } from 'vitest'
import type { Identity } from '#core/identity/identity.ts'
import type { ApiRoleConfig } from '#lib/config/schema.ts'
import { scopeOf, type Caller } from '../../services/api/caller.ts'
import { rolesOf } from '../../services/api/roles.ts'

const identity: Identity = {
  issuer: 'people',
  actor: {
    kind: 'human',
    issuer: 'https://people.example.test',
    subject: 'u-1',
    display_name: 'Ana',
    groups: ['soc', 'engineering'],
    credential_fingerprint: '',
    token_id: '',
  },
  pipeline: null,
  claims: { team: ['blue', 'red'], level: 3, realm: { roles: ['ops'] } },
  expires_at_s: 0,
  binding: null,
}

const rule = (more: Partial<ApiRoleConfig>): ApiRoleConfig => ({
  role: 'analyst',
  issuers: ['*'],
  claims: {},
  groups: [],
  ...more,
})
const has = (more: Partial<ApiRoleConfig>): boolean =>
  rolesOf(identity, [rule(more)]).has('analyst')

describe('roles of an identity', () => {
  it('come from rules whose issuer, claims and groups all fit', () => {
    expect(has({})).toBe(true)
    expect(has({ issuers: ['people'] })).toBe(true)
    expect(has({ issuers: ['ci-*'] })).toBe(false)
    expect(has({ groups: ['admins', 'soc'] })).toBe(true)
    expect(has({ groups: ['admins'] })).toBe(false)
    expect(has({ claims: { team: ['bl*'] } })).toBe(true)
    expect(has({ claims: { level: ['3'] } })).toBe(true)
    expect(has({ claims: { 'realm.roles': ['ops'] } })).toBe(true)
    expect(has({ claims: { team: ['blue'], level: ['4'] } })).toBe(false)
    expect(has({ claims: { missing: ['*'] } })).toBe(false)
    expect(has({ claims: { constructor: ['*'] } })).toBe(false)
  })

  it('add up', () => {
    const roles = rolesOf(identity, [
      rule({}),
      rule({ role: 'developer' }),
      rule({ role: 'admin', groups: ['none'] }),
    ])
    expect([...roles].toSorted()).toEqual(['analyst', 'developer'])
  })
})

describe('what a caller may see', () => {
  const caller = (
    ...roles: Caller['roles'] extends ReadonlySet<infer R> ? R[] : never
  ): Caller => ({
    issuer: 'i',
    subject: 's',
    roles: new Set(roles),
    actor: null,
    pipeline: null,
    names: [],
  })

  it('is all for admin, analyst and auditor, and the own for a developer', () => {
    expect(scopeOf(caller('admin')).kind).toBe('all')
    expect(scopeOf(caller('developer', 'auditor')).kind).toBe('all')
    expect(scopeOf(caller('developer'))).toEqual({ kind: 'own', issuer: 'i', subject: 's' })
    expect(scopeOf(caller())).toEqual({ kind: 'own', issuer: 'i', subject: 's' })
  })
})
