/** Every way in which Cairn fails on purpose. Stable: they stand in logs, metrics and API problems. */
export type ErrorCode =
  | 'audit_unavailable'
  | 'config_invalid'
  | 'journal_corrupt'
  | 'log_unavailable'
  | 'log_fenced'
  | 'log_record_too_large'
  | 'log_unknown_topic'
  | 'log_closed'
  | 'log_invalid'
  | 'identity_refused'
  | 'issuer_unavailable'
  | 'protocol_violation'
  | 'target_unavailable'
  | 'store_unavailable'
  | 'schema_conflict'
  | 'sink_unavailable'
  | 'limit_exceeded'
  | 'not_found'
  | 'conflict'
  | 'forbidden'
  | 'unusable_input'

/** The one error class: what went wrong is in `code`, why and what to do is in the message. Never carries a secret. */
export class CairnError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'CairnError'
    this.code = code
  }
}
