import { z } from 'zod'
import { name, path, textOrList, whole } from '../scalars.ts'

/** Signature algorithms an issuer may be allowed: asymmetric ones only, so that a public key can never verify a forged HMAC. */
export const signature_algorithms = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const

/** Fields of the actor and pipeline model that a generic issuer's claims can fill. */
export const mapped_fields = [
  'display_name',
  'groups',
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

const issuerUrl = (doc: string) =>
  z
    .string()
    .max(1024)
    .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
      error: 'expected an https:// URL (http:// on loopback only)',
    })
    .meta({ description: doc, format: 'uri' })

const keys = z
  .strictObject({
    timeout_ms: whole(100, 60_000, 'Limit for fetching discovery document or keys.').default(5000),
    age_max_s: whole(10, 86_400, 'Keys older than this are fetched again.').default(600),
    cooldown_s: whole(
      1,
      3600,
      'Least time between two fetches, however many unknown key ids come.',
    ).default(30),
    stale_max_s: whole(
      0,
      604_800,
      'While the issuer cannot be reached, keys up to this age go on being used; then its tokens are refused.',
    ).default(86_400),
  })
  .prefault({})
  .describe('How the keys of the issuer are kept.')

export const issuers = z
  .array(
    z.strictObject({
      name: name('Name that policies refer to.'),
      preset: z
        .enum(['github-actions', 'gitlab', 'generic'])
        .default('generic')
        .describe('How claims become actor and pipeline.'),
      issuer: issuerUrl('The issuer (iss), compared letter for letter.'),
      audience: textOrList('Audience (aud) that a token must name; one of them if a list.'),
      algorithms: z
        .array(z.enum(signature_algorithms))
        .min(1)
        .default(['RS256', 'ES256', 'EdDSA'])
        .describe('Signature algorithms accepted from this issuer.'),
      clock_skew_s: whole(0, 300, 'Tolerated difference of clocks.').default(30),
      discovery_url: issuerUrl(
        'Discovery document, where it is not at <issuer>/.well-known/openid-configuration.',
      ).exactOptional(),
      jwks_file: path('Key set (JWKS) in a file: no discovery, no fetching.').exactOptional(),
      keys,
      claims: z
        .partialRecord(z.enum(mapped_fields), z.string().min(1).max(256))
        .default({})
        .describe(
          'Field of actor or pipeline to name of the claim that fills it; for preset generic.',
        ),
      actor_kind: z
        .enum(['human', 'workload', 'agent'])
        .exactOptional()
        .describe(
          'Kind of actor behind the tokens; default human for generic, workload for the CI presets.',
        ),
    }),
  )
  .max(100)
  .default([])
  .describe('Issuers of OIDC tokens that are accepted.')
