import type { CredentialConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { CredentialRequest, IssuedCredential } from './port.ts'

/** One credential of the configuration, ready to be issued to sessions. */
export interface CredentialSource {
  /** @throws CairnError('target_unavailable') it does not give one now */
  issue(request: CredentialRequest): Promise<IssuedCredential>
}

/** The words for credential.revoked where nothing had to be undone at the target. */
export const session_over = 'the session is over'

const never = new AbortController().signal

/** What a credential has that lives longer than its sessions. */
export const lasting = {
  kind: 'static',
  expires_us: null,
  lost: never,
  revoke: () => Promise.resolve(session_over),
} as const

/** A source that gives nothing now. The words name the credential and say what to look at; they never hold a secret. */
export const unavailable = (
  { name }: Pick<CredentialConfig, 'name'>,
  why: string,
  cause?: unknown,
): CairnError => new CairnError('target_unavailable', `credential ${name}: ${why}`, { cause })
