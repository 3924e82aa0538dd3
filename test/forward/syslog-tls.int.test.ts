import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generate } from 'selfsigned'
import { describe, expect, it } from 'vitest'
import { allCommitted, distinct, events, gseqs, sdOf, sink, startForwarder } from './forwarding.ts'
import { commands, openTestLog } from './recording.ts'
import { openRsyslog, rsyslogdTls, until, type TlsFiles } from './rsyslog.ts'

type Certificates = AsyncDisposable & {
  readonly server: TlsFiles
  readonly client: { readonly cert_file: string; readonly key_file: string }
  readonly ca_file: string
}

const makeCertificates = async (): Promise<Certificates> => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-forward-tls-'))
  const write = async (name: string, text: string): Promise<string> => {
    const file = join(folder, name)
    await writeFile(file, text, { mode: 0o600 })
    return file
  }
  const authority = await generate([{ name: 'commonName', value: 'Test authority' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
  })
  const issue = (name: string, usage: object) =>
    generate([{ name: 'commonName', value: name }], {
      keyType: 'ec',
      algorithm: 'sha256',
      ca: { key: authority.private, cert: authority.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'extKeyUsage', ...usage },
        { name: 'subjectAltName', altNames: [{ type: 2, value: name }] },
      ],
    })
  const server = await issue('localhost', { serverAuth: true })
  const client = await issue('forwarder.test', { clientAuth: true })
  const ca_file = await write('ca.pem', authority.cert)
  return {
    ca_file,
    server: {
      ca: ca_file,
      cert: await write('server.pem', server.cert),
      key: await write('server.key', server.private),
    },
    client: {
      cert_file: await write('client.pem', client.cert),
      key_file: await write('client.key', client.private),
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  }
}

describe.skipIf(rsyslogdTls === null)('forwarding to rsyslog over TLS', () => {
  it('delivers, each end knowing the other by its certificate, and loses nothing when rsyslog is killed', async () => {
    await using certificates = await makeCertificates()
    const { server, client, ca_file } = certificates
    await using rsyslog = await openRsyslog(server)
    await using testLog = await openTestLog()
    const { log } = testLog
    const config = sink({
      port: rsyslog.port,
      transport: 'tls',
      host: 'localhost',
      window_events_max: 500,
      tls: { ca_file, ...client },
    })
    await using forwarder = await startForwarder(log, config)
    await log.append('cairn.audit', commands(0, 1_000))
    await until(async () => (await distinct(rsyslog)) > 100, 'events flow')
    await rsyslog.kill('SIGKILL')
    await log.append('cairn.audit', commands(1_000, 1_000))
    await rsyslog.start()
    await until(async () => (await distinct(rsyslog)) === 2_000, 'every event')
    await until(() => allCommitted(log, ['cairn.audit']), 'the position follows')
    expect(gseqs(await rsyslog.received()).length).toBeLessThanOrEqual(2_000 + 500)
    expect(sdOf(events(await rsyslog.received())[0]!)).toMatchObject({ event: 'command.refused' })
    void forwarder
  })

  it('sends nothing to a receiver whose certificate is not trusted or names another', async () => {
    await using certificates = await makeCertificates()
    await using others = await makeCertificates()
    await using rsyslog = await openRsyslog(certificates.server)
    await using testLog = await openTestLog()
    const { log } = testLog
    await log.append('cairn.audit', commands(0, 10))
    const base = { port: rsyslog.port, transport: 'tls' as const, host: 'localhost' }
    const { client, ca_file } = certificates
    for (const tls of [
      { ca_file: others.ca_file, ...client },
      { ca_file, ...client, server_name: 'elsewhere.test' },
    ]) {
      const refused = await startForwarder(log, sink({ ...base, tls }))
      await refused[Symbol.asyncDispose]()
    }
    expect(await rsyslog.received()).toEqual([])
    await using trusted = await startForwarder(log, sink({ ...base, tls: { ca_file, ...client } }))
    await until(async () => (await distinct(rsyslog)) === 10, 'every event')
    void trusted
  })
})
