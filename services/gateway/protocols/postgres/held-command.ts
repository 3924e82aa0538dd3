import { createHash } from 'node:crypto'
import type { Announcement } from '../../approvals/holds.ts'
import type { Holding } from './batch.ts'
import { sqlstate, type NativeNotice } from './errors.ts'
import type { Refusal } from './receive.ts'
import { refusal } from './take-query.ts'

/** What is said and shown of a command that waits for people: its hash, the approver's view, the client's notice, the refusals. */

const domain = 'cairn command v1'

/**
 * SHA-256 over the exact bytes of a command:
 *
 *     domain NUL kind NUL text_sha256 fields(statement_name portal_name) row_limit parameters messages
 *
 * `messages` are the client's messages that came with it, byte for byte; `parameters` are those recorded, for a portal that was bound before. Where the
 * record leaves something out (a secret), so does the hash, or the value could be guessed from it: then the messages are left out.
 */
export const commandHash = ({
  command,
  received,
  members,
  parameters,
  hidden,
}: Holding): Buffer => {
  const hash = createHash('sha256')
  const field = (text: string): void => {
    const bytes = Buffer.from(text, 'utf8')
    hash.update(`${bytes.length} `).update(bytes)
  }
  hash.update(`${domain}\0${command.kind}\0`).update(received.statement.text_sha256)
  field(received.statement_name)
  field(received.portal_name)
  field(JSON.stringify([received.row_limit, parameters]))
  if (!hidden)
    for (const { buffer, start, end } of members) hash.update(buffer.subarray(start, end))
  return hash.digest()
}

/** The command as people see it: the recorded text, and under it the values that are bound to it. */
export const shownCommand = ({ text, parameters }: Holding): string =>
  parameters.length === 0
    ? text
    : [
        text,
        '',
        `-- bound values: ${parameters.length}`,
        ...parameters.map(
          ({ value, masked, value_bytes }, index) =>
            `-- $${index + 1} = ${masked ? '(masked)' : value_bytes === -1 ? 'NULL' : JSON.stringify(value)}`,
        ),
      ].join('\n')

/** Whether people can see all of it: what is cut in the record cannot be approved. */
export const isShownWhole = (
  { received, parameters, hidden }: Holding,
  text_bytes_max: number,
): boolean => {
  const bytes = parameters.reduce((sum, { value_bytes }) => sum + Math.max(0, value_bytes), 0)
  return (
    received.statement.text_bytes <= text_bytes_max &&
    bytes <= text_bytes_max &&
    // Replaced values change the length either way; the limit above still holds.
    (hidden || Buffer.byteLength(received.statement.text) <= text_bytes_max)
  )
}

const persons = (quorum: number, groups: readonly string[]): string => {
  const who = groups.length === 0 ? 'approvers' : groups.join(' or ')
  return quorum === 1 ? `somebody of ${who}` : `${quorum} persons of ${who}`
}

/** What the client is told while it waits. */
export const waitingNotice = (at: Announcement): NativeNotice => {
  const id = at.approval.slice(0, 12)
  return {
    message: `the command waits for approval by ${persons(at.quorum, at.groups)}`,
    detail: `Approval ${at.approval}, until ${new Date(at.expires_ms).toISOString()}.`,
    hint:
      at.link === ''
        ? `An approver runs: cairn approve ${id}. Cancel the command to withdraw it.`
        : `Approvers decide at ${at.link} or by: cairn approve ${id}. Cancel the command to withdraw it.`,
  }
}

/** An approver's words on their way to a terminal. */
const words_chars_max = 500
// oxlint-disable-next-line no-control-regex -- it is control characters that must not get through
const controls = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g

export const deniedRefusal = (by: string, words: string): Refusal => {
  const shown = words.replace(controls, ' ').trim().slice(0, words_chars_max).toWellFormed()
  const denied = refusal(
    'approval_denied',
    sqlstate.insufficient_privilege,
    'command refused: its approval was denied',
  )
  const detail = `Denied by ${by.replace(controls, ' ')}${shown === '' ? '' : `: ${shown}`}.`
  return { ...denied, native: { ...denied.native, detail } }
}

export const hold_refusals = {
  expired: refusal(
    'approval_expired',
    sqlstate.insufficient_privilege,
    'command refused: nobody approved it in time',
  ),
  forbidden: refusal(
    'policy_denied',
    sqlstate.insufficient_privilege,
    'command refused by a policy that came while it waited for approval',
  ),
  cancelled: refusal(
    'approval_withdrawn',
    sqlstate.query_canceled,
    'canceling statement due to user request',
  ),
  gone: refusal(
    'approval_withdrawn',
    sqlstate.query_canceled,
    'the client went away while the command waited for approval',
  ),
  session_over: refusal(
    'approval_withdrawn',
    sqlstate.admin_shutdown,
    'the session ended while the command waited for approval',
  ),
  full: refusal(
    'holds_max',
    sqlstate.program_limit_exceeded,
    'too many commands wait for approval; try again later',
  ),
  too_long: refusal(
    'too_long_to_approve',
    sqlstate.program_limit_exceeded,
    'the command needs approval and is too long for people to be shown all of it',
  ),
} as const satisfies Readonly<Record<string, Refusal>>
