import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  calculateJwkThumbprint,
  exportJWK,
  importPKCS8,
  importSPKI,
  SignJWT,
  type CryptoKey,
} from 'jose'
import type { Actor, Pipeline } from '#core/events/types.ts'
import type { Claims, Identity, Refusal, TokenBinding } from '#core/identity/identity.ts'
import { CairnError } from '#lib/error.ts'
import { readOrCreatePrivateFile, replaceFile } from '#lib/private-file.ts'

/**
 * Cairn's own token: minutes long, for one target and one role, signed with Ed25519. It carries who the original token proved,
 * so that a gateway needs nothing but the public key.
 *
 *     header  { alg: EdDSA, typ: cairn+jwt, kid }
 *     claims  { iss: "cairn:<deployment>", aud: "cairn-gateway", sub, iat, nbf, exp, jti, act?, cairn: { target, role,
 *               run?, peer?, issuer, actor, pipeline, claims } }
 *
 * `act` (RFC 8693, section 4.1) is carried over where the original token has one. `cairn.claims` are the original claims, which policies ask for.
 */
export const cairn_audience = 'cairn-gateway'
const algorithm = 'EdDSA'

/** Issuer of the Cairn tokens of a deployment. */
export const cairnIssuer = (deployment: string): string => `cairn:${deployment}`

export type TokenSigner = { readonly key: CryptoKey; readonly kid: string; readonly issuer: string }
export type TokenVerifier = { readonly key: CryptoKey; readonly issuer: string }

const private_name = 'token-signing.pem'
const public_name = 'token-signing.pub'

const publicPem = (key: KeyObject): string =>
  createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()

const usable = <T>(file: string, make: () => T): T => {
  try {
    return make()
  } catch {
    // The library's message may quote key material; the file's name is enough.
    throw new CairnError(
      'config_invalid',
      `${file} holds no usable Ed25519 key; restore or remove it`,
    )
  }
}

const privateKeyOf = async (data_dir: string): Promise<KeyObject> => {
  const file = join(data_dir, 'keys', private_name)
  const pem = await readOrCreatePrivateFile(file, () =>
    Promise.resolve(
      generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    ),
  )
  const key = usable(file, () => createPrivateKey(pem))
  if (key.asymmetricKeyType !== 'ed25519')
    throw new CairnError('config_invalid', `${file} is not an Ed25519 key`)
  await replaceFile(join(data_dir, 'keys', public_name), publicPem(key))
  return key
}

/**
 * Opens the key that signs Cairn tokens: `data_dir/keys/token-signing.pem` (0600), made by whichever process comes first; its public half
 * beside it as `token-signing.pub`. Throws CairnError('config_invalid') when the file is no such key.
 */
export const openTokenSigner = async (
  data_dir: string,
  deployment: string,
): Promise<TokenSigner> => {
  const pem = (await privateKeyOf(data_dir)).export({ type: 'pkcs8', format: 'pem' }).toString()
  const key = await importPKCS8(pem, algorithm, { extractable: true })
  const { d: _private, ...jwk } = await exportJWK(key)
  return { key, kid: await calculateJwkThumbprint(jwk), issuer: cairnIssuer(deployment) }
}

/**
 * Opens the key that verifies Cairn tokens. A gateway that has only `token-signing.pub` (the private key lives where the API is) needs
 * nothing more; where neither file is there yet, the pair is made.
 */
export const openTokenVerifier = async (
  data_dir: string,
  deployment: string,
): Promise<TokenVerifier> => {
  const file = join(data_dir, 'keys', public_name)
  const pem = await readFile(file, 'utf8').catch(async () =>
    publicPem(await privateKeyOf(data_dir)),
  )
  usable(file, () => createPublicKey(pem))
  return { key: await importSPKI(pem, algorithm), issuer: cairnIssuer(deployment) }
}

/**
 * Signs a Cairn token for an identity that was verified and allowed. It never outlives the token it was exchanged for.
 * @returns the token and when it ends, seconds since 1970
 */
export const signCairnToken = async (
  signer: TokenSigner,
  identity: Identity,
  binding: TokenBinding,
  when: { readonly now_ms: number; readonly lifetime_s: number; readonly token_id: string },
): Promise<{ readonly token: string; readonly expires_at_s: number }> => {
  const now_s = Math.floor(when.now_ms / 1000)
  const expires_at_s = Math.min(now_s + when.lifetime_s, identity.expires_at_s)
  const { actor, pipeline, claims } = identity
  const act = claims['act']
  const token = await new SignJWT({
    ...(act !== null && typeof act === 'object' ? { act } : {}),
    cairn: { ...binding, issuer: identity.issuer, actor, pipeline, claims },
  })
    .setProtectedHeader({ alg: algorithm, typ: 'cairn+jwt', kid: signer.kid })
    .setIssuer(signer.issuer)
    .setAudience(cairn_audience)
    .setSubject(actor.subject)
    .setIssuedAt(now_s)
    .setNotBefore(now_s)
    .setExpirationTime(expires_at_s)
    .setJti(when.token_id)
    .sign(signer.key)
  return { token, expires_at_s }
}

/** What `signCairnToken` put into the claim `cairn`; our own signature vouches for its shape. */
type CairnClaim = TokenBinding & {
  readonly issuer: string
  readonly actor: Actor
  readonly pipeline: Pipeline | null
  readonly claims: Claims
}

/** The identity in the verified claims of a Cairn token. @param fingerprint SHA-256 of the token as presented, hex */
export const cairnIdentity = (
  claims: Claims,
  fingerprint: string,
): { readonly ok: true; readonly identity: Identity } | Refusal => {
  const cairn = claims['cairn'] as CairnClaim | undefined
  if (cairn === undefined)
    return { ok: false, reason: 'unusable_claims', detail: 'claim cairn is missing' }
  const token_id = typeof claims['jti'] === 'string' ? claims['jti'] : ''
  const identity: Identity = {
    issuer: cairn.issuer,
    actor: { ...cairn.actor, credential_fingerprint: fingerprint, token_id },
    pipeline: cairn.pipeline,
    claims: cairn.claims,
    expires_at_s: Number(claims['exp']),
    binding: {
      target: cairn.target,
      role: cairn.role,
      ...(cairn.run === undefined ? {} : { run: cairn.run }),
      ...(cairn.peer === undefined ? {} : { peer: cairn.peer }),
    },
  }
  return { ok: true, identity }
}
