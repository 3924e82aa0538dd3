import { configSchema, type SinkConfig } from '#lib/config/schema.ts'
import type { Log } from '#lib/log/port.ts'
import { openLogger } from '#lib/logger.ts'
import type { DeliveryTimes } from '../../services/forward/delivery.ts'
import { openForwarder, sinkGroup } from '../../services/forward/forwarder.ts'
import { openSinkMetrics } from '../../services/forward/metrics.ts'
import { defineSink } from '../../services/forward/sink.ts'
import { openSyslog, syslogSink } from '../../services/forward/sinks/syslog.ts'
import type { Received, Rsyslog } from './rsyslog.ts'

/** A forwarder of one syslog sink, and what a receiver got of it. */

/** Shorter than in service, so that proofs come while a test watches. */
export const times: DeliveryTimes = {
  connect_timeout_ms: 5_000,
  confirm_interval_ms: 500,
  confirm_timeout_ms: 20_000,
  settle_ms: 500,
  heartbeat_interval_ms: 1_000,
  backoff_ms: { first: 20, max: 200 },
}

export const sink = (values: Partial<SinkConfig>): SinkConfig =>
  configSchema.parse({
    forward: {
      sinks: [{ name: 'siem', host: '127.0.0.1', transport: 'tcp', ...values }],
    },
  }).forward.sinks[0]!

export const startForwarder = (log: Log, config: SinkConfig): Promise<AsyncDisposable> =>
  openForwarder({
    log,
    config,
    kind: defineSink({ ...syslogSink, open: (sink, deps) => openSyslog(sink, deps, times) }),
    deps: {
      logger: openLogger('forward', 'silent'),
      metrics: openSinkMetrics(config.name),
      now_ms: Date.now,
      random: Math.random,
      instance: 'test',
      hostname: 'forwarder-1',
    },
  })

export const sdOf = (received: Received): Readonly<Record<string, string>> =>
  received.sd['cairn@32473'] ?? {}

export const events = (received: readonly Received[]): readonly Received[] =>
  received.filter(({ msgid }) => msgid !== 'heartbeat')

export const gseqs = (received: readonly Received[]): readonly number[] =>
  events(received).map((each) => Number(sdOf(each)['gseq']))

export const distinct = async (rsyslog: Rsyslog): Promise<number> =>
  new Set(gseqs(await rsyslog.received())).size

export const allCommitted = async (log: Log, topics: readonly string[]): Promise<boolean> =>
  (await log.lag(sinkGroup('siem'), topics)).every(
    ({ high, low, committed }) => high === low || committed === high,
  )
