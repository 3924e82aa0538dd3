import { topics } from '#lib/config/sections/pipeline.ts'
import { gauge } from '#lib/metrics.ts'
import type { Log } from '#lib/log/port.ts'
import type { Readiness } from './deps.ts'
import type { Store } from './store/store.ts'

/** A consumer group of the log, for the lag. */
export type Group = { readonly group: string; readonly topics: readonly string[] }

/** How far the tables may be behind the log and the api still counts as ready, records. */
const lag_records_max = 100_000
/** How long the log may take to say how far its readers are, milliseconds. */
const log_timeout_ms = 3000

export type PipelineDeps = {
  readonly log: Pick<Log, 'lag'>
  readonly store: Pick<Store, 'answers' | 'totals'>
  /** The group of the replay service, first, and those of the forwarders. */
  readonly groups: readonly Group[]
  /** Prometheus text of all processes of this machine, this one's included. */
  readonly machineMetrics: () => Promise<string>
}

const within = async <T>(promise: Promise<T>, timeout_ms: number): Promise<T> => {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error('the log does not answer')), timeout_ms)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

/** What the api can say of the pipeline: how far each reader of the log is behind, and what the tables hold. */
export const openPipeline = (deps: PipelineDeps) => {
  const lag_gauge = gauge({
    name: 'log_lag_records',
    help: 'Records in the log that a consumer group has not taken yet.',
    labels: ['group', 'topic'],
  })
  const rows_gauge = gauge({
    name: 'table_rows',
    help: 'Rows in the tables, as the api sees them.',
    labels: ['table'],
  })

  /** Records that a group has not taken yet, by topic; of a group that never committed, all that are kept. */
  const lagOf = async ({ group, topics }: Group): Promise<ReadonlyMap<string, number>> => {
    const lags = await within(deps.log.lag(group, topics), log_timeout_ms)
    const behind = new Map<string, number>()
    for (const { topic, low, high, committed } of lags)
      behind.set(topic, (behind.get(topic) ?? 0) + Number(high - (committed ?? low)))
    return behind
  }

  const total = (behind: ReadonlyMap<string, number>): number =>
    [...behind.values()].reduce((sum, records) => sum + records, 0)

  return {
    readiness: async (): Promise<Readiness> => {
      const [replay] = deps.groups
      const [lag_records, clickhouse] = await Promise.all([
        replay === undefined ? 0 : lagOf(replay).then(total, () => null),
        deps.store.answers(),
      ])
      const log = lag_records === null ? 'failed' : 'ok'
      return {
        ready: lag_records !== null && lag_records <= lag_records_max && clickhouse,
        checks: { log, clickhouse: clickhouse ? 'ok' : 'failed', replay: { lag_records } },
      }
    },
    metrics: async (): Promise<string> => {
      const lags = await Promise.allSettled(deps.groups.map(lagOf))
      for (const [index, lag] of lags.entries())
        if (lag.status === 'fulfilled')
          for (const [topic, records] of lag.value)
            lag_gauge.set({ group: deps.groups[index]?.group ?? '', topic }, records)
        // Old values would look like a pipeline that stands still: without an answer there are none.
        else lag_gauge.reset()
      try {
        const totals = await deps.store.totals()
        for (const [table, rows] of Object.entries(totals)) rows_gauge.set({ table }, rows)
      } catch {
        rows_gauge.reset()
      }
      return deps.machineMetrics()
    },
  }
}

/** Groups of this deployment. @param sinks names of the forwarders' sinks with their topics */
export const groupsOf = (
  sinks: readonly { readonly name: string; readonly topics: readonly string[] }[],
): readonly Group[] => [
  { group: 'replay', topics },
  ...sinks.map((sink) => ({ group: `forward-${sink.name}`, topics: sink.topics })),
]
