import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import {
  checkServerIdentity,
  createSecureContext,
  type ConnectionOptions,
  type PeerCertificate,
} from 'node:tls'
import { generate } from 'selfsigned'
import { CairnError } from '#lib/error.ts'
import { readOrCreatePrivateFile, replaceFile } from '#lib/private-file.ts'

/** TLS is 1.2 or newer everywhere. */
export const tls_version_min = 'TLSv1.2'

const day_ms = 86_400_000
/** A self-signed certificate lives this long, days. */
const validity_days = 825
/** One that ends sooner than this, days, is replaced at the next start. */
const renewal_days = 30

/** Certificate and key of a listener, PEM. `made` says that it is self-signed and was made by us. */
export type ServerTls = {
  readonly cert: string
  readonly key: string
  readonly minVersion: 'TLSv1.2'
  /** SHA-256 of the certificate, upper-case hex with colons, as openssl prints it. */
  readonly fingerprint: string
  readonly made: boolean
  /** File with the certificate: what a client gives as its root certificate when it is self-signed. */
  readonly cert_file: string
}

const unusable = (message: string, cause?: unknown): CairnError =>
  new CairnError('config_invalid', message, { cause })

const readPem = async (path: string): Promise<string> => {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unusable(`${path} cannot be read`, error)
  }
}

const described = (cert: string, key: string, cert_file: string, made: boolean): ServerTls => {
  try {
    const certificate = new X509Certificate(cert)
    if (!certificate.checkPrivateKey(createPrivateKey(key)))
      throw unusable('the key belongs to another certificate')
    createSecureContext({ cert, key })
    const fingerprint = certificate.fingerprint256
    return { cert, key, minVersion: tls_version_min, fingerprint, made, cert_file }
  } catch (error) {
    if (error instanceof CairnError) throw unusable(`${cert_file}: ${error.message}`)
    // The library's own message may quote key material; the file's name is enough.
    throw unusable(`${cert_file}: certificate and key cannot be used`)
  }
}

const makeCertificate = async (now_ms: number): Promise<string> => {
  const made = await generate([{ name: 'commonName', value: 'cairn' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    // An hour back: clients whose clock is a little behind accept it at once.
    notBeforeDate: new Date(now_ms - 3_600_000),
    notAfterDate: new Date(now_ms + validity_days * day_ms),
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  return `${made.private.trim()}\n${made.cert.trim()}\n`
}

const split = (pem: string): { readonly key: string; readonly cert: string } => {
  const at = pem.indexOf('-----BEGIN CERTIFICATE-----')
  return { key: pem.slice(0, Math.max(at, 0)), cert: pem.slice(Math.max(at, 0)) }
}

const endsSoon = (cert: string, now_ms: number): boolean =>
  Date.parse(new X509Certificate(cert).validTo) - now_ms < renewal_days * day_ms

/**
 * The newest kept certificate, or a new one: server-1.pem, and when that is about to end server-2.pem, and so on. Nothing is
 * ever replaced, so that processes which start at the same time all end at the same file.
 */
const keptCertificate = async (
  folder: string,
  now_ms: number,
): Promise<ReturnType<typeof split>> => {
  for (let generation = 1; ; generation++) {
    const file = join(folder, `server-${generation}.pem`)
    const pem = await readOrCreatePrivateFile(file, () => makeCertificate(now_ms))
    const pair = split(pem.toString('utf8'))
    if (pair.cert === '' || pair.key === '')
      throw unusable(`${file} holds no certificate and key; remove it`)
    if (!endsSoon(pair.cert, now_ms)) return pair
  }
}

/**
 * Certificate of a listener: the configured files, or else a self-signed one under `data_dir/tls`, made once and kept across
 * restarts (a client that pinned it goes on working), followed by a new one when it is about to end. Key and certificate share one file,
 * so that processes which start at the same time can never mix one's key with another's certificate; the certificate alone is
 * in `server.crt` for clients.
 *
 * Throws CairnError('config_invalid') when files cannot be read or do not fit each other.
 */
export const serverTls = async (options: {
  readonly files?: { readonly cert_file: string; readonly key_file: string }
  readonly data_dir: string
  readonly now_ms: number
}): Promise<ServerTls> => {
  const { files, data_dir, now_ms } = options
  if (files !== undefined) {
    return described(
      await readPem(files.cert_file),
      await readPem(files.key_file),
      files.cert_file,
      false,
    )
  }
  const folder = join(data_dir, 'tls')
  const { cert, key } = await keptCertificate(folder, now_ms)
  const cert_file = join(folder, 'server.crt')
  await replaceFile(cert_file, cert)
  return described(cert, key, cert_file, true)
}

/** How the far end is checked, as libpq names it. */
export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

export type ClientTlsSettings = {
  readonly mode: TlsMode
  readonly ca_file?: string | undefined
  readonly cert_file?: string | undefined
  readonly key_file?: string | undefined
  /** Name to check and to send (SNI), where it is not the host. */
  readonly server_name?: string | undefined
}

const acceptAnyName = (): undefined => undefined

/**
 * Options for `tls.connect` towards a target, or null for `disable`. `require` encrypts and checks nothing, `verify-ca` checks
 * the certificate, `verify-full` also the name (PostgreSQL, section 32.19.1). TLS 1.2 or newer.
 *
 * Throws CairnError('config_invalid') when a file cannot be read.
 */
export const clientTls = async (
  settings: ClientTlsSettings,
  host: string,
): Promise<ConnectionOptions | null> => {
  if (settings.mode === 'disable') return null
  const name = settings.server_name ?? host
  const { ca_file, cert_file, key_file, mode } = settings
  const full = (_host: string, certificate: PeerCertificate): Error | undefined =>
    checkServerIdentity(name, certificate)
  return {
    minVersion: tls_version_min,
    rejectUnauthorized: mode !== 'require',
    checkServerIdentity: mode === 'verify-full' ? full : acceptAnyName,
    // An address is no server name (RFC 6066, section 3).
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...(ca_file === undefined ? {} : { ca: await readPem(ca_file) }),
    ...(cert_file === undefined || key_file === undefined
      ? {}
      : { cert: await readPem(cert_file), key: await readPem(key_file) }),
  }
}
