import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { createHmac, createHash, pbkdf2Sync, randomBytes } from 'node:crypto'

/**
 * A PostgreSQL client that sends what it is told, byte by byte if need be: for what no driver would send. Frontend messages are
 * built by `wire`, a server's answers come as they are.
 */
const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

const cstring = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf8')

const message = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type, 'latin1'), int32(body.length + 4), body])
}

const values = (parameters: readonly (string | Buffer | null)[]): Buffer[] =>
  parameters.flatMap((value) => {
    if (value === null) return [int32(-1)]
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value
    return [int32(bytes.length), bytes]
  })

/** Frontend messages. Parameters given as text are sent in text format, as bytes in binary. */
export const wire = {
  message,
  query: (text: string) => message('Q', cstring(text)),
  parse: (text: string, name = '', oids: readonly number[] = []) =>
    message('P', cstring(name), cstring(text), int16(oids.length), ...oids.map(int32)),
  bind: (parameters: readonly (string | Buffer | null)[] = [], statement = '', portal = '') =>
    message(
      'B',
      cstring(portal),
      cstring(statement),
      int16(parameters.length),
      ...parameters.map((value) => int16(Buffer.isBuffer(value) ? 1 : 0)),
      int16(parameters.length),
      ...values(parameters),
      int16(0),
    ),
  describe: (kind: 'S' | 'P', name = '') =>
    message('D', Buffer.from(kind, 'latin1'), cstring(name)),
  execute: (portal = '', rows = 0) => message('E', cstring(portal), int32(rows)),
  close: (kind: 'S' | 'P', name = '') => message('C', Buffer.from(kind, 'latin1'), cstring(name)),
  functionCall: (oid: number, parameters: readonly string[]) =>
    message('F', int32(oid), int16(0), int16(parameters.length), ...values(parameters), int16(0)),
  sync: () => message('S'),
  flush: () => message('H'),
  terminate: () => message('X'),
  copyData: (data: string | Buffer) =>
    message('d', typeof data === 'string' ? Buffer.from(data, 'utf8') : data),
  copyDone: () => message('c'),
  copyFail: (reason: string) => message('f', cstring(reason)),
  password: (password: string) => message('p', cstring(password)),
  startup: (parameters: Readonly<Record<string, string>>, version = 0x0003_0000) => {
    const pairs = Object.entries(parameters).flatMap(([name, value]) => [
      cstring(name),
      cstring(value),
    ])
    const body = Buffer.concat([int32(version), ...pairs, Buffer.from([0])])
    return Buffer.concat([int32(body.length + 4), body])
  },
  sslRequest: () => Buffer.concat([int32(8), int32(80_877_103)]),
  gssRequest: () => Buffer.concat([int32(8), int32(80_877_104)]),
  cancel: (pid: number, secret: Buffer) =>
    Buffer.concat([int32(12 + secret.length), int32(80_877_102), int32(pid), secret]),
}

/** A server's message. */
export type Answer = { readonly type: string; readonly body: Buffer }

/** Fields of an ErrorResponse or NoticeResponse by their letter. */
export const fieldsOf = (answer: Answer): Record<string, string> =>
  Object.fromEntries(
    answer.body
      .toString('utf8')
      .split('\0')
      .filter((field) => field !== '')
      .map((field) => [field[0]!, field.slice(1)]),
  )

const answer_timeout_ms = 15_000

export interface WireClient extends AsyncDisposable {
  readonly socket: Socket
  /** Answers that have come and were not taken. */
  readonly answers: readonly Answer[]
  /** The key of the session, once it runs. */
  key(): { readonly pid: number; readonly secret: Buffer }
  send(...messages: readonly Buffer[]): void
  /** Takes answers up to and including the one that is wanted. Fails when the connection ends before. */
  take(until: (answer: Answer) => boolean): Promise<Answer[]>
  /** Takes answers up to the next ReadyForQuery, or so many of them. */
  ready(count?: number): Promise<Answer[]>
  /** Waits for the server to close the connection; everything not taken. */
  closed(): Promise<readonly Answer[]>
}

