import type { PolicyRule } from './policy-rule.ts'

const sorted = <Value>(map: Readonly<Record<string, Value>>): Readonly<Record<string, Value>> =>
  Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)))

/** One policy with its fields in order; what it does not say is left out. */
const canonicalRule = (rule: PolicyRule) => ({
  name: rule.name,
  effect: rule.effect,
  dry_run: rule.dry_run === true ? true : undefined,
  reason: rule.reason,
  issuers: rule.issuers,
  claims: sorted(rule.claims),
  groups: rule.groups,
  actors: rule.actors,
  pipeline: rule.pipeline === undefined ? undefined : sorted(rule.pipeline),
  targets: rule.targets,
  roles: rule.roles,
  databases: rule.databases,
  actions: rule.actions,
  objects: rule.objects,
  columns: rule.columns,
  when: rule.when,
  hold:
    rule.hold === undefined
      ? undefined
      : {
          groups: rule.hold.groups,
          quorum: rule.hold.quorum,
          expires_s: rule.hold.expires_s,
        },
})

/**
 * The one text of a policy, whatever file and order of keys it came from: what policy.loaded records, and what the digest in every
 * decision is of (SHA-256 of this text).
 */
export const policyText = (
  rules: readonly PolicyRule[],
  mode: 'enforce' | 'dry_run' = 'enforce',
): string => JSON.stringify({ mode, policies: rules.map(canonicalRule) }, undefined, 2)
