import { CairnError } from '#lib/error.ts'
import { loadConfig } from '#lib/config/load.ts'
import { problemText } from '#lib/config/problem.ts'
import { openLogger } from '#lib/logger.ts'
import { registry } from '#lib/metrics.ts'
import { services, serviceNames, type RunningService, type ServiceName } from './registry.ts'
import type { ChildMessage, SupervisorMessage } from './process-messages.ts'

/** One service process, forked by the supervisor: `process.ts SERVICE INDEX [CONFIG]`, which talks over the IPC channel. */
const [service, index, config_file] = process.argv.slice(2)

const tell = (message: ChildMessage): void => {
  if (process.connected) process.send?.(message)
}

const isService = (name: string | undefined): name is ServiceName =>
  serviceNames.some((known) => known === name)

/** Asks the supervisor for the metrics of every process; one promise per question. */
const openMachineMetrics = (): (() => Promise<string>) => {
  const waiting = new Map<number, (text: string) => void>()
  let last = 0
  process.on('message', (message: SupervisorMessage) => {
    if (message.type === 'metrics.collected') {
      waiting.get(message.id)?.(message.text)
      waiting.delete(message.id)
    } else if (message.type === 'metrics.give') {
      void registry
        .getMetricsAsJSON()
        .then((metrics) => tell({ type: 'metrics.own', id: message.id, metrics }))
    }
  })
  return () =>
    new Promise((resolve) => {
      const id = ++last
      waiting.set(id, resolve)
      tell({ type: 'metrics.collect', id })
    })
}

const main = async (): Promise<void> => {
  if (!isService(service))
    throw new CairnError(
      'unusable_input',
      `no service "${service}"; there are ${serviceNames.join(', ')}`,
    )
  const label = index === '0' ? service : `${service}/${index}`
  process.title = `cairn ${label}`
  const logger = openLogger(label)
  const loaded = loadConfig({
    ...(config_file === undefined ? {} : { file: config_file }),
    env: process.env,
    cwd: process.cwd(),
  })
  if (!loaded.ok)
    throw new CairnError(
      'config_invalid',
      loaded.errors.map((one) => problemText(one, config_file ?? 'environment')).join('\n'),
    )
  const stop = new AbortController()
  const machineMetrics = openMachineMetrics()
  const start = await services[service]()
  const running: RunningService = await start(loaded.config, {
    logger,
    signal: stop.signal,
    index: Number(index),
    machineMetrics,
    config_file,
  })

  await new Promise<void>((resolve) => {
    process.on('message', (message: SupervisorMessage) => {
      if (message.type === 'stop') resolve()
    })
    // A supervisor that is gone (kill -9) must not leave its processes behind.
    process.once('disconnect', resolve)
    tell({ type: 'ready', ports: running.ports })
  })
  stop.abort()
  await running[Symbol.asyncDispose]()
}

try {
  await main()
  process.exit(0)
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  await new Promise((resolve) => process.send?.({ type: 'failed', message }, resolve))
  process.exit(1)
}
