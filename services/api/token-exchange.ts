import type { Identity } from '#core/identity/identity.ts'
import type { Target } from '#core/events/types.ts'
import {
  exchangeToken,
  type ExchangeDeps,
  type ExchangeResult,
} from '#lib/identity/token-exchange.ts'
import type { AuditNote, RequestPeer } from './route.ts'

/** Kept of what a client wrote into a refusal's event, characters. */
const requested_chars_max = 256

/** The exchange with what is to be recorded about it. */
export type TokenExchange = (
  parameters: URLSearchParams,
  peer: RequestPeer,
) => Promise<{ readonly result: ExchangeResult; readonly note: AuditNote }>

const targetOf = (name: string, role: string): Target => ({
  name,
  protocol: 'postgres',
  database: '',
  role,
})

const issued = (result: Extract<ExchangeResult, { ok: true }>): AuditNote => {
  const { actor, pipeline } = result.identity
  const { target, role } = result.binding
  return {
    type: 'admin.changed',
    actor,
    pipeline,
    target: targetOf(target, role),
    body: {
      admin_issuer: actor.issuer,
      admin_subject: actor.subject,
      action: 'POST /v1/tokens',
      object: `${target}/${role}`,
      detail: `token ${result.token_id} issued for ${result.body.expires_in} s`,
    },
  }
}

const refused = (
  result: Extract<ExchangeResult, { ok: false }>,
  parameters: URLSearchParams,
): AuditNote => {
  const identity: Identity | null = result.identity
  const given = (name: string): string => (parameters.get(name) ?? '').slice(0, requested_chars_max)
  return {
    type: 'session.refused',
    actor: identity?.actor ?? null,
    pipeline: identity?.pipeline ?? null,
    target: null,
    body: {
      reason:
        result.refusal?.reason ??
        (identity === null
          ? result.body.error
          : result.differences.length > 0
            ? 'context_mismatch'
            : 'policy_denied'),
      detail: `token exchange: ${result.body.error_description}`,
      requested_target: given('audience'),
      requested_role: given('scope'),
      rules: [],
      differences: result.differences,
    },
  }
}

/** Opens the exchange of `POST /v1/tokens`. Every outcome, good or bad, is one note for the trail. */
export const openTokenExchange =
  (
    deps: ExchangeDeps & {
      /** The address that a token for whoever is there is bound to; empty: none. */
      readonly bindablePeer: (address: string) => string
    },
  ): TokenExchange =>
  async (parameters, { address }) => {
    const result = await exchangeToken(parameters, deps, deps.bindablePeer(address))
    return { result, note: result.ok ? issued(result) : refused(result, parameters) }
  }
