import { sign, type KeyObject } from 'node:crypto'
import { decide, type ApprovalDecision } from '#core/approval/approval.ts'
import { decisionBytes } from '#core/approval/signature.ts'
import type { Actor, ApprovalDecided, ApprovalRejected, Pipeline } from '#core/events/types.ts'
import type { AuditNote } from '../route.ts'
import type { ApprovalBook, BookEntry } from './book.ts'

/** A proven person, whichever way the decision came. */
export type DecidingPerson = {
  readonly issuer: string
  readonly subject: string
  readonly groups: readonly string[]
  readonly names: readonly string[]
  /** For the event's context. */
  readonly actor: Actor
  readonly pipeline: Pipeline | null
}

export type DecisionRequest = {
  /** Id of the approval, or a beginning of it. */
  readonly approval: string
  readonly decision: 'approve' | 'deny'
  readonly reason: string
  /** Hash of the command that the person saw, hex; empty: of the one that waits. */
  readonly command_hash: string
  readonly channel: ApprovalDecided['channel']
}

/** What becomes of a decision, and what is to be recorded about it before anybody is told. */
export type DecisionResult =
  | {
      readonly kind: 'taken'
      readonly entry: BookEntry
      /** Persons that are still needed. */
      readonly missing: number
      readonly note: AuditNote
    }
  | {
      readonly kind: 'refused'
      readonly entry: BookEntry
      readonly reason: ApprovalRejected['reason']
      readonly detail: string
      readonly note: AuditNote
    }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'ambiguous' }

export type Decisions = (person: DecidingPerson, request: DecisionRequest) => DecisionResult

/** Kept of the words of a decision, characters. */
export const reason_chars_max = 2_000

/**
 * Takes decisions of persons: what cannot count is refused here already, the rest is signed. Which decision counts is the gateway's to say, who holds the
 * command.
 */
export const openDecisions =
  (options: {
    readonly book: ApprovalBook
    readonly deployment: string
    /** Ed25519, private. */
    readonly key: KeyObject
    readonly now_ms: () => number
  }): Decisions =>
  (person, request) => {
    const [entry, other] = options.book.find(request.approval)
    if (entry === undefined) return { kind: 'not_found' }
    if (other !== undefined) return { kind: 'ambiguous' }
    const { approval } = entry
    const decision: ApprovalDecision = {
      approval: approval.request.approval,
      command_hash:
        request.command_hash === ''
          ? approval.request.command_hash
          : Buffer.from(request.command_hash, 'hex'),
      decision: request.decision,
      reason: request.reason.toWellFormed().slice(0, reason_chars_max),
      approver_issuer: person.issuer,
      approver_subject: person.subject,
      approver_groups: person.groups,
      approver_names: person.names,
      channel: request.channel,
    }
    const { actor, pipeline } = person
    const { target } = approval.request.requester
    const verdict = decide(approval, decision, options.now_ms() * 1000)
    if (verdict.kind === 'rejected') {
      const { reason, detail } = verdict
      const { approver_issuer, approver_subject } = decision
      const body = {
        approval: decision.approval,
        reason,
        detail,
        approver_issuer,
        approver_subject,
      }
      const note: AuditNote = { type: 'approval.rejected', actor, pipeline, target, body }
      return { kind: 'refused', entry, reason, detail, note }
    }
    const signature = sign(null, decisionBytes(options.deployment, decision), options.key)
    return {
      kind: 'taken',
      entry,
      missing: verdict.kind === 'counts' ? verdict.missing : 0,
      note: {
        type: 'approval.decided',
        actor,
        pipeline,
        target,
        body: { ...decision, signature },
      },
    }
  }
