import { stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ApiDeps } from '../../services/api/deps.ts'
import { problemSchema } from '../../services/api/problem-schema.ts'
import type { Route } from '../../services/api/route.ts'
import { routes } from '../../services/api/routes/registry.ts'
import { leafHash } from '#core/events/header.ts'
import { eventually } from '../support/eventually.ts'
import { filesBelow } from '../support/files-below.ts'
import { createTrail, type TrailSession } from '../support/trail.ts'
import { startRunningApi, type Asked, type RunningApi } from './running.ts'

let api: RunningApi
let session: TrailSession
let own: TrailSession
let approvals: { readonly own: string; readonly other: string }
const roles = ['admin', 'analyst', 'approver', 'auditor', 'developer'] as const

beforeAll(async () => {
  api = await startRunningApi()
  const trail = createTrail()
  session = trail.session()
  session.command('select 1')
  session.end()
  own = trail.session({
    actor: {
      kind: 'human',
      issuer: api.issuer.url,
      subject: 'ana@example.test',
      display_name: 'Ana',
      groups: [],
      credential_fingerprint: '',
      token_id: '',
    },
  })
  own.command('select own')
  own.end()
  await api.write(trail)
  approvals = await writeApprovals()
})
afterAll(async () => {
  await api?.[Symbol.asyncDispose]()
})

/** Two commands that wait for people: one of Ana's own, and one of a job's. */
const writeApprovals = async (): Promise<{ readonly own: string; readonly other: string }> => {
  const trail = createTrail()
  const request = {
    approval: Buffer.alloc(32),
    command: 0,
    command_hash: Buffer.alloc(32, 1),
    text: 'alter table t add c int',
    reason: 'migrations are approved',
    approver_groups: [],
    quorum: 1,
    expires: (Date.now() + 600_000) * 1000,
    estimated_rows: -1,
    rules: ['migrations'],
    link: '',
  }
  const actor = {
    kind: 'human' as const,
    issuer: api.issuer.url,
    subject: 'ana@example.test',
    display_name: 'Ana',
    groups: [],
    credential_fingerprint: '',
    token_id: '',
  }
  trail.session({ actor }).add('approval.requested', request)
  trail.session().add('approval.requested', request)
  const records = trail.records.filter(
    ({ headers }) => headers['cairn-code']?.toString() === 'CRN1400I',
  )
  await api.log.append('cairn.approvals', records)
  const [mine, other] = records.map(({ headers }) =>
    leafHash(headers['cairn-leaf']!).toString('hex'),
  )
  await eventually('they are known', async () => {
    const { json } = await api.ask('/v1/approvals')
    return json.items.length === 2
  })
  return { own: mine!, other: other! }
}

/** A request that the route answers with content, for whoever may. */
const sample = (route: Route<ApiDeps>, id = own.id): string =>
  route.path
    .replace('/v1/sessions/{id}', `/v1/sessions/${id}`)
    .replace('/v1/approvals/{id}/decision', `/v1/approvals/${approvals.other}/decision`)
    .replace('/v1/approvals/{id}', `/v1/approvals/${approvals.own}`)
    .replace('{name}', 'chat')
    .replace('{id}', '110001')
    .replace('{subject}', 'cairn.CommandReceived')
    .replace('{version}', 'latest')

const call = (route: Route<ApiDeps>, token: string | null): Promise<Asked> =>
  api.ask(
    sample(route),
    token,
    route.method === 'POST'
      ? {
          method: 'POST',
          body: new URLSearchParams(
            route.path.endsWith('/decision') ? { decision: 'approve' } : { grant_type: 'none' },
          ),
        }
      : { method: route.method },
  )

