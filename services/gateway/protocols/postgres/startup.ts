import type { Socket } from 'node:net'
import { TLSSocket, type SecureContext } from 'node:tls'
import { CairnError } from '#lib/error.ts'
import { isLoopbackHost } from '#lib/loopback.ts'
import { openByteReader, type ByteReader } from './byte-reader.ts'
import { authenticationCleartextPassword, negotiateProtocolVersion } from './backend-writes.ts'
import { frontend, startup_bytes_max, startup_codes } from './wire.ts'

/** The application protocol of PostgreSQL inside TLS (ALPN). */
export const alpn_protocol = 'postgresql'

/** Newest protocol offered to clients: 3.2, whose cancel keys are longer. */
const newest_minor = 2

/** Largest password message: a token with many claims, bytes. */
const password_bytes_max = 64 * 1024

/** Longest cancel key (protocol 3.2), bytes. */
const cancel_key_bytes_max = 256

export type ClientStream = Socket | TLSSocket

/** A connection whose first messages were read. */
export type ClientStart =
  | {
      readonly kind: 'session'
      readonly stream: ClientStream
      readonly reader: ByteReader
      /** Minor version in use: 0 or 2. */
      readonly minor: number
      readonly parameters: ReadonlyMap<string, string>
      /** TLS protocol and cipher; empty without TLS. */
      readonly tls: string
    }
  | {
      readonly kind: 'cancel'
      readonly stream: ClientStream
      readonly pid: number
      readonly secret: Buffer
    }
  | {
      readonly kind: 'refused'
      readonly stream: ClientStream
      readonly reason: string
      readonly detail: string
      /** Whether PostgreSQL would call it a violation or a missing feature. */
      readonly unsupported: boolean
    }
  /** The peer went away before it said anything: a port check. */
  | { readonly kind: 'silent'; readonly stream: ClientStream }

export type StartupOptions = {
  readonly context: SecureContext
  readonly cleartext: 'refuse' | 'loopback'
}

const refused = (
  stream: ClientStream,
  reason: string,
  detail: string,
  unsupported = false,
): ClientStart => ({ kind: 'refused', stream, reason, detail, unsupported })

/** Ends the plain leg and waits for the TLS handshake on it. Bytes already read but not used are the handshake's beginning. */
const upgrade = (socket: Socket, context: SecureContext): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [alpn_protocol],
    })
    const fail = (): void =>
      reject(new CairnError('protocol_violation', 'the TLS handshake failed'))
    secure.once('error', fail)
    secure.once('close', fail)
    secure.once('secure', () => {
      secure.off('error', fail)
      secure.off('close', fail)
      resolve(secure)
    })
  })

const describeTls = (stream: ClientStream): string =>
  stream instanceof TLSSocket ? `${stream.getProtocol()} ${stream.getCipher().name}` : ''

/** Name and value pairs, each zero-terminated, a zero at the end; null if malformed or a name comes twice. */
export const readStartupPairs = (body: Buffer): Map<string, string> | null => {
  const pairs = new Map<string, string>()
  let at = 0
  while (at < body.length && body[at] !== 0) {
    const nameEnd = body.indexOf(0, at)
    const valueEnd = nameEnd === -1 ? -1 : body.indexOf(0, nameEnd + 1)
    if (valueEnd === -1) return null
    const name = body.toString('utf8', at, nameEnd)
    if (pairs.has(name)) return null
    pairs.set(name, body.toString('utf8', nameEnd + 1, valueEnd))
    at = valueEnd + 1
  }
  return at === body.length - 1 ? pairs : null
}

type Packet = { readonly code: number; readonly body: Buffer }

/** One startup packet: length, code, body. */
const readPacket = async (reader: ByteReader): Promise<Packet | null> => {
  const head = await reader.read(8)
  const length = head.readInt32BE(0)
  if (length < 8 || length > startup_bytes_max) return null
  const body = length === 8 ? Buffer.alloc(0) : await reader.read(length - 8)
  return { code: head.readInt32BE(4), body }
}

