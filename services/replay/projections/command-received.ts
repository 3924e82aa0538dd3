import type { Effect, Parameter, Statement } from '#core/events/types.ts'
import { bool, hex, text, texts, tuples, uint64 } from '../columns.ts'
import { context, position, session, time } from '../common-columns.ts'
import { defineProjection } from '../projection.ts'

type StatementEffect = Effect & { readonly statement: number }

const effectsOf = (statements: readonly Statement[]): readonly StatementEffect[] =>
  statements.flatMap(({ effects }, statement) =>
    effects.map((effect) => ({ ...effect, statement })),
  )

const statements = tuples<Statement>(
  'verb String, offset UInt32, length UInt32',
  ({ verb, offset, length }) => [verb, offset, length],
)

const effects = tuples<StatementEffect>(
  'statement UInt32, action String, object String',
  ({ statement, action, object }) => [statement, action, object],
)

const parameters = tuples<Parameter>(
  'type_oid UInt32, format String, value Nullable(String), masked Bool, value_bytes UInt64',
  ({ type_oid, format, value, masked, value_bytes }) =>
    // -1 stands for NULL, which `value` says as well.
    [type_oid, format, value, masked, Math.max(value_bytes, 0)],
)

export const commandReceived = defineProjection<'command.received'>({
  table: 'command_received',
  events: ['command.received'],
  columns: [
    ...position,
    session,
    uint64('command', ({ header }) => header?.sseq ?? 0),
    time,
    context,
    text('text', ({ event }) => event.body.text),
    uint64('text_bytes', ({ event }) => event.body.text_bytes),
    hex('text_sha256', ({ event }) => event.body.text_sha256),
    text('kind', ({ event }) => event.body.kind),
    texts('native', ({ event }) => event.body.native),
    text('verb', ({ event }) => event.body.verb),
    text('fingerprint', ({ event }) => event.body.fingerprint),
    statements('statements', ({ event }) => event.body.statements),
    effects('effects', ({ event }) => effectsOf(event.body.statements)),
    text('statement_name', ({ event }) => event.body.statement_name),
    text('portal_name', ({ event }) => event.body.portal_name),
    parameters('parameters', ({ event }) => event.body.parameters),
    uint64('row_limit', ({ event }) => event.body.row_limit),
    text('parse_error', ({ event }) => event.body.parse_error),
    bool('pure_read', ({ event }) => event.body.pure_read),
  ],
})
