import type { SqlAnalysis } from '#core/sql/analysis.ts'
import { builtin_rules, type CommandDecision, type Decision, type Outcome } from './decision.ts'
import type { PolicySet, SessionRequest } from './policy-set.ts'
import { riskOf } from './risk.ts'

/** Strictest first: deny beats hold beats mask beats allow. */
const strictness: readonly Outcome[] = ['deny', 'hold', 'mask', 'allow']

/** Names come from the client: quoted as JSON, so that none of them can end a line or a field. */
const asked = ({ issuer, role, target, database }: SessionRequest): string => {
  const [r, t, d, i] = [role, target, database, issuer].map((name) => JSON.stringify(name))
  return `role ${r} on target ${t}, database ${d}, by issuer ${i}`
}

/** May this session be opened? Default deny; the strictest matching effect wins, and every rule with that effect is named. */
export const evaluateSession = (set: PolicySet, request: SessionRequest): Decision => {
  const { digest: policy_digest, dry_run } = set
  const matching = set.rules.filter((rule) => rule.matches(request))
  const outcome = strictness.find((at) => matching.some(({ effect }) => effect === at))
  if (!outcome) {
    const reason = `no policy allows ${asked(request)}`
    const rules = [builtin_rules.default_deny]
    return { outcome: 'deny', rules, reason, policy_digest, risk: 0, dry_run }
  }
  const rules = matching.filter(({ effect }) => effect === outcome).map(({ name }) => name)
  const verb = { deny: 'denied', hold: 'held', mask: 'masked', allow: 'allowed' }[outcome]
  return {
    outcome,
    rules,
    reason: `${asked(request)}: ${verb} by ${rules.join(', ')}`,
    policy_digest,
    risk: 0,
    dry_run,
  }
}

/** An open session: what it asked for, and what was decided then. */
export type PolicySession = { readonly request: SessionRequest; readonly decision: Decision }

/**
 * May this command run? As the session may, decided anew when the policy has changed since; a command that could not be parsed is
 * denied by `builtin:unparsed`, since nobody knows what it would do. Under a microsecond.
 */
export const evaluateCommand = (
  set: PolicySet,
  session: PolicySession,
  analysis: SqlAnalysis,
): CommandDecision => {
  const current = session.decision.policy_digest === set.digest
  const base = current ? session.decision : evaluateSession(set, session.request)
  const risk = riskOf(analysis)
  if (analysis.ok || base.outcome === 'deny') return { ...base, risk, hold: null }
  return {
    outcome: 'deny',
    rules: [builtin_rules.unparsed],
    reason: 'the command could not be parsed, so what it does is unknown',
    policy_digest: set.digest,
    risk,
    // Not a policy's opinion: it is enforced also in a dry run.
    dry_run: false,
    hold: null,
  }
}