const overStream = (socket: Socket): WireClient => {
  let pending = Buffer.alloc(0)
  let answers: Answer[] = []
  let ended = false
  let key = { pid: 0, secret: Buffer.alloc(0) }
  let wake = (): void => undefined
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk])
    while (pending.length >= 5 && pending.length > pending.readInt32BE(1)) {
      const length = pending.readInt32BE(1)
      const answer = {
        type: String.fromCharCode(pending[0]!),
        body: Buffer.from(pending.subarray(5, length + 1)),
      }
      if (answer.type === 'K')
        key = { pid: answer.body.readInt32BE(0), secret: answer.body.subarray(4) }
      answers.push(answer)
      pending = pending.subarray(length + 1)
    }
    wake()
  })
  socket.on('error', () => undefined)
  socket.on('close', () => {
    ended = true
    wake()
  })
  const until = async <T>(what: string, ask: () => T | undefined): Promise<T> => {
    const deadline = Date.now() + answer_timeout_ms
    for (;;) {
      const found = ask()
      if (found !== undefined) return found
      if (Date.now() > deadline)
        throw new Error(`${what}: not in time; got ${answers.map(({ type }) => type).join('')}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 200)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  const take: WireClient['take'] = (wanted) =>
    until('answer', () => {
      const at = answers.findIndex(wanted)
      if (at !== -1) return answers.splice(0, at + 1)
      if (ended)
        throw new Error(`the connection ended; got ${answers.map(({ type }) => type).join('')}`)
      return undefined
    })
  return {
    socket,
    get answers() {
      return answers
    },
    key: () => key,
    send: (...messages) => {
      socket.write(Buffer.concat(messages))
    },
    take,
    ready: async (count = 1) => {
      const all: Answer[] = []
      for (let i = 0; i < count; i++) all.push(...(await take(({ type }) => type === 'Z')))
      return all
    },
    closed: () =>
      until('end', () => {
        if (!ended) return undefined
        const rest = answers
        answers = []
        return rest
      }),
    [Symbol.asyncDispose]: async () => {
      if (!ended) {
        socket.destroy()
        await until('end', () => (ended ? true : undefined))
      }
    },
  }
}

/** A TCP connection without any greeting. */
export const openRaw = async (port: number): Promise<WireClient> => {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  return overStream(socket)
}

/** A connection that asked for TLS and has it. @param from address of this end, in 127.0.0.0/8 */
export const openSecure = async (port: number, from = '127.0.0.1'): Promise<WireClient> => {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, localAddress: from })
  await once(socket, 'connect')
  socket.write(wire.sslRequest())
  await once(socket, 'readable')
  const answer = socket.read(1) as Buffer | null
  if (answer?.toString() !== 'S') throw new Error(`no TLS: ${String(answer)}`)
  const secure = connectTls({ socket, rejectUnauthorized: false, ALPNProtocols: ['postgresql'] })
  await once(secure, 'secureConnect')
  return overStream(secure)
}

/** A TLS connection from its first byte on. */
export const openDirectTls = async (
  port: number,
  alpn: readonly string[] = ['postgresql'],
): Promise<WireClient> => {
  const secure = connectTls({
    host: '127.0.0.1',
    port,
    rejectUnauthorized: false,
    ALPNProtocols: [...alpn],
  })
  await once(secure, 'secureConnect')
  return overStream(secure)
}

const scram = async (client: WireClient, password: string): Promise<void> => {
  const nonce = randomBytes(12).toString('base64')
  const first = `n=,r=${nonce}`
  client.send(
    message('p', cstring('SCRAM-SHA-256'), int32(first.length + 3), Buffer.from(`n,,${first}`)),
  )
  const [challenge] = (await client.take(({ type }) => type === 'R')).slice(-1)
  const serverFirst = challenge!.body.subarray(4).toString()
  const given = Object.fromEntries(serverFirst.split(',').map((part) => [part[0]!, part.slice(2)]))
  const salted = pbkdf2Sync(
    password,
    Buffer.from(given['s']!, 'base64'),
    Number(given['i']),
    32,
    'sha256',
  )
  const hmac = (key: Buffer, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest()
  const clientKey = hmac(salted, 'Client Key')
  const without = `c=biws,r=${given['r']}`
  const signature = hmac(
    createHash('sha256').update(clientKey).digest(),
    `${first},${serverFirst},${without}`,
  )
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!)).toString('base64')
  client.send(message('p', Buffer.from(`${without},p=${proof}`)))
}

/** Logs in with whatever the server asks for (password or SCRAM) and waits until it is ready. */
export const login = async (
  client: WireClient,
  parameters: Readonly<Record<string, string>>,
  password: string,
  version?: number,
): Promise<Answer[]> => {
  client.send(wire.startup(parameters, version))
  const before = await client.take(({ type }) => type === 'R' || type === 'E')
  const last = before.at(-1)!
  if (last.type === 'E') throw new Error(fieldsOf(last)['M'])
  if (last.body.readInt32BE(0) === 3) client.send(wire.password(password))
  else await scram(client, password)
  const rest = await client.take(({ type }) => type === 'Z' || type === 'E')
  if (rest.at(-1)!.type === 'E') throw new Error(fieldsOf(rest.at(-1)!)['M'])
  return [...before, ...rest]
}
