import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'
import { loadConfig } from '#lib/config/load.ts'
import { openLog } from '#lib/log/open.ts'
import type { Log } from '#lib/log/port.ts'
import { replay_group, replay_topics } from '../../services/replay/main.ts'
import { eventually } from '../support/eventually.ts'
import type { Produced } from './gateway-log.ts'

const child_file = new URL('./replay-child.ts', import.meta.url).pathname

/** The replay service in a process of its own, with the address of its HTTP interface. */
export interface ReplayProcess extends AsyncDisposable {
  readonly url: string
  readonly child: ChildProcess
  stderr(): string
  /** Ends it at once and waits until it is gone. */
  kill(): Promise<void>
  /** Asks ClickHouse's HTTP interface; throws with its words when the status is not 200. */
  query(sql: string): Promise<string>
  rows<Row>(sql: string): Promise<Row[]>
}

/** A data folder with the embedded log, and replay processes on it. */
export interface ReplayRig extends AsyncDisposable {
  readonly folder: string
  readonly log: Log
  append(produced: readonly Produced[]): Promise<void>
  start(): Promise<ReplayProcess>
  /** Waits until the group has done everything in the log. */
  caughtUp(): Promise<void>
}

const exitOf = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()))

const startProcess = async (env: NodeJS.ProcessEnv, file: string): Promise<ReplayProcess> => {
  const child = spawn(process.execPath, [child_file, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env,
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-100_000)
  })
  const ports = await new Promise<{ clickhouse: number }>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', (line) =>
      resolve(JSON.parse(line) as { clickhouse: number }),
    )
    child.once('exit', (code) => reject(new Error(`replay ended with ${code}:\n${errors}`)))
  })
  const url = `http://127.0.0.1:${ports.clickhouse}`
  const query = async (sql: string): Promise<string> => {
    const response = await fetch(url, { method: 'POST', body: sql })
    const text = await response.text()
    if (response.status !== 200) throw new Error(text)
    return text
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    await exitOf(child)
  }
  return {
    url,
    child,
    stderr: () => errors,
    kill: () => end('SIGKILL'),
    query,
    rows: async <Row>(sql: string) =>
      (await query(`${sql} FORMAT JSONEachRow`))
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Row),
    [Symbol.asyncDispose]: () => end('SIGTERM'),
  }
}

/** Opens a rig in a temporary folder; `config` is merged over what tests need. */
export const openReplayRig = async (
  config: Readonly<Record<string, unknown>> = {},
): Promise<ReplayRig> => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-replay-'))
  const file = join(folder, 'cairn.yaml')
  await writeFile(file, stringify({ data_dir: folder, ...config }), { mode: 0o600 })
  const env = {
    ...process.env,
    CAIRN_CLICKHOUSE_PORT: '0',
    CAIRN_LOG_LEVEL: 'warn',
    UV_THREADPOOL_SIZE: '16',
  }
  const loaded = loadConfig({ file, env, cwd: folder })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors))
  const log = await openLog(loaded.config.log, { data_dir: folder })
  const processes: ReplayProcess[] = []
  return {
    folder,
    log,
    append: async (produced) => {
      for (const [topic, group] of Map.groupBy(produced, ({ topic }) => topic))
        for (let at = 0; at < group.length; at += 1000)
          await log.append(
            topic,
            group.slice(at, at + 1000).map(({ record }) => record),
          )
    },
    start: async () => {
      const started = await startProcess(env, file)
      processes.push(started)
      return started
    },
    caughtUp: async () => {
      await eventually(
        'replay has caught up',
        async () =>
          (await log.lag(replay_group, replay_topics)).every(
            ({ low, high, committed }) => (committed ?? low) === high,
          ),
        60_000,
      )
    },
    async [Symbol.asyncDispose]() {
      for (const one of processes) await one.kill()
      await log[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
