import type { Actor } from '#core/events/types.ts'
import { readClaims } from './claim-reader.ts'
import type { Claims, Identity, Refusal } from './identity.ts'
import type { ClaimMapping } from './preset.ts'
import { presets, type PresetName } from './presets/registry.ts'

/** The parts of an issuer's configuration that the mapping needs. */
export type MappedIssuer = {
  readonly name: string
  readonly preset: PresetName
  readonly claims: ClaimMapping
  readonly actor_kind?: Actor['kind'] | undefined
}

/**
 * Maps the verified claims of an issuer's token to the one actor and pipeline model. Pure: whoever calls has verified signature,
 * issuer, audience and times.
 *
 * @param fingerprint SHA-256 of the token as presented, hex
 * @returns the identity, or `unusable_claims` when the token does not say what its preset needs
 */
export const mapIdentity = (
  issuer: MappedIssuer,
  claims: Claims,
  fingerprint: string,
): { readonly ok: true; readonly identity: Identity } | Refusal => {
  const preset = presets[issuer.preset]
  const reader = readClaims(claims)
  const subject = reader.need('sub')
  const { display_name, groups, pipeline } = preset.map(reader, issuer.claims)
  const actor: Actor = {
    kind: issuer.actor_kind ?? preset.actor_kind,
    issuer: reader.need('iss'),
    subject,
    display_name: display_name || subject,
    groups: [...groups],
    credential_fingerprint: fingerprint,
    token_id: reader.text('jti'),
  }
  if (reader.problems.length > 0) {
    return {
      ok: false,
      reason: 'unusable_claims',
      detail: [...new Set(reader.problems)].join('; '),
    }
  }
  const expires_at_s = typeof claims['exp'] === 'number' ? claims['exp'] : 0
  return {
    ok: true,
    identity: { issuer: issuer.name, actor, pipeline, claims, expires_at_s, binding: null },
  }
}
