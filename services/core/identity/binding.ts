import type { Identity, Refusal, RefusalReason } from './identity.ts'
import { runOf } from './run.ts'

/** Where a token is shown; one that is bound must be bound to exactly this. */
export type ShownAt = {
  readonly target: string
  readonly role: string
  /** Where the client is. */
  readonly peer?: { readonly address: string; readonly port: number }
}

/** This machine, whichever protocol is spoken with it. */
const here = (address: string): string => (address === '::1' ? '127.0.0.1' : address)

/**
 * Why a Cairn token is not good where it is shown; undefined if it is. Whoever calls has verified it.
 * @param shown absent where no Cairn token is good at all (API, exchange)
 */
export const bindingRefusal = (
  identity: Identity,
  shown: ShownAt | undefined,
): Refusal | undefined => {
  const { binding } = identity
  const refused = (
    reason: RefusalReason,
    field: string,
    expected: string,
    actual: string,
  ): Refusal => ({
    ok: false,
    reason,
    detail: `the token is bound to ${field} ${expected}`,
    identity,
    differences: [{ field, expected, actual }],
  })
  if (binding === null) return undefined
  if (shown === undefined)
    return {
      ok: false,
      reason: 'wrong_audience',
      detail: 'a Cairn token is good for the gateway only',
    }
  const { target, role, run, peer } = binding
  if (target !== shown.target) return refused('target_mismatch', 'target', target, shown.target)
  if (role !== shown.role) return refused('role_mismatch', 'role', role, shown.role)
  const actual_run = runOf(identity.actor, identity.pipeline)
  if (run !== undefined && run !== actual_run)
    return refused('run_mismatch', 'run', run, actual_run)
  const address = shown.peer?.address ?? ''
  if (peer !== undefined && here(peer) !== here(address))
    return refused('peer_mismatch', 'peer', peer, address)
  return undefined
}
