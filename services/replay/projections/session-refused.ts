import type { Difference } from '#core/events/types.ts'
import { text, texts, tuples, uint64 } from '../columns.ts'
import { context, position, time } from '../common-columns.ts'
import { defineProjection } from '../projection.ts'

const differences = tuples<Difference>(
  'field String, expected String, actual String',
  ({ field, expected, actual }) => [field, expected, actual],
)

export const sessionRefused = defineProjection<'session.refused'>({
  table: 'session_refused',
  events: ['session.refused'],
  columns: [
    ...position,
    time,
    text('gateway_id', ({ header }) => header?.gateway.toString('hex') ?? ''),
    text('epoch', ({ header }) => header?.epoch.toString('hex') ?? ''),
    uint64('gseq', ({ header }) => header?.gseq ?? 0),
    context,
    text('reason', ({ event }) => event.body.reason),
    text('detail', ({ event }) => event.body.detail),
    text('requested_target', ({ event }) => event.body.requested_target),
    text('requested_role', ({ event }) => event.body.requested_role),
    texts('rules', ({ event }) => event.body.rules),
    differences('differences', ({ event }) => event.body.differences),
  ],
})
