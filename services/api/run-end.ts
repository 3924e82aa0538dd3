import type { Identity, Refusal } from '#core/identity/identity.ts'
import { runOf } from '#core/identity/run.ts'
import type { Authenticator } from '#lib/identity/authenticator.ts'
import type { AuditNote } from './route.ts'

/** What came of the wish to end a run, and what is recorded about it: the record of a good one is what ends it. */
export type RunEnded =
  | { readonly ok: true; readonly identity: Identity; readonly note: AuditNote }
  | {
      readonly ok: false
      readonly reason: 'no_token' | 'no_run' | Refusal['reason']
      readonly detail: string
      readonly note: AuditNote
    }

export type RunEnd = (parameters: URLSearchParams) => Promise<RunEnded>

const refused = (
  reason: Extract<RunEnded, { ok: false }>['reason'],
  detail: string,
  identity: Identity | null,
): RunEnded => ({
  ok: false,
  reason,
  detail,
  note: {
    type: 'session.refused',
    actor: identity?.actor ?? null,
    pipeline: identity?.pipeline ?? null,
    target: null,
    body: {
      reason,
      detail: `end of a run: ${detail}`,
      requested_target: '',
      requested_role: '',
      rules: [],
      differences: [],
    },
  },
})

/**
 * Opens `POST /v1/runs/end`: whoever holds a token of a job may end the job's run, nobody else's. Which run it is stands in the
 * token (issuer, repository, run, attempt), so nothing has to be named.
 */
export const openRunEnd =
  (deps: { readonly authenticator: Authenticator }): RunEnd =>
  async (parameters) => {
    const [token, ...others] = parameters.getAll('subject_token')
    if (token === undefined || token === '' || others.length > 0)
      return refused('no_token', 'subject_token is missing, or stands twice', null)
    const authenticated = await deps.authenticator.authenticate(token)
    if (!authenticated.ok)
      return refused(authenticated.reason, authenticated.detail, authenticated.identity ?? null)
    const { identity } = authenticated
    const { actor, pipeline } = identity
    const run = runOf(actor, pipeline)
    if (run === '') return refused('no_run', 'the token names no run of a CI system', identity)
    return {
      ok: true,
      identity,
      note: {
        type: 'token.revoked',
        actor,
        pipeline,
        target: null,
        body: {
          kind: 'run',
          token: '',
          run,
          session: '',
          reason: 'the run has ended',
          revoked_by: actor.subject,
        },
      },
    }
  }
