import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Config } from '#lib/config/schema.ts'
import { openLog } from '#lib/log/open.ts'
import type { Logger } from '#lib/logger.ts'
import { openForwarder } from './forwarder.ts'
import { openSinkMetrics } from './metrics.ts'
import { sinkKinds } from './sinks/index.ts'

type ForwardDeps = {
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * The forward service: delivers events to every configured sink, each with its own position in the
 * log (services/forward/README.md). Without sinks it does nothing. Throws
 * CairnError('log_unavailable' | 'config_invalid') when it cannot start; a receiver that is away is
 * no reason.
 */
export const startForward = async (
  config: Config,
  deps: ForwardDeps,
): Promise<AsyncDisposable & { readonly ports: Readonly<Record<string, number>> }> => {
  await using starting = new AsyncDisposableStack()
  const { logger } = deps
  if (config.forward.sinks.length > 0) {
    const log = starting.use(
      await openLog(config.log, {
        data_dir: config.data_dir,
        onTrouble: (error) => logger.warn({ error: error.message }, 'log trouble'),
      }),
    )
    const instance = randomBytes(8).toString('hex')
    const forwarders: AsyncDisposable[] = []
    starting.defer(async () => {
      await Promise.all(forwarders.map((each) => each[Symbol.asyncDispose]()))
    })
    for (const sink of config.forward.sinks) {
      forwarders.push(
        await openForwarder({
          log,
          config: sink,
          kind: sinkKinds[sink.kind],
          deps: {
            logger: logger.child({ sink: sink.name }),
            metrics: openSinkMetrics(sink.name),
            now_ms: Date.now,
            random: Math.random,
            instance,
            hostname: hostname(),
          },
        }),
      )
      logger.info({ sink: sink.name, host: sink.host, port: sink.port }, 'forwarding')
    }
  }
  const running = starting.move()
  return {
    ports: {},
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
