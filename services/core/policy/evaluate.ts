import { builtin_rules, type Decision } from './decision.ts'
import type { PolicySet } from './policy-set.ts'
import type { PolicyRule, SessionRequest } from './policy-rule.ts'
import { sessionRules, sessionScope, type ScopedRule, type SessionScope } from './session-scope.ts'

/** Rules named in one decision; the rest would say nothing more. */
const rules_max = 100

export const ruleNames = (rules: readonly PolicyRule[]): readonly string[] =>
  rules.slice(0, rules_max).map(({ name }) => name)

/** The reasons that rules give, for whoever is refused. */
export const ownReasons = (rules: readonly PolicyRule[]): string => {
  const given = rules.flatMap(({ reason }) => (reason === undefined ? [] : [reason]))
  return given.length === 0 ? '' : ` (${given.slice(0, 3).join('; ')})`
}

/** Names come from the client: quoted as JSON, so that none of them can end a line or a field. */
export const quoted = (name: string): string => JSON.stringify(name)

const asked = ({ issuer, role, target, database }: SessionRequest): string =>
  `role ${quoted(role)} on target ${quoted(target)}, database ${quoted(database)}, by issuer ${quoted(issuer)}`

const decideBy = (
  rules: readonly ScopedRule[],
  request: SessionRequest,
): Pick<Decision, 'outcome' | 'rules' | 'reason'> => {
  const { denies, allows } = sessionRules(rules)
  const [by, verb] = denies.length > 0 ? [denies, 'denied'] : [allows, 'allowed']
  if (by.length === 0)
    return {
      outcome: 'deny',
      rules: [builtin_rules.default_deny],
      reason: `no policy allows ${asked(request)}`,
    }
  const names = ruleNames(by)
  return {
    outcome: denies.length > 0 ? 'deny' : 'allow',
    rules: names,
    reason: `${asked(request)}: ${verb} by ${names.join(', ')}${denies.length > 0 ? ownReasons(denies) : ''}`,
  }
}

/** Splits what is enforced from what is only recorded: a rule in a dry run never refuses, and never allows. */
export const withDryRules = <Decided extends Pick<Decision, 'outcome'>>(
  scope: SessionScope,
  decide: (rules: readonly ScopedRule[]) => Decided,
): Decided & { readonly dry_run: boolean } => {
  const { dry_run } = scope.set
  if (!scope.dry_rules) return { ...decide(scope.rules), dry_run }
  const enforced = decide(scope.rules.filter(({ compiled }) => compiled.rule.dry_run !== true))
  if (enforced.outcome !== 'allow') return { ...enforced, dry_run }
  const all = decide(scope.rules)
  return all.outcome === 'allow' ? { ...enforced, dry_run } : { ...all, dry_run: true }
}

/** May a session be opened, by the rules about it? See `evaluateSession`. */
export const decideSession = (scope: SessionScope, request: SessionRequest): Decision => ({
  ...withDryRules(scope, (rules) => decideBy(rules, request)),
  policy_digest: scope.set.digest,
  risk: 0,
})

/**
 * May this session be opened? Yes if some rule may allow something in it; no if a rule denies everything in it, or none allows
 * anything. Every rule that says so is named. `now_ms` milliseconds since 1970.
 */
export const evaluateSession = (
  set: PolicySet,
  request: SessionRequest,
  now_ms: number,
): Decision => decideSession(sessionScope(set, request, now_ms), request)
