import { randomUUID } from 'node:crypto'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { openKafkaLog } from '#lib/log/kafka.ts'
import type { Log } from '#lib/log/port.ts'

/** Where the log under test is; plain JSON, so that a child process opens the same one. */
export type LogPlace =
  | { readonly kind: 'embedded'; readonly path: string }
  | {
      readonly kind: 'kafka'
      readonly bootstrap: string
      readonly compression?: 'none' | 'gzip' | 'zstd'
    }

/** Short enough that a test sees a dead or stopped consumer replaced. */
const lease_ms = 2_000

export const openPlace = async (
  place: LogPlace,
  onTrouble: (error: Error) => void = () => undefined,
): Promise<Log> => {
  const deps = { now_ms: Date.now, id: randomUUID, onTrouble }
  if (place.kind === 'embedded')
    return openEmbeddedLog({
      ...deps,
      path: place.path,
      lease_ms,
      heartbeat_ms: 200,
      drain_ms: 5_000,
      lock_wait_ms: 1_000,
    })
  const { bootstrap, compression = 'none' } = place
  return openKafkaLog({
    ...deps,
    kafka: { brokers: [bootstrap], client_id: 'cairn-test', compression },
    times: { session_timeout_ms: lease_ms, heartbeat_ms: 300, drain_ms: 5_000 },
    send_deadline_ms: 8_000,
  })
}
