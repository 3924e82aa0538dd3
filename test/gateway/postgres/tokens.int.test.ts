import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mapIdentity } from '#core/identity/mapping.ts'
import type { TokenBinding } from '#core/identity/identity.ts'
import { runOf } from '#core/identity/run.ts'
import { openTokenSigner, signCairnToken } from '#lib/identity/cairn-token.ts'
import { ledgerKey } from '#lib/identity/token-ledger.ts'
import { embeddedLogPath, openLog } from '#lib/log/open.ts'
import { openLogRecorder } from '#lib/log/recorder.ts'
import { openLogger } from '#lib/logger.ts'
import { startGateway } from '../../../services/gateway/main.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { fieldsOf, openSecure, wire, type WireClient } from '../../support/wire-client.ts'

let postgres: TestPostgres
let gateway: TestGateway
/** A second target: nobody is there, but who comes is counted. */
const deaf = createServer((socket) => {
  heard++
  socket.destroy()
})
let heard = 0

beforeAll(async () => {
  postgres = await startPostgres()
  deaf.listen(0, '127.0.0.1')
  await once(deaf, 'listening')
  const { port } = deaf.address() as AddressInfo
  gateway = await startTestGateway({
    targets: { main: postgres, deaf: { ...postgres, port } },
    role: {
      sessions_per_token: 1,
      expect: [
        { repository: 'acme/shop', ref: ['refs/heads/main', 'refs/tags/v*'] },
        { repository: 'acme/tools', environment: 'production' },
      ],
    },
  })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  deaf.close()
  await postgres?.stop()
})

type Shown = Readonly<Record<string, string>> | null

/** Shows a token: the error's fields, or null when the session is open. */
const enter = async (
  client: WireClient,
  token: string,
  database = 'main',
  options: Readonly<Record<string, string>> = {},
): Promise<Shown> => {
  client.send(wire.startup({ user: 'admin', database, ...options }))
  await client.take(({ type }) => type === 'R')
  client.send(wire.password(token))
  const last = (await client.take(({ type }) => type === 'Z' || type === 'E')).at(-1)
  return last?.type === 'E' ? fieldsOf(last) : null
}

type ShowOptions = {
  readonly port?: number
  readonly from?: string
  readonly database?: string
  readonly parameters?: Readonly<Record<string, string>>
}

const show = async (token: string, options: ShowOptions = {}): Promise<Shown> => {
  const { port = gateway.port, from = '127.0.0.1', database = 'main', parameters = {} } = options
  await using client = await openSecure(port, from)
  const shown = await enter(client, token, database, parameters)
  return shown
}

/** The latest refusal with this reason. */
const refusal = (reason: string, subject?: string) =>
  gateway.until((records) =>
    records.findLast(
      (record) =>
        record.type === 'session.refused' &&
        record.reason === reason &&
        (subject === undefined || record.context.actor?.subject === subject),
    ),
  )

/** A Cairn token of the job, as the API signs it. */
const cairnToken = async (binding: TokenBinding): Promise<string> => {
  const claims = JSON.parse(
    Buffer.from((await gateway.token()).split('.')[1] ?? '', 'base64url').toString(),
  ) as Record<string, unknown>
  const mapped = mapIdentity(gateway.config.issuers[0]!, claims, '00')
  if (!mapped.ok) throw new Error(mapped.detail)
  const { data_dir, deployment } = gateway.config
  const signed = await signCairnToken(
    await openTokenSigner(data_dir, deployment),
    mapped.identity,
    binding,
    { now_ms: Date.now(), lifetime_s: 60, token_id: randomUUID() },
  )
  return signed.token
}

/** Records an end of tokens as the API does. */
const revoke = async (of: { readonly run?: string; readonly session?: string }): Promise<void> => {
  const { log: config, data_dir, deployment } = gateway.config
  await using log = await openLog(config, { data_dir })
  await using recorder = openLogRecorder({
    log,
    deployment,
    name: 'api',
    epoch: randomBytes(16),
    now_us: () => Date.now() * 1000,
    mono_ns: () => process.hrtime.bigint(),
  })
  const { run = '', session = '' } = of
  await recorder.record(
    'token.revoked',
    { actor: null, pipeline: null, peer: null, target: null },
    {
      kind: run === '' ? 'session' : 'run',
      token: '',
      run,
      session,
      reason: 'the job is over',
      revoked_by: 'test',
    },
    ledgerKey(run, session),
  )
}

const runNamed = (run: string): string =>
  runOf({ issuer: gateway.issuer.url }, { repository: 'acme/shop', run, run_attempt: '1' })

