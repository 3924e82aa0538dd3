import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, TLSSocket, type ConnectionOptions } from 'node:tls'
import { serialize } from 'pg-protocol'
import { CairnError } from '#lib/error.ts'
import type { Secret } from '#lib/config/secret.ts'
import { openByteReader, type ByteReader } from './byte-reader.ts'
import { readErrorFields, type ErrorFields } from './errors.ts'
import { startupMessage } from './frontend-writes.ts'
import { openScram, serverEndPoint, type ScramClient } from './scram.ts'
import { backend } from './wire.ts'

/** Where and as whom to connect. */
export type UpstreamRequest = {
  readonly host: string
  readonly port: number
  /** Null: no TLS (mode `disable`). */
  readonly tls: ConnectionOptions | null
  readonly user: string
  readonly password: Secret
  readonly database: string
  /** Startup parameters beside user and database, already checked. */
  readonly parameters: ReadonlyMap<string, string>
  /** Limit for the whole: connection, TLS, authentication, first ReadyForQuery. */
  readonly timeout_ms: number
  readonly signal: AbortSignal
}

export type CancelKey = { readonly pid: number; readonly secret: number }

/** A session at the target, ready for its first command. Nothing listens to the stream yet. */
export type Upstream = {
  readonly stream: Socket | TLSSocket
  /** Raw ParameterStatus (and notice) messages, for the client. */
  readonly greeting: Buffer
  readonly parameters: ReadonlyMap<string, string>
  readonly key: CancelKey | null
}

export type UpstreamFailure = {
  /** Stable: target_unreachable, target_tls_failed, target_authentication_failed, target_refused, target_protocol. */
  readonly reason: string
  readonly detail: string
  /** What the target itself said, when it may be passed on. */
  readonly native: ErrorFields | null
}

export type UpstreamResult =
  { readonly ok: true; readonly upstream: Upstream } | ({ readonly ok: false } & UpstreamFailure)

/** Largest message during connection, bytes. */
const message_bytes_max = 256 * 1024
/** Most messages until ReadyForQuery. */
const messages_max = 1000

/** Carries a failure through the steps; never leaves this file. */
class Failure extends Error {
  readonly failure: UpstreamFailure
  constructor(reason: string, detail: string, native: ErrorFields | null = null) {
    super(detail)
    this.failure = { reason, detail, native }
  }
}

const once = (stream: Socket, event: string, reason: string, detail: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const onError = (error?: Error & { readonly code?: string }): void => {
      const code = error?.code
      reject(new Failure(reason, code === undefined ? detail : `${detail} (${code})`))
    }
    stream.once('error', onError)
    stream.once('close', onError)
    stream.once(event, () => {
      stream.off('error', onError)
      stream.off('close', onError)
      resolve()
    })
  })

/** Opens TCP, and TLS by SSLRequest where wanted. Data after the one answer byte would be unprotected: refused. */
const openStream = async (
  request: UpstreamRequest,
  opened: (stream: Socket) => void,
): Promise<Socket | TLSSocket> => {
  const socket = connectTcp({ host: request.host, port: request.port, noDelay: true })
  opened(socket)
  await once(socket, 'connect', 'target_unreachable', 'the target cannot be reached')
  if (request.tls === null) return socket
  socket.write(serialize.requestSsl())
  const reader = openByteReader(socket)
  const [answer] = await reader.read(1)
  if (answer !== 0x53)
    throw new Failure(
      'target_tls_failed',
      'the target does not offer TLS, the configuration asks for it',
    )
  if (reader.buffered_bytes > 0)
    throw new Failure('target_tls_failed', 'the target sent unencrypted data before TLS')
  const secure = connectTls({ ...request.tls, socket, ALPNProtocols: ['postgresql'] })
  opened(secure)
  await once(
    secure,
    'secureConnect',
    'target_tls_failed',
    'the TLS handshake with the target failed',
  )
  return secure
}

type Message = { readonly type: number; readonly body: Buffer }

const readMessage = async (reader: ByteReader): Promise<Message> => {
  const head = await reader.read(5)
  const length = head.readInt32BE(1)
  if (length < 4 || length > message_bytes_max)
    throw new Failure('target_protocol', 'the target does not speak PostgreSQL')
  return { type: head[0]!, body: length === 4 ? Buffer.alloc(0) : await reader.read(length - 4) }
}

const refusal = (fields: ErrorFields): Failure => {
  // Class 28 tells about the gateway's own account at the target: the client learns that it failed, not whose it is.
  if (fields.code.startsWith('28'))
    return new Failure(
      'target_authentication_failed',
      `the target refused the gateway's credential (${fields.code})`,
    )
  return new Failure('target_refused', `the target refused the session (${fields.code})`, fields)
}

const mechanismsOf = (body: Buffer): string[] =>
  body
    .toString('latin1', 4)
    .split('\0')
    .filter((name) => name !== '')

