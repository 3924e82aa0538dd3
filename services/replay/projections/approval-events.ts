import { hex, int64, micros, text, texts, uint32 } from '../columns.ts'
import { context, position, session, sseq, time } from '../common-columns.ts'
import type { EventEntry } from '../entry.ts'
import { defineProjection } from '../projection.ts'

type ApprovalEvent =
  | 'approval.requested'
  | 'approval.decided'
  | 'approval.expired'
  | 'approval.consumed'
  | 'approval.rejected'

type Row = EventEntry<ApprovalEvent>

const requested = ({ event }: Row) => (event.type === 'approval.requested' ? event.body : null)
const decided = ({ event }: Row) => (event.type === 'approval.decided' ? event.body : null)
const rejected = ({ event }: Row) => (event.type === 'approval.rejected' ? event.body : null)
/** Who decided, also where it changed nothing. */
const approver = (row: Row) => decided(row) ?? rejected(row)
const consumed = ({ event }: Row) => (event.type === 'approval.consumed' ? event.body : null)

const no_bytes = Buffer.alloc(0)

/** The approval's id is the leaf hash of its request, which cannot name itself. */
const approvalOf = ({ event, leaf }: Row): Buffer =>
  event.type === 'approval.requested' ? (leaf ?? no_bytes) : event.body.approval

export const approvalEvents = defineProjection<ApprovalEvent>({
  table: 'approval_events',
  events: [
    'approval.requested',
    'approval.decided',
    'approval.expired',
    'approval.consumed',
    'approval.rejected',
  ],
  columns: [
    ...position,
    session,
    sseq,
    time,
    context,
    text<Row>('event', ({ event }) => event.type),
    hex<Row>('approval', approvalOf),
    int64<Row>('command', ({ event }) => ('command' in event.body ? event.body.command : -1)),
    hex<Row>('command_hash', ({ event }) =>
      'command_hash' in event.body ? event.body.command_hash : no_bytes,
    ),
    text<Row>('text', (row) => requested(row)?.text ?? ''),
    text<Row>('reason', ({ event }) => ('reason' in event.body ? event.body.reason : '')),
    text<Row>('decision', (row) => decided(row)?.decision ?? ''),
    text<Row>('approver_issuer', (row) => approver(row)?.approver_issuer ?? ''),
    text<Row>('approver_subject', (row) => approver(row)?.approver_subject ?? ''),
    texts<Row>('approver_groups', ({ event }) =>
      'approver_groups' in event.body ? event.body.approver_groups : [],
    ),
    texts<Row>('approvers', (row) => consumed(row)?.approvers ?? []),
    uint32<Row>('quorum', (row) => requested(row)?.quorum ?? 0),
    micros<Row>('expires', (row) => requested(row)?.expires ?? 0),
    int64<Row>('estimated_rows', (row) => requested(row)?.estimated_rows ?? -1),
    texts<Row>('rules', (row) => requested(row)?.rules ?? []),
    text<Row>('link', (row) => requested(row)?.link ?? ''),
    text<Row>('channel', (row) => decided(row)?.channel ?? ''),
    text<Row>('detail', (row) => rejected(row)?.detail ?? ''),
  ],
})
