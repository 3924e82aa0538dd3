import { z } from 'zod'
import type { Approver } from '#core/approval/approval.ts'
import type { BookEntry } from '../approvals/book.ts'
import { timeText } from '../store/time.ts'
import { actor, pipeline } from './shapes.ts'

/** An approval in the API's answers. */

export const approvalBeginning = z
  .string()
  .toLowerCase()
  .regex(/^[0-9a-f]{4,64}$/, { error: 'expected 4 to 64 hex digits' })
  .describe('Approval id, 64 hex digits, or a beginning that fits one approval only.')

const person = z.strictObject({
  issuer: z.string(),
  subject: z.string(),
})

export const approval_states = ['waiting', 'approved', 'denied', 'expired', 'consumed'] as const

export const approvalShape = z.strictObject({
  id: z.string().describe('Approval id, 64 hex digits.'),
  state: z
    .enum(approval_states)
    .describe(
      'waiting; approved: enough have said yes, the gateway is about to release it; consumed: its command has been released; denied; expired: nobody decided in time, or the command went away.',
    ),
  requested_at: z.string().describe('When it was asked for. RFC 3339, microseconds, UTC.'),
  expires_at: z.string().describe('Until when it can be decided.'),
  session: z.string().describe('Session that waits, hex.'),
  command: z.number().describe('The command that waits.'),
  command_hash: z.string().describe("SHA-256 of the command's exact bytes, hex."),
  text: z.string().describe('The command as it is recorded, with the values bound to it.'),
  reason: z.string().describe('Why it is held.'),
  rules: z.array(z.string()).describe('Policies that hold it.'),
  groups: z.array(z.string()).describe('Groups whose members may decide; none: every approver.'),
  quorum: z.number().describe('Distinct persons needed.'),
  approved_by: z.array(person),
  denied_by: person.nullable(),
  denial: z.string().describe('The words of who denied.'),
  estimated_rows: z.number().describe("The target's estimate of rows; -1 if none."),
  link: z.string(),
  gateway: z.string(),
  target: z.string(),
  database: z.string(),
  role: z.string(),
  actor: actor.nullable(),
  pipeline,
  rejections: z
    .array(
      z.strictObject({
        reason: z.string(),
        detail: z.string(),
        issuer: z.string(),
        subject: z.string(),
      }),
    )
    .describe('Decisions that changed nothing, the latest 20.'),
})

const personOf = ({ approver_issuer, approver_subject }: Approver) => ({
  issuer: approver_issuer,
  subject: approver_subject,
})

export const shownApproval = ({
  id,
  approval,
  context,
  rejections,
}: BookEntry): z.output<typeof approvalShape> => {
  const { request, state, approved_by, denied_by, denial } = approval
  const { requester } = request
  const who = requester.actor
  const run = requester.pipeline
  return {
    id,
    state,
    requested_at: timeText(request.requested),
    expires_at: timeText(request.expires),
    session: request.session.toString('hex'),
    command: request.command,
    command_hash: request.command_hash.toString('hex'),
    text: request.text,
    reason: request.reason,
    rules: [...request.rules],
    groups: [...request.approver_groups],
    quorum: request.quorum,
    approved_by: approved_by.map(personOf),
    denied_by: denied_by === null ? null : personOf(denied_by),
    denial,
    estimated_rows: request.estimated_rows,
    link: request.link,
    gateway: context.gateway,
    target: requester.target?.name ?? '',
    database: requester.target?.database ?? '',
    role: requester.target?.role ?? '',
    actor:
      who === null
        ? null
        : {
            kind: who.kind,
            issuer: who.issuer,
            subject: who.subject,
            display_name: who.display_name,
          },
    pipeline:
      run === null
        ? null
        : {
            provider: run.provider,
            repository: run.repository,
            ref: run.ref,
            sha: run.sha,
            workflow: run.workflow,
            run: run.run,
            run_attempt: run.run_attempt,
            job: run.job,
            environment: run.environment,
            triggering_user: run.triggering_user,
          },
    rejections: rejections.map((one) => ({
      reason: one.reason,
      detail: one.detail,
      issuer: one.approver_issuer,
      subject: one.approver_subject,
    })),
  }
}
