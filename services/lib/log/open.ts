import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { CairnError } from '#lib/error.ts'
import type { KafkaSettings } from './kafka.ts'
import type { Log } from './port.ts'
import { applyTopics } from './topics.ts'

/** The `log` section of the configuration. */
export type LogConfig = {
  readonly kind: 'embedded' | 'kafka'
  /** Needed when `kind` is kafka. */
  readonly kafka?: KafkaSettings
  readonly partitions: number
  readonly replication: number
  readonly retention_hours: number
}

export type LogDeps = {
  /** The configuration's `data_dir`; the embedded log is `log/cairn.sqlite` in it. */
  readonly data_dir: string
  readonly now_ms?: () => number
  readonly id?: () => string
  /** Trouble outside any call (retention, a broker that went away); for the process's logger. */
  readonly onTrouble?: (error: Error) => void
}

export const embeddedLogPath = (data_dir: string): string => join(data_dir, 'log', 'cairn.sqlite')

/**
 * Opens the log that the configuration names and creates the topics that are missing.
 * @throws CairnError('log_unavailable' | 'log_invalid' | 'config_invalid')
 */
export const openLog = async (config: LogConfig, deps: LogDeps): Promise<Log> => {
  const log = await openAdapter(config, deps)
  try {
    await applyTopics(log, config)
    return log
  } catch (error) {
    await log[Symbol.asyncDispose]()
    throw error
  }
}

const openAdapter = async (config: LogConfig, deps: LogDeps): Promise<Log> => {
  const { now_ms = Date.now, id = randomUUID, onTrouble } = deps
  const trouble = onTrouble === undefined ? {} : { onTrouble }
  if (config.kind === 'embedded') {
    const { openEmbeddedLog } = await import('./embedded.ts')
    return openEmbeddedLog({ path: embeddedLogPath(deps.data_dir), now_ms, id, ...trouble })
  }
  if (config.kafka === undefined)
    throw new CairnError('config_invalid', 'log.kind kafka needs the section log.kafka')
  const { openKafkaLog } = await import('./kafka.ts')
  return openKafkaLog({ kafka: config.kafka, now_ms, id, ...trouble })
}
