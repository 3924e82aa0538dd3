import { int64, text, uint64 } from '../columns.ts'
import { position, session, sseq, time } from '../common-columns.ts'
import type { EventEntry } from '../entry.ts'
import { defineProjection } from '../projection.ts'

type Ended = EventEntry<'command.completed' | 'command.refused'>

/** A refusal says nothing of rows and bytes: none went through. */
const completed = ({ event }: Ended) => (event.type === 'command.completed' ? event.body : null)
const refused = ({ event }: Ended) => (event.type === 'command.refused' ? event.body : null)

export const commandEnded = defineProjection<'command.completed' | 'command.refused'>({
  table: 'command_ended',
  events: ['command.completed', 'command.refused'],
  columns: [
    ...position,
    session,
    uint64('command', ({ event }) => event.body.command),
    sseq,
    time,
    text('event', ({ event }) => event.type),
    text('status', (entry) => completed(entry)?.status ?? 'refused'),
    text('tag', (entry) => completed(entry)?.tag ?? ''),
    int64('rows', (entry) => completed(entry)?.rows ?? -1),
    uint64('response_bytes', (entry) => completed(entry)?.response_bytes ?? 0),
    uint64('input_bytes', (entry) => completed(entry)?.input_bytes ?? 0),
    uint64('duration_us', (entry) => completed(entry)?.duration_us ?? 0),
    text(
      'error_code',
      (entry) => completed(entry)?.error_code ?? refused(entry)?.native_code ?? '',
    ),
    text(
      'error_message',
      (entry) => completed(entry)?.error_message ?? refused(entry)?.message ?? '',
    ),
    text('reason', (entry) => refused(entry)?.reason ?? ''),
  ],
})
