import { spawn, execFile, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { generate } from 'selfsigned'
import { openKafkaClients } from '#lib/log/kafka-client.ts'
import { systemTool } from '../support/tools.ts'

const run = promisify(execFile)
const pom = join(import.meta.dirname, 'pom.xml')
const cache = join(import.meta.dirname, '../../.cache/kafka')

const ready_timeout_ms = 90_000
const stop_timeout_ms = 20_000
const jvm = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** On Linux the broker ends with the process that started it, however that ends. */
const setpriv = '/usr/bin/setpriv'
const with_parent = existsSync(setpriv) ? [setpriv, '--pdeathsig', 'KILL'] : []

/** User at the listener with TLS and SASL. */
export const sasl_user = 'cairn-test'

export type BrokerOptions = {
  /** Adds a listener with TLS (self-signed) and SASL (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512). */
  readonly secure?: boolean
  /** Puts something in between: gets the broker's port, returns the one that clients are told. */
  readonly advertise?: (port: number) => number
}

/** A running broker: one KRaft node on loopback, its data in a folder of its own. */
export interface Broker extends AsyncDisposable {
  /** "host:port" of the listener without TLS. */
  readonly bootstrap: string
  readonly secure: {
    readonly bootstrap: string
    readonly ca_file: string
    readonly password: string
  } | null
  /** Ends it as SIGTERM does, data kept. */
  readonly stop: () => Promise<void>
  /** Ends it as SIGKILL does, data kept. */
  readonly kill: () => Promise<void>
  /** Makes it hang: connections stay, nothing answers. */
  readonly pause: () => void
  readonly resume: () => void
  /** Starts it again on the same ports and data; resolves when it answers. */
  readonly start: () => Promise<void>
}

/** Folder with the broker's jars, fetched by Maven where they are missing or the pom has changed. */
const fetchJars = async (): Promise<string> => {
  const version = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12)
  const folder = join(cache, version)
  const complete = join(folder, 'complete')
  if (existsSync(complete)) return folder
  const maven = systemTool('mvn')
  if (maven === null) throw new Error('a broker needs Maven once, to be fetched: install maven')
  const goal = 'dependency:copy-dependencies'
  await run(maven, ['-q', '-B', '-f', pom, goal, `-DoutputDirectory=${folder}`])
  await writeFile(complete, '')
  return folder
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

type Ports = {
  readonly plain: number
  readonly advertised: number
  readonly controller: number
  readonly secure: number | null
}

const properties = (folder: string, ports: Ports, password: string): string => {
  const secure = ports.secure === null ? '' : `,SASL_SSL://127.0.0.1:${ports.secure}`
  const lines = [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@127.0.0.1:${ports.controller}`,
    `listeners=PLAINTEXT://127.0.0.1:${ports.plain}${secure},CONTROLLER://127.0.0.1:${ports.controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${ports.advertised}${secure}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    `log.dirs=${join(folder, 'data')}`,
    'offsets.topic.num.partitions=1',
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'group.initial.rebalance.delay.ms=0',
    'auto.create.topics.enable=false',
    'log.cleaner.dedupe.buffer.size=8388608',
    'log.retention.check.interval.ms=1000',
    'log.segment.delete.delay.ms=100',
    'log.initial.task.delay.ms=500',
    'broker.heartbeat.interval.ms=300',
    'broker.session.timeout.ms=1500',
    'group.min.session.timeout.ms=1000',
    'num.network.threads=2',
    'num.io.threads=4',
  ]
  if (ports.secure === null) return lines.join('\n')
  const plain = 'org.apache.kafka.common.security.plain.PlainLoginModule required'
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  return [
    ...lines,
    'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    `listener.name.sasl_ssl.plain.sasl.jaas.config=${plain} user_${sasl_user}="${password}";`,
    `listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=${scram}`,
    `listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=${scram}`,
    'ssl.keystore.type=PEM',
    `ssl.keystore.location=${join(folder, 'server.pem')}`,
  ].join('\n')
}

const writeCertificate = async (folder: string): Promise<string> => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'rsa',
    keySize: 2048,
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  })
  await writeFile(join(folder, 'server.pem'), `${made.private.trim()}\n${made.cert.trim()}\n`)
  const ca_file = join(folder, 'ca.pem')
  await writeFile(ca_file, made.cert)
  return ca_file
}

