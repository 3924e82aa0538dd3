import type { SinkConfig } from '#lib/config/schema.ts'
import type { SinkKind } from '../sink.ts'
import { syslogSink } from './syslog.ts'

/** Every kind of sink; a new one is one file and one line here. */
export const sinkKinds: Readonly<Record<SinkConfig['kind'], SinkKind>> = {
  syslog: syslogSink,
}
