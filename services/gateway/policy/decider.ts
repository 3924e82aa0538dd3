import { evaluateCommand, evaluateSession, type PolicySession } from '#core/policy/evaluate.ts'
import type { SessionRequest } from '#core/policy/policy-set.ts'
import type { Decider, SessionFacts } from '../protocols/postgres/admission.ts'
import type { PolicyHolder } from './policy.ts'

const requestOf = (facts: SessionFacts): SessionRequest => ({
  issuer: facts.identity.issuer,
  claims: facts.identity.claims,
  protocol: 'postgres',
  target: facts.target,
  role: facts.role,
  database: facts.database,
})

/** The decision point over the policy in force. A session's own decision is made once and asked again when the policy changes. */
export const openDecider = (policy: PolicyHolder): Decider => {
  const sessions = new WeakMap<SessionFacts, PolicySession>()
  const remembered = (facts: SessionFacts): PolicySession => {
    const known = sessions.get(facts)
    if (known !== undefined) return known
    const request = requestOf(facts)
    const session = { request, decision: evaluateSession(policy.current().set, request) }
    sessions.set(facts, session)
    return session
  }
  return {
    session: (facts) => {
      const { decision } = remembered(facts)
      const allowed = decision.outcome === 'allow' || decision.dry_run
      return {
        outcome: allowed ? 'allow' : 'deny',
        rules: decision.rules,
        reason: decision.reason,
        policy_digest: decision.policy_digest,
      }
    },
    command: (facts, { statement }) =>
      evaluateCommand(policy.current().set, remembered(facts), statement.analysis),
  }
}
