import type { Actor, Pipeline } from '#core/events/types.ts'

/** Claims of a verified token, as the issuer wrote them. */
export type Claims = Readonly<Record<string, unknown>>

/** Who is there, proven: the one model that policies, events and screens use, whatever the issuer. */
export type Identity = {
  /** Name of the issuer in the configuration: what policies refer to. */
  readonly issuer: string
  readonly actor: Actor
  /** The CI run behind a workload; null for people and other workloads. */
  readonly pipeline: Pipeline | null
  /** All claims of the issuer's token, for policies. Never recorded as they are. */
  readonly claims: Claims
  /** When the presented token ends, seconds since 1970. */
  readonly expires_at_s: number
  /** What a Cairn token is bound to; null for a token of the issuer itself. */
  readonly binding: TokenBinding | null
}

/** The one target and role that a Cairn token is good for. */
export type TokenBinding = { readonly target: string; readonly role: string }

/** Why a credential is refused. Stable: they stand in session.refused events, metrics and API problems. */
export type RefusalReason =
  | 'malformed_token'
  | 'token_too_large'
  | 'unknown_issuer'
  | 'algorithm_not_allowed'
  | 'issuer_unavailable'
  | 'unknown_key'
  | 'bad_signature'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'wrong_audience'
  | 'unusable_claims'
  | 'target_mismatch'
  | 'role_mismatch'

/** `detail` says in words what differed; it never holds the token or a part of its signature. */
export type Refusal = {
  readonly ok: false
  readonly reason: RefusalReason
  readonly detail: string
}
