import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeJwt, decodeProtectedHeader, SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  openTokenSigner,
  openTokenVerifier,
  signCairnToken,
  type TokenSigner,
} from '#lib/identity/cairn-token.ts'
import type { TokenBinding } from '#core/identity/identity.ts'
import { exchangeToken, type ExchangeDeps } from '#lib/identity/token-exchange.ts'
import { localIssuer, type LocalIssuer } from '../../support/issuer.ts'
import { openWorkbench, type Workbench } from './workbench.ts'

let data_dir: string
let issuer: LocalIssuer
let signer: TokenSigner
let bench: Workbench
beforeEach(async () => {
  data_dir = await mkdtemp(join(tmpdir(), 'cairn-keys-'))
  issuer = await localIssuer('github', 'ES256')
  signer = await openTokenSigner(data_dir, 'test')
  bench = openWorkbench([issuer.config('ci')], { cairn: await openTokenVerifier(data_dir, 'test') })
})
afterEach(async () => {
  await issuer[Symbol.asyncDispose]()
  await rm(data_dir, { recursive: true, force: true })
})

const shop = { target: 'shop', role: 'migrator' }

/** What a token of the issuer is bound to for it: the run is that of its claims. */
const bound = (): TokenBinding => ({
  ...shop,
  run: JSON.stringify([issuer.url, 'acme/shop', '9182736450', '2']),
})

const deps = (more: Partial<ExchangeDeps> = {}): ExchangeDeps => ({
  authenticator: bench.authenticator,
  signer,
  authorize: () => Promise.resolve({ allow: true, reason: 'rule deployments' }),
  lifetime_s: 300,
  clock: () => bench.now_s() * 1000,
  newTokenId: () => 'issued-1',
  ...more,
})

const request = (
  token: string,
  changes: Readonly<Record<string, string | undefined>> = {},
): URLSearchParams => {
  const fields = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    audience: 'shop',
    scope: 'migrator',
    ...changes,
  }
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) parameters.set(name, value)
  return parameters
}

const exchanged = async (): Promise<string> => {
  const result = await exchangeToken(request(await issuer.token()), deps())
  if (!result.ok) throw new Error(result.body.error_description)
  return result.body.access_token
}

