import { spawn } from 'node:child_process'
import { chown, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localIssuer } from '../support/issuer.ts'
import { startCairn, type RunningCairn } from '../support/cairn.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import type { Bench, Row } from './row.ts'

/**
 * Direct, PgBouncer and Cairn (recording everything, durable before each command) in turn on the same server: pgbench select-only in
 * its three query modes, two bulk reads, latency and CPU of the process in the middle.
 */
const seconds = Number(process.env['CAIRN_BENCH_SECONDS'] ?? 4)
const scale = 10
const modes = ['simple', 'extended', 'prepared'] as const
const client_counts = [1, 8, 32] as const

type Way = {
  readonly name: string
  readonly port: number
  readonly user: string
  readonly database: string
  readonly password: () => Promise<string>
  /** Processes in the middle, for CPU. */
  readonly pids: () => Promise<readonly number[]>
}

const execute = (
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; cwd?: string } = {},
): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
    child.once('error', reject)
    child.once('close', (code) =>
      code === 0
        ? resolve(out)
        : reject(new Error(`${command} ended with ${code}: ${errors.slice(-2000)}`)),
    )
  })

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** CPU seconds of processes so far, user and system (Linux; clock ticks are 1/100 s). */
const cpuSeconds = async (pids: readonly number[]): Promise<number> => {
  let ticks = 0
  for (const pid of pids) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / 100
}

