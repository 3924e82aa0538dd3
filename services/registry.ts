import type { Logger } from '#lib/logger.ts'
import type { Config } from '#lib/config/schema.ts'

/** What every service gets from the process that runs it. */
export type ServiceDeps = {
  readonly logger: Logger
  /** Aborted when the process is asked to stop: stop accepting, finish what runs, then dispose. */
  readonly signal: AbortSignal
  /** Which of several processes of this service, from 0. */
  readonly index: number
  /** Metrics of every process that this one's supervisor runs, as Prometheus text. */
  readonly machineMetrics: () => Promise<string>
  /** The file that the configuration came from; undefined: none. */
  readonly config_file: string | undefined
}

/** A service that runs. Disposing it drains and releases everything it holds. */
export interface RunningService extends AsyncDisposable {
  readonly ports: Readonly<Record<string, number>>
}

type Start = (config: Config, deps: ServiceDeps) => Promise<RunningService>

/** The services, in the order in which one machine starts them: a later one may need the port of an earlier one. */
export const services = {
  replay: async (): Promise<Start> => (await import('./replay/main.ts')).startReplay,
  forward: async (): Promise<Start> => (await import('./forward/main.ts')).startForward,
  api: async (): Promise<Start> => (await import('./api/main.ts')).startApi,
  gateway: async (): Promise<Start> => (await import('./gateway/main.ts')).startGateway,
} satisfies Record<string, () => Promise<Start>>

export type ServiceName = keyof typeof services

export const serviceNames = Object.keys(services) as ServiceName[]

/** Environment variable that fixes a named port, so that a restarted process listens where the one before it did. */
export const portVariable = (port: string): string => `CAIRN_${port.toUpperCase()}_PORT`