describe('exchange', () => {
  test('an accepted token becomes a Cairn token that proves the same actor and run', async () => {
    const subject_token = await issuer.token()
    const result = await exchangeToken(request(subject_token), deps())
    if (!result.ok) throw new Error(result.body.error_description)
    expect(result.body).toMatchObject({
      issued_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_type: 'N_A',
      scope: 'migrator',
    })
    expect(result.body.expires_in).toBeGreaterThan(290)
    expect(result).toMatchObject({
      token_id: 'issued-1',
      binding: bound(),
      identity: { issuer: 'ci' },
    })

    const token = result.body.access_token
    expect(decodeProtectedHeader(token)).toMatchObject({
      alg: 'EdDSA',
      typ: 'cairn+jwt',
      kid: signer.kid,
    })
    expect(decodeJwt(token)).toMatchObject({
      iss: 'cairn:test',
      aud: 'cairn-gateway',
      sub: 'repo:acme/shop:environment:production',
    })
    expect(token).not.toContain(subject_token.split('.')[2])

    const direct = await bench.authenticator.authenticate(subject_token)
    const through = await bench.authenticator.authenticate(token, shop)
    if (!direct.ok || !through.ok) throw new Error('refused')
    expect(through.identity.pipeline).toEqual(direct.identity.pipeline)
    expect(through.identity.claims).toEqual(direct.identity.claims)
    expect(through.identity.issuer).toBe('ci')
    expect(through.identity.binding).toEqual(bound())
    const { credential_fingerprint, token_id, ...actor } = through.identity.actor
    expect(direct.identity.actor).toMatchObject(actor)
    expect(token_id).toBe('issued-1')
    expect(credential_fingerprint).not.toBe(direct.identity.actor.credential_fingerprint)
  })

  test('a Cairn token ends with the token it came from at the latest', async () => {
    const result = await exchangeToken(request(await issuer.token({}, { lifetime_s: 40 })), deps())
    expect(result).toMatchObject({
      ok: true,
      body: { expires_in: expect.closeTo(40, -0.5) as number },
    })
  })

  test('a delegation in the token (act) is carried over', async () => {
    const act = { sub: 'agent-7' }
    const result = await exchangeToken(request(await issuer.token({ act })), deps())
    expect(result.ok && decodeJwt(result.body.access_token)['act']).toEqual(act)
  })

  test('the policy decides, and sees who asks for what', async () => {
    const seen: unknown[] = []
    const result = await exchangeToken(
      request(await issuer.token(), { audience: undefined, resource: 'cairn:shop' }),
      deps({
        authorize: (identity, binding) => {
          seen.push([identity.actor.subject, binding])
          return Promise.resolve({ allow: false, reason: 'no policy allows it' })
        },
      }),
    )
    expect(seen).toEqual([['repo:acme/shop:environment:production', bound()]])
    expect(result).toMatchObject({
      ok: false,
      status: 400,
      body: {
        error: 'invalid_target',
        error_description: 'refused by policy: no policy allows it',
      },
      identity: { issuer: 'ci' },
    })
  })

  test.each<[string, Record<string, string | undefined>, string]>([
    ['no grant type', { grant_type: undefined }, 'invalid_request'],
    ['another grant type', { grant_type: 'client_credentials' }, 'unsupported_grant_type'],
    ['no token', { subject_token: '' }, 'invalid_request'],
    ['no token type', { subject_token_type: undefined }, 'invalid_request'],
    [
      'another token type',
      { subject_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      'invalid_request',
    ],
    ['an actor token', { actor_token: 'x' }, 'invalid_request'],
    [
      'another requested type',
      { requested_token_type: 'urn:ietf:params:oauth:token-type:saml2' },
      'invalid_request',
    ],
    ['no target', { audience: undefined }, 'invalid_request'],
    ['two targets', { resource: 'cairn:other' }, 'invalid_target'],
    ['no role', { scope: undefined }, 'invalid_scope'],
    ['two roles', { scope: 'reader migrator' }, 'invalid_scope'],
  ])('a request with %s is refused', async (_what, changes, error) => {
    const result = await exchangeToken(request(await issuer.token(), changes), deps())
    expect(result).toMatchObject({ ok: false, status: 400, body: { error } })
  })

  test('a parameter that stands twice is refused', async () => {
    const parameters = request(await issuer.token())
    parameters.append('scope', 'reader')
    expect(await exchangeToken(parameters, deps())).toMatchObject({
      ok: false,
      body: { error: 'invalid_request' },
    })
  })

  test('a refused subject token says why and not what it was', async () => {
    const token = await issuer.token({ aud: 'other' })
    const result = await exchangeToken(request(token), deps())
    expect(result).toMatchObject({
      ok: false,
      status: 400,
      body: { error: 'invalid_request' },
      refusal: { reason: 'wrong_audience' },
    })
    expect(JSON.stringify(result)).not.toContain(token.split('.')[2])
  })

  test('an issuer that cannot be reached is told apart', async () => {
    issuer.setOutage('cut')
    const result = await exchangeToken(request(await issuer.token()), deps())
    expect(result).toMatchObject({
      ok: false,
      status: 503,
      body: { error: 'temporarily_unavailable' },
    })
  })

  test('a Cairn token is not exchanged again', async () => {
    const again = await exchangeToken(request(await exchanged()), deps())
    expect(again).toMatchObject({ ok: false, refusal: { reason: 'wrong_audience' } })
  })
})

describe('a Cairn token at the gateway', () => {
  test('is good for its target and role only', async () => {
    const token = await exchanged()
    expect(await bench.outcome(token, shop)).toBe('ok')
    expect(await bench.outcome(token, { ...shop, target: 'billing' })).toBe('target_mismatch')
    expect(await bench.outcome(token, { ...shop, role: 'owner' })).toBe('role_mismatch')
    expect(await bench.outcome(token)).toBe('wrong_audience')
  })

  test('ends after its minutes', async () => {
    const token = await exchanged()
    bench.advance(310)
    expect(await bench.outcome(token, shop)).toBe('token_expired')
  })

  test('of another deployment or another key is refused', async () => {
    const found = await bench.authenticator.authenticate(await issuer.token())
    if (!found.ok) throw new Error(found.detail)
    const when = { now_ms: Date.now(), lifetime_s: 60, token_id: 'x' }
    const elsewhere = await signCairnToken(
      { ...signer, issuer: 'cairn:other' },
      found.identity,
      shop,
      when,
    )
    expect(await bench.outcome(elsewhere.token, shop)).toBe('unknown_issuer')
    const other_dir = join(data_dir, 'other')
    const other = await signCairnToken(
      await openTokenSigner(other_dir, 'test'),
      found.identity,
      shop,
      when,
    )
    expect(await bench.outcome(other.token, shop)).toBe('bad_signature')
  })

  test('cannot be signed by a configured issuer, nor with another algorithm or type', async () => {
    const claims = decodeJwt(await exchanged())
    const token = await issuer.token({ ...claims })
    expect(await bench.outcome(token, shop)).toBe('malformed_token')
    const header = { typ: 'cairn+jwt' }
    expect(await bench.outcome(await issuer.token({ ...claims }, { header }), shop)).toBe(
      'algorithm_not_allowed',
    )
    expect(await bench.outcome(await issuer.token({}, { header }))).toBe('malformed_token')
    const untyped = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
      .sign(signer.key)
    expect(await bench.outcome(untyped, shop)).toBe('malformed_token')
  })
})

describe('the signing key', () => {
  test('is readable by its owner only, its public half stands beside it', async () => {
    const file = join(data_dir, 'keys', 'token-signing.pem')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await stat(join(data_dir, 'keys'))).mode & 0o777).toBe(0o700)
    expect(await readFile(join(data_dir, 'keys', 'token-signing.pub'), 'utf8')).toContain(
      'BEGIN PUBLIC KEY',
    )
  })

  test('is one, however many processes come first at the same time', async () => {
    const fresh = join(data_dir, 'fresh')
    const signers = await Promise.all(
      Array.from({ length: 8 }, () => openTokenSigner(fresh, 'test')),
    )
    expect(new Set(signers.map(({ kid }) => kid)).size).toBe(1)
  })

  test('survives a restart', async () => {
    const token = await exchanged()
    const again = openWorkbench([], { cairn: await openTokenVerifier(data_dir, 'test') })
    expect(await again.outcome(token, shop)).toBe('ok')
    expect((await openTokenSigner(data_dir, 'test')).kid).toBe(signer.kid)
  })

  test('is not needed by a gateway that has the public half', async () => {
    const token = await exchanged()
    await rm(join(data_dir, 'keys', 'token-signing.pem'))
    const gateway = openWorkbench([], { cairn: await openTokenVerifier(data_dir, 'test') })
    expect(await gateway.outcome(token, shop)).toBe('ok')
    await expect(stat(join(data_dir, 'keys', 'token-signing.pem'))).rejects.toThrow('ENOENT')
  })

  test('that is broken stops the start and shows nothing of itself', async () => {
    const file = join(data_dir, 'keys', 'token-signing.pem')
    const pem = await readFile(file, 'utf8')
    await writeFile(file, pem.replace('MC4', 'XXX'))
    const error: unknown = await openTokenSigner(data_dir, 'test').catch(
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({
      code: 'config_invalid',
      message: `${file} holds no usable Ed25519 key; restore or remove it`,
    })
    expect((error as Error).cause).toBeUndefined()
  })
})
