import type { Difference } from '#core/events/types.ts'
import type { Identity, Refusal, RefusalReason, TokenBinding } from './identity.ts'
import { runOf } from './run.ts'

/** Where a token is shown; one that is bound must be bound to exactly this. */
export type ShownAt = {
  readonly target: string
  readonly role: string
  /** Where the client is. */
  readonly peer?: { readonly address: string; readonly port: number }
  /** Run that the client says it is in, as the CI system names it; empty: it does not say. */
  readonly run?: string
}

/** This machine, whichever protocol is spoken with it. */
const here = (address: string): string => (address === '::1' ? '127.0.0.1' : address)

const refused = (
  identity: Identity,
  reason: RefusalReason,
  { field, expected, actual }: Difference,
): Refusal => ({
  ok: false,
  reason,
  detail: `${field}: expected ${expected}`,
  identity,
  differences: [{ field, expected, actual }],
})

/** A Cairn token against what it is bound to. */
const boundElsewhere = (
  identity: Identity,
  { target, role, run, peer }: TokenBinding,
  shown: ShownAt,
): Refusal | undefined => {
  const own_run = runOf(identity.actor, identity.pipeline)
  const address = shown.peer?.address ?? ''
  if (target !== shown.target)
    return refused(identity, 'target_mismatch', {
      field: 'target',
      expected: target,
      actual: shown.target,
    })
  if (role !== shown.role)
    return refused(identity, 'role_mismatch', { field: 'role', expected: role, actual: shown.role })
  if (run !== undefined && run !== own_run)
    return refused(identity, 'run_mismatch', { field: 'run', expected: run, actual: own_run })
  if (peer !== undefined && here(peer) !== here(address))
    return refused(identity, 'peer_mismatch', { field: 'peer', expected: peer, actual: address })
  return undefined
}

/**
 * Why a token is not good where it is shown; undefined if it is. Whoever calls has verified it. A token of any kind has to be of the run
 * that the client says it is in; a Cairn token also for what it is bound to.
 * @param shown absent where no Cairn token is good at all (API, exchange)
 */
export const bindingRefusal = (
  identity: Identity,
  shown: ShownAt | undefined,
): Refusal | undefined => {
  const { binding, pipeline } = identity
  if (shown === undefined)
    return binding === null
      ? undefined
      : {
          ok: false,
          reason: 'wrong_audience',
          detail: 'a Cairn token is good for the gateway only',
        }
  const { run: stated = '' } = shown
  const run = pipeline?.run ?? ''
  if (stated !== '' && stated !== run)
    return refused(identity, 'run_mismatch', { field: 'run', expected: stated, actual: run })
  return binding === null ? undefined : boundElsewhere(identity, binding, shown)
}
