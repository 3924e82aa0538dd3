import type { Actor, Pipeline } from '#core/events/types.ts'
import type { ClaimReader } from './claim-reader.ts'

/** Field of the actor and pipeline model to name of the claim that fills it. */
export type ClaimMapping = Readonly<Partial<Record<string, string | undefined>>>

/** What an issuer's claims say, in the one model. */
export type MappedClaims = {
  readonly display_name: string
  readonly groups: readonly string[]
  readonly pipeline: Pipeline | null
}

/** How the claims of one kind of issuer become actor and pipeline. Its file is its documentation. */
export type Preset = {
  readonly name: string
  /** Kind of actor unless the configuration says otherwise. */
  readonly actor_kind: Actor['kind']
  /** `mapping` is what the configuration gives; only `generic` looks at it. */
  readonly map: (claims: ClaimReader, mapping: ClaimMapping) => MappedClaims
}

/** Defines a preset. */
export const definePreset = (preset: Preset): Preset => preset
