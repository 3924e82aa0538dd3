import { text, uint64 } from '../columns.ts'
import { position, session, sseq, time } from '../common-columns.ts'
import { defineProjection } from '../projection.ts'

export const sessionEnded = defineProjection<'session.ended'>({
  table: 'session_ended',
  events: ['session.ended'],
  columns: [
    ...position,
    session,
    sseq,
    time,
    text('reason', ({ event }) => event.body.reason),
    text('detail', ({ event }) => event.body.detail),
    uint64('commands', ({ event }) => event.body.commands),
    uint64('refused', ({ event }) => event.body.refused),
    uint64('records', ({ event }) => event.body.records),
    uint64('client_bytes', ({ event }) => event.body.client_bytes),
    uint64('target_bytes', ({ event }) => event.body.target_bytes),
    uint64('duration_us', ({ event }) => event.body.duration_us),
  ],
})
