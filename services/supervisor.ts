import { fork, type ChildProcess } from 'node:child_process'
import { AggregatorRegistry } from 'prom-client'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import { portVariable, type ServiceName } from './registry.ts'
import {
  processLabel,
  type ChildMessage,
  type ProcessName,
  type SupervisorMessage,
} from './process-messages.ts'

/** How long a process may take from its fork to `ready`. chDB opening a large directory is the slowest. */
const start_timeout_ms = 120_000
/** A process that dies is started again after this long, doubled each time it dies within a minute, up to the maximum. */
const restart_delay_ms = 250
const restart_delay_ms_max = 10_000
const healthy_after_ms = 60_000
/** The embedded engine's calls take a thread of the pool each; with Node's four, queries would wait for inserts. */
const engine_threads = '16'
/** How long a metrics round waits for the slowest process. */
const metrics_timeout_ms = 2_000

type Child = {
  readonly name: ProcessName
  process: ChildProcess
  started_ms: number
  delay_ms: number
  ready: boolean
}

export type SupervisorOptions = {
  /** Environment of the children; fixed ports are added to it. */
  readonly env: NodeJS.ProcessEnv
  /** Configuration file that the children load; absent: the defaults. */
  readonly config_file?: string
  readonly logger: Logger
  /** After this, a process that was asked to stop is killed, milliseconds. */
  readonly stop_timeout_ms: number
}

/** Runs one process per service, starts again what dies, passes messages between processes of a service. */
export interface Supervisor extends AsyncDisposable {
  /** Starts one process and waits until it is ready. Throws CairnError('unusable_input') with its words if it cannot start. */
  start(name: ProcessName): Promise<void>
  /** Every port that is open, by name. */
  readonly ports: Readonly<Record<string, number>>
  /** Whether every process that was started runs and is ready. */
  readonly healthy: boolean
  /** Metrics of all processes, as Prometheus text. */
  metrics(): Promise<string>
}

const send = (child: ChildProcess, message: SupervisorMessage): void => {
  // A child that is going away has closed its channel: its exit is handled by itself.
  if (child.connected) child.send(message, () => undefined)
}

/** Opens a supervisor without processes; dispose it to stop them all, gateways first so that nothing new comes in. */
export const openSupervisor = (options: SupervisorOptions): Supervisor => {
  const { logger } = options
  const children = new Map<string, Child>()
  const rounds = new Map<
    number,
    { readonly parts: object[][]; missing: number; done: () => void }
  >()
  let ports: Record<string, number> = {}
  let stopping = false
  let round = 0
  let started = 0

  const metrics = async (): Promise<string> => {
    const id = ++round
    const live = [...children.values()].filter((child) => child.process.connected)
    const parts: object[][] = []
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, metrics_timeout_ms)
      rounds.set(id, {
        parts,
        missing: live.length,
        done: () => {
          clearTimeout(timer)
          resolve()
        },
      })
      for (const child of live) send(child.process, { type: 'metrics.give', id })
    })
    rounds.delete(id)
    return AggregatorRegistry.aggregate(parts).metrics()
  }

  const onMessage = (child: Child, message: ChildMessage): void => {
    switch (message.type) {
      case 'relay': {
        const to = children.get(processLabel({ ...child.name, index: message.to }))
        if (to !== undefined) send(to.process, { type: 'relayed', payload: message.payload })
        return
      }
      case 'metrics.collect':
        void metrics().then((text) =>
          send(child.process, { type: 'metrics.collected', id: message.id, text }),
        )
        return
      case 'metrics.own': {
        const pending = rounds.get(message.id)
        if (pending === undefined) return
        pending.parts.push(message.metrics)
        if (--pending.missing === 0) pending.done()
        return
      }
      case 'ready':
      case 'failed':
        return
    }
  }

  const launch = (name: ProcessName): ChildProcess => {
    const fixed = Object.entries(ports).map(([port, number]) => [
      portVariable(port),
      String(number),
    ])
    const args = [name.service, String(name.index)]
    if (options.config_file !== undefined) args.push(options.config_file)
    return fork(new URL('process.ts', import.meta.url), args, {
      env: {
        ...options.env,
        ...(name.service === 'replay' ? { UV_THREADPOOL_SIZE: engine_threads } : {}),
        ...Object.fromEntries(fixed),
      },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A terminal's Ctrl-C reaches the whole process group; order matters here, so only the supervisor listens to it.
      serialization: 'advanced',
      detached: true,
    })
  }

  const run = async (name: ProcessName, delay_ms: number): Promise<void> => {
    const child: Child = {
      name,
      process: launch(name),
      started_ms: Date.now(),
      delay_ms,
      ready: false,
    }
    children.set(processLabel(name), child)
    await new Promise<void>((resolve, reject) => {
      const label = processLabel(name)
      const timer = setTimeout(() => child.process.kill('SIGKILL'), start_timeout_ms)
      let words = `the ${label} process ended before it was ready`
      child.process.on('message', (message: ChildMessage) => {
        if (message.type === 'ready') {
          clearTimeout(timer)
          child.ready = true
          ports = { ...ports, ...message.ports }
          resolve()
        } else if (message.type === 'failed') words = `${label}: ${message.message}`
        else onMessage(child, message)
      })
      child.process.once('error', (error) => {
        words = `${label}: ${error.message}`
      })
      child.process.once('exit', (code, signal) => {
        clearTimeout(timer)
        children.delete(label)
        if (!child.ready) reject(new CairnError('unusable_input', words))
        else if (!stopping) void restart(child, code, signal)
      })
    })
  }

  const restart = async (
    dead: Child,
    code: number | null,
    signal: string | null,
  ): Promise<void> => {
    const lived_ms = Date.now() - dead.started_ms
    const delay_ms =
      lived_ms > healthy_after_ms
        ? restart_delay_ms
        : Math.min(dead.delay_ms * 2, restart_delay_ms_max)
    logger.error(
      { process: processLabel(dead.name), code, signal, restart_in_ms: delay_ms },
      'a process died; it is started again',
    )
    await new Promise((resolve) => setTimeout(resolve, delay_ms))
    if (stopping) return
    try {
      await run(dead.name, delay_ms)
      logger.info({ process: processLabel(dead.name) }, 'the process runs again')
    } catch (error) {
      logger.error({ process: processLabel(dead.name), err: error }, 'the process cannot start')
      await restart({ ...dead, delay_ms, started_ms: Date.now() }, null, null)
    }
  }

  const stopAll = async (wanted: (child: Child) => boolean): Promise<void> => {
    const chosen = [...children.values()].filter(wanted)
    await Promise.all(
      chosen.map(
        (child) =>
          new Promise<void>((resolve) => {
            const timer = setTimeout(() => child.process.kill('SIGKILL'), options.stop_timeout_ms)
            child.process.once('exit', () => {
              clearTimeout(timer)
              resolve()
            })
            send(child.process, { type: 'stop', reason: 'drained' })
          }),
      ),
    )
  }

  return {
    start: async (name) => {
      await run(name, restart_delay_ms)
      started++
    },
    get ports() {
      return ports
    },
    get healthy() {
      return [...children.values()].filter((child) => child.ready).length === started
    },
    metrics,
    async [Symbol.asyncDispose]() {
      stopping = true
      const gateway: ServiceName = 'gateway'
      await stopAll((child) => child.name.service === gateway)
      await stopAll(() => true)
    },
  }
}