/** Answers authentication requests until the target says Ok. */
const authenticate = async (
  stream: Socket | TLSSocket,
  reader: ByteReader,
  request: UpstreamRequest,
): Promise<void> => {
  let scram: ScramClient | null = null
  let verified = false
  const verifiedTls = stream instanceof TLSSocket && stream.authorized
  for (let count = 0; count < messages_max; count++) {
    const { type, body } = await readMessage(reader)
    if (type === backend.error) throw refusal(readErrorFields(body, 0, body.length))
    if (type === backend.notice || type === backend.negotiate_version) continue
    if (type !== backend.authentication || body.length < 4)
      throw new Failure('target_protocol', 'the target does not speak PostgreSQL')
    const code = body.readInt32BE(0)
    if (code === 0) {
      if (scram !== null && !verified)
        throw new Failure('target_authentication_failed', 'the target did not prove itself')
      return
    }
    if (code === 10 && scram === null) {
      const certificate = stream instanceof TLSSocket ? stream.getPeerX509Certificate() : undefined
      const binding = certificate === undefined ? null : serverEndPoint(certificate)
      scram = openScram(request.password.reveal(), mechanismsOf(body), binding)
      if (scram === null)
        throw new Failure('target_authentication_failed', 'the target offers no SCRAM-SHA-256')
      stream.write(serialize.sendSASLInitialResponseMessage(scram.mechanism, scram.first))
    } else if (code === 11 && scram !== null) {
      stream.write(
        serialize.sendSCRAMClientFinalMessage(await scram.final(body.toString('utf8', 4))),
      )
    } else if (code === 12 && scram !== null) {
      verified = scram.verify(body.toString('utf8', 4))
      if (!verified)
        throw new Failure('target_authentication_failed', 'the target did not prove itself')
    } else if (code === 3 && scram === null && verifiedTls)
      // Cleartext inside verified TLS: how PAM, LDAP and cloud databases ask.
      stream.write(serialize.password(request.password.reveal()))
    else
      throw new Failure(
        'target_authentication_failed',
        `the target asks for an authentication method (${code}) that is not accepted here: use scram-sha-256`,
      )
  }
  throw new Failure('target_protocol', 'the target does not come to an end with authentication')
}

const pair = (body: Buffer): [string, string] => {
  const end = body.indexOf(0)
  return [body.toString('utf8', 0, end), body.toString('utf8', end + 1, body.length - 1)]
}

/** Collects what the target says until it is ready. */
const awaitReady = async (stream: Socket | TLSSocket, reader: ByteReader): Promise<Upstream> => {
  const greeting: Buffer[] = []
  const parameters = new Map<string, string>()
  let key: CancelKey | null = null
  for (let count = 0; count < messages_max; count++) {
    const { type, body } = await readMessage(reader)
    if (type === backend.ready)
      return { stream, greeting: Buffer.concat(greeting), parameters, key }
    if (type === backend.error) throw refusal(readErrorFields(body, 0, body.length))
    if (type === backend.key_data && body.length === 8)
      key = { pid: body.readInt32BE(0), secret: body.readInt32BE(4) }
    else if (type === backend.parameter_status || type === backend.notice) {
      if (type === backend.parameter_status) parameters.set(...pair(body))
      const header = Buffer.alloc(5)
      header[0] = type
      header.writeInt32BE(4 + body.length, 1)
      greeting.push(header, body)
    } else throw new Failure('target_protocol', 'the target does not speak PostgreSQL')
  }
  throw new Failure('target_protocol', 'the target does not become ready')
}

/**
 * Opens a session at the target: TLS with the configured verification, SCRAM-SHA-256 (with channel binding where both sides can),
 * protocol 3.0. md5 and cleartext passwords without verified TLS are refused: they would show the credential.
 * Every failure comes back as a result without secrets; nothing of the connection stays open then.
 */
export const connectUpstream = async (request: UpstreamRequest): Promise<UpstreamResult> => {
  const streams: Socket[] = []
  let timedOut = false
  const close = (): void => {
    for (const stream of streams) stream.destroy()
  }
  const timer = setTimeout(() => {
    timedOut = true
    close()
  }, request.timeout_ms)
  request.signal.addEventListener('abort', close, { once: true })
  try {
    const stream = await openStream(request, (opened) => {
      streams.push(opened)
      // Errors end in the 'close' that follows; without a listener they would end the process.
      opened.on('error', () => undefined)
    })
    const reader = openByteReader(stream)
    stream.write(
      startupMessage([
        ['user', request.user],
        ['database', request.database],
        ...request.parameters,
      ]),
    )
    await authenticate(stream, reader, request)
    return { ok: true, upstream: await awaitReady(stream, reader) }
  } catch (error) {
    close()
    if (timedOut)
      return {
        ok: false,
        reason: 'target_unreachable',
        detail: 'the target did not answer in time',
        native: null,
      }
    if (error instanceof Failure) return { ok: false, ...error.failure }
    if (error instanceof CairnError)
      return {
        ok: false,
        reason: 'target_unreachable',
        detail: 'the target closed the connection',
        native: null,
      }
    throw error
  } finally {
    clearTimeout(timer)
    request.signal.removeEventListener('abort', close)
  }
}

/**
 * Asks the target to cancel what a session runs (section "Canceling Requests in Progress"), over TLS where the session has it. Resolves
 * when the target has closed the connection, which says that it took the request; failures are told by `false`.
 */
export const cancelUpstream = async (
  where: Pick<UpstreamRequest, 'host' | 'port' | 'tls' | 'timeout_ms' | 'signal'>,
  key: CancelKey,
): Promise<boolean> => {
  const streams: Socket[] = []
  const close = (): void => {
    for (const stream of streams) stream.destroy()
  }
  const timer = setTimeout(close, where.timeout_ms)
  where.signal.addEventListener('abort', close, { once: true })
  try {
    const stream = await openStream(
      { ...where, user: '', database: '', password: noPassword, parameters: new Map() },
      (opened) => {
        streams.push(opened)
        opened.on('error', () => undefined)
      },
    )
    await new Promise<void>((resolve) => {
      stream.once('close', () => resolve())
      stream.resume()
      stream.write(serialize.cancel(key.pid, key.secret))
    })
    return true
  } catch {
    return false
  } finally {
    clearTimeout(timer)
    where.signal.removeEventListener('abort', close)
    close()
  }
}

const noPassword: Secret = { reveal: () => '', toString: () => '', toJSON: () => '' }
