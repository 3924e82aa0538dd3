import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { newSigningKey } from '../../support/local-issuer.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import {
  fieldsOf,
  login,
  openDirectTls,
  openRaw,
  openSecure,
  wire,
  type WireClient,
} from '../../support/wire-client.ts'

let postgres: TestPostgres
let gateway: TestGateway

beforeAll(async () => {
  postgres = await startPostgres({
    tls: true,
    log: true,
    settings: { log_connections: 'all' },
  })
  gateway = await startTestGateway({
    targets: { main: postgres },
    claims: { repository: 'acme/shop' },
    config: { gateway: { handshake_timeout_ms: 1500, sessions_max: 3 } },
  })
})

afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await postgres?.stop()
})

const parameters = { user: 'admin', database: 'main' }

/** The error that ends a connection. */
const refusal = async (client: WireClient): Promise<Record<string, string>> => {
  const answers = await client.closed()
  const error = answers.find(({ type }) => type === 'E')
  return error === undefined ? {} : fieldsOf(error)
}

const recordedRefusal = (reason: string) =>
  gateway.until((records) =>
    records.find((record) => record.type === 'session.refused' && record.reason === reason),
  )

const targetConnections = async (): Promise<number> =>
  (await readFile(postgres.logFile, 'utf8')).split('connection received').length - 1

describe('encryption', () => {
  it('a connection without TLS is refused before anything is asked', async () => {
    const before = await targetConnections()
    await using client = await openRaw(gateway.port)
    client.send(wire.startup(parameters))
    expect(await refusal(client)).toMatchObject({ S: 'FATAL', C: '28000' })
    expect(await recordedRefusal('tls_required')).toMatchObject({ context: { actor: null } })
    expect(await targetConnections()).toBe(before)
  })

  it('GSS encryption is answered N, and TLS may follow', async () => {
    await using client = await openRaw(gateway.port)
    client.socket.removeAllListeners('data')
    client.socket.pause()
    client.send(wire.gssRequest())
    const answer = await eventually(
      'N',
      () => (client.socket.read(1) as Buffer | null) ?? undefined,
    )
    expect(answer.toString()).toBe('N')
    client.send(wire.sslRequest())
    const second = await eventually(
      'S',
      () => (client.socket.read(1) as Buffer | null) ?? undefined,
    )
    expect(second.toString()).toBe('S')
  })

  it('bytes sent before the TLS handshake are refused', async () => {
    await using client = await openRaw(gateway.port)
    client.send(wire.sslRequest(), wire.startup(parameters))
    expect(await refusal(client)).toMatchObject({ C: '08P01' })
    expect(await recordedRefusal('bytes_before_tls')).toBeDefined()
  })

  it('direct TLS is taken when its ALPN says postgresql, and only then', async () => {
    await using good = await openDirectTls(gateway.port)
    await login(good, parameters, await gateway.token())
    await using none = await openDirectTls(gateway.port, [])
    none.send(wire.startup(parameters))
    expect(await refusal(none)).toMatchObject({ C: '08P01' })
    await expect(openDirectTls(gateway.port, ['http/1.1'])).rejects.toThrow()
  })

  it('TLS 1.1 is not spoken', async () => {
    const { connect } = await import('node:tls')
    const error = await new Promise<Error>((resolve) => {
      const socket = connect({
        host: '127.0.0.1',
        port: gateway.port,
        maxVersion: 'TLSv1.1',
        minVersion: 'TLSv1.1',
        ALPNProtocols: ['postgresql'],
        rejectUnauthorized: false,
      })
      socket.once('error', resolve)
    })
    expect(error).toBeInstanceOf(Error)
  })
})

