import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secretOf } from '#lib/config/secret.ts'
import { clientTls, serverTls, type TlsMode } from '#lib/tls.ts'
import {
  connectUpstream,
  type UpstreamRequest,
  type UpstreamResult,
} from '../../../services/gateway/protocols/postgres/upstream.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { wire } from '../../support/wire-client.ts'

let secure: TestPostgres
let folder: string

beforeAll(async () => {
  secure = await startPostgres({ tls: true })
  folder = await mkdtemp(join(tmpdir(), 'cairn-upstream-'))
})

afterAll(async () => {
  await secure?.stop()
  await rm(folder, { recursive: true, force: true })
})

const request = async (
  mode: TlsMode,
  more: Partial<UpstreamRequest> & {
    readonly ca_file?: string
    readonly server_name?: string
  } = {},
): Promise<UpstreamRequest> => ({
  host: '127.0.0.1',
  port: secure.port,
  tls: await clientTls(
    { mode, ca_file: more.ca_file, server_name: more.server_name },
    more.host ?? '127.0.0.1',
  ),
  user: secure.user,
  password: secretOf(secure.password),
  database: 'postgres',
  parameters: new Map([['application_name', 'upstream-test']]),
  timeout_ms: 5000,
  signal: new AbortController().signal,
  ...more,
})

const closed = (result: UpstreamResult): UpstreamResult => {
  if (result.ok) result.upstream.stream.destroy()
  return result
}

const attempt = async (...args: Parameters<typeof request>): Promise<UpstreamResult> =>
  closed(await connectUpstream(await request(...args)))

describe('the leg to the target', () => {
  it('logs in with SCRAM, with channel binding where there is TLS, and knows what the target says of itself', async () => {
    const result = await connectUpstream(await request('verify-full', { ca_file: secure.ca_file! }))
    if (!result.ok) throw new Error(result.detail)
    const { upstream } = result
    expect(upstream.parameters.get('client_encoding')).toBe('UTF8')
    expect(upstream.key?.pid).toBeGreaterThan(0)
    expect(upstream.greeting.includes('server_version')).toBe(true)
    const client = new Client(secure.url)
    await client.connect()
    const { rows } = await client.query(
      `select s.ssl, a.application_name from pg_stat_ssl s join pg_stat_activity a using (pid) where pid = $1`,
      [upstream.key?.pid],
    )
    expect(rows).toEqual([{ ssl: true, application_name: 'upstream-test' }])
    await client.end()
    upstream.stream.destroy()
  })

  it.each(['disable', 'require'] as const)('TLS mode %s', async (mode) => {
    expect(await attempt(mode)).toMatchObject({ ok: true })
  })

  it('verification refuses another authority, and another name where names count', async () => {
    const other = join(folder, 'other.pem')
    const { cert } = await serverTls({ data_dir: folder, now_ms: Date.now() })
    await writeFile(other, cert)
    const refused = { ok: false, reason: 'target_tls_failed' }
    expect(await attempt('verify-ca', { ca_file: other })).toMatchObject(refused)
    expect(
      await attempt('verify-full', { ca_file: secure.ca_file!, server_name: 'other.example' }),
    ).toMatchObject(refused)
    expect(
      await attempt('verify-ca', { ca_file: secure.ca_file!, server_name: 'other.example' }),
    ).toMatchObject({ ok: true })
  })

  it('a target without TLS is refused where the configuration wants it', async () => {
    await using plain = await startPostgres()
    expect(await attempt('require', { port: plain.port })).toMatchObject({
      ok: false,
      reason: 'target_tls_failed',
    })
  })

  it('a wrong password is told without whose it is', async () => {
    const result = await attempt('require', { password: secretOf('wrong-planted') })
    expect(result).toMatchObject({
      ok: false,
      reason: 'target_authentication_failed',
      native: null,
    })
    expect(JSON.stringify(result)).not.toMatch(/planted|postgres/)
  })

  it('what the target says of the session goes on', async () => {
    expect(await attempt('require', { database: 'nowhere' })).toMatchObject({
      ok: false,
      reason: 'target_refused',
      native: { code: '3D000' },
    })
  })

  it('nobody there, and nobody who answers', async () => {
    expect(await attempt('disable', { port: 1 })).toMatchObject({ reason: 'target_unreachable' })
    await using silent = await scripted(() => undefined)
    expect(await attempt('disable', { port: silent.port, timeout_ms: 300 })).toMatchObject({
      reason: 'target_unreachable',
      detail: 'the target did not answer in time',
    })
  })
})

/** A server that does what the test says with each connection. */
const scripted = async (
  serve: (socket: Socket, first: Buffer) => void,
): Promise<AsyncDisposable & { port: number }> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('data', (first) => serve(socket, first))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

describe('a target that is not what it should be', () => {
  it.each([
    [
      'asks for the password in the clear',
      wire.message('R', int32(3)),
      'target_authentication_failed',
    ],
    ['asks for md5', wire.message('R', int32(5), Buffer.alloc(4)), 'target_authentication_failed'],
    [
      'offers SCRAM that is none of ours',
      wire.message('R', int32(10), Buffer.from('SCRAM-SHA-1\0\0')),
      'target_authentication_failed',
    ],
    ['says something else', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), 'target_protocol'],
    ['announces two gigabytes', Buffer.from([0x52, 127, 255, 255, 255]), 'target_protocol'],
    ['closes', null, 'target_unreachable'],
  ])('%s', async (_, answer, reason) => {
    await using server = await scripted((socket) => {
      if (answer === null) socket.destroy()
      else socket.write(answer)
    })
    expect(await attempt('disable', { port: server.port })).toMatchObject({ ok: false, reason })
  })

  it('says that all is well before it has proven that it knows the password', async () => {
    await using server = await scripted((socket) => {
      socket.write(wire.message('R', int32(10), Buffer.from('SCRAM-SHA-256\0\0')))
      socket.once('data', (first) => {
        const nonce = /r=([^,]+)$/.exec(first.toString())![1]
        socket.write(wire.message('R', int32(11), Buffer.from(`r=${nonce}more,s=c2FsdA==,i=4096`)))
        socket.once('data', () =>
          socket.write(
            Buffer.concat([wire.message('R', int32(0)), wire.message('Z', Buffer.from('I'))]),
          ),
        )
      })
    })
    expect(await attempt('disable', { port: server.port })).toMatchObject({
      ok: false,
      reason: 'target_authentication_failed',
      detail: 'the target did not prove itself',
    })
  })

  it('sends something between its answer to the encryption request and TLS', async () => {
    await using server = await scripted((socket) => {
      socket.write(Buffer.concat([Buffer.from('S'), wire.message('R', int32(0))]))
    })
    expect(await attempt('require', { port: server.port })).toMatchObject({
      ok: false,
      reason: 'target_tls_failed',
    })
  })
})
