import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { rig_role, rig_target, startRig, type Rig } from '../support/rig.ts'
import { fieldsOf, openSecure, wire, type WireClient } from '../support/wire-client.ts'

let rig: Rig
let api: string

beforeAll(async () => {
  rig = await startRig({
    role: {
      sessions_per_token: 1,
      expect: [{ repository: 'acme/shop', environment: 'production' }],
    },
    config: {
      api: { roles: [{ role: 'analyst', claims: { repository: 'acme/soc' } }] },
      clickhouse: { insert: { linger_ms: 20 } },
    },
  })
  api = `http://127.0.0.1:${rig.cairn.ports['api']}`
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
})

const post = (path: string, fields: Readonly<Record<string, string>>): Promise<Response> =>
  fetch(new URL(path, api), { method: 'POST', body: new URLSearchParams(fields) })

const exchange = (subject_token: string): Promise<Response> =>
  post('/v1/tokens', {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    subject_token,
    audience: rig_target,
    scope: rig_role,
  })

const cairnToken = async (claims: Readonly<Record<string, unknown>>): Promise<string> => {
  const response = await exchange(await rig.issuer.token(claims))
  const { access_token } = (await response.json()) as { readonly access_token: string }
  return access_token
}

/** The SQLSTATE of the refusal; empty when the session is open. */
const enter = async (client: WireClient, token: string): Promise<string> => {
  client.send(wire.startup({ user: rig_role, database: rig_target }))
  await client.take(({ type }) => type === 'R')
  client.send(wire.password(token))
  const last = (await client.take(({ type }) => type === 'Z' || type === 'E')).at(-1)
  return last?.type === 'E' ? (fieldsOf(last)['C'] ?? '') : ''
}

const show = async (token: string, from?: string): Promise<string> => {
  await using client = await openSecure(rig.cairn.ports['postgres'] ?? 0, from)
  const code = await enter(client, token)
  return code
}

const rows = <Row extends object>(sql: string, count: number): Promise<readonly Row[]> =>
  eventually(sql, async () => {
    const found = await rig.query<Row>(sql)
    return found.length >= count ? found : undefined
  })

describe('a token of the exchange', () => {
  it('opens one session of its run, from the address that asked for it; the tables say what differed', async () => {
    const token = await cairnToken({ run_id: '8001' })
    expect(await show(token, '127.0.0.9')).toBe('28P01')
    expect(await show(token)).toBe('')
    expect(await show(token)).toBe('28P01')
    const refused = await rows<object>(
      `select reason, peer_address, arrayMap(d -> (d.field || ': ' || d.expected || ' / ' || d.actual), differences) as differences
       from cairn.session_refused where pipeline_run = '8001' order by time`,
      2,
    )
    expect(refused).toEqual([
      {
        reason: 'peer_mismatch',
        peer_address: '127.0.0.9',
        differences: ['peer: 127.0.0.1 / 127.0.0.9'],
      },
      { reason: 'token_replayed', peer_address: '127.0.0.1', differences: [] },
    ])
    expect(
      await rows(
        `select event, uses, gateway, actor_token != '' as named, length(token) as hex, target, target_role
         from cairn.token_events where pipeline_run = '8001'`,
        1,
      ),
    ).toEqual([
      {
        event: 'token.claimed',
        uses: 1,
        gateway: 'gw-test/0/tokens',
        named: 1,
        hex: 64,
        target: rig_target,
        target_role: rig_role,
      },
    ])
  })

  it('is not issued to a job that the role does not expect; the answer does not say which it expects', async () => {
    const response = await exchange(
      await rig.issuer.token({ run_id: '8002', environment: 'staging' }),
    )
    const text = await response.text()
    expect(response.status).toBe(400)
    expect(JSON.parse(text)).toMatchObject({ code: 'forbidden', error: 'invalid_target' })
    expect(text).not.toContain('production')
    const [refused] = await rows<{ readonly detail: string }>(
      `select reason, detail, differences[1].field as field, differences[1].expected as expected, differences[1].actual as actual
       from cairn.session_refused where pipeline_run = '8002'`,
      1,
    )
    expect(refused).toMatchObject({
      reason: 'context_mismatch',
      field: 'environment',
      expected: 'production',
      actual: 'staging',
    })
  })
})

