import type { Log, TopicSpec } from './port.ts'

/** Every topic there is. */
export const topicNames = [
  'cairn.audit',
  'cairn.approvals',
  'cairn.tokens',
  'cairn.alerts',
  'cairn.seals',
  'cairn.notary',
  'cairn.deadletter',
  'cairn.quarantine',
] as const

export type TopicSettings = {
  readonly partitions: number
  readonly replication: number
  readonly retention_hours: number
}

/** Claims of tokens are kept for longer than any counted token lives (a day, and what clocks may differ). */
const tokens_hours_min = 48

/** The topics as the configuration wants them. The notary's own log is one sequence: one partition. */
export const topicSpecs = (settings: TopicSettings): readonly TopicSpec[] =>
  topicNames.map((name) => ({
    name,
    partitions: name === 'cairn.notary' ? 1 : settings.partitions,
    replication: settings.replication,
    retention_ms:
      Math.max(settings.retention_hours, name === 'cairn.tokens' ? tokens_hours_min : 0) *
      3_600_000,
  }))

/**
 * Creates the topics that are missing; what `cairn topics apply` and every service at its start do. Repeating it changes nothing.
 * @throws CairnError('log_invalid') an existing topic has another number of partitions; CairnError('log_unavailable')
 */
export const applyTopics = (log: Log, settings: TopicSettings): Promise<void> =>
  log.ensureTopics(topicSpecs(settings))
