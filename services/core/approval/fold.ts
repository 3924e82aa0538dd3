import { decodeValue, type DecodedEvent } from '../events/codec.ts'
import { decodeHeader, leafHash, valueHash } from '../events/header.ts'
import type { ApprovalDecided, ApprovalRejected, Context, EventOf } from '../events/types.ts'
import { decide, evolve, openApproval, type Approval } from './approval.ts'

/** Decisions that changed nothing, kept of one approval. */
const rejections_max = 20

/** An approval with what surrounds it. */
export type FoldedApproval = {
  /** Hex. */
  readonly id: string
  readonly approval: Approval
  /** Context of the request. */
  readonly context: Context
  readonly rejections: readonly ApprovalRejected[]
}

export type ApprovalEvent = Extract<DecodedEvent, { readonly type: `approval.${string}` }>

/** A record of the topic, read. */
export type ApprovalRecord = {
  readonly decoded: ApprovalEvent
  /** Leaf hash of the record, hex: a record that the log holds twice has the same. */
  readonly leaf: string
  /** The approval it is about, hex. */
  readonly id: string
  /** Session of the record's header, 32 bytes; all zero without. */
  readonly session: Buffer
}

const isApprovalEvent = (event: DecodedEvent): event is ApprovalEvent =>
  event.type.startsWith('approval.')

/**
 * Reads a record of the topic `cairn.approvals`: its value, and its header, which must commit to the value. An approval's id is the leaf hash of its
 * request. Null for anything else.
 */
export const readApprovalRecord = (value: Buffer, header: Buffer): ApprovalRecord | null => {
  const read = decodeHeader(header)
  if (!read.ok || !valueHash(value).equals(read.header.value)) return null
  const decoded = decodeValue(value)
  if (!decoded.ok || !isApprovalEvent(decoded)) return null
  const leaf = leafHash(header).toString('hex')
  const id = decoded.type === 'approval.requested' ? leaf : decoded.event.approval.toString('hex')
  return { decoded, leaf, id, session: read.header.session }
}

export type ApprovalFoldOptions = {
  /** Whether the api signed it. */
  readonly authentic: (decision: ApprovalDecided) => boolean
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
  /** Approvals kept; of more, those that are over go first, the oldest before. */
  readonly approvals_max: number
  /** Bytes of their texts, all together; 0: texts are not kept. */
  readonly text_bytes_max: number
  /** Events kept of approvals whose request has not come yet (it is in another partition). */
  readonly early_max: number
}

/** Approvals as the log tells them. */
export interface ApprovalFold {
  take(record: ApprovalRecord): void
  get(id: string): FoldedApproval | undefined
  /** In the order of their requests. */
  values(): Iterable<FoldedApproval>
}

export const openApprovalFold = (options: ApprovalFoldOptions): ApprovalFold => {
  const { approvals_max, text_bytes_max, early_max } = options
  const entries = new Map<string, FoldedApproval>()
  const early = new Map<string, ApprovalEvent[]>()
  let early_count = 0
  let text_bytes = 0

  /** UTF-16 takes two bytes a unit. */
  const textBytes = ({ approval }: FoldedApproval): number => approval.request.text.length * 2

  const isOver = ({ approval }: FoldedApproval): boolean =>
    approval.state !== 'waiting' || approval.request.expires < options.now_ms() * 1000

  const full = (): boolean => entries.size > approvals_max || text_bytes > text_bytes_max

  const makeRoom = (): void => {
    for (const entry of entries.values()) {
      if (!full()) return
      if (!isOver(entry)) continue
      entries.delete(entry.id)
      text_bytes -= textBytes(entry)
    }
  }

  /** A decision counts here as it counts at the gateway. */
  const decided = (entry: FoldedApproval, event: EventOf<'approval.decided'>): FoldedApproval => {
    const { signature: _signature, time, context: _context, ...decision } = event
    if (!options.authentic(event)) return entry
    if (decide(entry.approval, decision, time).kind === 'rejected') return entry
    return { ...entry, approval: evolve(entry.approval, { type: 'decided', decision }) }
  }

  const apply = (entry: FoldedApproval, { type, event }: ApprovalEvent): FoldedApproval => {
    if (type === 'approval.decided') return decided(entry, event)
    if (type === 'approval.rejected')
      return { ...entry, rejections: [...entry.rejections, event].slice(-rejections_max) }
    if (type === 'approval.requested') return entry
    const ended = type === 'approval.expired' ? 'expired' : 'consumed'
    return { ...entry, approval: evolve(entry.approval, { type: ended }) }
  }

  const onEarly = (id: string, event: ApprovalEvent): void => {
    if (early_count >= early_max) {
      early.clear()
      early_count = 0
    }
    early.set(id, [...(early.get(id) ?? []), event])
    early_count++
  }

  const onRequest = (
    { id, session }: ApprovalRecord,
    { time, context, approval: _none, ...body }: EventOf<'approval.requested'>,
  ): void => {
    if (entries.has(id)) return
    const { actor, pipeline, target } = context
    const request = {
      ...body,
      text: text_bytes_max === 0 ? '' : body.text,
      approval: Buffer.from(id, 'hex'),
      session,
      requested: time,
      requester: { actor, pipeline, target },
    }
    const before = early.get(id) ?? []
    early.delete(id)
    early_count -= before.length
    const opened = { id, context, rejections: [], approval: openApproval(request) }
    const entry = before.reduce<FoldedApproval>(apply, opened)
    entries.set(id, entry)
    text_bytes += textBytes(entry)
    makeRoom()
  }

  return {
    take: (record) => {
      const { decoded, id } = record
      if (decoded.type === 'approval.requested') {
        onRequest(record, decoded.event)
        return
      }
      const entry = entries.get(id)
      if (entry === undefined) onEarly(id, decoded)
      else entries.set(id, apply(entry, decoded))
    },
    get: (id) => entries.get(id),
    values: () => entries.values(),
  }
}