describe('protocol versions', () => {
  it('3.0 has a cancel key of 4 bytes, 3.2 a longer one', async () => {
    await using old = await openSecure(gateway.port)
    await login(old, parameters, await gateway.token())
    expect(old.key().secret).toHaveLength(4)
    await using current = await openSecure(gateway.port)
    const answers = await login(current, parameters, await gateway.token(), 0x0003_0002)
    expect(current.key().secret).toHaveLength(32)
    expect(answers.some(({ type }) => type === 'v')).toBe(false)
  })

  it('a newer minor version and unknown options are negotiated down', async () => {
    await using client = await openSecure(gateway.port)
    const answers = await login(
      client,
      { ...parameters, '_pq_.future': '1' },
      await gateway.token(),
      0x0003_0009,
    )
    const negotiation = answers.find(({ type }) => type === 'v')!
    expect(negotiation.body.readInt32BE(0)).toBe(0x0003_0002)
    expect(negotiation.body.toString('latin1', 8)).toBe('_pq_.future\0')
  })

  it('another major version is refused', async () => {
    await using client = await openSecure(gateway.port)
    client.send(wire.startup(parameters, 0x0002_0000))
    expect(await refusal(client)).toMatchObject({ C: '0A000' })
  })
})

describe('hostile beginnings', () => {
  it.each([
    ['a length of zero', Buffer.from([0, 0, 0, 0, 0, 3, 0, 0])],
    ['a length below its own size', Buffer.from([0, 0, 0, 7, 0, 3, 0, 0])],
    ['a negative length', Buffer.from([255, 255, 255, 255, 0, 3, 0, 0])],
    ['two gigabytes', Buffer.from([127, 255, 255, 255, 0, 3, 0, 0])],
    ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ])('%s is refused', async (_, bytes) => {
    await using client = await openRaw(gateway.port)
    client.send(bytes)
    expect(await refusal(client)).toMatchObject({ S: 'FATAL', C: '08P01' })
  })

  it('a client that says nothing, or half of it, is cut off, and others are served meanwhile', async () => {
    const idle = await Promise.all(Array.from({ length: 20 }, () => openRaw(gateway.port)))
    await using half = await openRaw(gateway.port)
    half.send(wire.sslRequest().subarray(0, 5))
    await using served = await openSecure(gateway.port)
    await login(served, parameters, await gateway.token())
    for (const client of idle) expect(await client.closed()).toEqual([])
    await half.closed()
    expect(await recordedRefusal('handshake_timeout')).toBeDefined()
  })

  it('a client that gives no password is cut off', async () => {
    await using client = await openSecure(gateway.port)
    client.send(wire.startup(parameters))
    await client.closed()
  })

  it('more unauthenticated connections of one address than are allowed are closed', async () => {
    const clients = await Promise.all(Array.from({ length: 80 }, () => openRaw(gateway.port)))
    const open = (): number => clients.filter(({ socket }) => !socket.destroyed).length
    try {
      await eventually('the others are closed', () => open() <= 64)
      expect(open()).toBeGreaterThan(0)
    } finally {
      for (const client of clients) await client[Symbol.asyncDispose]()
    }
  })
})

