import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { hash } from 'node:crypto'

/**
 * Stands between the gateway and a target, and knows what really went to it: the witness that no log of the server can be, since a
 * server logs neither a Parse nor COPY data. It reads what it is given by the protocol's rules alone, and shares no code with the gateway.
 */
export type Forwarded = {
  /** SHA-256 of the texts of Query messages, in order, hex. */
  readonly queries: string[]
  /** SHA-256 of the texts of Parse messages. */
  readonly parses: Set<string>
  /** Everything of COPY: CopyData, CopyDone and CopyFail as they were sent. */
  readonly copied: Buffer[]
  /** Types of messages that must never come: FunctionCall, anything unknown. */
  readonly strange: string[]
}

export interface Tap extends AsyncDisposable {
  readonly port: number
  /** What a session forwarded, by its application name; forgets it. */
  take(application: string): Forwarded | undefined
  /** How many connections have logged in. */
  readonly connections: number
}

const text_digest = (bytes: Buffer): string => hash('sha256', bytes, 'hex')

const until0 = (body: Buffer, from: number): number => body.indexOf(0, from)

const note = (forwarded: Forwarded, type: string, message: Buffer): void => {
  const body = message.subarray(5)
  switch (type) {
    case 'Q':
      forwarded.queries.push(text_digest(body.subarray(0, -1)))
      return
    case 'P': {
      const name = until0(body, 0)
      forwarded.parses.add(text_digest(body.subarray(name + 1, until0(body, name + 1))))
      return
    }
    case 'd':
    case 'c':
    case 'f':
      forwarded.copied.push(Buffer.from(message))
      return
    case 'p':
    case 'B':
    case 'C':
    case 'D':
    case 'E':
    case 'H':
    case 'S':
    case 'X':
      return
    default:
      forwarded.strange.push(type)
  }
}

/** Application name of a startup message's body, or null. */
const applicationOf = (body: Buffer): string | null => {
  const strings = body.subarray(4).toString('utf8').split('\0')
  const at = strings.indexOf('application_name')
  return at === -1 ? null : (strings[at + 1] ?? null)
}

/** Reads one connection's client half. */
const openReader = (started: (application: string) => Forwarded): ((chunk: Buffer) => void) => {
  let pending: Buffer = Buffer.alloc(0)
  let forwarded: Forwarded | undefined
  let greeted = false
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    for (;;) {
      const head = greeted ? 1 : 0
      if (pending.length < head + 4) return
      const length = pending.readInt32BE(head)
      if (pending.length < head + length) return
      const message = pending.subarray(0, head + length)
      pending = pending.subarray(head + length)
      if (greeted) {
        if (forwarded !== undefined) note(forwarded, String.fromCharCode(message[0]!), message)
        continue
      }
      // A version, not a request for TLS or to cancel.
      if (message.readInt32BE(4) >>> 16 !== 3) continue
      greeted = true
      const application = applicationOf(message.subarray(4))
      if (application !== null) forwarded = started(application)
    }
  }
}

/** Listens on loopback and passes everything on to the target. */
export const startTap = async (target_port: number): Promise<Tap> => {
  const sessions = new Map<string, Forwarded>()
  const open = new Set<Socket>()
  let connections = 0
  const started = (application: string): Forwarded => {
    connections++
    const forwarded = { queries: [], parses: new Set<string>(), copied: [], strange: [] }
    sessions.set(application, forwarded)
    return forwarded
  }
  const server = createServer((near) => {
    const far = connect({ host: '127.0.0.1', port: target_port, noDelay: true })
    near.setNoDelay(true)
    const read = openReader(started)
    near.on('data', read)
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        near.destroy()
        far.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    take: (application) => {
      const found = sessions.get(application)
      sessions.delete(application)
      return found
    },
    get connections() {
      return connections
    },
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of open) socket.destroy()
      if (server.listening) await once(server, 'close')
    },
  }
}
