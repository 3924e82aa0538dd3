import { backend } from './wire.ts'

/** Messages that the gateway itself sends to a client while a session starts. */

const message = (type: number, body: Buffer): Buffer => {
  const bytes = Buffer.allocUnsafe(5 + body.length)
  bytes[0] = type
  bytes.writeInt32BE(4 + body.length, 1)
  body.copy(bytes, 5)
  return bytes
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export const authenticationOk = message(backend.authentication, int32(0))

export const authenticationCleartextPassword = message(backend.authentication, int32(3))

export const backendKeyData = (pid: number, secret: Buffer): Buffer =>
  message(backend.key_data, Buffer.concat([int32(pid), secret]))

export const readyForQuery = (status: 'I' | 'T' | 'E'): Buffer =>
  message(backend.ready, Buffer.from(status, 'latin1'))

/** NegotiateProtocolVersion: the newest version offered, and the `_pq_.` options that are not known. */
export const negotiateProtocolVersion = (version: number, unknown: readonly string[]): Buffer =>
  message(
    backend.negotiate_version,
    Buffer.concat([
      int32(version),
      int32(unknown.length),
      ...unknown.map((name) => Buffer.from(`${name}\0`, 'utf8')),
    ]),
  )
