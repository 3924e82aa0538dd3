import { verify, type KeyObject } from 'node:crypto'
import {
  decide,
  evolve,
  openApproval,
  type Approval,
  type ApprovalDecision,
  type Requester,
} from '#core/approval/approval.ts'
import { decisionBytes } from '#core/approval/signature.ts'
import type { ApprovalDecided, ApprovalRejected } from '#core/events/types.ts'
import type { HoldTerms } from '#core/policy/decision.ts'
import type { Logger } from '#lib/logger.ts'
import type { Recorder, SessionRecorder } from '../recorder/port.ts'

/** A command that waits for people. */
export type HeldCommand = {
  readonly session: SessionRecorder
  readonly requester: Requester
  /** sseq of its command.received record. */
  readonly command: number
  /** SHA-256 of its exact bytes. */
  readonly command_hash: Buffer
  /** The command as it is recorded. */
  readonly text: string
  /** Why it is held, in the policy's words. */
  readonly reason: string
  readonly terms: HoldTerms
  /** Estimates the rows that it reads or changes; -1 when that cannot be said. Never rejects. */
  readonly estimate: () => Promise<number>
  /** Asked right before it is released: whether the policy that is in force by then does not forbid it. */
  readonly permitted: () => boolean
  /** The request is durable: what the client is told. */
  readonly announce: (request: Announcement) => void
  /** The wait is over. Called once, and not after `withdraw`. */
  readonly settle: (end: HoldEnd) => void
}

export type Announcement = {
  /** Approval id, hex. */
  readonly approval: string
  readonly link: string
  readonly groups: readonly string[]
  readonly quorum: number
  /** Milliseconds since 1970. */
  readonly expires_ms: number
}

export type HoldEnd =
  /** approval.consumed is durable: the command goes. */
  | { readonly kind: 'released' }
  | { readonly kind: 'denied'; readonly by: string; readonly words: string }
  | { readonly kind: 'expired' }
  /** Approved, and forbidden by a policy that came while it waited. */
  | { readonly kind: 'forbidden' }
  /** Nothing can be recorded. */
  | { readonly kind: 'failed'; readonly error: unknown }

export interface Hold {
  /**
   * Ends the wait: the client has cancelled or is gone, or its session is over. False when it is too late: the approval is consumed, and the command goes.
   */
  withdraw(reason: 'withdrawn' | 'session_ended'): boolean
}

export type HoldsOptions = {
  readonly deployment: string
  readonly recorder: Recorder
  /** Verifies the api's decisions. */
  readonly key: KeyObject
  /** Where people decide: beginning of links; empty for none. */
  readonly link_base: string
  /** Commands of this process that may wait at once. */
  readonly holds_max: number
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
  readonly logger: Logger
  /** Counts how holds end and decisions that change nothing. */
  readonly counted: (outcome: string) => void
}

/** The commands of this process that wait for people. */
export interface Holds {
  /** Makes a command wait; null when too many do. */
  open(held: HeldCommand): Hold | null
  /** Takes a decision from the log; false when it is about none of these holds. */
  take(decision: ApprovalDecided): boolean
  /** Whether a hold of this id (hex) waits. */
  has(approval: string): boolean
  readonly size: number
}

type Entry = {
  readonly held: HeldCommand
  /** Null until the request is minted. */
  approval: Approval | null
  timer: NodeJS.Timeout | undefined
  over: boolean
}

/** Longest delay that a timer takes, milliseconds. */
const timer_ms_max = 2 ** 31 - 1

const linkOf = (base: string, held: HeldCommand): string =>
  base === ''
    ? ''
    : `${base.replace(/\/+$/, '')}/approvals?session=${held.session.id.toString('hex')}&command=${held.command}`