const startPgbouncer = async (
  postgres: TestPostgres,
): Promise<{ way: Way; stop: () => Promise<void> }> => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-pgbouncer-'))
  const port = await freePort()
  await writeFile(join(folder, 'users.txt'), `"${postgres.user}" "${postgres.password}"\n`)
  await writeFile(
    join(folder, 'pgbouncer.ini'),
    [
      '[databases]',
      `* = host=127.0.0.1 port=${postgres.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = scram-sha-256',
      `auth_file = ${folder}/users.txt`,
      'pool_mode = session',
      'default_pool_size = 64',
      'max_client_conn = 200',
      'ignore_startup_parameters = extra_float_digits',
      'logfile =',
      'log_connections = 0',
      'log_disconnections = 0',
      'log_stats = 0',
    ].join('\n'),
  )
  // PgBouncer refuses to run as root.
  const nobody = 65_534
  const root = process.getuid?.() === 0
  if (root)
    for (const file of [folder, ...(await readdir(folder)).map((name) => join(folder, name))])
      await chown(file, nobody, nobody)
  const child = spawn('pgbouncer', ['-q', join(folder, 'pgbouncer.ini')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    ...(root ? { uid: nobody, gid: nobody } : {}),
  })
  const way: Way = {
    name: 'PgBouncer',
    port,
    user: postgres.user,
    database: postgres.database,
    password: async () => postgres.password,
    pids: async () => [child.pid!],
  }
  return {
    way,
    stop: async () => {
      if (child.exitCode === null) {
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill('SIGTERM')
        await ended
      }
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const startGatewayWay = async (
  name: string,
  postgres: TestPostgres,
  gateway: Readonly<Record<string, unknown>>,
): Promise<{ way: Way; cairn: RunningCairn; stop: () => Promise<void> }> => {
  const issuer = await localIssuer('github')
  const cairn = await startCairn({
    services: ['gateway'],
    config: {
      deployment: 'bench',
      gateway,
      listeners: { postgres: { cleartext: 'loopback' } },
      issuers: [issuer.config('ci')],
      credentials: [{ name: 'bench', user: postgres.user, password: postgres.password }],
      targets: [
        {
          name: 'bench',
          protocol: 'postgres',
          host: '127.0.0.1',
          port: postgres.port,
          tls: { mode: 'disable' },
          default_database: postgres.database,
          roles: [{ name: 'bench', credential: 'bench', sessions_per_token: 1_000_000 }],
        },
      ],
      policies: [
        { name: 'bench', effect: 'allow', issuers: ['ci'], targets: ['bench'], roles: ['bench'] },
      ],
    },
  })
  const way: Way = {
    name,
    port: cairn.ports['postgres']!,
    user: 'bench',
    database: 'bench',
    password: () => issuer.token({}),
    pids: async () => [...(await cairn.processes()).values()],
  }
  return {
    way,
    cairn,
    stop: async () => {
      await cairn[Symbol.asyncDispose]()
      await issuer[Symbol.asyncDispose]()
    },
  }
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

const pgbench = async (way: Way, mode: string, clients: number) => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-pgbench-'))
  const cpu_before = await cpuSeconds(await way.pids())
  const out = await execute(
    'pgbench',
    [
      '-S',
      '-n',
      '-M',
      mode,
      '-c',
      String(clients),
      '-j',
      '1',
      '-T',
      String(seconds),
      '-l',
      '-s',
      String(scale),
    ].concat(['-h', '127.0.0.1', '-p', String(way.port), '-U', way.user, way.database]),
    {
      cwd: folder,
      env: { ...process.env, PGPASSWORD: await way.password(), PGSSLMODE: 'disable' },
    },
  )
  const cpu = (await cpuSeconds(await way.pids())) - cpu_before
  const tps = Number(/tps = ([\d.]+) \(without initial/.exec(out)?.[1])
  const count = Number(/transactions actually processed: (\d+)/.exec(out)?.[1])
  const latencies: number[] = []
  for (const file of await readdir(folder))
    for (const line of (await readFile(join(folder, file), 'utf8')).split('\n'))
      if (line !== '') latencies.push(Number(line.split(' ')[2]))
  await rm(folder, { recursive: true, force: true })
  latencies.sort((a, b) => a - b)
  return {
    tps,
    cpu_us: (cpu / count) * 1e6,
    p50_us: percentile(latencies, 0.5),
    p99_us: percentile(latencies, 0.99),
  }
}

/** MB a second of one result, read by psql, which throws it away. */
const bulk = async (way: Way, sql: string, bytes: number): Promise<number> => {
  const env = { ...process.env, PGPASSWORD: await way.password(), PGSSLMODE: 'disable' }
  const args = ['-h', '127.0.0.1', '-p', String(way.port), '-U', way.user, '-d', way.database]
  const begun = process.hrtime.bigint()
  await execute('psql', [...args, '-X', '-q', '-c', `copy (${sql}) to stdout`, '-o', '/dev/null'], {
    env,
  })
  return bytes / (Number(process.hrtime.bigint() - begun) / 1e9) / 1e6
}

const selectRows = async (ways: readonly Way[]): Promise<Row[]> => {
  const rows: Row[] = []
  // A gateway serves for weeks: what its compiler does in the first seconds is not what is measured.
  for (const way of ways) for (const mode of modes) await pgbench(way, mode, 8)
  for (const mode of modes)
    for (const clients of client_counts) {
      const by_name = new Map<string, number>()
      for (const way of ways) {
        process.stderr.write(`${mode}, ${clients} clients, ${way.name}\n`)
        const { tps, ...figures } = await pgbench(way, mode, clients)
        by_name.set(way.name, tps)
        const reference =
          way.name === 'direct' ? undefined : way.name === 'PgBouncer' ? 'direct' : 'PgBouncer'
        rows.push({
          case: `${mode}, ${clients} clients, ${way.name}`,
          unit: 'commands/s',
          per_second: tps,
          ...(reference === undefined ? {} : { reference, ratio: tps / by_name.get(reference)! }),
          figures: { ...figures, of_direct: tps / by_name.get('direct')! },
        })
      }
    }
  return rows
}

const bulk_reads = [
  { name: 'narrow rows', sql: 'select aid, bid, abalance from pgbench_accounts', bytes: 1e6 * 14 },
  {
    name: '2 kB rows',
    sql: 'select repeat(md5(i::text), 64) from generate_series(1, 100000) i',
    bytes: 1e5 * 2049,
  },
] as const

const bulkRows = async (ways: readonly Way[]): Promise<Row[]> => {
  const rows: Row[] = []
  for (const read of bulk_reads) {
    let direct = 0
    for (const way of ways) {
      process.stderr.write(`bulk read, ${read.name}, ${way.name}\n`)
      await bulk(way, read.sql, read.bytes)
      const rates: number[] = []
      for (let i = 0; i < 3; i++) rates.push(await bulk(way, read.sql, read.bytes))
      const rate = rates.sort((a, b) => a - b)[1]!
      if (way.name === 'direct') direct = rate
      rows.push({
        case: `bulk read, ${read.name}, ${way.name}`,
        unit: 'MB/s',
        per_second: rate,
        ...(way.name === 'direct' ? {} : { reference: 'direct', ratio: rate / direct }),
      })
    }
  }
  return rows
}

export const bench: Bench = {
  name: 'PostgreSQL gateway: direct, PgBouncer, Cairn',
  run: async () => {
    await using stack = new AsyncDisposableStack()
    const postgres = stack.use(await startPostgres({}))
    const direct: Way = {
      name: 'direct',
      port: postgres.port,
      user: postgres.user,
      database: postgres.database,
      password: async () => postgres.password,
      pids: async () => [],
    }
    await execute(
      'pgbench',
      [
        '-i',
        '-q',
        '-s',
        String(scale),
        '-h',
        '127.0.0.1',
        '-p',
        String(postgres.port),
        '-U',
        postgres.user,
        postgres.database,
      ],
      { env: { ...process.env, PGPASSWORD: postgres.password } },
    )
    const pgbouncer = await startPgbouncer(postgres)
    stack.defer(pgbouncer.stop)
    const ways = [direct, pgbouncer.way]
    for (const [name, gateway] of [
      ['Cairn', { processes: 1 }],
      ['Cairn, reads: overlap', { processes: 1, reads: 'overlap' }],
      ['Cairn, 2 processes', { processes: 2 }],
    ] as const) {
      const started = await startGatewayWay(name, postgres, gateway)
      stack.defer(started.stop)
      ways.push(started.way)
    }
    return [...(await selectRows(ways)), ...(await bulkRows(ways))]
  },
}
