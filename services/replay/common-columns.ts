import type { Context } from '#core/events/types.ts'
import { openTabSeparated } from '#lib/clickhouse/tab-separated.ts'
import { micros, text, texts, uint16, uint64 } from './columns.ts'
import type { Entry } from './entry.ts'
import type { Column } from './projection.ts'

/** Columns that many tables share. */

/** Where the record is in the log. */
export const position: readonly Column<Entry>[] = [
  text('topic', ({ stored }) => stored.topic),
  uint16('partition', ({ stored }) => stored.partition),
  uint64('offset', ({ stored }) => stored.offset),
]

export const session = text<Entry>('session', (entry) => entry.session)
export const sseq = uint64<Entry>('sseq', ({ header }) => header?.sseq ?? 0)
export const time = micros<Entry>('time', ({ time_us }) => time_us)

const contextColumns: readonly Column<Context>[] = [
  text('deployment', (context) => context.deployment),
  text('gateway', (context) => context.gateway),
  text('actor_kind', ({ actor }) => actor?.kind ?? ''),
  text('actor_issuer', ({ actor }) => actor?.issuer ?? ''),
  text('actor_subject', ({ actor }) => actor?.subject ?? ''),
  text('actor_name', ({ actor }) => actor?.display_name ?? ''),
  texts('actor_groups', ({ actor }) => actor?.groups ?? []),
  text('actor_credential', ({ actor }) => actor?.credential_fingerprint ?? ''),
  text('actor_token', ({ actor }) => actor?.token_id ?? ''),
  text('pipeline_provider', ({ pipeline }) => pipeline?.provider ?? ''),
  text('pipeline_repository', ({ pipeline }) => pipeline?.repository ?? ''),
  text('pipeline_ref', ({ pipeline }) => pipeline?.ref ?? ''),
  text('pipeline_sha', ({ pipeline }) => pipeline?.sha ?? ''),
  text('pipeline_workflow', ({ pipeline }) => pipeline?.workflow ?? ''),
  text('pipeline_run', ({ pipeline }) => pipeline?.run ?? ''),
  text('pipeline_attempt', ({ pipeline }) => pipeline?.run_attempt ?? ''),
  text('pipeline_job', ({ pipeline }) => pipeline?.job ?? ''),
  text('pipeline_environment', ({ pipeline }) => pipeline?.environment ?? ''),
  text('pipeline_user', ({ pipeline }) => pipeline?.triggering_user ?? ''),
  text('pipeline_runner', ({ pipeline }) => pipeline?.runner ?? ''),
  text('pipeline_ticket', ({ pipeline }) => pipeline?.approval_ticket ?? ''),
  text('peer_address', ({ peer }) => peer?.address ?? ''),
  // A schema's int may be anything; a port that is none is shown as 0 and stays in the value.
  uint16('peer_port', ({ peer }) => validPort(peer?.port ?? 0)),
  text('peer_software', ({ peer }) => peer?.client_software ?? ''),
  text('peer_tls', ({ peer }) => peer?.tls ?? ''),
  text('peer_fingerprint', ({ peer }) => peer?.fingerprint ?? ''),
  text('target', ({ target }) => target?.name ?? ''),
  text('target_protocol', ({ target }) => target?.protocol ?? ''),
  text('target_database', ({ target }) => target?.database ?? ''),
  text('target_role', ({ target }) => target?.role ?? ''),
]

const validPort = (port: number): number => (port >= 0 && port <= 65_535 ? port : 0)

const nobody: Context = {
  deployment: '',
  gateway: '',
  session: Buffer.alloc(32),
  actor: null,
  pipeline: null,
  peer: null,
  target: null,
}

const encoded = new WeakMap<Context, Buffer>()
const writer = openTabSeparated(4096)

/** A context is one object for as long as its session goes on (body.ts), so its columns are encoded once a session. */
const contextBlock = (context: Context): Buffer => {
  const known = encoded.get(context)
  if (known !== undefined) return known
  writer.cut(0)
  for (const column of contextColumns) column.write(writer, context)
  const block = writer.take()
  encoded.set(context, block)
  return block
}

/** Who, on whose behalf, from where, which run, on what; empty for a record that was not understood. */
export const context: Column<Entry> = {
  columns: contextColumns.flatMap(({ columns }) => columns),
  write: (to, entry) => to.fields(contextBlock(entry.problem === null ? entry.context : nobody)),
}