/** Routes that anyone who reaches the port may call: nothing of the trail is in their answers. */
const open = [
  'GET /v1/openapi.json',
  'GET /healthz',
  'GET /readyz',
  'GET /metrics',
  'POST /v1/tokens',
  'POST /v1/approvals/callbacks/{name}',
  'POST /v1/runs/end',
  'GET /schemas/ids/{id}',
  'GET /subjects',
  'GET /subjects/{subject}/versions',
  'GET /subjects/{subject}/versions/{version}',
]
/** Who may call the others. */
const matrix: Readonly<Record<string, readonly string[]>> = {
  'GET /v1/sessions': ['admin', 'analyst', 'auditor', 'developer'],
  'GET /v1/sessions/{id}': ['admin', 'analyst', 'auditor', 'developer'],
  'DELETE /v1/sessions/{id}': ['admin', 'analyst'],
  'GET /v1/sessions/{id}/records': ['admin', 'analyst', 'auditor', 'developer'],
  'GET /v1/commands': ['admin', 'analyst', 'auditor', 'developer'],
  'GET /v1/approvals': ['admin', 'analyst', 'approver', 'auditor', 'developer'],
  'GET /v1/approvals/{id}': ['admin', 'analyst', 'approver', 'auditor', 'developer'],
  'POST /v1/approvals/{id}/decision': ['approver'],
}
/** Routes that read no content and change nothing. A new route stands here on purpose or is audited. */
const not_audited = new Set([
  ...open.filter((name) => !name.startsWith('POST')),
  'GET /v1/sessions',
])
/** Only persons decide, and not about what they asked for. */
const approver = (): Promise<string> => api.token('approver', { sub: 'grace@example.test' })
const decidesAbout = (route: Route<ApiDeps>): boolean =>
  route.tag === 'approvals' && route.effect === 'mutates'
const nameOf = (route: Route<ApiDeps>): string => `${route.method} ${route.path}`

describe('the role matrix', () => {
  it('has a line for every route', () => {
    expect([...open, ...Object.keys(matrix)].toSorted()).toEqual(routes.map(nameOf).toSorted())
  })

  describe.each(routes.map((route) => [nameOf(route), route] as const))('%s', (name, route) => {
    it('asks for a token unless it is open', async () => {
      const { status, headers, json } = await call(route, null)
      if (open.includes(name)) expect(status).not.toBe(401)
      else {
        expect(status).toBe(401)
        expect(headers.get('www-authenticate')).toContain('Bearer')
        expect(problemSchema.parse(json).code).toBe('identity_refused')
      }
    })

    it.each(roles)('lets %s in as the matrix says', async (role) => {
      const token = role === 'approver' ? await approver() : await api.token(role)
      const { status, json } = await call(route, token)
      if (open.includes(name)) expect([200, 400]).toContain(status)
      else if (matrix[name]?.includes(role) === true)
        // A decision is taken once: the next person is late.
        expect(route.effect === 'mutates' ? [202, 409] : [200]).toContain(status)
      else {
        expect(status).toBe(403)
        expect(problemSchema.parse(json).code).toBe('forbidden')
      }
    })

    it('lets nobody in without a role', async () => {
      const { status } = await call(route, await api.token('none'))
      if (!open.includes(name)) expect(status).toBe(403)
    })

    it('answers in the shape that it declares', async () => {
      const { status, json, headers } = await call(route, api.admin_token)
      const declared = route.responses[status]
      if (declared === undefined) expect(problemSchema.safeParse(json).success).toBe(true)
      else {
        expect(headers.get('content-type')).toContain(declared.content_type ?? 'application/json')
        if (declared.schema !== undefined) declared.schema.parse(json)
      }
    })
  })
})

describe('a developer', () => {
  it('sees own sessions only, by list, id, records and search', async () => {
    const token = await api.token('developer', { sub: 'ana@example.test' })
    const list = await api.ask('/v1/sessions', token)
    expect(list.json.items.map(({ id }: { id: string }) => id)).toEqual([own.id])
    for (const path of ['', '/records']) {
      expect((await api.ask(`/v1/sessions/${own.id}${path}`, token)).status).toBe(200)
      expect((await api.ask(`/v1/sessions/${session.id}${path}`, token)).status).toBe(404)
    }
    const found = await api.ask('/v1/commands?q=select', token)
    expect(found.json.items.map(({ text }: { text: string }) => text)).toEqual(['select own'])
    expect((await api.ask(`/v1/commands?session=${session.id}`, token)).status).toBe(404)
  })

  it('does not become somebody else by a subject of the same name at another issuer', async () => {
    const token = await api.token('developer', { sub: 'repo:acme/shop:ref:refs/heads/main' })
    expect((await api.ask('/v1/sessions', token)).json.items).toEqual([])
  })

  it('sees all as an analyst too', async () => {
    const token = await api.token('analyst')
    expect((await api.ask('/v1/sessions', token)).json.items).toHaveLength(2)
  })
})

