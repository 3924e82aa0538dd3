import { backend } from './wire.ts'

/**
 * Refusals in PostgreSQL's own words: ErrorResponse with the fields that clients look at (section "Error and Notice Message
 * Fields"). SQLSTATEs are PostgreSQL's (appendix "PostgreSQL Error Codes").
 */

export const sqlstate = {
  /** The policy says no. */
  insufficient_privilege: '42501',
  /** Not authenticated. */
  invalid_authorization: '28000',
  invalid_password: '28P01',
  /** The message cannot be understood. */
  protocol_violation: '08P01',
  /** The target cannot be reached. */
  connection_failure: '08006',
  cannot_connect: '08001',
  /** Understood, and not offered. */
  feature_not_supported: '0A000',
  /** It cannot be recorded, so it does not run: class 58 is trouble outside the database itself. */
  audit_unavailable: '58030',
  too_many_connections: '53300',
  program_limit_exceeded: '54000',
  admin_shutdown: '57P01',
  cannot_connect_now: '57P03',
  idle_session_timeout: '57P05',
  unknown_statement: '26000',
  unknown_portal: '34000',
  /** The client, or somebody in its name, took the command back. */
  query_canceled: '57014',
  invalid_parameter: '22023',
  unknown_database: '3D000',
  bad_encoding: '22021',
  internal_error: 'XX000',
} as const

export type NativeError = {
  readonly severity: 'ERROR' | 'FATAL'
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly hint?: string
  /** Character in the client's text, 1-based. */
  readonly position?: number
}

const encode = (type: number, fields: readonly string[]): Buffer => {
  const body = Buffer.from(`${fields.join('\0')}\0\0`, 'utf8')
  const message = Buffer.allocUnsafe(5 + body.length)
  message[0] = type
  message.writeInt32BE(4 + body.length, 1)
  body.copy(message, 5)
  return message
}

/** A zero byte would end the field early and let the rest pass for another field. */
const clean = (text: string): string => text.replaceAll('\0', '')

/** Bytes of an ErrorResponse. */
export const errorResponse = (error: NativeError): Buffer =>
  encode(backend.error, [
    `S${error.severity}`,
    `V${error.severity}`,
    `C${error.code}`,
    `M${clean(error.message)}`,
    ...(error.detail === undefined ? [] : [`D${clean(error.detail)}`]),
    ...(error.hint === undefined ? [] : [`H${clean(error.hint)}`]),
    ...(error.position === undefined ? [] : [`P${error.position}`]),
    'Rcairn',
  ])

export type NativeNotice = Pick<NativeError, 'message' | 'detail' | 'hint'>

/** Bytes of a NoticeResponse. */
export const noticeResponse = ({ message, detail, hint }: NativeNotice): Buffer =>
  encode(backend.notice, [
    'SNOTICE',
    'VNOTICE',
    'C00000',
    `M${clean(message)}`,
    ...(detail === undefined ? [] : [`D${clean(detail)}`]),
    ...(hint === undefined ? [] : [`H${clean(hint)}`]),
    'Rcairn',
  ])

export type ErrorFields = {
  readonly severity: string
  readonly code: string
  readonly message: string
}

/** Reads severity, code and message of an ErrorResponse's or NoticeResponse's body. */
export const readErrorFields = (buffer: Buffer, start: number, end: number): ErrorFields => {
  let severity = ''
  let plain = ''
  let code = ''
  let message = ''
  let at = start
  while (at < end && buffer[at] !== 0) {
    const stop = buffer.indexOf(0, at + 1)
    if (stop === -1 || stop >= end) break
    const value = (): string => buffer.toString('utf8', at + 1, stop)
    if (buffer[at] === 0x56) severity = value()
    else if (buffer[at] === 0x53) plain = value()
    else if (buffer[at] === 0x43) code = value()
    else if (buffer[at] === 0x4d) message = value()
    at = stop + 1
  }
  return { severity: severity === '' ? plain : severity, code, message }
}
