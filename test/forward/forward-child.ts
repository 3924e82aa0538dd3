import { configSchema, type SinkConfig } from '#lib/config/schema.ts'
import { openLogger } from '#lib/logger.ts'
import { startForward } from '../../services/forward/main.ts'

/**
 * The forward service alone in a process: `forward-child.ts DATA_DIR SINK_JSON`; ends by itself on
 * SIGTERM.
 */
const [data_dir = '', sink = '{}'] = process.argv.slice(2)
const config = configSchema.parse({
  data_dir,
  log: { partitions: 3 },
  forward: { sinks: [JSON.parse(sink) as Partial<SinkConfig>] },
})
const stop = new AbortController()
const service = await startForward(config, {
  logger: openLogger('forward', 'warn'),
  signal: stop.signal,
})
process.once('SIGTERM', () => {
  stop.abort()
  void service[Symbol.asyncDispose]().then(() => process.exit(0))
})
process.stdout.write('ready\n')
