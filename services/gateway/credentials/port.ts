import type { CredentialIssued } from '#core/events/types.ts'
import type { Secret } from '#lib/config/secret.ts'

/** A credential for one session at a target. The client never sees any of it. */
export type IssuedCredential = {
  /** Name in the configuration. */
  readonly name: string
  readonly kind: CredentialIssued['kind']
  /** Account at the target. */
  readonly user: string
  readonly password: Secret
  /** When it ends by itself, microseconds since 1970; null if it does not. */
  readonly expires_us: number | null
  /** Aborted when it has ended and its session has not; the reason is the words for it. */
  readonly lost: AbortSignal
  /**
   * Ends it when the session is over: drops the role, revokes the lease. Never rejects: what could not be done now is done later, or by the
   * credential's own expiry; resolves with the words for credential.revoked. A second call waits for the first.
   */
  revoke(): Promise<string>
}

/** What a credential is asked for. */
export type CredentialRequest = {
  readonly target: string
  readonly role: string
  readonly database: string
  /** For names and comments at the target: who is behind it, without secrets. */
  readonly actor: string
  readonly signal: AbortSignal
}

/** Where the credentials of roles come from. */
export interface CredentialBroker extends AsyncDisposable {
  /**
   * A credential for a role at a target; undefined when the target has no such role.
   * @throws CairnError('target_unavailable') the source does not give one now; the words name the source, never a secret
   */
  issue(request: CredentialRequest): Promise<IssuedCredential> | undefined
}
