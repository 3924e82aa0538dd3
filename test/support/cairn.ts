import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'

const main = new URL('../../services/main.ts', import.meta.url).pathname
const bin = new URL('../../services/cli/cairn.mjs', import.meta.url).pathname

/** How long the whole may take until it is ready: chDB's first start and the demonstration's database are the slow parts. */
const ready_timeout_ms = 120_000
const stop_timeout_ms = 60_000
/** Kept of standard error, for messages of failing tests. */
const stderr_bytes_max = 256 * 1024

export type CommandResult = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunningCairn extends AsyncDisposable {
  readonly ports: Readonly<Record<string, number>>
  readonly data_dir: string
  readonly config_file: string | undefined
  readonly pid: number
  /** What the processes wrote to standard error so far (bounded). */
  stderr(): string
  /** Process ids of the service processes, by label (gateway, gateway/1, replay ...). */
  processes(): Promise<ReadonlyMap<string, number>>
  /** Runs a `cairn` command against this instance. */
  cli(...args: string[]): Promise<CommandResult>
  /** The same with variables of one's own: CAIRN_API_TOKEN of a person. */
  cliAs(variables: NodeJS.ProcessEnv, ...args: string[]): Promise<CommandResult>
  /** Sends a signal to the supervisor and waits for its end; SIGTERM drains. Returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
}

export type StartCairn = {
  /** Configuration as data; ports default to any free one. Absent: no file, which runs the demonstration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Kept by the caller; absent: a temporary one, removed on dispose. */
  readonly data_dir?: string
  readonly services?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

const run = (args: readonly string[], env: NodeJS.ProcessEnv): Promise<CommandResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })

const readyPorts = (child: ChildProcess, stderr: () => string): Promise<Record<string, number>> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`not ready within ${ready_timeout_ms} ms:\n${stderr()}`)),
      ready_timeout_ms,
    )
    child.once('exit', (code) => reject(new Error(`ended with ${code} before ready:\n${stderr()}`)))
    createInterface({ input: child.stdout! }).on('line', (line) => {
      if (!line.startsWith('{"ready":true')) return
      clearTimeout(timer)
      resolve((JSON.parse(line) as { ports: Record<string, number> }).ports)
    })
  })

/** Runs the real system (services/main.ts and its processes) and waits for its ready line. */
export const startCairn = async (options: StartCairn = {}): Promise<RunningCairn> => {
  const scratch = await mkdtemp(join(tmpdir(), 'cairn-test-'))
  const data_dir = options.data_dir ?? join(scratch, 'data')
  const config_file = options.config === undefined ? undefined : join(scratch, 'cairn.yaml')
  if (config_file !== undefined)
    await writeFile(config_file, stringify({ data_dir, ...options.config }), { mode: 0o600 })
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    CAIRN_DATA_DIR: data_dir,
    CAIRN_POSTGRES_PORT: '0',
    CAIRN_API_PORT: '0',
    CAIRN_CLICKHOUSE_PORT: '0',
    CAIRN_LOG_LEVEL: 'info',
    ...options.env,
  }
  const args = [
    main,
    ...(config_file === undefined ? [] : ['--config', config_file]),
    ...(options.services ?? []),
  ]
  const child = spawn(process.execPath, args, {
    env,
    cwd: scratch,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-stderr_bytes_max)
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const removeScratch = () => rm(scratch, { recursive: true, force: true })
  const ports = await readyPorts(child, () => errors).catch(async (error: unknown) => {
    child.kill('SIGTERM')
    await ended
    await removeScratch()
    throw error
  })
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), stop_timeout_ms)
    const code = await ended
    clearTimeout(timer)
    return code
  }
  return {
    ports,
    data_dir,
    config_file,
    pid: child.pid!,
    stderr: () => errors,
    processes: () => childProcesses(child.pid!),
    cli: (...words) => run(words, { ...env, CAIRN_API_URL: `http://127.0.0.1:${ports['api']}` }),
    cliAs: (variables, ...words) =>
      run(words, { ...env, CAIRN_API_URL: `http://127.0.0.1:${ports['api']}`, ...variables }),
    stop,
    async [Symbol.asyncDispose]() {
      await stop()
      await removeScratch()
    },
  }
}

/** Reads the supervisor's children and their titles from /proc (Linux). */
const childProcesses = async (parent: number): Promise<ReadonlyMap<string, number>> => {
  const { readFile } = await import('node:fs/promises')
  const pids = (await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8')).trim().split(' ')
  const found = new Map<string, number>()
  for (const pid of pids.filter((text) => text !== '')) {
    const title = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''))
      .replaceAll('\0', ' ')
      .trim()
    if (title.startsWith('cairn ')) found.set(title.slice('cairn '.length), Number(pid))
  }
  return found
}
