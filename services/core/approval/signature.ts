import type { ApprovalDecision } from './approval.ts'

/**
 * The bytes of a decision that the api signs (Ed25519, RFC 8032) and a gateway verifies:
 *
 *     "cairn approval decision v1" NUL
 *     deployment approval command_hash decision reason approver_issuer approver_subject groups names channel
 *
 * Each field is its length in bytes (uint32, big-endian) and its bytes (UTF-8); a list is the number of its items (uint32), then the
 * items as fields. No two decisions have the same bytes.
 */
const domain = Buffer.from('cairn approval decision v1\0', 'latin1')

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

const field = (value: string | Buffer): readonly Buffer[] => {
  const bytes = Buffer.from(value)
  return [uint32(bytes.length), bytes]
}

const list = (values: readonly string[]): readonly Buffer[] => [
  uint32(values.length),
  ...values.flatMap((value) => [...field(value)]),
]

/** @param deployment name of the deployment: a decision of another one is of no use here */
export const decisionBytes = (deployment: string, decision: ApprovalDecision): Buffer =>
  Buffer.concat([
    domain,
    ...field(deployment),
    ...field(decision.approval),
    ...field(decision.command_hash),
    ...field(decision.decision),
    ...field(decision.reason),
    ...field(decision.approver_issuer),
    ...field(decision.approver_subject),
    ...list(decision.approver_groups),
    ...list(decision.approver_names),
    ...field(decision.channel),
  ])
