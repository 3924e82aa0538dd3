import { bool, text, texts, uint64, uint8 } from '../columns.ts'
import { position, session, sseq, time } from '../common-columns.ts'
import { defineProjection } from '../projection.ts'

export const decisions = defineProjection<'decision.made'>({
  table: 'decisions',
  events: ['decision.made'],
  columns: [
    ...position,
    session,
    uint64('command', ({ event }) => event.body.command),
    sseq,
    time,
    text('outcome', ({ event }) => event.body.outcome),
    texts('rules', ({ event }) => event.body.rules),
    text('reason', ({ event }) => event.body.reason),
    text('policy_digest', ({ event }) => event.body.policy_digest),
    uint8('risk', ({ event }) => event.body.risk),
    bool('dry_run', ({ event }) => event.body.dry_run),
  ],
})
