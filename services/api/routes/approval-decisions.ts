import { z } from 'zod'
import { CairnError } from '#lib/error.ts'
import {
  reason_chars_max,
  type DecidingPerson,
  type DecisionResult,
} from '../approvals/decisions.ts'
import type { Caller } from '../caller.ts'
import { defineRoute } from '../deps.ts'
import { problem, problem_content_type } from '../problem.ts'
import type { AuditedAnswer } from '../route.ts'
import { approvalBeginning } from './approval-shapes.ts'
import { sessionId } from './shapes.ts'

/** Only people decide: a token of a machine, or of the whole machine, names none. */
const personOf = ({ actor, pipeline, issuer, subject, names }: Caller): DecidingPerson => {
  if (actor === null)
    throw new CairnError(
      'forbidden',
      "this machine's admin token names no person, and persons decide: use a token of your own (CAIRN_API_TOKEN)",
    )
  if (actor.kind !== 'human')
    throw new CairnError('forbidden', `only persons decide, and this token is of a ${actor.kind}`)
  return { issuer, subject, groups: actor.groups, names, actor, pipeline }
}

const conflicts = new Set(['wrong_command', 'expired', 'already_decided', 'duplicate_approver'])

const refusalAnswer = ({
  reason,
  detail,
  note,
}: Extract<DecisionResult, { readonly kind: 'refused' }>): AuditedAnswer => {
  const [status, code] = conflicts.has(reason)
    ? ([409, 'conflict'] as const)
    : ([403, 'forbidden'] as const)
  return {
    status,
    headers: { 'content-type': problem_content_type },
    body: problem(status, code, `${reason}: ${detail}`),
    audit: note,
  }
}

/** The answer to a decision, whichever way it came. */
const decisionAnswer = (result: DecisionResult, id: string): AuditedAnswer => {
  if (result.kind === 'not_found')
    throw new CairnError('not_found', `no approval begins with ${id}`)
  if (result.kind === 'ambiguous')
    throw new CairnError('unusable_input', `several approvals begin with ${id}; give more digits`)
  if (result.kind === 'refused') return refusalAnswer(result)
  return {
    status: 202,
    body: { approval: result.entry.id, missing: result.missing },
    audit: result.note,
  }
}

const unusable = ({ issues }: z.ZodError): CairnError =>
  new CairnError(
    'unusable_input',
    issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`).join('; '),
  )

const form = z.strictObject({
  decision: z.enum(['approve', 'deny']).describe('What you decide.'),
  reason: z
    .string()
    .max(reason_chars_max)
    .default('')
    .describe('Your words; who asked sees them when you deny.'),
  command_hash: z
    .union([z.literal(''), sessionId])
    .default('')
    .describe('Hash of the command that you saw: the decision counts for that one only.'),
  channel: z.enum(['api', 'console', 'cli']).default('api').describe('How the decision came.'),
})

export const decideApproval = defineRoute({
  method: 'POST',
  path: '/v1/approvals/{id}/decision',
  tag: 'approvals',
  summary: 'Approve or deny a command that waits',
  description:
    'Recorded and signed before the answer; the gateway that holds the command checks it again and releases the command. Decisions that cannot count (own command, wrong group, too late, twice) are refused and recorded.',
  access: { kind: 'roles', roles: ['approver'] },
  effect: 'mutates',
  params: z.strictObject({ id: approvalBeginning }),
  form,
  json: true,
  responses: {
    202: {
      description: 'Taken.',
      schema: z.strictObject({
        approval: z.string(),
        missing: z.number().describe('Persons that are still needed; 0: the command is released.'),
      }),
    },
  },
  handle: async ({ params: { id }, caller, body }, deps) => {
    const person = personOf(caller)
    const given = form.safeParse(
      Object.fromEntries(body instanceof URLSearchParams ? body.entries() : []),
    )
    if (!given.success) throw unusable(given.error)
    return decisionAnswer(deps.decide(person, { approval: id, ...given.data }), id)
  },
})

const callback_form = z.strictObject({
  approval: approvalBeginning,
  decision: z.enum(['approve', 'deny']).describe('What the user decides.'),
  user: z.string().min(1).max(256).describe('Who, as the other side names its users.'),
  reason: z.string().max(reason_chars_max).default('').describe("The user's words."),
  command_hash: z
    .union([z.literal(''), sessionId])
    .default('')
    .describe('Hash of the command that the user saw, as the message had it.'),
})

const no_approval = Buffer.alloc(32)

/** A callback that proves nothing is an incident too. */
const forged = (webhook: string, why: string, user: string): AuditedAnswer => {
  const missing = why === 'missing'
  const status = missing ? 400 : 403
  const detail = `callback of webhook ${webhook}: ${why}`
  return {
    status,
    headers: { 'content-type': problem_content_type },
    body: problem(status, missing ? 'unusable_input' : 'forbidden', detail),
    audit: {
      type: 'approval.rejected',
      actor: null,
      pipeline: null,
      target: null,
      body: {
        approval: no_approval,
        reason: why === 'unknown_user' ? 'not_entitled' : 'bad_signature',
        detail,
        approver_issuer: '',
        approver_subject: user,
      },
    },
  }
}

export const approvalCallback = defineRoute({
  method: 'POST',
  path: '/v1/approvals/callbacks/{name}',
  tag: 'approvals',
  summary: 'Decide through a webhook',
  description:
    'A decision of a user of a chat or ticket system, signed by its server as Standard Webhooks sign (webhook-id, webhook-timestamp, webhook-signature: HMAC-SHA256 over "id.timestamp.body") with the secret in approvals.webhooks[].callback. Each message is taken once and within its window; the configuration says which person a user is.',
  access: { kind: 'self' },
  effect: 'mutates',
  params: z.strictObject({ name: z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/i) }),
  form: callback_form,
  json: true,
  responses: {
    202: {
      description: 'Taken.',
      schema: z.strictObject({
        approval: z.string(),
        missing: z.number().describe('Persons that are still needed.'),
      }),
    },
  },
  handle: async ({ params: { name }, body, raw, header }, deps) => {
    const given = body instanceof URLSearchParams ? body : new URLSearchParams()
    const user = (given.get('user') ?? '').slice(0, 256)
    const proven = deps.callbacks(
      name,
      {
        'webhook-id': header('webhook-id'),
        'webhook-timestamp': header('webhook-timestamp'),
        'webhook-signature': header('webhook-signature'),
      },
      raw,
      user,
    )
    if (proven.kind === 'unknown_webhook')
      throw new CairnError('not_found', 'no webhook of this name takes callbacks')
    if (proven.kind === 'refused') return forged(name, proven.why, user)
    const fields = callback_form.safeParse(Object.fromEntries(given.entries()))
    if (!fields.success) throw unusable(fields.error)
    const { approval, decision, reason, command_hash } = fields.data
    const request = { approval, decision, reason, command_hash, channel: 'webhook' as const }
    return decisionAnswer(deps.decide(proven.person, request), approval)
  },
})