describe('tokens that are no good', () => {
  it('are refused with their reason and without a word of the token', async () => {
    const expired = await api.issuer.token({ cairn_role: 'admin' }, { now_s: 1_700_000_000 })
    const audience = await api.token('admin', { aud: 'https://other.example.test' })
    const cases: readonly (readonly [string, RegExp])[] = [
      [expired, /token_expired/],
      [audience, /wrong_audience/],
      ['nonsense', /malformed_token/],
      [`${api.admin_token}x`, /malformed_token/],
      [api.admin_token.slice(0, -1), /malformed_token/],
    ]
    for (const [token, reason] of cases) {
      const { status, text, json } = await api.ask('/v1/sessions', token)
      expect(status).toBe(401)
      expect(json.detail).toMatch(reason)
      expect(text).not.toContain(token)
    }
  })

  it('include Cairn tokens: they open sessions, not the trail', async () => {
    const { json } = await exchange({ subject_token: await api.token('admin', { team: 'shop' }) })
    const { status, json: refused } = await api.ask('/v1/sessions', json.access_token)
    expect(status).toBe(401)
    expect(refused.detail).toContain('wrong_audience')
  })
})

describe('the admin token of this machine', () => {
  it('is for its owner only', async () => {
    const file = join(api.cairn.data_dir, 'keys', 'admin-token')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(api.admin_token).toMatch(/^[A-Za-z0-9_-]{43}$/)
  })
})

describe('the audit of the API', () => {
  it.each(routes.map((route) => [nameOf(route), route] as const))(
    '%s is recorded if it reads content or changes something',
    async (name, route) => {
      const topic = decidesAbout(route) ? 'cairn.approvals' : 'cairn.audit'
      const before = (await api.notes(topic)).length
      const token = decidesAbout(route) ? await approver() : api.admin_token
      const { status } = await call(route, token)
      expect(status).toBeLessThan(500)
      const fresh = (await api.notes(topic)).slice(before)
      expect(fresh.length > 0).toBe(!not_audited.has(name))
      expect(route.effect === 'none').toBe(not_audited.has(name))
    },
  )

  it('names who read what', async () => {
    const token = await api.token('analyst')
    const before = (await api.notes()).length
    await api.ask(`/v1/sessions/${session.id.slice(0, 20)}/records`, token)
    await api.ask('/v1/commands?q=select&target=shop', token, {
      headers: { 'user-agent': 'test/1' },
    })
    const [records, search] = (await api.notes()).slice(before)
    expect(records).toMatchObject({
      type: 'evidence.viewed',
      event: {
        viewer_issuer: api.issuer.url,
        viewer_subject: 'ana@example.test',
        resource: 'records',
        viewed_session: session.id,
        query: 'after=-1 records=5',
      },
    })
    expect(search).toMatchObject({
      event: {
        resource: 'commands',
        viewed_session: '',
        query: 'q=select target=shop commands=2',
        context: { gateway: 'api', peer: { address: '127.0.0.1', client_software: 'test/1' } },
      },
    })
  })

  it('does not record questions of a follower that find nothing', async () => {
    const before = (await api.notes()).length
    await api.ask(`/v1/sessions/${session.id}/records?after=4`)
    expect((await api.notes()).slice(before)).toEqual([])
  })

  it('begins its epoch with gateway.started', async () => {
    const [first] = await api.notes()
    expect(first).toMatchObject({
      type: 'gateway.started',
      event: { policy_digest: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
  })
})

const exchange = (fields: Readonly<Record<string, string>>): Promise<Asked> =>
  api.ask('/v1/tokens', null, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      audience: 'shop',
      scope: 'reader',
      ...fields,
    }),
  })