describe('who may open a session', () => {
  const attempt = async (
    password: string,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Record<string, string>> => {
    await using client = await openSecure(gateway.port)
    client.send(wire.startup({ ...parameters, ...more }))
    const [first] = await client.take(() => true)
    if (first!.type === 'E') return fieldsOf(first!)
    client.send(wire.password(password))
    return await refusal(client)
  }

  it('a token that is wrong in any way is refused in the same words, and recorded with its reason', async () => {
    const before = await targetConnections()
    const now_s = Math.floor(Date.now() / 1000)
    const tokens: readonly (readonly [string, string])[] = [
      ['malformed_token', 'not a token'],
      ['token_expired', await gateway.issuer.token({}, { now_s: now_s - 4000 })],
      ['wrong_audience', await gateway.issuer.token({ aud: 'https://other.example' })],
      ['unknown_issuer', await gateway.issuer.token({ iss: 'https://other.example' })],
      [
        'bad_signature',
        await gateway.issuer.token(
          {},
          { key: { ...(await newSigningKey('RS256', gateway.issuer.key.kid)) } },
        ),
      ],
      [
        'algorithm_not_allowed',
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await gateway.issuer.token()).split('.')[1]}.`,
      ],
    ]
    for (const [reason, token] of tokens) {
      expect(await attempt(token), reason).toMatchObject({
        S: 'FATAL',
        C: '28P01',
        M: 'authentication failed',
      })
      expect(await recordedRefusal(reason)).toMatchObject({
        requested_target: 'main',
        requested_role: 'admin',
      })
    }
    expect(await targetConnections()).toBe(before)
  })

  it("another job's token, an unknown target and an unknown role are refused in the same words", async () => {
    const before = await targetConnections()
    const good = await gateway.token()
    expect(await attempt(await gateway.token({ repository: 'evil/fork' }))).toMatchObject({
      C: '28000',
      M: 'no access to target "main" as role "admin"',
    })
    expect(await attempt(good, { database: 'nowhere' })).toMatchObject({
      M: 'no access to target "nowhere" as role "admin"',
    })
    expect(await attempt(good, { user: 'nobody' })).toMatchObject({
      M: 'no access to target "main" as role "nobody"',
    })
    const denied = await recordedRefusal('policy_denied')
    expect(denied).toMatchObject({
      context: { actor: { issuer: gateway.issuer.url }, pipeline: { repository: 'evil/fork' } },
    })
    expect(await targetConnections()).toBe(before)
  })

  it('replication and settings that are not the client’s are refused', async () => {
    expect(await attempt('', { replication: 'database' })).toMatchObject({ C: '0A000' })
    expect(await attempt('', { options: '-c role=postgres' })).toMatchObject({ C: '28000' })
    expect(await recordedRefusal('replication_refused')).toBeDefined()
  })

  it('a database that does not exist is refused in the target’s own words', async () => {
    expect(await attempt(await gateway.token(), { database: 'main/nowhere' })).toMatchObject({
      C: '3D000',
      M: 'database "nowhere" does not exist',
    })
  })

  it('no more sessions than are allowed', async () => {
    const clients: WireClient[] = []
    for (let i = 0; i < 3; i++) {
      const client = await openSecure(gateway.port)
      await login(client, parameters, await gateway.token())
      clients.push(client)
    }
    expect(await attempt(await gateway.token())).toMatchObject({ C: '53300' })
    for (const client of clients) await client[Symbol.asyncDispose]()
    await eventually('room again', async () => {
      await using client = await openSecure(gateway.port)
      await login(client, parameters, await gateway.token()).catch(() => undefined)
      return client.key().pid !== 0
    })
  })

  it('a session is recorded from its start to its end, without its token', async () => {
    const token = await gateway.token()
    await using client = await openSecure(gateway.port)
    await login(
      client,
      { ...parameters, application_name: 'the-one', 'my.secret': 'hidden-value' },
      token,
    )
    client.send(wire.terminate())
    await client.closed()
    const events = await gateway.until((records) => {
      const started = records.find(
        (record) =>
          record.type === 'session.started' && record.parameters['application_name'] === 'the-one',
      )
      const own = records.filter(
        ({ session }) => started !== undefined && session === started.session,
      )
      return own.some(({ type }) => type === 'session.ended') ? own : undefined
    })
    expect(events.map(({ type }) => type)).toEqual([
      'session.started',
      'credential.issued',
      'credential.revoked',
      'session.ended',
    ])
    expect(events[0]).toMatchObject({
      protocol_version: '3.0',
      decision: 'allow',
      rules: ['tests'],
      credential: 'main-admin',
      target_user: 'postgres',
      context: {
        actor: { kind: 'workload' },
        pipeline: { repository: 'acme/shop' },
        peer: {
          address: '127.0.0.1',
          client_software: 'the-one',
          tls: expect.stringContaining('TLSv1.3'),
        },
        target: { name: 'main', database: 'postgres', role: 'admin' },
      },
    })
    expect(events.at(-1)).toMatchObject({ reason: 'client_closed', records: 4, commands: 0 })
    const text = JSON.stringify(events)
    expect(text).not.toContain(token)
    expect(text).not.toContain('hidden-value')
    expect(text).not.toContain(postgres.password)
  })
})
