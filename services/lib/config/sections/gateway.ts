import { z } from 'zod'
import { bytes, host, listenPort, name, path, whole } from '../scalars.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

const journal = z
  .strictObject({
    segment_bytes: bytes(
      { min: 64 * KiB, max: GiB },
      'Size of one preallocated journal file.',
    ).prefault('64MiB'),
    bytes_max: bytes(
      { min: MiB, max: 1024 * GiB },
      'Journal on disk that the log has not taken yet; when full, commands are refused.',
    ).prefault('8GiB'),
    queue_bytes_max: bytes(
      { min: 64 * KiB, max: 4 * GiB },
      'Records in memory on their way to disk; when full, reading from clients pauses.',
    ).prefault('64MiB'),
    durable_timeout_ms: whole(
      10,
      600_000,
      'How long a command waits for its record to be durable before it is refused.',
    ).default(5000),
  })
  .prefault({})
  .describe('The local journal that makes records durable before a command runs.')

export const gateway = z
  .strictObject({
    id: name('Name of this gateway, unique in the deployment; stands in every event.').default(
      'gw-1',
    ),
    processes: whole(1, 64, 'Gateway processes that share the listeners.').default(1),
    durability: z
      .enum(['disk', 'broker'])
      .default('disk')
      .describe(
        'When a record counts as durable: on local disk with fsync, or acknowledged by the log.',
      ),
    reads: z
      .enum(['wait', 'overlap'])
      .default('wait')
      .describe(
        'wait: every command waits for its record. overlap: a proven pure read may run meanwhile, its response is held until the record is durable. Needs a target that reports its search_path (PostgreSQL 18 on), else every command waits. A view, or a table with row security, may hide a function that the parse tree does not show.',
      ),
    journal,
    drain_timeout_ms: whole(
      0,
      3_600_000,
      'How long open sessions may finish after SIGTERM.',
    ).default(10_000),
    handshake_timeout_ms: whole(
      100,
      600_000,
      'From connection to an authenticated session.',
    ).default(10_000),
    idle_timeout_ms: whole(0, 604_800_000, 'Ends a session without traffic; 0 never.').default(0),
    sessions_max: whole(
      1,
      1_000_000,
      'Open sessions of one gateway process; more are refused.',
    ).default(1000),
    message_bytes_max: bytes(
      { min: 16 * KiB, max: GiB },
      'Largest protocol message from a client; longer ones are refused.',
    ).prefault('64MiB'),
    text_bytes_max: bytes(
      { min: KiB, max: 64 * MiB },
      'Recorded command text; the rest is cut, with length and hash of the whole kept.',
    ).prefault('1MiB'),
  })
  .prefault({})
  .describe('The gateway: recording, limits, timeouts.')

/** Certificate of a listener. */
const listenerTls = z
  .strictObject({
    cert_file: path('PEM file with the certificate chain.'),
    key_file: path('PEM file with the private key.'),
  })
  .describe('Certificate; without it a self-signed one is made and kept under data_dir/tls.')

export const listeners = z
  .strictObject({
    postgres: z
      .strictObject({
        host: host('Address to listen on.').default('127.0.0.1'),
        port: listenPort('Port to listen on; CAIRN_POSTGRES_PORT overrides it.').default(15_432),
        tls: listenerTls.exactOptional(),
        cleartext: z
          .enum(['refuse', 'loopback'])
          .default('refuse')
          .describe('Connections without TLS: refused, or accepted from loopback addresses only.'),
      })
      .prefault({})
      .describe('The PostgreSQL listener.'),
  })
  .prefault({})
  .describe('Where clients connect, one key per protocol.')
