import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemTool } from '../support/tools.ts'

/**
 * A real rsyslogd on loopback that writes what it parsed as JSON lines; it can be killed, stopped
 * and started again.
 */

export const rsyslogd = systemTool('rsyslogd')
const has_tls = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].some((folder) =>
  existsSync(`${folder}/rsyslog/lmnsd_gtls.so`),
)
/** rsyslogd if it can speak TLS (package rsyslog-gnutls). */
export const rsyslogdTls = has_tls ? rsyslogd : null

const deadline_ms = 60_000

export const until = async (
  condition: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> => {
  const deadline = Date.now() + deadline_ms
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${deadline_ms} ms: ${what}`)
    await sleep(20)
  }
}

/** What rsyslog parsed of one message. */
export type Received = {
  readonly pri: string
  readonly time: string
  readonly host: string
  readonly app: string
  readonly procid: string
  readonly msgid: string
  readonly msg: string
  /** Structured data as mmpstrucdata parsed it: SD-ID (lower case) to parameters. */
  readonly sd: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export type TlsFiles = { readonly ca: string; readonly cert: string; readonly key: string }

export interface Rsyslog extends AsyncDisposable {
  readonly port: number
  start(): Promise<void>
  signal(signal: NodeJS.Signals): void
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Everything written so far, over all its lives. */
  received(): Promise<readonly Received[]>
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

const configuration = (folder: string, port: number, tls: TlsFiles | null): string => `
global(workDirectory="${folder}" maxMessageSize="1100k" parser.escapeControlCharactersOnReceive="off"
${
  tls === null
    ? ''
    : `defaultNetstreamDriver="gtls" defaultNetstreamDriverCAFile="${tls.ca}"
defaultNetstreamDriverCertFile="${tls.cert}" defaultNetstreamDriverKeyFile="${tls.key}"`
})
module(load="imtcp" MaxSessions="500"${
  tls === null
    ? ''
    : ' StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/certvalid"'
})
module(load="mmpstrucdata")
template(name="parsed" type="list" option.jsonf="on") {
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="procid" name="procid" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
  property(outname="sd" name="$!rfc5424-sd" format="jsonf")
}
ruleset(name="cairn") {
  action(type="mmpstrucdata")
  action(type="omfile" file="${folder}/received.jsonl" template="parsed")
}
input(type="imtcp" port="${port}" address="127.0.0.1" SupportOctetCountedFraming="on" ruleset="cairn")
`

const readReceived = async (file: string): Promise<readonly Received[]> => {
  const text = existsSync(file) ? await readFile(file, 'utf8') : ''
  // A last line without its end is being written, or was when rsyslogd was killed.
  return text
    .split('\n')
    .slice(0, -1)
    .flatMap((line) => {
      const parsed = parseLine(line)
      return parsed === null ? [] : [parsed]
    })
}

const parseLine = (line: string): Received | null => {
  try {
    const { sd, ...rest } = JSON.parse(line) as Omit<Received, 'sd'> & { sd: unknown }
    const data = typeof sd === 'string' ? JSON.parse(sd === '' ? '{}' : sd) : sd
    return { ...rest, sd: data as Received['sd'] }
  } catch {
    return null
  }
}

export const openRsyslog = async (tls: TlsFiles | null = null): Promise<Rsyslog> => {
  if (rsyslogd === null) throw new Error('no rsyslogd')
  const program = rsyslogd
  const folder = await mkdtemp(join(tmpdir(), 'cairn-rsyslog-'))
  const port = await freePort()
  const conf = join(folder, 'rsyslog.conf')
  await writeFile(conf, configuration(folder, port, tls))
  let child: ChildProcess | null = null
  let errors = ''

  const running = (): boolean =>
    child !== null && child.exitCode === null && child.signalCode === null
  const start = async (): Promise<void> => {
    child = spawn(program, ['-n', '-f', conf, '-i', join(folder, 'pid')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child.stderr?.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4_000)
    })
    await until(() => {
      if (!running()) throw new Error(`rsyslogd ended: ${errors}`)
      return listens(port)
    }, `rsyslogd listens: ${errors}`)
  }
  const kill = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (child === null || !running()) return
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
  }
  await start()
  return {
    port,
    start,
    signal: (signal) => {
      child?.kill(signal)
    },
    kill,
    received: () => readReceived(join(folder, 'received.jsonl')),
    [Symbol.asyncDispose]: async () => {
      await kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
