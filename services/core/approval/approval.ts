import type {
  Actor,
  ApprovalDecided,
  ApprovalRejected,
  ApprovalRequested,
  Pipeline,
  Target,
} from '../events/types.ts'

/**
 * An approval is a fold over its events:
 *
 *     approval.requested ─▶ waiting ── approval.decided* ─▶ approved ── approval.consumed ─▶ consumed
 *                              │                    └─────▶ denied
 *                              └─ approval.expired ───────▶ expired
 *
 * `decide` says what a decision would do, `evolve` what an event has done. Both are pure: gateway and api come to the same answer.
 */

/** A person who decides, as the api states and signs it. */
export type Approver = Pick<
  ApprovalDecided,
  'approver_issuer' | 'approver_subject' | 'approver_groups' | 'approver_names'
>

/** A decision, without its signature. */
export type ApprovalDecision = Omit<ApprovalDecided, 'signature'>

/** Who asked, and for what. */
export type Requester = {
  readonly actor: Actor | null
  readonly pipeline: Pipeline | null
  readonly target: Target | null
}

/** What waits. */
export type ApprovalRequest = Omit<ApprovalRequested, 'approval'> & {
  /** Leaf hash of the request's record, 32 bytes. */
  readonly approval: Buffer
  /** Session that waits, 32 bytes. */
  readonly session: Buffer
  /** Microseconds since 1970. */
  readonly requested: number
  readonly requester: Requester
}

export type ApprovalState = 'waiting' | 'approved' | 'denied' | 'expired' | 'consumed'

export type Approval = {
  readonly request: ApprovalRequest
  readonly state: ApprovalState
  /** Those who approved, all of them different persons. */
  readonly approved_by: readonly Approver[]
  readonly denied_by: Approver | null
  /** What the person who denied says. */
  readonly denial: string
}

/** What a decision does to an approval. */
export type Verdict =
  /** It counts; more persons are needed. */
  | { readonly kind: 'counts'; readonly missing: number }
  | { readonly kind: 'approved' }
  | { readonly kind: 'denied' }
  /** It changes nothing. */
  | {
      readonly kind: 'rejected'
      readonly reason: ApprovalRejected['reason']
      readonly detail: string
    }

export const openApproval = (request: ApprovalRequest): Approval => ({
  request,
  state: 'waiting',
  approved_by: [],
  denied_by: null,
  denial: '',
})

const rejected = (reason: ApprovalRejected['reason'], detail: string): Verdict => ({
  kind: 'rejected',
  reason,
  detail,
})

const folded = (name: string): string => name.trim().toLowerCase()

/** Names of somebody, in lower case, also without what follows the @ of an address: systems that know the same person differ in that. */
const namesOf = (names: readonly string[]): ReadonlySet<string> =>
  new Set(
    names
      .map(folded)
      .flatMap((name) => [name, name.split('@', 1)[0] ?? ''])
      .filter((name) => name !== ''),
  )

const sameIdentity = (
  a: { readonly issuer: string; readonly subject: string },
  b: { readonly issuer: string; readonly subject: string },
): boolean => a.issuer === b.issuer && a.subject === b.subject

const identityOf = ({ approver_issuer, approver_subject }: Approver) => ({
  issuer: approver_issuer,
  subject: approver_subject,
})

/** The same subject, or one of the same full names at two issuers: one person must not be two. */
const samePerson = (a: Approver, b: Approver): boolean => {
  if (sameIdentity(identityOf(a), identityOf(b))) return true
  const names = new Set(b.approver_names.map(folded))
  return a.approver_names.some((name) => folded(name) !== '' && names.has(folded(name)))
}

/** Whether the approver is who asked, or who stands behind the run that asked. */
const involved = (
  approver: Approver,
  { actor, pipeline }: Requester,
): 'requester' | 'same_run' | null => {
  if (actor !== null && sameIdentity(identityOf(approver), actor)) return 'requester'
  const names = namesOf([...approver.approver_names, approver.approver_subject])
  const among = (...theirs: readonly string[]): boolean =>
    [...namesOf(theirs)].some((name) => names.has(name))
  if (actor !== null && among(actor.subject, actor.display_name)) return 'requester'
  return pipeline !== null && among(pipeline.triggering_user) ? 'same_run' : null
}

const over: Readonly<Record<Exclude<ApprovalState, 'waiting'>, string>> = {
  approved: 'it has all approvals that it needs',
  denied: 'it was denied',
  expired: 'it is over: nobody decided in time, or the command went away',
  consumed: 'its command has run',
}

/**
 * What a decision does. In this order: the exact command, time, state, who may decide, who asked, who decided before. Whether the decision is authentic is
 * not asked here: see signature.ts.
 * @param now_us microseconds since 1970
 */
export const decide = (
  { request, state, approved_by }: Approval,
  decision: ApprovalDecision,
  now_us: number,
): Verdict => {
  if (!decision.approval.equals(request.approval))
    return rejected('unknown_approval', 'the decision names another approval')
  if (!decision.command_hash.equals(request.command_hash))
    return rejected(
      'wrong_command',
      'the decision is about another command than the one that waits',
    )
  if (state === 'expired' || (state === 'waiting' && now_us >= request.expires))
    return rejected('expired', over.expired)
  if (state !== 'waiting') return rejected('already_decided', over[state])
  const { approver_groups } = decision
  if (
    request.approver_groups.length > 0 &&
    !request.approver_groups.some((group) => approver_groups.includes(group))
  )
    return rejected('not_entitled', `needs one of the groups ${request.approver_groups.join(', ')}`)
  const involvement = involved(decision, request.requester)
  if (involvement === 'requester')
    return rejected('requester', 'who asks cannot decide about the own command')
  if (involvement === 'same_run')
    return rejected('same_run', 'who started the run cannot decide about its commands')
  // Whoever has approved may think better of it, as long as it waits for others.
  if (decision.decision === 'deny') return { kind: 'denied' }
  if (approved_by.some((one) => samePerson(one, decision)))
    return rejected('duplicate_approver', 'this person has approved it already')
  const missing = request.quorum - approved_by.length - 1
  return missing > 0 ? { kind: 'counts', missing } : { kind: 'approved' }
}

/** What has happened to an approval. Decisions are those that `decide` did not reject. */
export type ApprovalHappened =
  | { readonly type: 'decided'; readonly decision: ApprovalDecision }
  | { readonly type: 'expired' }
  | { readonly type: 'consumed' }

const ended: ReadonlySet<ApprovalState> = new Set(['denied', 'expired', 'consumed'])

/** The approval after an event. What is over stays as it is. */
export const evolve = (approval: Approval, event: ApprovalHappened): Approval => {
  if (ended.has(approval.state)) return approval
  if (event.type !== 'decided') return { ...approval, state: event.type }
  if (approval.state !== 'waiting') return approval
  const { decision } = event
  if (decision.decision === 'deny')
    return { ...approval, state: 'denied', denied_by: decision, denial: decision.reason }
  const approved_by = [...approval.approved_by, decision]
  const enough = approved_by.length >= approval.request.quorum
  return { ...approval, approved_by, state: enough ? 'approved' : 'waiting' }
}