describe('a token', () => {
  it('opens one session; the second time it is refused before the target hears of it', async () => {
    const token = await gateway.token()
    expect(await show(token)).toBeNull()
    heard = 0
    expect(await show(token, { database: 'deaf' })).toMatchObject({
      C: '28P01',
      M: 'authentication failed',
      D: expect.stringContaining('used already') as string,
      H: expect.stringContaining('cairn token') as string,
    })
    expect(heard).toBe(0)
    expect(await refusal('token_replayed')).toMatchObject({
      context: { pipeline: { repository: 'acme/shop' }, target: { name: 'deaf', role: 'admin' } },
      requested_target: 'deaf',
    })
    // The target that nobody is at hears of a token that is good.
    expect(await show(await gateway.token(), { database: 'deaf' })).toMatchObject({ C: '08006' })
    expect(heard).toBeGreaterThan(0)
  })

  it('shown many times at once, at two gateways, opens one session', async () => {
    const abort = new AbortController()
    await using other = await startGateway(
      { ...gateway.config, gateway: { ...gateway.config.gateway, id: 'gw-2' } },
      { logger: openLogger('gateway', 'silent'), signal: abort.signal },
    )
    const ports = [gateway.port, other.ports['postgres']!]
    const token = await gateway.token()
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, at) => show(token, { port: ports[at % 2]! })),
    )
    expect(outcomes.filter((outcome) => outcome === null)).toHaveLength(1)
    const refused = outcomes.filter((outcome) => outcome !== null)
    expect(new Set(refused.map((fields) => fields['C']))).toEqual(new Set(['28P01']))
  })

  it('that came to no session, because the target refused it, can be shown again', async () => {
    const token = await gateway.token()
    expect(await show(token, { database: 'main/no_such_database' })).toMatchObject({ C: '3D000' })
    expect(await show(token)).toBeNull()
    expect(await show(token)).toMatchObject({ C: '28P01' })
  })

  it('of a job that the role does not expect is refused before the target hears of it, with what differs', async () => {
    heard = 0
    const token = await gateway.token({
      sub: 'repo:acme/shop:ref:refs/heads/feature',
      ref: 'refs/heads/feature',
    })
    expect(await show(token, { database: 'deaf' })).toMatchObject({
      C: '28000',
      M: 'no access to target "deaf" as role "admin"',
    })
    expect(await refusal('context_mismatch')).toMatchObject({
      detail:
        'the token comes from another context: ref is "refs/heads/feature", expected "refs/heads/main | refs/tags/v*"',
      context: { actor: { subject: 'repo:acme/shop:ref:refs/heads/feature' } },
      differences: [
        {
          field: 'ref',
          expected: 'refs/heads/main | refs/tags/v*',
          actual: 'refs/heads/feature',
        },
      ],
    })
    expect(heard).toBe(0)
  })

  it('that was refused for its context has not been used', async () => {
    const token = await gateway.token({ repository: 'acme/tools', environment: 'staging' })
    expect(await show(token)).toMatchObject({ C: '28000' })
    await using log = await openLog(gateway.config.log, { data_dir: gateway.data_dir })
    const before = await log.lag('none', ['cairn.tokens'])
    expect(await show(token)).toMatchObject({ C: '28000' })
    expect(await log.lag('none', ['cairn.tokens'])).toEqual(before)
  })

  it('that lives for longer than uses are remembered is refused', async () => {
    const token = await gateway.issuer.token({}, { lifetime_s: 90_000 })
    expect(await show(token)).toMatchObject({ C: '28P01' })
    expect(await refusal('token_lifetime')).toMatchObject({
      detail: expect.stringContaining('90000 s') as string,
    })
  })

  it('is refused while nobody can tell whether it has been used, and good afterwards', async () => {
    const token = await gateway.token()
    const other = new DatabaseSync(embeddedLogPath(gateway.data_dir))
    other.exec('BEGIN IMMEDIATE')
    try {
      expect(await show(token)).toMatchObject({
        C: '58030',
        M: expect.stringContaining('could not be found out') as string,
      })
    } finally {
      other.close()
    }
    expect(await refusal('ledger_unavailable')).toMatchObject({ requested_role: 'admin' })
    expect(await show(token)).toBeNull()
    expect(await show(token)).toMatchObject({ C: '28P01' })
  })
})

describe('a client that says which run it is in', () => {
  it('gets in with a token of that run only, and the target hears no word of it', async () => {
    const stated = { options: '-c cairn.run=7100 -c search_path=public' }
    const token = await gateway.token({ run_id: '7101' })
    expect(await show(token, { parameters: stated })).toMatchObject({ C: '28P01' })
    expect(await refusal('run_mismatch')).toMatchObject({
      context: { pipeline: { run: '7101' } },
      differences: [{ field: 'run', expected: '7100', actual: '7101' }],
    })
    await using client = await openSecure(gateway.port)
    expect(await enter(client, await gateway.token({ run_id: '7100' }), 'main', stated)).toBeNull()
    client.send(
      wire.query("select current_setting('cairn.run', true), current_setting('search_path')"),
    )
    const row = (await client.take(({ type }) => type === 'Z')).find(({ type }) => type === 'D')
    expect(row?.body.toString('latin1')).toContain('public')
    expect(row?.body.toString('latin1')).not.toContain('7100')
  })
})

