import { createRequire } from 'node:module'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs, {
  type CompressionTypes,
  type Kafka,
  type KafkaConfig,
  type LogEntry,
  type SASLOptions,
} from 'kafkajs'
import { CairnError } from '#lib/error.ts'
import { clientTls } from '#lib/tls.ts'

/*
 * The one place that makes kafkajs clients, with what kafkajs 2.2.4 needs worked round:
 * - its request queue wakes up about 900 times a second when idle, with negative timeouts: see below;
 * - zstd is not built in: registered below, from node:zlib;
 * - consumers of one client and group share a map of committed offsets and wipe each other's: a client each (`KafkaClients`);
 * - it writes to the console: goes to `onTrouble` instead.
 * What belongs to sending and to consuming stands in kafka-producer.ts and kafka-subscription.ts.
 */

type RequestQueue = {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
  readonly checkPendingRequests: () => void
}
const pending_check_ms = 10

const requestQueue = createRequire(import.meta.url)(
  'kafkajs/src/network/requestQueue/index.js',
) as { readonly prototype: object }

// As shipped it arms a timer with a negative delay after every check, for ever. A check is needed only while requests wait.
Object.assign(requestQueue.prototype, {
  scheduleCheckPendingRequests(this: RequestQueue): void {
    if (this.throttleCheckTimeoutId !== null || this.pending.length === 0) return
    const throttled_ms = this.throttledUntil - Date.now()
    this.throttleCheckTimeoutId = setTimeout(
      () => {
        this.throttleCheckTimeoutId = null
        this.checkPendingRequests()
      },
      throttled_ms > 0 ? throttled_ms : pending_check_ms,
    )
  },
})

/** A fetched batch may not unpack to more than this: no bomb takes the process down. */
const unpacked_bytes_max = 256 * 1024 * 1024
const pack = promisify(zstdCompress)
const unpack = promisify(zstdDecompress)

kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
  compress: ({ buffer }: { readonly buffer: Buffer }) => pack(buffer),
  decompress: (buffer: Buffer) => unpack(buffer, { maxOutputLength: unpacked_bytes_max }),
})

/** The `log.kafka` section of the configuration. */
export type KafkaSettings = {
  readonly brokers: readonly string[]
  readonly client_id: string
  readonly tls?:
    | {
        readonly ca_file?: string | undefined
        readonly cert_file?: string | undefined
        readonly key_file?: string | undefined
        readonly server_name?: string | undefined
      }
    | undefined
  readonly sasl?:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
        readonly username: string
        readonly password: { readonly reveal: () => string }
      }
    | undefined
  readonly compression: 'none' | 'gzip' | 'zstd'
}

const connection_timeout_ms = 5_000
const authentication_timeout_ms = 10_000
const request_timeout_ms = 20_000
const retry = { initialRetryTime: 100, maxRetryTime: 2_000, factor: 0.2, multiplier: 2, retries: 5 }
/** The same complaint of the library again within this time is not passed on. */
const repeated_trouble_ms = 10_000

/** Brokers' certificates are always verified, name included, against `server_name` or else each broker's own host. */
const tlsOptions = async (tls: KafkaSettings['tls']): Promise<Pick<KafkaConfig, 'ssl'>> => {
  if (tls === undefined) return {}
  const options = await clientTls({ mode: 'verify-full', ...tls }, tls.server_name ?? '')
  if (options === null) return {}
  const { checkServerIdentity, servername, ...rest } = options
  const named =
    tls.server_name === undefined
      ? {}
      : { checkServerIdentity, ...(servername === undefined ? {} : { servername }) }
  return { ssl: { ...rest, ...named } as NonNullable<KafkaConfig['ssl']> }
}

const saslOptions = (sasl: KafkaSettings['sasl']): { sasl?: SASLOptions } => {
  if (sasl === undefined) return {}
  const { mechanism, username, password } = sasl
  return { sasl: { mechanism, username, password: password.reveal() } }
}

/** Makes a client for one producer, consumer or admin. */
export type KafkaClients = () => Kafka

export const openKafkaClients = async (
  settings: KafkaSettings,
  deps: { readonly now_ms: () => number; readonly onTrouble: (error: Error) => void },
): Promise<KafkaClients> => {
  const said = new Map<string, number>()
  const logCreator =
    () =>
    ({ namespace, log }: LogEntry): void => {
      const cause = typeof log['error'] === 'string' ? `: ${log['error']}` : ''
      const text = `kafka ${namespace}: ${log.message}${cause}`
      const now = deps.now_ms()
      if (now - (said.get(text) ?? 0) < repeated_trouble_ms) return
      if (said.size > 100) said.clear()
      said.set(text, now)
      deps.onTrouble(new CairnError('log_unavailable', text))
    }
  const config: KafkaConfig = {
    clientId: settings.client_id,
    brokers: [...settings.brokers],
    ...(await tlsOptions(settings.tls)),
    ...saslOptions(settings.sasl),
    connectionTimeout: connection_timeout_ms,
    authenticationTimeout: authentication_timeout_ms,
    requestTimeout: request_timeout_ms,
    enforceRequestTimeout: true,
    retry,
    logLevel: kafkajs.logLevel.ERROR,
    logCreator,
  }
  return () => new kafkajs.Kafka(config)
}

export const compressionType = (compression: KafkaSettings['compression']): CompressionTypes =>
  ({
    none: kafkajs.CompressionTypes.None,
    gzip: kafkajs.CompressionTypes.GZIP,
    zstd: kafkajs.CompressionTypes.ZSTD,
  })[compression]

/** The broker's error name (https://kafka.apache.org/protocol#protocol_error_codes), wherever kafkajs has wrapped it. */
export const kafkaErrorType = (error: unknown): string | null => {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; depth++) {
    if ('type' in at && typeof at.type === 'string') return at.type
    at = at.cause
  }
  return null
}

/** Any failure of kafkajs as an error of the log. */
export const asKafkaLogError = (error: unknown, doing: string): CairnError => {
  if (error instanceof CairnError) return error
  const detail = error instanceof Error ? error.message : String(error)
  switch (kafkaErrorType(error)) {
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return new CairnError('log_unknown_topic', `Kafka cannot ${doing}: ${detail}`, {
        cause: error,
      })
    case 'MESSAGE_TOO_LARGE':
    case 'RECORD_LIST_TOO_LARGE':
      return new CairnError('log_record_too_large', `Kafka cannot ${doing}: ${detail}`, {
        cause: error,
      })
    default:
      return new CairnError('log_unavailable', `Kafka cannot ${doing}: ${detail}`, { cause: error })
  }
}
