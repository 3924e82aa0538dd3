import type { Actor, Difference, Pipeline } from '#core/events/types.ts'

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

/** What a Cairn token is good for: one target and role, and, where that is known, for one run and from one address. */
export type TokenBinding = {
  readonly target: string
  readonly role: string
  /** Run that the token was issued in (run.ts). */
  readonly run?: string
  /** Address of the client that the token was issued to. */
  readonly peer?: string
}

/** What is to be known of a presented token itself. */
export type PresentedToken = {
  /** Names the token wherever it is shown: SHA-256 of issuer and token id, hex; of its signed part where it has no id. */
  readonly id: string
  /** From its issue to its end, seconds. */
  readonly lifetime_s: number
}

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
  | 'run_mismatch'
  | 'peer_mismatch'

/** `detail` says in words what differed; it never holds the token or a part of its signature. */
export type Refusal = {
  readonly ok: false
  readonly reason: RefusalReason
  readonly detail: string
  /** Whose token it is, where that is proven and the token is refused for where it was shown. */
  readonly identity?: Identity
  /** What differs from where the token is good. */
  readonly differences?: readonly Difference[]
}
