import type { Context } from '#core/events/types.ts'
import type { Config } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import type { Recorder, SessionRecorder } from '../../recorder/port.ts'
import { sessionContext } from '../../session-context.ts'
import type { Admission, Progress } from './admission.ts'
import type { Refused } from './refused.ts'
import { recordIssued } from './session-credential.ts'
import { hideTokens } from './shown-tokens.ts'

/** What is recorded of a connection: that a session began, or why none did. Whatever came from the client is kept without tokens. */

/** A connection as far as its records go. */
export type RecordedConnection = {
  readonly deps: {
    readonly config: Pick<Config, 'deployment'>
    /** Name of the gateway process. */
    readonly gateway_name: string
    readonly recorder: Recorder
    readonly logger: Logger
    /** Counts how a connection ended. */
    readonly outcome: (outcome: string) => void
  }
  readonly progress: Progress
}

/** A string that came from the client, without tokens. */
const shown = ({ progress }: RecordedConnection, text: string): string =>
  hideTokens(text, progress.shown_password)

/** Context of the records of a connection, as far as it is known. */
export const contextOf = (connection: RecordedConnection): Context => {
  const { deps, progress } = connection
  const { peer, target } = progress
  return sessionContext({
    deployment: deps.config.deployment,
    gateway: deps.gateway_name,
    identity: progress.identity,
    peer: { ...peer, client_software: shown(connection, peer.client_software) },
    target:
      target === null
        ? null
        : {
            ...target,
            database: shown(connection, target.database),
            role: shown(connection, target.role),
          },
  })
}

/** Startup parameters for the record: custom settings may hold anything, so only their names are kept. */
const recordedSettings = (
  connection: RecordedConnection,
  settings: ReadonlyMap<string, string>,
): Record<string, string> =>
  Object.fromEntries(
    [...settings].map(([name, value]) => [
      shown(connection, name),
      name.includes('.') ? '' : shown(connection, value.toWellFormed()),
    ]),
  )

/** Begins the records of a session. Throws CairnError when they cannot be taken. */
export const recordStart = (
  connection: RecordedConnection,
  minor: number,
  { request, credential, decision }: Admission,
): SessionRecorder => {
  const session = connection.deps.recorder.openSession(contextOf(connection), {
    protocol_version: `3.${minor}`,
    parameters: recordedSettings(connection, request.settings),
    decision: 'allow',
    rules: decision.rules,
    policy_digest: decision.policy_digest,
    credential: credential.name,
    target_user: credential.user,
  })
  recordIssued(session, credential)
  return session
}

/** Counts and records why a connection came to no session. */
export const recordRefusal = (
  connection: RecordedConnection,
  refusal: Pick<Refused, 'reason' | 'detail' | 'rules'> & Partial<Pick<Refused, 'differences'>>,
): void => {
  const { deps, progress } = connection
  deps.outcome(refusal.reason)
  try {
    deps.recorder.append('session.refused', contextOf(connection), {
      reason: refusal.reason,
      detail: shown(connection, refusal.detail.toWellFormed()),
      requested_target: shown(connection, progress.requested_target).slice(0, 256),
      requested_role: shown(connection, progress.requested_role).slice(0, 256),
      rules: refusal.rules,
      differences: (refusal.differences ?? []).map(({ field, expected, actual }) => ({
        field,
        // A client may have stated either.
        expected: shown(connection, expected.toWellFormed()),
        actual: shown(connection, actual.toWellFormed()),
      })),
    })
    // Nobody waits for it: the refusal stands whether or not it can be recorded.
    deps.recorder.durable().catch(() => undefined)
  } catch (error) {
    deps.logger.warn({ err: error, reason: refusal.reason }, 'a refusal could not be recorded')
  }
}