export const openHolds = (options: HoldsOptions): Holds => {
  const { recorder, now_ms, logger } = options
  const entries = new Set<Entry>()
  const byId = new Map<string, Entry>()

  const close = (entry: Entry, outcome: string): void => {
    entry.over = true
    clearTimeout(entry.timer)
    entries.delete(entry)
    if (entry.approval !== null) byId.delete(entry.approval.request.approval.toString('hex'))
    options.counted(outcome)
  }

  /** Whatever happens to one hold ends that hold only. */
  const fail = (entry: Entry, error: unknown): void => {
    if (entry.over) return
    close(entry, 'failed')
    logger.error({ err: error }, 'a held command could not be recorded')
    entry.held.settle({ kind: 'failed', error })
  }

  const expire = (entry: Entry, reason: 'timeout' | 'withdrawn' | 'session_ended'): void => {
    const { approval, held } = entry
    close(entry, reason)
    if (approval === null) return
    held.session.append('approval.expired', { approval: approval.request.approval, reason })
  }

  const onTimer = (entry: Entry): void => {
    if (entry.over || entry.approval === null) return
    if (entry.approval.request.expires > now_ms() * 1000) {
      arm(entry)
      return
    }
    try {
      expire(entry, 'timeout')
      entry.held.settle({ kind: 'expired' })
    } catch (error) {
      entry.held.settle({ kind: 'failed', error })
    }
  }

  const arm = (entry: Entry): void => {
    if (entry.approval === null) return
    const left_ms = entry.approval.request.expires / 1000 - now_ms()
    entry.timer = setTimeout(() => onTimer(entry), Math.max(0, Math.min(left_ms, timer_ms_max)))
    entry.timer.unref()
  }

  /** Mints the request; its leaf hash is the approval's id. */
  const request = (entry: Entry, estimated_rows: number): Approval => {
    const { held } = entry
    const { terms, session } = held
    const requested = Math.round(now_ms() * 1000)
    const body = {
      approval: Buffer.alloc(32),
      command: held.command,
      command_hash: held.command_hash,
      text: held.text,
      reason: held.reason,
      approver_groups: terms.groups,
      quorum: terms.quorum,
      expires: requested + terms.expires_s * 1_000_000,
      estimated_rows,
      rules: terms.rules,
      link: linkOf(options.link_base, held),
    }
    session.append('approval.requested', body)
    return openApproval({
      ...body,
      approval: session.leaf,
      session: session.id,
      requested,
      requester: held.requester,
    })
  }

  const begin = async (entry: Entry): Promise<void> => {
    const { held } = entry
    const estimated_rows = await held.estimate()
    if (entry.over) return
    const approval = request(entry, estimated_rows)
    const { approval: id, expires } = approval.request
    entry.approval = approval
    byId.set(id.toString('hex'), entry)
    arm(entry)
    await recorder.durable()
    if (entry.over) return
    held.announce({
      approval: id.toString('hex'),
      link:
        options.link_base === ''
          ? ''
          : `${options.link_base.replace(/\/+$/, '')}/approvals/${id.toString('hex')}`,
      groups: held.terms.groups,
      quorum: held.terms.quorum,
      expires_ms: expires / 1000,
    })
  }

  /** The command is released once, and only when that is durable. */
  const consume = async (entry: Entry, approval: Approval): Promise<void> => {
    const { held } = entry
    held.session.append('approval.consumed', {
      approval: approval.request.approval,
      command: held.command,
      command_hash: held.command_hash,
      approvers: approval.approved_by.map(({ approver_subject }) => approver_subject),
    })
    close(entry, 'released')
    try {
      await recorder.durable()
    } catch (error) {
      held.settle({ kind: 'failed', error })
      return
    }
    held.settle({ kind: 'released' })
  }

  const reject = (
    entry: Entry,
    decision: ApprovalDecided,
    reason: ApprovalRejected['reason'],
    detail: string,
  ): void => {
    options.counted(`rejected_${reason}`)
    entry.held.session.append('approval.rejected', rejection(decision, reason, detail))
  }

  const apply = (entry: Entry, approval: Approval, decided: ApprovalDecided): void => {
    const { signature, ...decision } = decided
    if (!verify(null, decisionBytes(options.deployment, decision), options.key, signature)) {
      reject(entry, decided, 'bad_signature', 'the signature is not the one of this api')
      return
    }
    const verdict = decide(approval, decision, now_ms() * 1000)
    if (verdict.kind === 'rejected') {
      reject(entry, decided, verdict.reason, verdict.detail)
      return
    }
    const next = evolve(approval, { type: 'decided', decision })
    entry.approval = next
    if (next.state === 'approved') {
      if (!entry.held.permitted()) {
        expire(entry, 'withdrawn')
        entry.held.settle({ kind: 'forbidden' })
        return
      }
      consume(entry, next).catch((error: unknown) => fail(entry, error))
    } else if (next.state === 'denied') {
      close(entry, 'denied')
      entry.held.settle({ kind: 'denied', by: decision.approver_subject, words: next.denial })
    }
  }

  return {
    open: (held) => {
      if (entries.size >= options.holds_max) return null
      const entry: Entry = { held, approval: null, timer: undefined, over: false }
      entries.add(entry)
      begin(entry).catch((error: unknown) => fail(entry, error))
      return {
        withdraw: (reason) => {
          if (entry.over) return false
          expire(entry, reason)
          return true
        },
      }
    },
    take: (decision) => {
      const entry = byId.get(decision.approval.toString('hex'))
      if (entry === undefined || entry.approval === null) return false
      try {
        apply(entry, entry.approval, decision)
      } catch (error) {
        fail(entry, error)
      }
      return true
    },
    has: (approval) => byId.has(approval),
    get size() {
      return entries.size
    },
  }
}

/** Why a decision changed nothing, as it is recorded. */
export const rejection = (
  decision: ApprovalDecision,
  reason: ApprovalRejected['reason'],
  detail: string,
): ApprovalRejected => ({
  approval: decision.approval,
  reason,
  detail,
  approver_issuer: decision.approver_issuer,
  approver_subject: decision.approver_subject,
})
