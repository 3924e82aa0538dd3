import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyChain } from '#core/events/chain.ts'
import { decodeValue, type DecodedValue } from '#core/events/codec.ts'
import { decodeHeader, leafHash, zero_hash, type RecordHeader } from '#core/events/header.ts'
import type { Context, EventBodies } from '#core/events/types.ts'
import { openLogger } from '#lib/logger.ts'
import { openLog } from '#lib/log/open.ts'
import type { RecorderOptions } from '../../../services/gateway/recorder/recorder-parts.ts'

const MiB = 1024 * 1024

export const log_config: RecorderOptions['config']['log'] = {
  kind: 'embedded',
  partitions: 3,
  replication: 1,
  retention_hours: 168,
}

export type TestLimits = {
  readonly durability?: 'disk' | 'broker'
  readonly segment_bytes?: number
  readonly bytes_max?: number
  readonly queue_bytes_max?: number
  readonly durable_timeout_ms?: number
}

export const gateway_name = 'gw-test/0'

/** Options of a recorder in a folder of its own, with small limits where a test asks for them. */
export const recorderOptions = (data_dir: string, limits: TestLimits = {}): RecorderOptions => {
  const { durability = 'disk', ...journal } = limits
  return {
    gateway: { name: gateway_name },
    config: {
      deployment: 'test',
      data_dir,
      log: log_config,
      gateway: {
        id: 'gw-test',
        processes: 1,
        durability,
        reads: 'wait',
        journal: {
          segment_bytes: MiB,
          bytes_max: 1024 * MiB,
          queue_bytes_max: 64 * MiB,
          durable_timeout_ms: 5_000,
          ...journal,
        },
      },
    },
    started: { version: '0.0.0', runtime: 'test', policy_digest: '', epoch_key: null },
    logger: openLogger('test', process.env['CAIRN_LOG_LEVEL'] ?? 'silent'),
  }
}

/** The same, with a log that is down while the file `log-down` stands in the data folder. */
export const withGatedLog = (options: RecorderOptions): RecorderOptions => ({
  ...options,
  log: {
    module: new URL('./gated-log.ts', import.meta.url).href,
    config: log_config,
    data_dir: options.config.data_dir,
  },
})

export const temporaryFolder = async (): Promise<AsyncDisposable & { readonly path: string }> => {
  const path = await mkdtemp(join(tmpdir(), 'cairn-recorder-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

export const context: Context = {
  deployment: 'test',
  gateway: gateway_name,
  session: zero_hash,
  actor: null,
  pipeline: null,
  peer: null,
  target: { name: 'db', protocol: 'postgres', database: 'app', role: 'reader' },
}

export const session_started: EventBodies['session.started'] = {
  protocol_version: '3.0',
  parameters: {},
  decision: 'allow',
  rules: ['all'],
  policy_digest: '',
  credential: 'c',
  target_user: 'u',
}

export const commandReceived = (text: string): EventBodies['command.received'] => ({
  text,
  text_bytes: Buffer.byteLength(text),
  text_sha256: zero_hash,
  kind: 'query',
  native: ['Query'],
  verb: 'select',
  fingerprint: '0123456789abcdef',
  statements: [
    {
      verb: 'select',
      offset: 0,
      length: text.length,
      effects: [{ action: 'select', object: 'accounts', columns: [], via: '' }],
    },
  ],
  statement_name: '',
  portal_name: '',
  parameters: [],
  row_limit: 0,
  parse_error: '',
  pure_read: true,
  masked: [],
})

export const decisionMade = (command: number): EventBodies['decision.made'] => ({
  command,
  outcome: 'allow',
  rules: ['all'],
  reason: '',
  policy_digest: '',
  risk: 0,
  dry_run: false,
})

export const responseChunk = (command: number, bytes: Buffer): EventBodies['response.chunk'] => ({
  command,
  stream: 'rows',
  format: 'raw',
  offset: 0,
  bytes,
  masked: [],
})

export const sessionEnded = (records: number): EventBodies['session.ended'] => ({
  reason: 'client_closed',
  detail: '',
  commands: 1,
  refused: 0,
  records,
  client_bytes: 0,
  target_bytes: 0,
  duration_us: 1,
})

/** A record as the log gives it back. */
export type LoggedRecord = {
  readonly key: Buffer
  readonly header_bytes: Buffer
  readonly header: RecordHeader
  readonly leaf: string
  readonly code: string
  readonly value: Buffer
  readonly decoded: DecodedValue
}

/** Everything in the embedded log of a data folder, in the order of its partitions. */
export const readLog = async (data_dir: string): Promise<LoggedRecord[]> => {
  await using log = await openLog(log_config, { data_dir })
  const records: LoggedRecord[] = []
  for (let partition = 0; partition < log_config.partitions; partition++)
    for await (const { key, headers, value } of log.read('cairn.audit', partition, 0n)) {
      const header_bytes = headers['cairn-leaf'] ?? Buffer.alloc(0)
      const decoded = decodeHeader(header_bytes)
      if (!decoded.ok) throw new Error(`a header that cannot be read: ${decoded.detail}`)
      records.push({
        key,
        header_bytes,
        header: decoded.header,
        leaf: leafHash(header_bytes).toString('hex'),
        code: headers['cairn-code']?.toString('latin1') ?? '',
        value,
        decoded: decodeValue(value),
      })
    }
  return records
}

/** One of each record, and how often records came again; throws if two different records claim one number. */
export const withoutDuplicates = (
  records: readonly LoggedRecord[],
): { readonly unique: LoggedRecord[]; readonly duplicates: number } => {
  const seen = new Map<string, LoggedRecord>()
  let duplicates = 0
  for (const record of records) {
    const id = `${record.header.epoch.toString('hex')} ${record.header.gseq}`
    const first = seen.get(id)
    if (first === undefined) seen.set(id, record)
    else {
      duplicates++
      if (!first.header_bytes.equals(record.header_bytes) || !first.value.equals(record.value))
        throw new Error(`two records with the number ${id}`)
    }
  }
  return { unique: [...seen.values()], duplicates }
}

/** Records by epoch, in order of their numbers. */
export const byEpoch = (records: readonly LoggedRecord[]): Map<string, LoggedRecord[]> => {
  const epochs = Map.groupBy(records, ({ header }) => header.epoch.toString('hex'))
  for (const list of epochs.values()) list.sort((a, b) => a.header.gseq - b.header.gseq)
  return epochs
}

/** Records by session (hex id; session.started has it as its leaf), in order of their numbers. */
export const bySession = (records: readonly LoggedRecord[]): Map<string, LoggedRecord[]> => {
  const sessions = Map.groupBy(
    records.filter(({ key }) => key.length === 32),
    ({ key }) => key.toString('hex'),
  )
  for (const list of sessions.values()) list.sort((a, b) => a.header.sseq - b.header.sseq)
  return sessions
}

/** First number of an epoch that is missing, or null. */
export const firstHole = (epoch: readonly LoggedRecord[]): number | null => {
  const hole = epoch.findIndex(({ header }, index) => header.gseq !== index)
  return hole === -1 ? null : hole
}

/** Verifies a session's records in the order given. */
export const chainOf = (records: readonly LoggedRecord[]) =>
  verifyChain(records.map(({ header_bytes, value }) => ({ header: header_bytes, value })))

/** What the gateway said of its troubles, as `component state`, in order. */
export const troubles = (records: readonly LoggedRecord[]): string[] =>
  records.flatMap(({ decoded }) =>
    decoded.ok && decoded.type === 'gateway.degraded'
      ? [`${decoded.event.component} ${decoded.event.state}`]
      : [],
  )
