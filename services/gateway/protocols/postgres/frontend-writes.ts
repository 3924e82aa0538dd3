import { frontend } from './wire.ts'

/** Messages that the gateway itself sends to a target. */

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf8')

const message = (type: number, body: Buffer): Buffer => {
  const bytes = Buffer.allocUnsafe(5 + body.length)
  bytes[0] = type
  bytes.writeInt32BE(4 + body.length, 1)
  body.copy(bytes, 5)
  return bytes
}

/** StartupMessage of protocol 3.0. */
export const startupMessage = (parameters: Iterable<readonly [string, string]>): Buffer => {
  const words: Buffer[] = []
  for (const [name, value] of parameters) words.push(cstring(name), cstring(value))
  const body = Buffer.concat([...words, Buffer.from([0])])
  const bytes = Buffer.allocUnsafe(8 + body.length)
  bytes.writeInt32BE(bytes.length, 0)
  bytes.writeInt32BE(0x0003_0000, 4)
  body.copy(bytes, 8)
  return bytes
}

/** Execute of a portal, all rows. */
export const executeMessage = (portal: string): Buffer =>
  message(frontend.execute, Buffer.concat([cstring(portal), Buffer.alloc(4)]))

/** Describe of a portal. */
export const describePortalMessage = (portal: Buffer): Buffer =>
  message(frontend.describe, Buffer.concat([Buffer.from('P', 'latin1'), portal, Buffer.alloc(1)]))

export const queryMessage = (text: string): Buffer => message(frontend.query, cstring(text))

export const flushMessage = message(frontend.flush, Buffer.alloc(0))

export const syncMessage = message(frontend.sync, Buffer.alloc(0))

export const terminateMessage = message(frontend.terminate, Buffer.alloc(0))
