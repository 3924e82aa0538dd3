import { setTimeout as delay } from 'node:timers/promises'
import { CairnError } from '#lib/error.ts'
import { openClickHouse, openEmbedded } from '#lib/clickhouse/open.ts'
import type { ClickHouse } from '#lib/clickhouse/port.ts'
import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import { isLoopbackHost } from '#lib/loopback.ts'
import { openLog } from '#lib/log/open.ts'
import type { Log } from '#lib/log/port.ts'
import { openConsumer } from './consumer.ts'
import { openHttpInterface } from './http/server.ts'
import { lag_interval_ms, reconcile_interval_ms } from './limits.ts'
import { openReplayMetrics, type ReplayMetrics } from './metrics.ts'
import { applyMigrations, readMigrations } from './migrations.ts'
import { projections } from './projections/index.ts'
import { openRanges } from './ranges.ts'
import { openReconciler } from './reconcile.ts'
import { refill } from './refill.ts'
import { untilAvailable } from './retry.ts'

/** The consumer group of the tables. */
export const replay_group = 'replay'

/** Topics that become rows. */
export const replay_topics = [
  'cairn.audit',
  'cairn.approvals',
  'cairn.tokens',
  'cairn.alerts',
  'cairn.seals',
  'cairn.notary',
] as const

export type ReplayDeps = { readonly logger: Logger; readonly signal: AbortSignal }

/** libuv's own default; half of the threads, at most, answer queries, so that inserts always find one. */
const threads_default = 4
const queries_max = (): number =>
  Math.max(1, Math.floor(Number(process.env['UV_THREADPOOL_SIZE'] ?? threads_default) / 2))

const migrate = async (clickhouse: ClickHouse, logger: Logger): Promise<void> => {
  const applied = await applyMigrations(clickhouse, await readMigrations())
  if (applied.length > 0)
    logger.info({ migrations: applied.map(({ name }) => name) }, 'tables were migrated')
}

type Work = {
  readonly config: Config
  readonly clickhouse: ClickHouse
  readonly log: Log
  readonly logger: Logger
  readonly metrics: ReplayMetrics
  readonly signal: AbortSignal
}

const measureLag = async ({ log, metrics }: Work): Promise<void> => {
  for (const { topic, partition, low, high, committed } of await log.lag(
    replay_group,
    replay_topics,
  ))
    metrics.lag.set({ topic, partition: String(partition) }, Number(high - (committed ?? low)))
}

/** Does `work` every `interval_ms` until aborted; a failure is logged and the next turn comes. */
const repeat = async (
  { logger, signal }: Work,
  what: string,
  interval_ms: number,
  work: () => Promise<void>,
): Promise<void> => {
  while (!signal.aborted) {
    await delay(interval_ms, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    await work().catch((error: unknown) => {
      if (!signal.aborted) logger.warn({ err: error }, what)
    })
  }
}

/** Everything behind the opened parts: refill, then follow the log until aborted. */
const follow = async (work: Work): Promise<void> => {
  const { config, clickhouse, log, logger, metrics, signal } = work
  const apply = openRanges({ log, clickhouse, projections, logger, metrics })
  const topics = replay_topics
  await untilAvailable(
    async () => {
      if (config.clickhouse.kind === 'server') await migrate(clickhouse, logger)
      const count = await refill({ log, clickhouse, group: replay_group, topics, apply, signal })
      if (count > 0) logger.info({ records: count }, 'tables were filled again from the log')
    },
    {
      signal,
      onFailure: (error, failures) => {
        metrics.retries.inc()
        if (failures === 1) logger.warn({ err: error }, 'ClickHouse or the log is not available')
      },
    },
  )
  await using subscription = await openConsumer({
    log,
    group: replay_group,
    topics,
    apply,
    logger,
    metrics,
    now_ms: Date.now,
    batch_records_max: config.clickhouse.insert.rows_max,
    linger_ms: config.clickhouse.insert.linger_ms,
  })
  const reconcile = openReconciler({ clickhouse, logger, metrics })
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const background = Promise.all([
    repeat(work, 'measuring lag', lag_interval_ms, () => measureLag(work)),
    repeat(work, 'comparing tables and sequence numbers', reconcile_interval_ms, reconcile),
  ])
  await Promise.race([subscription.finished, stopped])
  await subscription[Symbol.asyncDispose]()
  if (signal.aborted) await background
}

const startHttp = async (
  config: Config,
  clickhouse: Awaited<ReturnType<typeof openEmbedded>>,
  logger: Logger,
) => {
  const { http_host, http_port, password } = config.clickhouse
  if (password === undefined && !isLoopbackHost(http_host))
    throw new CairnError(
      'config_invalid',
      `clickhouse.http_host ${http_host} is not loopback: set clickhouse.password, or keep it on 127.0.0.1`,
    )
  return openHttpInterface({
    clickhouse,
    host: http_host,
    port: http_port,
    password: password?.reveal() ?? null,
    logger,
    queries_max: queries_max(),
  })
}

/**
 * Starts replay: turns the log's records into ClickHouse tables, and answers ClickHouse's HTTP interface where the engine is embedded.
 * Ready means that the tables exist and the interface answers (embedded), or that the process runs and keeps trying (server).
 *
 * Throws CairnError('store_unavailable' | 'schema_conflict' | 'config_invalid' | 'log_unavailable').
 */
export const startReplay = async (
  config: Config,
  { logger, signal }: ReplayDeps,
): Promise<{ readonly ports: Readonly<Record<string, number>> } & AsyncDisposable> => {
  await using stack = new AsyncDisposableStack()
  const metrics = openReplayMetrics()
  const stop = new AbortController()
  const onTrouble = (error: Error): void => logger.warn({ err: error }, 'the log')
  const log = stack.use(await openLog(config.log, { data_dir: config.data_dir, onTrouble }))

  const ports: Record<string, number> = {}
  let clickhouse: ClickHouse
  if (config.clickhouse.kind === 'embedded') {
    const embedded = stack.use(await openEmbedded(config.clickhouse, config.data_dir))
    await migrate(embedded, logger)
    ports['clickhouse'] = stack.use(await startHttp(config, embedded, logger)).port
    clickhouse = embedded
  } else clickhouse = stack.use(await openClickHouse(config.clickhouse, config))

  const ended = follow({
    config,
    clickhouse,
    log,
    logger,
    metrics,
    signal: AbortSignal.any([signal, stop.signal]),
  }).catch((error: unknown) => {
    if (stop.signal.aborted || signal.aborted) return
    logger.fatal({ err: error }, 'replay cannot go on')
    // The supervisor starts it again; going on half-dead would only look well.
    process.exitCode = 1
    process.kill(process.pid, 'SIGTERM')
  })
  stack.defer(async () => {
    stop.abort()
    await ended
  })
  const resources = stack.move()
  return { ports, [Symbol.asyncDispose]: () => resources.disposeAsync() }
}
