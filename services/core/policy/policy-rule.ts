import type { Claims } from '#core/identity/identity.ts'
import type { Actor, Pipeline } from '#core/events/types.ts'

/** Fields of the pipeline model that a policy can ask for. */
export const pipeline_fields = [
  'provider',
  'repository',
  'ref',
  'sha',
  'workflow',
  'run',
  'run_attempt',
  'job',
  'environment',
  'triggering_user',
  'runner',
  'approval_ticket',
] as const

export type PipelineField = (typeof pipeline_fields)[number]

/**
 * One policy as it is written. Within a field any pattern may match; all fields must. A field that is left out asks for nothing, but
 * see `actions`.
 */
export type PolicyRule = {
  readonly name: string
  readonly effect: 'allow' | 'deny' | 'hold'
  /** Its outcome is recorded and not enforced. */
  readonly dry_run?: boolean
  /** Said to whoever is refused or held by it. */
  readonly reason?: string

  readonly issuers: readonly string[]
  /** Claim to values; a claim that is a list matches with any of its entries, one that is absent never. */
  readonly claims: Readonly<Record<string, readonly string[]>>
  /** Groups of the actor. */
  readonly groups?: readonly string[]
  readonly actors?: readonly Actor['kind'][]
  /** Fields of the CI run; an actor without one never matches. */
  readonly pipeline?: Readonly<Partial<Record<PipelineField, readonly string[]>>>

  readonly targets: readonly string[]
  readonly roles: readonly string[]
  readonly databases: readonly string[]

  /** See actions.ts: what is opaque must be named here to be allowed. */
  readonly actions?: readonly string[]
  /** See object-pattern.ts. */
  readonly objects?: readonly string[]
  /** Columns of the objects. */
  readonly columns?: readonly string[]
  /** CEL, see condition.ts. */
  readonly when?: string
  /** For effect hold. */
  readonly hold?: {
    readonly groups: readonly string[]
    readonly quorum: number
    readonly expires_s: number
  }
}

/** Where a client comes from. */
export type PolicyPeer = {
  readonly address: string
  readonly client_software: string
}

/** What a session asks for, and who asks. */
export type SessionRequest = {
  /** Name of the issuer in the configuration. */
  readonly issuer: string
  readonly claims: Claims
  readonly actor: Actor
  readonly pipeline: Pipeline | null
  /** Null where a token is exchanged, before there is a session: conditions on it are open then. */
  readonly peer: PolicyPeer | null
  readonly protocol: 'postgres'
  readonly target: string
  readonly role: string
  readonly database: string
}
