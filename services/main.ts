import { access, mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CairnError } from '#lib/error.ts'
import { loadConfig } from '#lib/config/load.ts'
import type { Config } from '#lib/config/schema.ts'
import { problemText } from '#lib/config/problem.ts'
import { openLogger, type Logger } from '#lib/logger.ts'
import { startDemo, type Demo } from './demo/main.ts'
import { openOps } from './ops.ts'
import { serviceNames, type ServiceName } from './registry.ts'
import { openSupervisor, type Supervisor } from './supervisor.ts'

/** How long after the drain time a process may still live before it is killed, milliseconds. */
const stop_grace_ms = 10_000

export type UpOptions = {
  /** Configuration file; absent: `cairn.yaml` in the working directory if there is one, else the demonstration. */
  readonly config_file?: string
  /** Services to run; absent: all. */
  readonly services?: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** Where the ready line goes (standard output). */
  readonly print: (line: string) => void
  /** Where words for people go (standard error). */
  readonly say: (line: string) => void
  /** Ends everything in order when aborted. */
  readonly signal: AbortSignal
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

const wantedServices = (names: readonly string[] | undefined): readonly ServiceName[] => {
  if (names === undefined || names.length === 0) return serviceNames
  const unknown = names.filter((name) => !serviceNames.some((known) => known === name))
  if (unknown.length > 0)
    throw new CairnError(
      'unusable_input',
      `no service ${unknown.map((name) => `"${name}"`).join(', ')}; there are ${serviceNames.join(', ')}`,
    )
  return serviceNames.filter((name) => names.includes(name))
}

const readConfig = (
  options: UpOptions,
  config_file: string | undefined,
  logger: Logger,
): Config => {
  const loaded = loadConfig({
    ...(config_file === undefined ? {} : { file: config_file }),
    env: options.env,
    cwd: options.cwd,
  })
  const name = config_file ?? 'environment'
  if (!loaded.ok)
    throw new CairnError(
      'config_invalid',
      [
        'the configuration cannot be used:',
        ...loaded.errors.map((one) => problemText(one, name)),
      ].join('\n  '),
    )
  for (const warning of loaded.warnings) logger.warn(problemText(warning, name))
  return loaded.config
}

/** What other commands on this machine need to find the running system; replaced atomically. */
const writeRunFile = async (config: Config, content: object): Promise<void> => {
  const folder = join(config.data_dir, 'run')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'ready.json')
  await writeFile(`${file}.new`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

const startServices = async (
  supervisor: Supervisor,
  config: Config,
  wanted: readonly ServiceName[],
): Promise<void> => {
  for (const service of wanted) {
    const processes = service === 'gateway' ? config.gateway.processes : 1
    for (let index = 0; index < processes; index++) await supervisor.start({ service, index })
  }
}

/**
 * Runs services on this machine until the signal: one process each, supervised. Prints one JSON line
 * `{"ready":true,"ports":{...}}` when all of them are ready.
 *
 * Throws CairnError('config_invalid' | 'unusable_input') with words that say what to do.
 */
export const up = async (options: UpOptions): Promise<void> => {
  const wanted = wantedServices(options.services)
  const given =
    options.config_file ??
    ((await exists(join(options.cwd, 'cairn.yaml'))) ? join(options.cwd, 'cairn.yaml') : undefined)
  const logger = openLogger('supervisor')
  await using stack = new AsyncDisposableStack()

  let demo: Demo | undefined
  if (
    given === undefined &&
    options.env['CAIRN_DEMO'] !== '0' &&
    wanted.length === serviceNames.length
  ) {
    const base = readConfig(options, undefined, logger)
    demo = stack.use(await startDemo({ data_dir: base.data_dir, say: options.say, logger }))
  }
  const config_file = demo?.config_file ?? given
  const config = readConfig(options, config_file, logger)
  const supervisor = stack.use(
    openSupervisor({
      env: options.env,
      ...(config_file === undefined ? {} : { config_file }),
      logger,
      stop_timeout_ms: config.gateway.drain_timeout_ms + stop_grace_ms,
    }),
  )
  const ops_port = options.env['CAIRN_OPS_PORT']
  if (ops_port !== undefined)
    stack.use(
      await openOps({
        port: Number(ops_port),
        healthy: () => supervisor.healthy,
        metrics: () => supervisor.metrics(),
      }),
    )
  await startServices(supervisor, config, wanted)
  const ready = { ready: true, ports: supervisor.ports }
  await writeRunFile(config, { ...ready, pid: process.pid, ...demo?.run })
  options.print(JSON.stringify(ready))
  await demo?.runSessions(supervisor.ports)

  if (!options.signal.aborted)
    await new Promise<void>((resolve) => {
      options.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  options.say('stopping: sessions are drained, records are shipped')
}

/** Runs `up` as a command: Ctrl-C or SIGTERM stops in order. Returns the exit code. */
export const runUp = async (config_file?: string, names?: readonly string[]): Promise<number> => {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  try {
    await up({
      ...(config_file === undefined ? {} : { config_file }),
      ...(names === undefined ? {} : { services: names }),
      env: process.env,
      cwd: process.cwd(),
      print: (line) => process.stdout.write(`${line}\n`),
      say: (line) => process.stderr.write(`${line}\n`),
      signal: stop.signal,
    })
    return 0
  } catch (error) {
    if (!(error instanceof CairnError)) throw error
    process.stderr.write(`cairn: ${error.message}\n`)
    return 2
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { config: { type: 'string' } },
    allowPositionals: true,
  })
  process.exitCode = await runUp(values.config, positionals)
}
