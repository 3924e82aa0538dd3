import { int64, micros, text } from '../columns.ts'
import { context, position, time } from '../common-columns.ts'
import type { EventEntry } from '../entry.ts'
import { defineProjection } from '../projection.ts'

type TokenEvent = 'token.claimed' | 'token.revoked'
type Row = EventEntry<TokenEvent>

const claimed = ({ event }: Row) => (event.type === 'token.claimed' ? event.body : null)
const revoked = ({ event }: Row) => (event.type === 'token.revoked' ? event.body : null)

export const tokenEvents = defineProjection<TokenEvent>({
  table: 'token_events',
  events: ['token.claimed', 'token.revoked'],
  columns: [
    ...position,
    time,
    context,
    text<Row>('event', ({ event }) => event.type),
    text<Row>('token', ({ event }) => event.body.token),
    text<Row>('claim', (row) => claimed(row)?.claim ?? ''),
    int64<Row>('uses', (row) => claimed(row)?.uses ?? 0),
    micros<Row>('expires', (row) => claimed(row)?.expires ?? 0),
    text<Row>('kind', (row) => revoked(row)?.kind ?? ''),
    text<Row>('run', (row) => revoked(row)?.run ?? ''),
    text<Row>('session', (row) => revoked(row)?.session ?? ''),
    text<Row>('reason', (row) => revoked(row)?.reason ?? ''),
    text<Row>('revoked_by', (row) => revoked(row)?.revoked_by ?? ''),
  ],
})
