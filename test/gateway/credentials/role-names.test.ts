import { describe, expect, it } from 'vitest'
import {
  leftOver,
  roleName,
  rolesLike,
  sweepLock,
  type FoundRole,
  type RoleOwner,
} from '../../../services/gateway/credentials/role-names.ts'
import {
  createRole,
  quoteIdentifier,
  quoteLiteral,
} from '../../../services/gateway/credentials/role-statements.ts'

const owner: RoleOwner = {
  deployment: 'production',
  credential: 'shop-session',
  gateway: 'gw-1/0',
  boot: '0000000a',
}
const now_s = 1_800_000_000
const grace_s = 120
const random = 'abcdef012345'

const live = roleName(owner, now_s - 9_999, random)
const abandoned = roleName(owner, now_s - 1, 'fedcba543210')
const own = { live: new Set([live]), abandoned: new Set([abandoned]) }

const found = (maker: Partial<RoleOwner>, age_s: number, more: Partial<FoundRole> = {}) => ({
  name: roleName({ ...owner, ...maker }, now_s - age_s, random),
  backends: 0,
  valid_until_s: now_s + 3600,
  ...more,
})

const verdict = (role: FoundRole) => leftOver(role, owner, own, now_s, grace_s)

describe('the name of a session’s role', () => {
  it('fits into PostgreSQL’s 63 bytes, and is found by its pattern', () => {
    const name = roleName(owner, now_s, random)
    expect(name).toHaveLength(53)
    expect(name).toMatch(/^cairn_[0-9a-f]{16}_0000000a_6b49d200_abcdef012345$/)
    expect(name.startsWith(rolesLike(owner).replace('%', ''))).toBe(true)
    expect(rolesLike({ ...owner, credential: 'other' })).not.toBe(rolesLike(owner))
    for (const half of sweepLock(owner)) expect(Number(half) | 0).toBe(Number(half))
  })

  it.each<readonly [string, FoundRole, string | null]>([
    ['of this start, known to be in use', { ...found({}, 0), name: live }, null],
    ['of this start, new', found({}, 1), null],
    ['of this start, of no session', found({}, 10_000), 'nobody is logged in'],
    ['of this start, abandoned', { ...found({}, 0), name: abandoned }, 'when its session ended'],
    ['of an earlier start, new', found({ boot: '00000009' }, 1), 'an earlier start'],
    [
      'of an earlier start, with a session that its gateway no longer sees',
      found({ boot: '00000009' }, 10_000, { backends: 1 }),
      'an earlier start',
    ],
    ['of another gateway, on its way', found({ gateway: 'gw-2/0' }, grace_s), null],
    ['of another gateway, in use', found({ gateway: 'gw-2/0' }, 100_000, { backends: 1 }), null],
    [
      'of another gateway, without a session',
      found({ gateway: 'gw-2/0' }, grace_s + 1),
      'nobody is logged in',
    ],
    [
      'of another gateway, in use beyond its lifetime',
      found({ gateway: 'gw-2/0' }, 10_000, { backends: 1, valid_until_s: now_s - grace_s - 1 }),
      'beyond its lifetime',
    ],
    ['of this start beyond its lifetime', found({}, 10_000, { valid_until_s: 1 }), 'beyond'],
    ['of another deployment', found({ deployment: 'test', boot: '00000009' }, 10_000), null],
    ['of another credential', found({ credential: 'other', boot: '00000009' }, 10_000), null],
    ['of a person', { name: 'cairn_admin', backends: 0, valid_until_s: 1 }, null],
    [
      'of a person who likes the pattern',
      { name: `${roleName(owner, 1, random)}_x`, backends: 0, valid_until_s: 1 },
      null,
    ],
  ])('a role %s', (_what, role, words) => {
    if (words === null) expect(verdict(role)).toBeNull()
    else expect(verdict(role)).toContain(words)
  })
})

describe('the statements that make a role', () => {
  it('quote every name and word', () => {
    expect(quoteIdentifier('we"ird; drop')).toBe('"we""ird; drop"')
    expect(quoteLiteral("o'clock")).toBe("'o''clock'")
    expect(quoteLiteral("\\' or 1=1")).toBe(" E'\\\\'' or 1=1'")
    const statements = createRole(
      {
        name: 'r"1',
        verifier: 'SCRAM-SHA-256$4096:a$b:c',
        valid_until_s: now_s,
        database: 'd"b',
        actor: "x'; drop role y; --\u0000\n",
        gateway: 'gw-1/0',
      },
      {
        member_of: ['app"rw', 'reader'],
        grants: ['grant connect on database {database} to {role}'],
        settings: { statement_timeout: '5s', 'my.tenant': "a'b" },
        connections_max: 3,
      },
    )
    expect(statements).toEqual([
      `create role "r""1" login inherit nosuperuser nocreatedb nocreaterole noreplication nobypassrls connection limit 3 password 'SCRAM-SHA-256$4096:a$b:c' valid until '2027-01-15T08:00:00.000Z' in role "app""rw", "reader"`,
      `comment on role "r""1" is 'Cairn session role, made by gw-1/0 for x''; drop role y; --??'`,
      `alter role "r""1" set "statement_timeout" to '5s'`,
      `alter role "r""1" set "my"."tenant" to 'a''b'`,
      `grant connect on database "d""b" to "r""1"`,
    ])
  })
})
