import type { PolicyRule } from './policy-set.ts'

/**
 * The one text of a list of policies, whatever file and order of keys they came from: what policy.loaded records, and what the
 * digest in every decision is of (SHA-256 of this text).
 */
export const policyText = (rules: readonly PolicyRule[]): string =>
  JSON.stringify(
    rules.map(({ name, effect, issuers, claims, targets, roles, databases }) => ({
      name,
      effect,
      issuers,
      claims: Object.fromEntries(Object.entries(claims).sort(([a], [b]) => (a < b ? -1 : 1))),
      targets,
      roles,
      databases,
    })),
    undefined,
    2,
  )
