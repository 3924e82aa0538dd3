import { verify, type KeyObject } from 'node:crypto'
import { evolve, type ApprovalState } from '#core/approval/approval.ts'
import { openApprovalFold, readApprovalRecord, type FoldedApproval } from '#core/approval/fold.ts'
import { decisionBytes } from '#core/approval/signature.ts'
import type { Log, StoredRecord } from '#lib/log/port.ts'

const limits = {
  approvals_max: 10_000,
  text_bytes_max: 64 * 1024 * 1024,
  early_max: 1_000,
} as const

export type BookEntry = FoldedApproval

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

const no_bytes = Buffer.alloc(0)

export const openApprovalBook = async (options: ApprovalBookOptions): Promise<ApprovalBook> => {
  const { deployment, key, now_ms } = options
  const fold = openApprovalFold({
    ...limits,
    now_ms,
    authentic: ({ signature, ...decision }) =>
      verify(null, decisionBytes(deployment, decision), key, signature),
  })

  const onRecord = ({ value, headers }: StoredRecord): void => {
    const record = readApprovalRecord(value, headers['cairn-leaf'] ?? no_bytes)
    if (record !== null) fold.take(record)
  }

  /** What nobody ended (its gateway is down) is over at its time all the same. */
  const present = (entry: BookEntry): BookEntry =>
    entry.approval.state === 'waiting' && entry.approval.request.expires < now_ms() * 1000
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

  const follower = await options.log.follow({
    topic: 'cairn.approvals',
    onRecords: (records) => records.forEach(onRecord),
    onTrouble: options.onTrouble,
  })

  return {
    ready: follower.caughtUp,
    find: (beginning) => {
      const whole = fold.get(beginning)
      if (whole !== undefined) return [present(whole)]
      const found: BookEntry[] = []
      for (const entry of fold.values()) {
        if (entry.id.startsWith(beginning)) found.push(present(entry))
        if (found.length > 1) break
      }
      return found
    },
    list: (filter) =>
      [...fold.values()]
        .map(present)
        .filter((entry) => fits(entry, filter))
        .sort(
          (a, b) =>
            b.approval.request.requested - a.approval.request.requested || (a.id < b.id ? 1 : -1),
        ),
    [Symbol.asyncDispose]: () => follower[Symbol.asyncDispose](),
  }
}
