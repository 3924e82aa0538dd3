import type { RecordRef } from '#core/events/types.ts'
import { text, texts, tuples, uint8 } from '../columns.ts'
import { context, position, session, sseq, time } from '../common-columns.ts'
import type { EventEntry } from '../entry.ts'
import { defineProjection } from '../projection.ts'

type Row = EventEntry<'alert.raised' | 'alert.triaged'>

const raised = ({ event }: Row) => (event.type === 'alert.raised' ? event.body : null)
const triaged = ({ event }: Row) => (event.type === 'alert.triaged' ? event.body : null)

const references = tuples<RecordRef>(
  'gateway String, epoch String, gseq UInt64',
  ({ gateway, epoch, gseq }) => [gateway, epoch.toString('hex'), gseq],
)

export const alertEvents = defineProjection<'alert.raised' | 'alert.triaged'>({
  table: 'alert_events',
  events: ['alert.raised', 'alert.triaged'],
  columns: [
    ...position,
    session,
    sseq,
    time,
    context,
    text<Row>('event', ({ event }) => event.type),
    // An alert is named by the leaf hash of the record that raised it.
    text<Row>('alert', (row) => triaged(row)?.alert ?? row.leaf?.toString('hex') ?? ''),
    text<Row>('rule', (row) => raised(row)?.rule ?? ''),
    text<Row>('rule_name', (row) => raised(row)?.rule_name ?? ''),
    text<Row>('severity', (row) => raised(row)?.severity ?? ''),
    text<Row>('why', (row) => raised(row)?.why ?? ''),
    text<Row>('entity_kind', (row) => raised(row)?.entity_kind ?? ''),
    text<Row>('entity', (row) => raised(row)?.entity ?? ''),
    references<Row>('evidence', (row) => raised(row)?.evidence ?? []),
    uint8<Row>('confidence', (row) => raised(row)?.confidence ?? 0),
    texts<Row>('techniques', (row) => raised(row)?.techniques ?? []),
    text<Row>('verdict', (row) => triaged(row)?.verdict ?? ''),
    text<Row>('reason', (row) => triaged(row)?.reason ?? ''),
    text<Row>('analyst', (row) => triaged(row)?.analyst ?? ''),
  ],
})
