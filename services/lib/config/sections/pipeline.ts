import { z } from 'zod'
import { bytes, host, listenPort, name, path, remotePort, secret, text, whole } from '../scalars.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

/** Topics that exist in this version; forwarders choose among them. */
export const topics = [
  'cairn.audit',
  'cairn.approvals',
  'cairn.tokens',
  'cairn.alerts',
  'cairn.seals',
  'cairn.notary',
] as const

const clientTls = z
  .strictObject({
    ca_file: path('PEM file of the authorities to trust; default the system ones.').exactOptional(),
    cert_file: path('PEM file with a client certificate.').exactOptional(),
    key_file: path('PEM file with its private key.').exactOptional(),
    server_name: host('Name to check and to send, where it is not the host.').exactOptional(),
  })
  .describe('TLS; the server is always verified.')

const kafka = z
  .strictObject({
    brokers: z
      .array(
        z.string().regex(/^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):\d{1,5}$/, {
          error: 'expected "host:port"',
        }),
      )
      .min(1)
      .max(100)
      .describe('Brokers to begin with, each "host:port".'),
    client_id: name('Client id that brokers see.').default('cairn'),
    tls: clientTls.exactOptional(),
    sasl: z
      .strictObject({
        mechanism: z.enum(['plain', 'scram-sha-256', 'scram-sha-512']).describe('SASL mechanism.'),
        username: text('User at the brokers.', 255),
        password: secret('Password at the brokers.'),
      })
      .exactOptional()
      .describe('Authentication to the brokers.'),
    compression: z
      .enum(['none', 'gzip', 'zstd'])
      .default('gzip')
      .describe('Compression of batches.'),
  })
  .describe('Apache Kafka; needed when log.kind is kafka.')

export const log = z
  .strictObject({
    kind: z
      .enum(['embedded', 'kafka'])
      .default('embedded')
      .describe('Local file, or Apache Kafka.'),
    kafka: kafka.exactOptional(),
    partitions: whole(1, 1000, 'Partitions of a topic that is created.').default(6),
    replication: whole(1, 10, 'Replicas of a topic that is created (Kafka).').default(1),
    retention_hours: whole(1, 876_000, 'How long a topic keeps records.').default(168),
  })
  .prefault({})
  .describe('The log that everything is written to and read from.')

export const clickhouse = z
  .strictObject({
    kind: z
      .enum(['embedded', 'server'])
      .default('embedded')
      .describe('The engine in-process, or a server.'),
    url: z
      .string()
      .max(1024)
      .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
        error: 'expected an http:// or https:// URL',
      })
      .exactOptional()
      .describe('URL of the server; needed when clickhouse.kind is server.'),
    user: text('User at the server.', 255).default('default'),
    password: secret('Password at the server.').exactOptional(),
    database: z
      .string()
      .regex(/^[A-Za-z_][A-Za-z0-9_]{0,62}$/, { error: 'expected an identifier' })
      .default('cairn')
      .describe('Database of the tables.'),
    http_host: host("Address of the embedded engine's HTTP interface.").default('127.0.0.1'),
    http_port: listenPort(
      "Port of the embedded engine's HTTP interface; CAIRN_CLICKHOUSE_PORT overrides it.",
    ).default(8123),
    memory_bytes_max: bytes(
      { min: 128 * MiB, max: 1024 * GiB },
      'Memory that the embedded engine may take.',
    ).prefault('1GiB'),
    insert: z
      .strictObject({
        rows_max: whole(1, 1_000_000, 'Largest insert, rows.').default(10_000),
        linger_ms: whole(0, 60_000, 'How long an insert waits for more rows.').default(250),
      })
      .prefault({})
      .describe('Batching of inserts.'),
  })
  .prefault({})
  .describe('Where the tables live.')

const sink = z.strictObject({
  name: name('Name of the sink; its position in the log is kept under it.'),
  kind: z.enum(['syslog']).default('syslog').describe('RFC 5424 syslog.'),
  transport: z
    .enum(['tcp', 'tls'])
    .default('tls')
    .describe('TCP with octet counting, in the clear or in TLS.'),
  host: host('Host of the receiver.'),
  port: remotePort('Port of the receiver.'),
  tls: clientTls.prefault({}),
  facility: whole(0, 23, 'Syslog facility; 13 is log audit.').default(13),
  app_name: z
    .string()
    .regex(/^[!-~]{1,48}$/, { error: 'expected 1 to 48 printable characters without spaces' })
    .default('cairn')
    .describe('APP-NAME of the messages.'),
  enterprise_number: whole(
    0,
    4_294_967_295,
    'Private enterprise number in structured data ids; 32473 is the one for documentation.',
  ).default(32_473),
  window_events_max: whole(1, 100_000, 'Events sent and not yet counted as delivered.').default(
    1000,
  ),
  message_bytes_max: bytes(
    { min: 480, max: MiB },
    'Largest message; longer events are shortened.',
  ).prefault('64KiB'),
  topics: z
    .array(z.enum(topics))
    .min(1)
    .default(['cairn.audit', 'cairn.approvals', 'cairn.tokens', 'cairn.alerts'])
    .describe('Topics that are delivered.'),
})

export const forward = z
  .strictObject({
    sinks: z.array(sink).max(100).default([]).describe('Receivers; each keeps its own position.'),
  })
  .prefault({})
  .describe('Delivery to a SIEM.')
