import { zero_hash } from '#core/events/header.ts'
import type { Context, Peer, Target } from '#core/events/types.ts'
import type { Identity } from '#core/identity/identity.ts'

/** The context that every event of a session carries. The recorder fills in the session id. */
export const sessionContext = (options: {
  readonly deployment: string
  /** Name of the gateway process. */
  readonly gateway: string
  /** Null as long as nobody has proven who they are. */
  readonly identity: Identity | null
  readonly peer: Peer
  readonly target: Target | null
}): Context => ({
  deployment: options.deployment,
  gateway: options.gateway,
  session: zero_hash,
  actor: options.identity?.actor ?? null,
  pipeline: options.identity?.pipeline ?? null,
  peer: options.peer,
  target: options.target,
})

/** The context of events that belong to the gateway process itself. */
export const gatewayContext = (deployment: string, gateway: string): Context => ({
  deployment,
  gateway,
  session: zero_hash,
  actor: null,
  pipeline: null,
  peer: null,
  target: null,
})