const startSession = (stream: ClientStream, reader: ByteReader, packet: Packet): ClientStart => {
  const major = packet.code >>> 16
  const minor = packet.code & 0xffff
  if (major !== 3)
    return refused(
      stream,
      'protocol_unsupported',
      `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.${newest_minor}`,
      true,
    )
  const pairs = readStartupPairs(packet.body)
  if (pairs === null) return refused(stream, 'startup_invalid', 'invalid startup packet layout')
  const unknown = [...pairs.keys()].filter((name) => name.startsWith('_pq_.'))
  for (const name of unknown) pairs.delete(name)
  const used = Math.min(minor, newest_minor)
  if (minor > newest_minor || unknown.length > 0)
    stream.write(negotiateProtocolVersion(0x0003_0000 + used, unknown))
  return {
    kind: 'session',
    stream,
    reader,
    minor: used,
    parameters: pairs,
    tls: describeTls(stream),
  }
}

/**
 * Reads the first messages of a connection: encryption requests, then a startup message or a cancel request (section
 * "Start-up"). Direct TLS is taken when its ALPN says `postgresql`. Bytes that arrive before the TLS handshake they ask for are
 * refused: they would be taken for protected ones later.
 *
 * Cancel requests are accepted without TLS, as PostgreSQL does: they carry nothing but their key.
 * Throws CairnError('protocol_violation') when the peer goes away or the TLS handshake fails.
 */
export const startClient = async (
  socket: Socket,
  options: StartupOptions,
): Promise<ClientStart> => {
  let stream: ClientStream = socket
  let reader = openByteReader(socket)
  let gssRefused = false
  const first = await reader.peek().catch(() => -1)
  if (first === -1) return { kind: 'silent', stream }
  if (first === 0x16) {
    const secure = await upgrade(socket, options.context)
    stream = secure
    reader = openByteReader(stream)
    if (secure.alpnProtocol !== alpn_protocol)
      return refused(stream, 'alpn_required', 'direct TLS needs ALPN "postgresql"')
  }
  for (;;) {
    const packet = await readPacket(reader)
    if (packet === null)
      return refused(stream, 'startup_invalid', 'invalid length of startup packet')
    if (packet.code === startup_codes.ssl || packet.code === startup_codes.gssenc) {
      if (packet.body.length > 0 || reader.buffered_bytes > 0)
        return refused(
          stream,
          'bytes_before_tls',
          'received unencrypted data after an encryption request',
        )
      if (packet.code === startup_codes.gssenc && !gssRefused && stream === socket) {
        gssRefused = true
        stream.write('N')
      } else if (packet.code === startup_codes.ssl && stream === socket) {
        socket.write('S')
        stream = await upgrade(socket, options.context)
        reader = openByteReader(stream)
      } else return refused(stream, 'startup_invalid', 'encryption was already negotiated')
    } else if (packet.code === startup_codes.cancel) {
      if (packet.body.length < 8 || packet.body.length > 4 + cancel_key_bytes_max)
        return refused(stream, 'startup_invalid', 'invalid length of cancel request')
      return {
        kind: 'cancel',
        stream,
        pid: packet.body.readInt32BE(0),
        secret: packet.body.subarray(4),
      }
    } else {
      const loopback = isLoopbackHost(socket.remoteAddress ?? '')
      if (stream === socket && !(options.cleartext === 'loopback' && loopback))
        return refused(
          stream,
          'tls_required',
          'this gateway accepts connections with TLS only (sslmode=require)',
        )
      return startSession(stream, reader, packet)
    }
  }
}

/**
 * Asks for the password, which is a token, and reads it. Null when the answer is no password message.
 * The caller keeps the string for as long as it authenticates and nowhere else.
 */
export const readPassword = async (
  stream: ClientStream,
  reader: ByteReader,
): Promise<string | null> => {
  stream.write(authenticationCleartextPassword)
  const head = await reader.read(5)
  const length = head.readInt32BE(1)
  if (head[0] !== frontend.password || length < 5 || length > 4 + password_bytes_max) return null
  const body = await reader.read(length - 4)
  const end = body.indexOf(0)
  return end === body.length - 1 ? body.toString('utf8', 0, end) : null
}
