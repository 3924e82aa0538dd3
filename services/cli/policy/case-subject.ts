import { mapIdentity } from '#core/identity/mapping.ts'
import type { Actor, Pipeline } from '#core/events/types.ts'
import type { SessionRequest } from '#core/policy/policy-rule.ts'
import type { PolicyCase, PolicySubject } from '#lib/config/policy-file.ts'

export type SubjectResult =
  | { readonly ok: true; readonly request: SessionRequest }
  /** What the claims lack, in words. */
  | { readonly ok: false; readonly problem: string }

/** Claims that every token has; a case need not write them. */
const token_claims = { iss: 'https://issuer.invalid', sub: 'case' }

const empty_pipeline: Pipeline = {
  provider: 'generic',
  repository: '',
  ref: '',
  sha: '',
  workflow: '',
  run: '',
  run_attempt: '',
  job: '',
  environment: '',
  triggering_user: '',
  runner: '',
  approval_ticket: '',
}

type Given = Extract<PolicySubject['pipeline'], object>

const pipelineOf = (mapped: Pipeline | null, given: Given | undefined): Pipeline | null => {
  if (given === undefined) return mapped
  const { provider, ...texts } = given
  const base = mapped ?? empty_pipeline
  const known = provider === 'github' || provider === 'gitlab' || provider === 'generic'
  return { ...base, ...texts, ...(known ? { provider } : {}) }
}

/** What a case's session asks for, and who asks: claims become actor and CI run as they do at the gateway. */
export const subjectRequest = (subject: PolicySubject, one: PolicyCase): SubjectResult => {
  const claims = { ...token_claims, ...subject.claims }
  const { issuer, preset } = subject
  const mapped = mapIdentity({ name: issuer, preset, claims: {} }, claims, '')
  if (!mapped.ok) return { ok: false, problem: mapped.detail }
  const { actor, pipeline } = mapped.identity
  const own: Actor = {
    ...actor,
    kind: subject.actor ?? actor.kind,
    groups: subject.groups ?? actor.groups,
  }
  return {
    ok: true,
    request: {
      issuer,
      claims,
      actor: own,
      pipeline: pipelineOf(pipeline, subject.pipeline),
      peer: { address: one.address, client_software: one.client_software },
      protocol: 'postgres',
      target: one.target,
      role: one.role,
      database: one.database ?? one.target,
    },
  }
}