const waitReady = async (bootstrap: string, child: ChildProcess, log: string): Promise<void> => {
  const deadline = Date.now() + ready_timeout_ms
  const clients = await openKafkaClients(
    { brokers: [bootstrap], client_id: 'ready', compression: 'none' },
    { now_ms: Date.now, onTrouble: () => undefined },
  )
  for (;;) {
    const admin = clients().admin({ retry: { retries: 0 } })
    try {
      await admin.connect()
      const { brokers } = await admin.describeCluster()
      if (brokers.length > 0) return
    } catch (error) {
      const over = child.exitCode !== null || Date.now() > deadline
      if (over)
        throw new Error(`no broker: ${(await readFile(log, 'utf8')).slice(-2_000)}`, {
          cause: error,
        })
    } finally {
      await admin.disconnect().catch(() => undefined)
    }
    await sleep(100)
  }
}

const end = async (child: ChildProcess, signal: NodeJS.Signals): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), stop_timeout_ms)
  await exited
  clearTimeout(timer)
}

/** Starts a broker on free loopback ports; disposing it ends it and removes its data. */
export const startBroker = async (options: BrokerOptions = {}): Promise<Broker> => {
  if (systemTool('java') === null) throw new Error('a broker needs Java 17 or newer')
  const jars = await fetchJars()
  const folder = await mkdtemp(join(tmpdir(), 'cairn-kafka-'))
  const plain = await freePort()
  const ports = {
    plain,
    advertised: options.advertise?.(plain) ?? plain,
    controller: await freePort(),
    secure: options.secure === true ? await freePort() : null,
  }
  const bootstrap = `127.0.0.1:${ports.plain}`
  const password = randomBytes(12).toString('hex')
  const file = join(folder, 'server.properties')
  const log = join(folder, 'broker.log')
  const ca_file = ports.secure === null ? '' : await writeCertificate(folder)
  await writeFile(file, properties(folder, ports, password))
  const java = ['-cp', join(jars, '*'), ...jvm]
  const cluster = randomBytes(16).toString('base64url').replaceAll('-', 'A')
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${sasl_user},password=${password}]`,
  ])
  const users = ports.secure === null ? [] : scram
  await run('java', [
    ...java,
    'kafka.tools.StorageTool',
    'format',
    '-t',
    cluster,
    '-c',
    file,
    ...users,
  ])

  let child: ChildProcess | null = null
  const start = async (): Promise<void> => {
    await using output = await open(log, 'a')
    const [program, ...args] = [...with_parent, 'java', ...java, 'kafka.Kafka', file]
    const started = spawn(program, args, {
      cwd: folder,
      stdio: ['ignore', output.fd, output.fd],
    })
    child = started
    await waitReady(bootstrap, started, log)
  }
  const stopWith = async (signal: NodeJS.Signals): Promise<void> => {
    if (child !== null) await end(child, signal)
    child = null
  }
  const dispose = async (): Promise<void> => {
    await stopWith('SIGTERM')
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await start()
  } catch (error) {
    await stopWith('SIGKILL')
    await rm(folder, { recursive: true, force: true })
    throw error
  }
  return {
    bootstrap,
    secure:
      ports.secure === null ? null : { bootstrap: `localhost:${ports.secure}`, ca_file, password },
    stop: () => stopWith('SIGTERM'),
    kill: () => stopWith('SIGKILL'),
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    start,
    [Symbol.asyncDispose]: dispose,
  }
}
