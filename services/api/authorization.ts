import { contextDifferences } from '#core/identity/expectation.ts'
import type { Identity, TokenBinding } from '#core/identity/identity.ts'
import { evaluateSession } from '#core/policy/evaluate.ts'
import type { Config } from '#lib/config/schema.ts'
import type { Authorized } from '#lib/identity/token-exchange.ts'
import type { PolicyHolder } from '#lib/policy/policy.ts'

/**
 * Expected job and policy at the token exchange: may this identity reach this target in this role, in some database? Which database is asked when a
 * session opens, where the gateway decides again; so a policy for other databases than the default one still gives a token.
 */
export const openAuthorization = (
  config: Pick<Config, 'targets'>,
  policy: PolicyHolder,
  /** Milliseconds since 1970. */
  clock: () => number,
) => {
  return async (identity: Identity, { target, role }: TokenBinding): Promise<Authorized> => {
    const found = config.targets.find(({ name }) => name === target)
    const wanted = found?.roles.find(({ name }) => name === role)
    if (found === undefined || wanted === undefined)
      return { allow: false, reason: 'there is no such target or role' }
    const differences = contextDifferences(wanted.expect, identity)
    // What is expected instead is nothing that the token's holder has to know.
    if (differences.length > 0)
      return { allow: false, reason: 'the role is for other jobs', differences }
    const { set } = policy.current()
    // A concrete name for every pattern that a policy has: if any database is allowed, one of these is.
    const named = set.rules.flatMap(({ rule }) =>
      rule.databases.map((pattern) => pattern.replaceAll('*', '')),
    )
    const decisions = [...new Set([found.default_database, ...named])].map((database) =>
      evaluateSession(
        set,
        {
          issuer: identity.issuer,
          claims: identity.claims,
          actor: identity.actor,
          pipeline: identity.pipeline,
          peer: null,
          protocol: found.protocol,
          target,
          role,
          database,
        },
        clock(),
      ),
    )
    const allowed = decisions.find(({ outcome, dry_run }) => outcome === 'allow' || dry_run)
    const said = allowed ?? decisions[0]
    return {
      allow: allowed !== undefined,
      reason:
        said === undefined ? 'no policy allows it' : `${said.rules.join(', ')}: ${said.reason}`,
    }
  }
}