describe('POST /v1/tokens', () => {
  it('gives a token for a target and role that the policy allows, and records it without the token', async () => {
    const subject_token = await api.token('none', { team: 'shop' })
    const before = (await api.notes()).length
    const { status, json, headers } = await exchange({ subject_token })
    expect(status).toBe(200)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(json).toMatchObject({ token_type: 'N_A', scope: 'reader' })
    const fresh = (await api.notes()).slice(before)
    expect(fresh).toHaveLength(1)
    expect(fresh[0]).toMatchObject({
      type: 'admin.changed',
      event: {
        action: 'POST /v1/tokens',
        object: 'shop/reader',
        admin_subject: 'ana@example.test',
      },
    })
    expect(JSON.stringify(fresh)).not.toContain(json.access_token)
    expect(JSON.stringify(fresh)).not.toContain(subject_token)
  })

  it('refuses what the policy does not allow, and records who asked for what', async () => {
    const cases: readonly (readonly [Readonly<Record<string, string>>, string])[] = [
      [{ scope: 'owner' }, 'policy_denied'],
      [{ audience: 'billing' }, 'policy_denied'],
    ]
    for (const [fields, reason] of cases) {
      const subject_token = await api.token('none', { team: 'shop' })
      const before = (await api.notes()).length
      const { status, json } = await exchange({ ...fields, subject_token })
      expect(status).toBe(400)
      expect(problemSchema.parse(json)).toMatchObject({
        code: 'forbidden',
        error: 'invalid_target',
      })
      expect((await api.notes()).slice(before)).toMatchObject([
        {
          type: 'session.refused',
          event: { reason, context: { actor: { subject: 'ana@example.test' } } },
        },
      ])
    }
  })

  it('refuses a token that proves nothing', async () => {
    const before = (await api.notes()).length
    const { json } = await exchange({ subject_token: 'a.b.c' })
    expect(json).toMatchObject({ code: 'identity_refused', error: 'invalid_request' })
    expect((await api.notes()).slice(before)).toMatchObject([
      { type: 'session.refused', event: { reason: 'malformed_token', context: { actor: null } } },
    ])
  })

  it('takes forms only, of bounded size', async () => {
    const json = await api.ask('/v1/tokens', null, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    expect(problemSchema.parse(json.json).status).toBe(415)
    const large = await exchange({ subject_token: 'x'.repeat(100_000) })
    expect(problemSchema.parse(large.json).status).toBe(413)
  })
})

/** A GET with headers that fetch does not let one choose. */
const raw = (path: string, headers: Readonly<Record<string, string>>): Promise<number> =>
  new Promise((resolve, reject) => {
    request(new URL(path, api.url), { headers }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end()
  })

describe('the server', () => {
  it('answers to loopback names only, so that a page in a browser cannot reach it under its own', async () => {
    expect(await raw('/healthz', { host: 'attacker.example' })).toBe(421)
    expect(await raw('/v1/sessions', { host: '127.0.0.1.attacker.example' })).toBe(421)
    expect(await raw('/healthz', { host: 'localhost:1234' })).toBe(200)
    expect(await raw('/healthz', { host: '[::1]:8080' })).toBe(200)
  })

  it('sends headers that keep answers out of caches, frames and other types', async () => {
    for (const path of ['/healthz', '/nothing', '/v1/sessions']) {
      const { headers } = await api.ask(path)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('access-control-allow-origin')).toBeNull()
    }
  })

  it('is ready when log and tables answer, and says how far the tables are', async () => {
    const { status, json } = await api.ask('/readyz', null)
    expect(status).toBe(200)
    expect(json).toMatchObject({ ready: true, checks: { log: 'ok', clickhouse: 'ok' } })
  })

  it('gives metrics of all processes and of the pipeline', async () => {
    const { text } = await api.ask('/metrics', null)
    expect(text).toMatch(/cairn_log_lag_records\{group="replay",topic="cairn\.audit"\} \d+/)
    expect(text).toMatch(/cairn_table_rows\{table="sessions"\} 2/)
    expect(text).toMatch(/cairn_api_requests_total\{route="\/v1\/sessions",status="200"\} \d+/)
  })

  it('serves the schemas as a registry that readers of the topics know', async () => {
    const { json } = await api.ask('/subjects/cairn.SessionStarted/versions/latest', null)
    expect(json).toMatchObject({ subject: 'cairn.SessionStarted', version: 1, id: 110_001 })
    const byId = await api.ask('/schemas/ids/110001', null)
    expect(byId.headers.get('content-type')).toContain('application/vnd.schemaregistry.v1+json')
    expect(byId.json.schema).toBe(json.schema)
    expect(JSON.parse(json.schema)).toMatchObject({ name: 'SessionStarted', namespace: 'cairn' })
    expect((await api.ask('/subjects/cairn.SessionStarted/versions', null)).json).toEqual([1])
    expect((await api.ask('/schemas/ids/7', null)).status).toBe(404)
    expect((await api.ask('/subjects/nothing/versions', null)).status).toBe(404)
  })

  it('keeps secrets out of its log and its files but the ones that are made for them', async () => {
    const log = api.cairn.stderr()
    expect(log).not.toContain(api.admin_token)
    for (const [path, content] of await filesBelow(api.cairn.data_dir))
      if (!path.endsWith(join('keys', 'admin-token')))
        expect(content.includes(api.admin_token), path).toBe(false)
  })
})
