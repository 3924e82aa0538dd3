import { verify, type KeyObject } from 'node:crypto'
import {
  decide,
  evolve,
  openApproval,
  type Approval,
  type ApprovalState,
} from '#core/approval/approval.ts'
import { decisionBytes } from '#core/approval/signature.ts'
import { decodeValue, type DecodedEvent } from '#core/events/codec.ts'
import { decodeHeader, leafHash, valueHash } from '#core/events/header.ts'
import type { ApprovalRejected, EventOf } from '#core/events/types.ts'
import type { Log, LogFollower, StoredRecord } from '#lib/log/port.ts'

/** Approvals kept; of more, those that are over go first, the oldest before. */
const approvals_max = 10_000
/** Bytes of their texts, all together. */
const text_bytes_max = 64 * 1024 * 1024
/** Events of approvals whose request has not come yet (another partition). */
const early_max = 1_000
/** Decisions that changed nothing, kept of one approval. */
const rejections_max = 20

/** An approval with what surrounds it. */
export type BookEntry = {
  readonly id: string
  readonly approval: Approval
  /** Gateway process that holds the command. */
  readonly gateway: string
  readonly rejections: readonly ApprovalRejected[]
}

export type BookFilter = {
  readonly state?: ApprovalState | undefined
  readonly target?: string | undefined
  /** Whole session id, hex. */
  readonly session?: string | undefined
  readonly command?: number | undefined
  /** Of this requester only. */
  readonly actor?: { readonly issuer: string; readonly subject: string } | undefined
}

/** Approvals as the log tells them, folded in memory: what waits is seen at once, without the tables. Those older than the log keeps are in the tables only. */
export interface ApprovalBook extends AsyncDisposable {
  /** Approvals whose id begins so, at most two. */
  find(beginning: string): readonly BookEntry[]
  /** The newest first. */
  list(filter: BookFilter): readonly BookEntry[]
  /** Resolves when what was in the log at the start is in the book. */
  readonly ready: Promise<void>
}

export type ApprovalBookOptions = {
  readonly log: Pick<Log, 'follow'>
  readonly deployment: string
  /** Verifies decisions. */
  readonly key: KeyObject
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
  readonly onTrouble: (error: Error) => void
}

type ApprovalEvent = Extract<DecodedEvent, { readonly type: `approval.${string}` }>

const isApprovalEvent = (event: DecodedEvent): event is ApprovalEvent =>
  event.type.startsWith('approval.')

/** The approval that an event is about: a request's own leaf hash, for the others what they name. */
const idOf = (decoded: ApprovalEvent, leaf: Buffer): string =>
  (decoded.type === 'approval.requested' ? leaf : decoded.event.approval).toString('hex')

/** Reads a record whose value is the one that its header commits to; null for anything else. */
const readRecord = (
  record: StoredRecord,
): { readonly decoded: ApprovalEvent; readonly id: string; readonly session: Buffer } | null => {
  const bytes = record.headers['cairn-leaf']
  const header = bytes === undefined ? null : decodeHeader(bytes)
  if (bytes === undefined || header?.ok !== true) return null
  if (!valueHash(record.value).equals(header.header.value)) return null
  const decoded = decodeValue(record.value)
  if (!decoded.ok || !isApprovalEvent(decoded)) return null
  return { decoded, id: idOf(decoded, leafHash(bytes)), session: header.header.session }
}

const textBytes = ({ approval }: BookEntry): number => approval.request.text.length * 2

export const openApprovalBook = async (options: ApprovalBookOptions): Promise<ApprovalBook> => {
  const { deployment, key, now_ms } = options
  /** In the order of their requests. */
  const entries = new Map<string, BookEntry>()
  const early = new Map<string, ApprovalEvent[]>()
  let early_count = 0
  let text_bytes = 0

  const forget = (entry: BookEntry): void => {
    entries.delete(entry.id)
    text_bytes -= textBytes(entry)
  }

  const isOver = ({ approval }: BookEntry): boolean =>
    approval.state !== 'waiting' || approval.request.expires < now_ms() * 1000

  const makeRoom = (): void => {
    if (entries.size <= approvals_max && text_bytes <= text_bytes_max) return
    for (const entry of entries.values()) {
      if (entries.size <= approvals_max && text_bytes <= text_bytes_max) return
      if (isOver(entry)) forget(entry)
    }
  }

  /** A decision counts here as it counts at the gateway. */
  const decided = (entry: BookEntry, event: EventOf<'approval.decided'>): BookEntry => {
    const { signature, time, context: _context, ...decision } = event
    if (!verify(null, decisionBytes(deployment, decision), key, signature)) return entry
    if (decide(entry.approval, decision, time).kind === 'rejected') return entry
    return { ...entry, approval: evolve(entry.approval, { type: 'decided', decision }) }
  }

  const apply = (entry: BookEntry, { type, event }: ApprovalEvent): BookEntry => {
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

  const onRequest = (id: string, event: EventOf<'approval.requested'>, session: Buffer): void => {
    if (entries.has(id)) return
    const { time, context, approval: _none, ...body } = event
    const { actor, pipeline, target, gateway } = context
    let entry: BookEntry = {
      id,
      gateway,
      rejections: [],
      approval: openApproval({
        ...body,
        approval: Buffer.from(id, 'hex'),
        session,
        requested: time,
        requester: { actor, pipeline, target },
      }),
    }
    const before = early.get(id) ?? []
    early.delete(id)
    early_count -= before.length
    for (const one of before) entry = apply(entry, one)
    entries.set(id, entry)
    text_bytes += textBytes(entry)
    makeRoom()
  }

  const onRecord = (record: StoredRecord): void => {
    const read = readRecord(record)
    if (read === null) return
    const { decoded, id, session } = read
    if (decoded.type === 'approval.requested') {
      onRequest(id, decoded.event, session)
      return
    }
    const entry = entries.get(id)
    if (entry === undefined) onEarly(id, decoded)
    else entries.set(id, apply(entry, decoded))
  }

  /** What nobody ended (its gateway is down) is over at its time all the same. */
  const present = (entry: BookEntry): BookEntry =>
    entry.approval.state === 'waiting' && isOver(entry)
      ? { ...entry, approval: evolve(entry.approval, { type: 'expired' }) }
      : entry

  const fits = ({ approval }: BookEntry, filter: BookFilter): boolean => {
    const { request, state } = approval
    const { actor, target } = request.requester
    return (
      (filter.state === undefined || filter.state === state) &&
      (filter.target === undefined || filter.target === target?.name) &&
      (filter.session === undefined || filter.session === request.session.toString('hex')) &&
      (filter.command === undefined || filter.command === request.command) &&
      (filter.actor === undefined ||
        (actor?.issuer === filter.actor.issuer && actor.subject === filter.actor.subject))
    )
  }

  const follower: LogFollower = await options.log.follow({
    topic: 'cairn.approvals',
    onRecords: (records) => records.forEach(onRecord),
    onTrouble: options.onTrouble,
  })

  return {
    ready: follower.caughtUp,
    find: (beginning) => {
      const whole = entries.get(beginning)
      if (whole !== undefined) return [present(whole)]
      const found: BookEntry[] = []
      for (const [id, entry] of entries) {
        if (id.startsWith(beginning)) found.push(present(entry))
        if (found.length > 1) break
      }
      return found
    },
    list: (filter) =>
      [...entries.values()]
        .map(present)
        .filter((entry) => fits(entry, filter))
        .sort(
          (a, b) =>
            b.approval.request.requested - a.approval.request.requested || (a.id < b.id ? 1 : -1),
        ),
    [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
  }
}
