import { describe, expect, test } from 'vitest'
import { hasDuplicateNames } from '#core/identity/json-names.ts'
import { mapIdentity, type MappedIssuer } from '#core/identity/mapping.ts'
import { githubClaims, gitlabClaims } from '../../support/token-shapes.ts'

const issuer = (
  preset: MappedIssuer['preset'],
  more: Partial<MappedIssuer> = {},
): MappedIssuer => ({
  name: 'idp',
  preset,
  claims: {},
  ...more,
})
const standard = {
  iss: 'https://idp.example.test',
  sub: 'someone',
  jti: 'id-1',
  exp: 1_800_000_000,
}

const mapped = (from: MappedIssuer, claims: Readonly<Record<string, unknown>>) => {
  const result = mapIdentity(from, { ...standard, ...claims }, 'f'.repeat(64))
  if (!result.ok) throw new Error(result.detail)
  return result.identity
}
const detail = (from: MappedIssuer, claims: Readonly<Record<string, unknown>>) => {
  const result = mapIdentity(from, { ...standard, ...claims }, '')
  return result.ok ? 'accepted' : `${result.reason}: ${result.detail}`
}

describe('GitHub Actions', () => {
  test('a job becomes a workload with its run', () => {
    const identity = mapped(issuer('github-actions'), githubClaims())
    expect(identity.actor).toEqual({
      kind: 'workload',
      issuer: 'https://idp.example.test',
      subject: 'repo:acme/shop:environment:production',
      display_name: 'acme/shop · deploy',
      groups: [],
      credential_fingerprint: 'f'.repeat(64),
      token_id: 'id-1',
    })
    expect(identity.pipeline).toEqual({
      provider: 'github',
      repository: 'acme/shop',
      ref: 'refs/heads/main',
      sha: '0f1e2d3c4b5a69788796a5b4c3d2e1f001234567',
      workflow: 'acme/shop/.github/workflows/deploy.yml@refs/heads/main',
      run: '9182736450',
      run_attempt: '2',
      job: '',
      environment: 'production',
      triggering_user: 'ana',
      runner: 'github-hosted',
      approval_ticket: '',
    })
    expect(identity).toMatchObject({ issuer: 'idp', expires_at_s: 1_800_000_000, binding: null })
  })

  test('a token without repository or run is refused', () => {
    expect(
      detail(issuer('github-actions'), { ...githubClaims(), repository: undefined, run_id: '' }),
    ).toBe('unusable_claims: claim repository is missing; claim run_id is missing')
  })
})

describe('GitLab', () => {
  test('a job becomes a workload with its pipeline', () => {
    expect(mapped(issuer('gitlab'), gitlabClaims()).pipeline).toEqual({
      provider: 'gitlab',
      repository: 'acme/shop',
      ref: 'refs/heads/main',
      sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
      workflow: 'gitlab.example.test/acme/shop//.gitlab-ci.yml@refs/heads/main',
      run: '574',
      run_attempt: '',
      job: '302',
      environment: 'production',
      triggering_user: 'ana',
      runner: 'self-hosted 1',
      approval_ticket: '',
    })
  })

  const refOf = (claims: Readonly<Record<string, unknown>>) =>
    mapped(issuer('gitlab'), { ...gitlabClaims(), ...claims }).pipeline?.ref

  test("a fork's merge request never has the ref of a branch of the project", () => {
    const merge_request = { pipeline_source: 'merge_request_event' }
    // GitLab before 18.2.2: the token names the parent project, and nothing tells that the code is a fork's.
    expect(refOf({ ...merge_request, job_project_path: undefined })).toBe(
      'refs/merge-requests/main',
    )
    // Since 18.3: the project of the code is the fork, the project it runs in is the parent.
    expect(refOf({ ...merge_request, project_path: 'mallory/shop' })).toBe(
      'refs/merge-requests/main',
    )
    // The project's own branch.
    expect(refOf(merge_request)).toBe('refs/heads/main')
  })

  test('a token without ref_path gets its ref from type and name', () => {
    expect(refOf({ ref_path: undefined })).toBe('refs/heads/main')
    expect(refOf({ ref_path: undefined, ref_type: 'tag', ref: 'v1' })).toBe('refs/tags/v1')
  })
})

describe('generic', () => {
  test('a person has a name, groups and no pipeline', () => {
    const identity = mapped(issuer('generic'), {
      name: 'Ana',
      groups: ['dba', 'dev'],
      email: 'ana@example.test',
    })
    expect(identity.actor).toMatchObject({
      kind: 'human',
      subject: 'someone',
      display_name: 'Ana',
      groups: ['dba', 'dev'],
    })
    expect(identity.pipeline).toBeNull()
  })

  test('the subject is the name of last resort', () => {
    expect(mapped(issuer('generic'), {}).actor.display_name).toBe('someone')
  })

  test('the configuration names the claims, also inside others', () => {
    const identity = mapped(
      issuer('generic', {
        actor_kind: 'agent',
        claims: {
          groups: 'realm_access.roles',
          repository: 'git.repo',
          run: 'https://ci.example.test/run',
          approval_ticket: 'ticket',
        },
      }),
      {
        realm_access: { roles: 'ops' },
        git: { repo: 'a/b' },
        'https://ci.example.test/run': 77,
        ticket: 'CHG-1',
      },
    )
    expect(identity.actor).toMatchObject({ kind: 'agent', groups: ['ops'] })
    expect(identity.pipeline).toMatchObject({
      provider: 'generic',
      repository: 'a/b',
      run: '77',
      approval_ticket: 'CHG-1',
      ref: '',
    })
  })

  test.each([
    [{ sub: { a: 1 } }, 'unusable_claims: claim sub is not a text'],
    [{ sub: 'x'.repeat(1025) }, 'unusable_claims: claim sub is longer than 1024 characters'],
    [{ groups: [{}] }, 'unusable_claims: claim groups has an entry that is not a text'],
    [{ groups: Array(501).fill('g') }, 'unusable_claims: claim groups has more than 500 entries'],
  ])('unusable claims are refused, never cut: %#', (claims, expected) => {
    expect(detail(issuer('generic'), claims)).toBe(expected)
  })

  test("claims are looked up among the token's own names only", () => {
    const identity = mapped(
      issuer('generic', { claims: { repository: 'constructor.name', ref: '__proto__' } }),
      {},
    )
    expect(identity.pipeline).toBeNull()
  })
})

describe('names that stand twice', () => {
  test.each([
    ['{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}', false],
    ['{"a":1,"a":2}', true],
    ['{"a":1,"\\u0061":2}', true],
    ['{"x":[{"y":{"z":1,"z":1}}]}', true],
    ['{"a":"a","b":"\\"a\\":1,\\"a\\":2","c":"}{"}', false],
    ['{"a" : 1, "b":["a","a"], "a" :2}', true],
    ['[]', false],
  ])('%s', (json, expected) => {
    JSON.parse(json)
    expect(hasDuplicateNames(json)).toBe(expected)
  })
})
