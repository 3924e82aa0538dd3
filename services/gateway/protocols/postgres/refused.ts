import type { CairnError } from '#lib/error.ts'
import type { Difference } from '#core/events/types.ts'
import { sqlstate, type NativeError } from './errors.ts'
import type { ClientStart } from './startup.ts'
import type { UpstreamFailure } from './upstream.ts'

type Native = Omit<NativeError, 'severity'>

/** Ends a handshake: what is recorded (`reason`, `detail`, `rules`, `differences`) and what the client gets, which may be less. */
export class Refused extends Error {
  readonly reason: string
  readonly detail: string
  readonly native: NativeError
  readonly rules: readonly string[]
  readonly differences: readonly Difference[]

  constructor(
    reason: string,
    detail: string,
    native: Native,
    rules: readonly string[] = [],
    differences: readonly Difference[] = [],
  ) {
    super(reason)
    this.name = 'Refused'
    this.reason = reason
    this.detail = detail
    this.native = { severity: 'FATAL', ...native }
    this.rules = rules
    this.differences = differences
  }
}

/** The same words whatever is wrong with a token; the record says what it was. */
export const tokenRefused: Native = {
  code: sqlstate.invalid_password,
  message: 'authentication failed',
  detail: 'The password must be a valid OIDC or Cairn token for this target and role.',
}

/** A token that was good once: whoever shows it had it, so it may know. */
export const tokenUsed: Native = {
  code: sqlstate.invalid_password,
  message: 'authentication failed',
  detail: 'The token has been used already, or its run was ended.',
  hint: 'Get a new token for each session (cairn token), or raise sessions_per_token of the role.',
}

export const ledgerUnavailable: Native = {
  code: sqlstate.audit_unavailable,
  message: 'the session was refused: whether its token was used before could not be found out',
  hint: 'The log is not available. Try again later.',
}

/** The same words for a target or role that is not there and for one that is not allowed. */
export const accessRefused = (target: string, role: string): Native => ({
  code: sqlstate.invalid_authorization,
  message: `no access to target "${target}" as role "${role}"`,
})

export const auditUnavailable = (): Refused =>
  new Refused('audit_unavailable', 'the session could not be recorded', {
    code: sqlstate.audit_unavailable,
    message: 'the session was refused: it could not be recorded',
    hint: 'The audit trail is not available. Try again later.',
  })

/** No credential for the target. The client learns only that; the record says of which source, and why. */
export const credentialUnavailable = (error: CairnError, rules: readonly string[]): Refused =>
  new Refused(
    'credential_unavailable',
    error.message,
    {
      code: sqlstate.connection_failure,
      message: 'the gateway has no credential for the target now',
      hint: 'Try again later. The record of this refusal says what is wrong.',
    },
    rules,
  )

/** A connection that did not get as far as asking for a session. */
export const startRefused = (start: Extract<ClientStart, { kind: 'refused' }>): Refused => {
  const code =
    start.reason === 'tls_required'
      ? sqlstate.invalid_authorization
      : start.unsupported
        ? sqlstate.feature_not_supported
        : sqlstate.protocol_violation
  return new Refused(start.reason, start.detail, { code, message: start.detail })
}

/** A target that did not let the gateway in. What it said itself goes on where it tells nothing about the gateway's account. */
export const targetRefused = (failure: UpstreamFailure, rules: readonly string[]): Refused => {
  const { native, reason, detail } = failure
  return new Refused(
    reason,
    detail,
    native === null
      ? { code: sqlstate.connection_failure, message: detail }
      : { code: native.code, message: native.message },
    rules,
  )
}
