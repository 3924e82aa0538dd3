import { claimAt } from '#core/identity/claim-reader.ts'
import type { Claims } from '#core/identity/identity.ts'
import type { Outcome } from './decision.ts'
import { anyOf, type Matcher } from './pattern.ts'

/** One policy as it is written. Within a field any pattern may match; all fields must. */
export type PolicyRule = {
  readonly name: string
  readonly effect: 'allow' | 'deny' | 'hold'
  readonly issuers: readonly string[]
  /** Claim to values; a claim that is a list matches with any of its entries, one that is absent never. */
  readonly claims: Readonly<Record<string, readonly string[]>>
  readonly targets: readonly string[]
  readonly roles: readonly string[]
  readonly databases: readonly string[]
}

/** What a session asks for, and who asks. */
export type SessionRequest = {
  /** Name of the issuer in the configuration. */
  readonly issuer: string
  readonly claims: Claims
  readonly protocol: 'postgres'
  readonly target: string
  readonly role: string
  readonly database: string
}

export type CompiledRule = {
  readonly name: string
  readonly effect: Outcome
  readonly matches: (request: SessionRequest) => boolean
}

/** Policies in force. Immutable: another text is another set. */
export type PolicySet = {
  readonly digest: string
  /** Decisions are made and recorded, and nothing is refused for them. */
  readonly dry_run: boolean
  readonly rules: readonly CompiledRule[]
}

const isText = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

const claimMatches = (value: unknown, matches: Matcher): boolean => {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.some((item) => isText(item) && matches(String(item)))
}

const compileRule = (rule: PolicyRule): CompiledRule => {
  const issuer = anyOf(rule.issuers)
  const target = anyOf(rule.targets)
  const role = anyOf(rule.roles)
  const database = anyOf(rule.databases)
  const claims = Object.entries(rule.claims).map(([name, values]) => ({
    name,
    matches: anyOf(values),
  }))
  return {
    name: rule.name,
    effect: rule.effect,
    matches: (request) =>
      issuer(request.issuer) &&
      target(request.target) &&
      role(request.role) &&
      database(request.database) &&
      claims.every(({ name, matches }) => claimMatches(claimAt(request.claims, name), matches)),
  }
}

/** Compiles policies. `digest` is the SHA-256 of their text, hex. */
export const compilePolicies = (
  rules: readonly PolicyRule[],
  digest: string,
  options: { readonly dry_run?: boolean } = {},
): PolicySet => ({ digest, dry_run: options.dry_run ?? false, rules: rules.map(compileRule) })
