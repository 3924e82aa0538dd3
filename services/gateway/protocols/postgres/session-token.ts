import type { Difference } from '#core/events/types.ts'
import { contextDifferences } from '#core/identity/expectation.ts'
import type { Identity, PresentedToken } from '#core/identity/identity.ts'
import { runOf } from '#core/identity/run.ts'
import { token_lifetime_max_s } from '#core/identity/token-index.ts'
import type { TargetConfig } from '#lib/config/schema.ts'
import type { ClaimRefusal } from '#lib/identity/token-ledger.ts'
import type { OwnContext } from '#lib/log/recorder.ts'
import type { TokenLease } from '../../tokens/leases.ts'
import type { GatewayLedger } from '../../tokens/ledger.ts'
import { accessRefused, ledgerUnavailable, Refused, tokenRefused, tokenUsed } from './refused.ts'
import type { Session } from './session.ts'

/** The token of a session: whether it comes from an expected job, its use, and how it ends the session. */

export type RoleConfig = TargetConfig['roles'][number]

const shown = ({ field, expected, actual }: Difference): string =>
  `${field} is "${actual}", expected "${expected}"`

/** Refuses a token of a job that the role does not expect. The client learns no more than of a role that is not there. */
export const checkContext = (target: string, role: RoleConfig, identity: Identity): void => {
  const differences = contextDifferences(role.expect, identity)
  if (differences.length > 0)
    throw new Refused(
      'context_mismatch',
      `the token comes from another context: ${differences.map(shown).join('; ')}`,
      accessRefused(target, role.name),
      [],
      differences,
    )
}

const words = {
  ledger_unavailable: ledgerUnavailable,
  token_replayed: tokenUsed,
  token_revoked: tokenUsed,
  token_expired: tokenRefused,
} as const satisfies Readonly<Record<ClaimRefusal['reason'], unknown>>

/** Claims one use of the token for a session that may be opened. Whoever has the lease has to end it. Throws Refused. */
export const claimToken = async (
  ledger: GatewayLedger,
  identity: Identity,
  token: PresentedToken,
  { sessions_per_token }: RoleConfig,
  context: OwnContext,
  rules: readonly string[],
): Promise<TokenLease> => {
  if (sessions_per_token > 0 && token.lifetime_s > token_lifetime_max_s)
    throw new Refused(
      'token_lifetime',
      `the token lives for ${token.lifetime_s} s; uses are counted for ${token_lifetime_max_s} s at most`,
      tokenRefused,
      rules,
    )
  const { actor, pipeline, peer, target } = context
  const claimed = await ledger.claim({
    token: token.id,
    run: runOf(identity.actor, identity.pipeline),
    uses: sessions_per_token,
    expires_ms: identity.expires_at_s * 1000,
    context: { actor, pipeline, peer, target },
  })
  if (claimed.ok) return claimed.lease
  throw new Refused(claimed.reason, claimed.detail, words[claimed.reason], rules)
}

export type TokenEnd = {
  readonly lease: TokenLease
  readonly role: RoleConfig
  readonly identity: Identity
  /** Milliseconds since 1970. */
  readonly wall_ms: number
}

/** Ends a session when its token is revoked and, where the role says so, when the token or the session's time ends. Dispose it with the session. */
export const endWithToken = (
  { lease, role, identity, wall_ms }: TokenEnd,
  session: Pick<Session, 'terminate'>,
): Disposable => {
  const timers: NodeJS.Timeout[] = []
  const after = (ms: number, detail: string): void => {
    timers.push(setTimeout(() => session.terminate('terminated', detail), ms).unref())
  }
  const onRevoked = (): void => session.terminate('terminated', String(lease.revoked.reason))
  lease.revoked.addEventListener('abort', onRevoked, { once: true })
  if (lease.revoked.aborted) onRevoked()
  const { session_max_s, end_with_token } = role
  if (session_max_s > 0) after(session_max_s * 1000, `the session lasted ${session_max_s} s`)
  if (end_with_token)
    after(Math.max(0, identity.expires_at_s * 1000 - wall_ms), 'the token has ended')
  return {
    [Symbol.dispose]: () => {
      lease.revoked.removeEventListener('abort', onRevoked)
      for (const timer of timers) clearTimeout(timer)
      lease.end()
    },
  }
}