describe('a Cairn token', () => {
  const binding = { target: 'main', role: 'admin' }

  it('is good from the address that it was issued to, and from no other', async () => {
    const token = await cairnToken({ ...binding, peer: '127.0.0.1' })
    expect(await show(token, { from: '127.0.0.2' })).toMatchObject({ C: '28P01' })
    expect(await refusal('peer_mismatch')).toMatchObject({
      context: { actor: { kind: 'workload' }, peer: { address: '127.0.0.2' } },
      differences: [{ field: 'peer', expected: '127.0.0.1', actual: '127.0.0.2' }],
    })
    expect(await show(token)).toBeNull()
  })

  it('is good for its target, its role and its run', async () => {
    for (const [reason, wrong] of [
      ['target_mismatch', { target: 'other', role: 'admin' }],
      ['role_mismatch', { target: 'main', role: 'reader' }],
      ['run_mismatch', { ...binding, run: runNamed('another') }],
    ] as const) {
      expect(await show(await cairnToken(wrong))).toMatchObject({ C: '28P01' })
      expect(await refusal(reason)).toMatchObject({
        context: { pipeline: { repository: 'acme/shop' } },
        differences: [{ field: reason.replace('_mismatch', '') }],
      })
    }
  })
})

describe('the end of a run', () => {
  it('ends its sessions and its tokens, used or not, and those of no other run', async () => {
    const claims = { run_id: '7001', run_attempt: '1' }
    await using client = await openSecure(gateway.port)
    await using bystander = await openSecure(gateway.port)
    expect(await enter(client, await gateway.token(claims))).toBeNull()
    expect(await enter(bystander, await gateway.token({ run_id: '7002' }))).toBeNull()
    const unused = await gateway.token(claims)
    await revoke({ run: runNamed('7001') })
    const last = (await client.closed()).at(-1)
    expect(fieldsOf(last!)).toMatchObject({ S: 'FATAL', C: '57P01' })
    expect(await show(unused)).toMatchObject({ C: '28P01' })
    expect(await refusal('token_revoked')).toMatchObject({
      context: { pipeline: { run: '7001' } },
    })
    const ended = await gateway.until((records) =>
      records.find(
        (record) => record.type === 'session.ended' && record.context.pipeline?.run === '7001',
      ),
    )
    expect(ended).toMatchObject({ reason: 'terminated', detail: 'the job is over' })
    bystander.send(wire.query('select 1'))
    expect((await bystander.take(({ type }) => type === 'Z')).map(({ type }) => type)).toContain(
      'D',
    )
  })

  it('a single session is ended by its id', async () => {
    await using client = await openSecure(gateway.port)
    expect(await enter(client, await gateway.token({ run_id: '7003' }))).toBeNull()
    const started = await gateway.until((records) =>
      records.find(
        (record) => record.type === 'session.started' && record.context.pipeline?.run === '7003',
      ),
    )
    await revoke({ session: started.session })
    expect(fieldsOf((await client.closed()).at(-1)!)).toMatchObject({ C: '57P01' })
    expect(await show(await gateway.token({ run_id: '7003' }))).toBeNull()
  })
})

describe('a role that limits its sessions', () => {
  it('ends them when their time is over, or their token’s', async () => {
    for (const [role, detail] of [
      [{ session_max_s: 1 }, 'the session lasted 1 s'],
      [{ end_with_token: true }, 'the token has ended'],
    ] as const) {
      await using limited = await startTestGateway({ targets: { main: postgres }, role })
      await using client = await openSecure(limited.port)
      const token = await limited.issuer.token({}, { lifetime_s: 2 })
      expect(await enter(client, token)).toBeNull()
      expect(fieldsOf((await client.closed()).at(-1)!)).toMatchObject({ C: '57P01' })
      const ended = await limited.until((records) =>
        records.find(({ type }) => type === 'session.ended'),
      )
      expect(ended).toMatchObject({ reason: 'terminated', detail })
    }
  })

  it('does not count where sessions_per_token is 0', async () => {
    await using open = await startTestGateway({
      targets: { main: postgres },
      role: { sessions_per_token: 0 },
    })
    const token = await open.token()
    for (const port of [open.port, open.port, open.port])
      expect(await show(token, { port })).toBeNull()
    await using log = await openLog(open.config.log, { data_dir: open.data_dir })
    const lag = await log.lag('none', ['cairn.tokens'])
    expect(lag.every(({ high }) => high === 0n)).toBe(true)
  })
})
