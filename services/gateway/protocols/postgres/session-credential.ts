import type { Context } from '#core/events/types.ts'
import { CairnError } from '#lib/error.ts'
import type { CredentialBroker, IssuedCredential } from '../../credentials/port.ts'
import type { Recorder, SessionRecorder } from '../../recorder/port.ts'
import type { SessionFacts } from './admission.ts'
import { accessRefused, credentialUnavailable, Refused } from './refused.ts'

/** The credential of a session: asked for, recorded, ended. */

/**
 * Gets the credential for a session that may be opened. Whoever has it has to see to it that it is revoked. Throws Refused.
 * @param signal aborted when the client goes
 */
export const issueCredential = async (
  credentials: CredentialBroker,
  { identity, target, role, database }: SessionFacts,
  rules: readonly string[],
  signal: AbortSignal,
): Promise<IssuedCredential> => {
  const { display_name, subject } = identity.actor
  const actor = display_name === '' ? subject : display_name
  const issuing = credentials.issue({ target, role, database, actor, signal })
  if (issuing === undefined)
    throw new Refused(
      'role_unknown',
      'no such role at the target',
      accessRefused(target, role),
      rules,
    )
  try {
    return await issuing
  } catch (error) {
    if (!(error instanceof CairnError)) throw error
    throw credentialUnavailable(error, rules)
  }
}

const issued = ({ name, kind, user, expires_us }: IssuedCredential) => ({
  credential: name,
  kind,
  principal: user,
  expires: expires_us,
})

const revoked = ({ name, user }: IssuedCredential, reason: string) => ({
  credential: name,
  principal: user,
  reason,
})

/** Records the credential of a session that begins. */
export const recordIssued = (session: SessionRecorder, credential: IssuedCredential): void => {
  session.append('credential.issued', issued(credential))
}

/** Ends the credential of a session that is over, and records what became of it. */
export const endCredential = async (
  session: SessionRecorder,
  credential: IssuedCredential,
): Promise<void> => {
  session.append('credential.revoked', revoked(credential, await credential.revoke()))
}

/**
 * Ends a credential that no session came to use. What was made at the target or at a vault for it was there, so both its events are recorded,
 * without a session.
 */
export const giveBack = async (
  recorder: Recorder,
  context: Context,
  credential: IssuedCredential,
): Promise<void> => {
  const reason = await credential.revoke()
  if (credential.kind === 'static') return
  recorder.append('credential.issued', context, issued(credential))
  recorder.append(
    'credential.revoked',
    context,
    revoked(credential, `no session used it; ${reason}`),
  )
  await recorder.durable()
}
