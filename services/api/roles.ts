import { claimAt } from '#core/identity/claim-reader.ts'
import type { Identity } from '#core/identity/identity.ts'
import { anyOf } from '#core/policy/pattern.ts'
import type { ApiRoleConfig } from '#lib/config/schema.ts'
import type { Role } from './caller.ts'

const texts = (claim: unknown): readonly string[] =>
  (Array.isArray(claim) ? (claim as readonly unknown[]) : [claim]).flatMap((value) =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? [String(value)]
      : [],
  )

const fits = (rule: ApiRoleConfig, identity: Identity): boolean =>
  anyOf(rule.issuers)(identity.issuer) &&
  Object.entries(rule.claims).every(([name, patterns]) =>
    texts(claimAt(identity.claims, name)).some(anyOf(patterns)),
  ) &&
  (rule.groups.length === 0 || rule.groups.some((group) => identity.actor.groups.includes(group)))

/** Roles that the configuration (`api.roles`) gives an identity. A rule applies when issuer, all its claims and one of its groups fit. */
export const rolesOf = (identity: Identity, rules: readonly ApiRoleConfig[]): ReadonlySet<Role> =>
  new Set(rules.filter((rule) => fits(rule, identity)).map(({ role }) => role))
