import { openPolicySession, type PolicySession } from '#core/policy/policy-session.ts'
import type { SessionRequest } from '#core/policy/policy-rule.ts'
import type { Decider, SessionFacts } from '../protocols/postgres/admission.ts'
import type { PolicyHolder } from '#lib/policy/policy.ts'

const requestOf = (facts: SessionFacts): SessionRequest => ({
  issuer: facts.identity.issuer,
  claims: facts.identity.claims,
  actor: facts.identity.actor,
  pipeline: facts.identity.pipeline,
  peer: facts.peer,
  protocol: 'postgres',
  target: facts.target,
  role: facts.role,
  database: facts.database,
})

/**
 * The decision point over the policy in force: what a session was told when it opened is asked again when the policy changes.
 * `clock` milliseconds since 1970.
 */
export const openDecider = (policy: PolicyHolder, clock: () => number): Decider => {
  const sessions = new WeakMap<SessionFacts, PolicySession>()
  const sessionOf = (facts: SessionFacts): PolicySession => {
    const known = sessions.get(facts)
    if (known !== undefined) return known
    const session = openPolicySession(requestOf(facts))
    sessions.set(facts, session)
    return session
  }
  return {
    session: (facts) => {
      const decision = sessionOf(facts).session(policy.current().set, clock())
      const allowed = decision.outcome === 'allow' || decision.dry_run
      return {
        outcome: allowed ? 'allow' : 'deny',
        rules: decision.rules,
        reason: decision.reason,
        policy_digest: decision.policy_digest,
      }
    },
    command: (facts, command, path) =>
      sessionOf(facts).command(policy.current().set, command, path, clock()),
  }
}
