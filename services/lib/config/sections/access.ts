import { z } from 'zod'
import {
  claimPatterns,
  host,
  name,
  namePatterns,
  path,
  remotePort,
  secret,
  text,
  textOrList,
  whole,
} from '../scalars.ts'

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

export const targets = z
  .array(
    z.strictObject({
      name: name('Name that clients and policies use.'),
      protocol: z.enum(['postgres']).default('postgres').describe('Protocol of the target.'),
      host: host('Host of the target.'),
      port: remotePort('Port of the target.').default(5432),
      tls: z
        .strictObject({
          mode: z
            .enum(['disable', 'require', 'verify-ca', 'verify-full'])
            .default('verify-full')
            .describe(
              'As libpq names them: none; encrypted; certificate checked; certificate and name checked.',
            ),
          ca_file: path(
            'PEM file of the authorities to trust; default the system ones.',
          ).exactOptional(),
          server_name: host('Name to check and to send, where it is not the host.').exactOptional(),
        })
        .prefault({})
        .describe('TLS to the target.'),
      default_database: text('Database when the client names none.', 63).default('postgres'),
      connect_timeout_ms: whole(100, 600_000, 'Limit for connecting and logging in.').default(
        10_000,
      ),
      roles: z
        .array(
          z.strictObject({
            name: name('Role that a client asks for.'),
            credential: name('Name of the credential the gateway uses for it.'),
          }),
        )
        .max(1000)
        .default([])
        .describe('Roles of the target, each with its credential.'),
    }),
  )
  .max(1000)
  .default([])
  .describe('What sessions can reach.')

export const credentials = z
  .array(
    z.strictObject({
      name: name('Name that roles refer to.'),
      user: text('User at the target.', 63),
      password: secret('Password at the target.'),
    }),
  )
  .max(1000)
  .default([])
  .describe('Credentials of targets. Clients never see them.')

export const policies = z
  .array(
    z.strictObject({
      name: name('Name that stands in every decision.'),
      effect: z
        .enum(['allow', 'deny'])
        .describe('deny beats allow; what no policy allows is denied.'),
      issuers: namePatterns('Issuers it applies to; default all.').default(['*']),
      claims: claimPatterns('Claims that must match, all of them.').default({}),
      targets: namePatterns('Targets it applies to.').default(['*']),
      roles: namePatterns('Roles it applies to.').default(['*']),
      databases: z
        .array(z.string().min(1).max(63))
        .max(1000)
        .default(['*'])
        .describe('Databases it applies to, "*" standing for any run of characters.'),
    }),
  )
  .max(1000)
  .default([])
  .describe('Who may reach what. Default deny.')
