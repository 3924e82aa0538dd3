import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { clientTls, serverTls, type ClientTlsSettings } from '#lib/tls.ts'

let data_dir: string
beforeEach(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'cairn-tls-'))
})
afterEach(() => rm(data_dir, { recursive: true, force: true }))

const day_ms = 86_400_000

describe('the self-signed certificate of a listener', () => {
  test('is for localhost, modern, and its key is readable by its owner only', async () => {
    const { cert, cert_file, made, fingerprint } = await serverTls({ data_dir, now_ms: Date.now() })
    const certificate = new X509Certificate(cert)
    expect(certificate.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
    )
    expect(certificate.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' })
    expect(certificate.fingerprint256).toBe(fingerprint)
    expect(made).toBe(true)
    expect((await stat(join(data_dir, 'tls', 'server-1.pem'))).mode & 0o777).toBe(0o600)
    expect(cert_file).toBe(join(data_dir, 'tls', 'server.crt'))
  })

  test('is kept across restarts and the same for processes that start together', async () => {
    const now_ms = Date.now()
    const started = await Promise.all(
      Array.from({ length: 8 }, () => serverTls({ data_dir, now_ms })),
    )
    const later = await serverTls({ data_dir, now_ms: now_ms + 700 * day_ms })
    expect(new Set([...started, later].map(({ fingerprint }) => fingerprint)).size).toBe(1)
    expect((await readdir(join(data_dir, 'tls'))).sort()).toEqual(['server-1.pem', 'server.crt'])
  })

  test('is followed by a new one a month before it ends', async () => {
    const first = await serverTls({ data_dir, now_ms: Date.now() })
    const now_ms = Date.now() + 800 * day_ms
    const [a, b] = await Promise.all([
      serverTls({ data_dir, now_ms }),
      serverTls({ data_dir, now_ms }),
    ])
    expect(a.fingerprint).not.toBe(first.fingerprint)
    expect(b.fingerprint).toBe(a.fingerprint)
  })
})

describe('certificates from files', () => {
  test('that do not fit each other, or are no certificates, stop the start without showing the key', async () => {
    const one = await serverTls({ data_dir: join(data_dir, 'a'), now_ms: Date.now() })
    const two = await serverTls({ data_dir: join(data_dir, 'b'), now_ms: Date.now() })
    const file = async (name: string, content: string): Promise<string> => {
      await writeFile(join(data_dir, name), content)
      return join(data_dir, name)
    }
    const cert_file = await file('one.crt', one.cert)
    const load = (key_file: string) =>
      serverTls({ files: { cert_file, key_file }, data_dir, now_ms: Date.now() })
    expect(await load(await file('one.key', one.key))).toMatchObject({
      made: false,
      fingerprint: one.fingerprint,
    })
    await expect(load(await file('two.key', two.key))).rejects.toMatchObject({
      code: 'config_invalid',
      message: `${cert_file}: the key belongs to another certificate`,
    })
    await expect(load(await file('broken.key', one.key.slice(0, -60)))).rejects.toMatchObject({
      message: `${cert_file}: certificate and key cannot be used`,
      cause: undefined,
    })
    await expect(load(join(data_dir, 'missing.key'))).rejects.toThrow('missing.key cannot be read')
  })
})

describe('TLS to a target', () => {
  /** What a client with these settings gets from a server with the self-signed certificate. */
  const outcome = async (settings: ClientTlsSettings, host = '127.0.0.1'): Promise<string> => {
    const tls = await serverTls({ data_dir, now_ms: Date.now() })
    const server = createServer({ key: tls.key, cert: tls.cert }, (socket) => socket.end())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const options = await clientTls(settings, host)
      if (options === null) return 'cleartext'
      const { port } = server.address() as AddressInfo
      return await new Promise((resolve) => {
        const socket = connect({ ...options, host: '127.0.0.1', port })
        socket
          .once('secureConnect', () => resolve(socket.getProtocol() ?? ''))
          .once('error', (error) => resolve(error.message))
        socket.once('close', () => socket.destroy())
      })
    } finally {
      await new Promise<void>((resolve) => server.close(() => resolve()))
    }
  }
  const ca_file = () => join(data_dir, 'tls', 'server.crt')

  test('the modes check what libpq says they check', async () => {
    expect(await outcome({ mode: 'disable' })).toBe('cleartext')
    expect(await outcome({ mode: 'require' })).toBe('TLSv1.3')
    expect(await outcome({ mode: 'verify-ca' })).toContain('self-signed certificate')
    expect(await outcome({ mode: 'verify-full' })).toContain('self-signed certificate')
    expect(await outcome({ mode: 'verify-ca', ca_file: ca_file() }, 'db.example.test')).toBe(
      'TLSv1.3',
    )
    expect(await outcome({ mode: 'verify-full', ca_file: ca_file() }, 'db.example.test')).toContain(
      "does not match certificate's altnames",
    )
    expect(await outcome({ mode: 'verify-full', ca_file: ca_file() })).toBe('TLSv1.3')
    expect(
      await outcome(
        { mode: 'verify-full', ca_file: ca_file(), server_name: 'localhost' },
        '10.0.0.7',
      ),
    ).toBe('TLSv1.3')
  })

  test('TLS 1.1 is refused', async () => {
    const options = await clientTls({ mode: 'require' }, 'localhost')
    expect(options?.minVersion).toBe('TLSv1.2')
  })
})