describe('the end of a run', () => {
  it('by its own job ends its sessions and its tokens', async () => {
    await using client = await openSecure(rig.cairn.ports['postgres'] ?? 0)
    expect(await enter(client, await cairnToken({ run_id: '8003' }))).toBe('')
    const unused = await cairnToken({ run_id: '8003' })
    const response = await post('/v1/runs/end', {
      subject_token: await rig.issuer.token({ run_id: '8003' }),
    })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      repository: 'acme/shop',
      run: '8003',
      run_attempt: '2',
    })
    // The record is in the log when the answer comes, and a claim stands behind it in the same partition.
    expect(await show(unused)).toBe('28P01')
    expect(fieldsOf((await client.closed()).at(-1)!)).toMatchObject({ C: '57P01' })
    expect(
      await rows(
        `select kind, run, reason, revoked_by from cairn.token_events
         where event = 'token.revoked' and pipeline_run = '8003'`,
        1,
      ),
    ).toEqual([
      {
        kind: 'run',
        run: JSON.stringify([rig.issuer.url, 'acme/shop', '8003', '2']),
        reason: 'the run has ended',
        revoked_by: 'repo:acme/shop:environment:production',
      },
    ])
  })

  it('takes a token of a job, and tells what is wrong with another', async () => {
    const expired = await rig.issuer.token({}, { now_s: 1_700_000_000 })
    for (const [subject_token, status, words] of [
      ['', 400, 'subject_token is missing'],
      ['nonsense', 401, 'malformed_token'],
      [expired, 401, 'token_expired'],
      [await cairnToken({ run_id: '8004' }), 401, 'wrong_audience'],
    ] as const) {
      const response = await post('/v1/runs/end', subject_token === '' ? {} : { subject_token })
      const text = await response.text()
      expect(response.status, words).toBe(status)
      expect(text).toContain(words)
      if (subject_token.length > 20) expect(text).not.toContain(subject_token)
    }
  })

  it('is a word of the command, for the last step of a pipeline', async () => {
    const token = await cairnToken({ run_id: '8005' })
    const file = join(rig.cairn.data_dir, 'job-token')
    await writeFile(file, await rig.issuer.token({ run_id: '8005' }), { mode: 0o600 })
    const asked = await rig.cairn.cli('token', '--end-run', '--issuer-token', file)
    expect(asked).toMatchObject({ code: 0, stdout: '' })
    expect(asked.stderr).toContain('run 8005 of acme/shop, attempt 2 is ended')
    expect(await show(token)).toBe('28P01')
  })
})

describe('DELETE /v1/sessions/{id}', () => {
  it('ends the session at its gateway, and its token with it', async () => {
    await using client = await openSecure(rig.cairn.ports['postgres'] ?? 0)
    expect(await enter(client, await cairnToken({ run_id: '8006' }))).toBe('')
    const [session] = await rows<{ readonly session: string }>(
      `select session from cairn.sessions where pipeline_run = '8006'`,
      1,
    )
    const authorization = `Bearer ${await rig.issuer.token({ repository: 'acme/soc' })}`
    const end = (): Promise<Response> =>
      fetch(new URL(`/v1/sessions/${session?.session}`, api), {
        method: 'DELETE',
        headers: { authorization },
      })
    const response = await end()
    expect(response.status).toBe(202)
    expect(await response.json()).toEqual({ session: session?.session, state: 'ending' })
    expect(fieldsOf((await client.closed()).at(-1)!)).toMatchObject({ C: '57P01' })
    expect(
      await rows(
        `select kind, token != '' as of_token, session != '' as of_session, reason from cairn.token_events
         where event = 'token.revoked' and (session = '${session?.session}' or revoked_by = 'session ${session?.session}')
         order by time`,
        2,
      ),
    ).toEqual([
      { kind: 'session', of_token: 0, of_session: 1, reason: 'ended through the API' },
      { kind: 'token', of_token: 1, of_session: 0, reason: 'a session that it opened was ended' },
    ])
    await rows(
      `select session from cairn.sessions where pipeline_run = '8006' and reason = 'terminated'`,
      1,
    )
    expect(await (await end()).json()).toMatchObject({ state: 'ended' })
  })
})
