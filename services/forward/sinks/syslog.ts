import { clientTls } from '#lib/tls.ts'
import type { SinkConfig } from '#lib/config/schema.ts'
import { delivery_times, openDelivery, type DeliveryTimes } from '../delivery.ts'
import { jsonFormat } from '../formats/json.ts'
import { octetCounted, openSyslogWriter } from '../formats/rfc5424.ts'
import { defineSink, type Sink, type SinkDeps } from '../sink.ts'
import { openWindow } from '../window.ts'
import { openConnection } from './connection.ts'

/** Bytes in a sink's resend window. */
export const window_bytes_max = 32 * 1024 * 1024

/** RFC 5424 section 7.3.1: sequenceId starts at 1 and after this begins at 1 again. */
const sequence_max = 2_147_483_647

/**
 * Opens a syslog sink. Connects in the background: a receiver that is away delays delivery, it does
 * not fail.
 */
export const openSyslog = async (
  config: SinkConfig,
  deps: SinkDeps,
  times: DeliveryTimes = delivery_times,
): Promise<Sink> => {
  const { host, port, name } = config
  const tls =
    config.transport === 'tcp'
      ? null
      : await clientTls({ mode: 'verify-full', ...config.tls }, host)
  const { facility, app_name, enterprise_number, message_bytes_max } = config
  const writer = openSyslogWriter({
    facility,
    app_name,
    enterprise_number,
    message_bytes_max,
    hostname: deps.hostname,
    format: jsonFormat,
  })
  const last = { sequence: 0, id: '' }
  const { logger, metrics, now_ms, random, instance } = deps
  const delivery = openDelivery({
    window: openWindow({ events_max: config.window_events_max, bytes_max: window_bytes_max }),
    times,
    connect: (timeout_ms) => openConnection({ host, port, tls }, timeout_ms),
    heartbeat: () =>
      octetCounted(
        writer.heartbeat({
          time_us: now_ms() * 1_000,
          sink: name,
          instance,
          sequence: last.sequence,
          last: last.id,
        }),
      ),
    logger,
    metrics,
    now_ms,
    random,
  })
  return {
    send: (record, delivered) => {
      last.sequence = (last.sequence % sequence_max) + 1
      last.id = record.id
      const { bytes, cut, raw } = writer.record(record, last.sequence)
      if (cut) metrics.cut()
      if (raw) metrics.raw()
      return delivery.push({
        bytes: octetCounted(bytes),
        delivered: () => {
          metrics.delivered()
          delivered()
        },
      })
    },
    finish: (timeout_ms) => delivery.finish(timeout_ms),
    [Symbol.asyncDispose]: () => delivery[Symbol.asyncDispose](),
  }
}

export const syslogSink = defineSink({
  kind: 'syslog',
  doc: 'RFC 5424 over TCP or TLS (RFC 5425), always with octet counting: with newline framing SQL text could split an event.',
  guarantee:
    'At least once, in order per session. An event counts as delivered when the receiver has ended its side of the connection after ours, which it does only after reading everything, and five more seconds or half a window of newer events have passed. After a lost connection the whole window is sent again; duplicates have the same id.',
  open: openSyslog,
})
