import { sqlstate, type NativeError } from './errors.ts'

/** What a client gets as the last message of its session. */

export const shutdown: NativeError = {
  severity: 'FATAL',
  code: sqlstate.admin_shutdown,
  message: 'terminating connection due to administrator command',
}

export const idleTooLong: NativeError = {
  severity: 'FATAL',
  code: sqlstate.idle_session_timeout,
  message: 'terminating connection due to idle-session timeout',
}

export const internalError: NativeError = {
  severity: 'FATAL',
  code: sqlstate.internal_error,
  message: 'internal error in the gateway',
}

export const notRecorded: NativeError = {
  severity: 'FATAL',
  code: sqlstate.audit_unavailable,
  message: 'the command was not run: it could not be recorded',
  hint: 'The audit trail is not available. Try again later.',
}

/** For a command that was sent: a pure read ahead of its record, or one whose answer cannot be recorded. */
export const answerNotRecorded = (pure: boolean): NativeError => ({
  ...notRecorded,
  message: 'the answer is withheld: it could not be recorded',
  detail: pure
    ? 'The command may have run. It is a pure read, sent ahead of its record.'
    : 'The command was sent and may have run.',
})
