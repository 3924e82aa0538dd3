import { hash } from 'node:crypto'
import type { Identity, PresentedToken, Refusal } from '#core/identity/identity.ts'
import { bindingRefusal, type ShownAt } from '#core/identity/binding.ts'
import type { Claims } from '#core/identity/identity.ts'
import { mapIdentity } from '#core/identity/mapping.ts'
import type { Config, IssuerConfig } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import { counter } from '#lib/metrics.ts'
import {
  cairn_audience,
  cairnIdentity,
  openTokenVerifier,
  type TokenVerifier,
} from './cairn-token.ts'
import { openIssuerKeys, type IssuerKeys } from './issuer-keys.ts'
import type { Fetch } from './json-fetch.ts'
import { parseToken, type TokenParts } from './token-parts.ts'
import { verifyToken } from './verification.ts'

/** Tolerated difference of clocks between Cairn's own processes, seconds. */
const cairn_clock_skew_s = 5

export type Authenticated =
  { readonly ok: true; readonly identity: Identity; readonly token: PresentedToken } | Refusal

export interface Authenticator {
  /**
   * Proves who presents a token: one of a configured issuer, or a Cairn token. Where it is shown at the gateway, it has
   * to be good there: of the run that the client states, and a Cairn token for exactly that target, role, run and address. Elsewhere (API,
   * exchange) Cairn tokens are refused as `wrong_audience`.
   *
   * Never throws for what a client sends. Neither result nor log line holds the token.
   */
  authenticate(token: string, shown?: ShownAt): Promise<Authenticated>
}

export type AuthenticatorDeps = {
  readonly logger: Logger
  /** Verifies Cairn tokens; absent: they are from an unknown issuer. */
  readonly cairn?: TokenVerifier
  readonly fetch?: Fetch
  /** Milliseconds since 1970. */
  readonly clock?: () => number
}

type OpenIssuer = { readonly config: IssuerConfig; readonly keys: IssuerKeys }

const refused = (reason: Refusal['reason'], detail: string): Refusal => ({
  ok: false,
  reason,
  detail,
})

const fingerprintOf = (token: string): string => hash('sha256', token)

/** SHA-256 of issuer and token id. A signature may be written in several ways, so a token without an id is known by what is signed. */
const tokenIdOf = (issuer: string, token_id: string, token: string): string =>
  fingerprintOf(
    token_id === '' ? token.slice(0, token.lastIndexOf('.')) : JSON.stringify([issuer, token_id]),
  )

const presented = (
  found: { readonly ok: true; readonly identity: Identity } | Refusal,
  claims: Claims,
  token: string,
  shown: ShownAt | undefined,
): Authenticated => {
  if (!found.ok) return found
  const { identity } = found
  const refusal = bindingRefusal(identity, shown)
  if (refusal !== undefined) return refusal
  const id = tokenIdOf(String(claims['iss']), identity.actor.token_id, token)
  return {
    ok: true,
    identity,
    token: { id, lifetime_s: identity.expires_at_s - Number(claims['iat']) },
  }
}

const authenticateCairn = async (
  token: string,
  parts: TokenParts,
  verifier: TokenVerifier,
  shown: ShownAt | undefined,
  now_ms: number,
): Promise<Authenticated> => {
  if (parts.typ !== 'cairn+jwt')
    return refused('malformed_token', 'header: typ is not that of a Cairn token')
  if (parts.header.alg !== 'EdDSA')
    return refused('algorithm_not_allowed', 'a Cairn token is signed with EdDSA')
  const verified = await verifyToken(token, verifier.key, {
    issuer: verifier.issuer,
    audience: [cairn_audience],
    algorithms: ['EdDSA'],
    clock_skew_s: cairn_clock_skew_s,
    now_ms,
  })
  if (!verified.ok) return verified
  const found = cairnIdentity(verified.claims, fingerprintOf(token))
  return presented(found, verified.claims, token, shown)
}

const authenticateOidc = async (
  token: string,
  parts: TokenParts,
  issuer: OpenIssuer,
  shown: ShownAt | undefined,
  clock: () => number,
): Promise<Authenticated> => {
  const { config, keys } = issuer
  if (parts.typ === 'cairn+jwt')
    return refused('malformed_token', 'header: typ is that of a Cairn token')
  if (!config.algorithms.some((algorithm) => algorithm === parts.header.alg)) {
    return refused(
      'algorithm_not_allowed',
      `issuer ${config.name} may not sign with this algorithm; allowed: ${config.algorithms.join(', ')}`,
    )
  }
  const found = await keys.find(parts.header)
  if (!found.ok) return found
  const verified = await verifyToken(token, found.key, { ...config, now_ms: clock() })
  if (!verified.ok) return verified
  const { claims } = verified
  return presented(mapIdentity(config, claims, fingerprintOf(token)), claims, token, shown)
}

/** Creates the authenticator for a list of issuers. Keys are fetched at an issuer's first token. */
export const createAuthenticator = (
  issuers: readonly IssuerConfig[],
  deps: AuthenticatorDeps,
): Authenticator => {
  const clock = deps.clock ?? Date.now
  const fetch = deps.fetch ?? globalThis.fetch
  // The lookup by the whole issuer comes before any fetch: a token can send us nowhere that is not configured.
  const open = new Map<string, OpenIssuer>(
    issuers.map((config) => [
      config.issuer,
      { config, keys: openIssuerKeys(config, { fetch, clock, logger: deps.logger }) },
    ]),
  )
  const outcomes = counter({
    name: 'authentications_total',
    help: 'Credentials presented, by issuer in the configuration and outcome.',
    labels: ['issuer', 'outcome'],
  })

  const decide = async (
    token: string,
    shown: ShownAt | undefined,
  ): Promise<[string, Authenticated]> => {
    const parsed = parseToken(token)
    if (!parsed.ok) return ['', parsed]
    const { iss } = parsed.parts.claims
    if (typeof iss !== 'string') return ['', refused('unusable_claims', 'claim iss is missing')]
    const { cairn } = deps
    if (cairn !== undefined && iss === cairn.issuer) {
      return ['cairn', await authenticateCairn(token, parsed.parts, cairn, shown, clock())]
    }
    const issuer = open.get(iss)
    if (issuer === undefined)
      return ['', refused('unknown_issuer', 'the issuer of the token is not configured')]
    return [issuer.config.name, await authenticateOidc(token, parsed.parts, issuer, shown, clock)]
  }

  return {
    authenticate: async (token, shown) => {
      const [issuer, result] = await decide(token, shown)
      outcomes.inc({ issuer, outcome: result.ok ? 'ok' : result.reason })
      return result
    },
  }
}

/** Creates the authenticator of a service from its configuration, Cairn tokens included. */
export const openAuthenticator = async (
  config: Pick<Config, 'issuers' | 'data_dir' | 'deployment'>,
  deps: Omit<AuthenticatorDeps, 'cairn'>,
): Promise<Authenticator> =>
  createAuthenticator(config.issuers, {
    ...deps,
    cairn: await openTokenVerifier(config.data_dir, config.deployment),
  })
