import { text, textMap, texts } from '../columns.ts'
import { context, position, session, sseq, time } from '../common-columns.ts'
import { defineProjection } from '../projection.ts'

export const sessionStarted = defineProjection<'session.started'>({
  table: 'session_started',
  events: ['session.started'],
  columns: [
    ...position,
    session,
    sseq,
    time,
    context,
    text('protocol_version', ({ event }) => event.body.protocol_version),
    textMap('parameters', ({ event }) => event.body.parameters),
    text('decision', ({ event }) => event.body.decision),
    texts('rules', ({ event }) => event.body.rules),
    text('policy_digest', ({ event }) => event.body.policy_digest),
    text('credential', ({ event }) => event.body.credential),
    text('target_user', ({ event }) => event.body.target_user),
  ],
})
