import { createHash } from 'node:crypto'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localIssuer, newSigningKey, type LocalIssuer } from '../../support/issuer.ts'
import { openWorkbench, type Workbench } from './workbench.ts'

let github: LocalIssuer
let bench: Workbench
beforeAll(async () => {
  github = await localIssuer('github')
  bench = openWorkbench([github.config('ci')])
})
afterAll(() => github[Symbol.asyncDispose]())

const segment = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** A token put together by hand: parts as they are given, signature of another token. */
const forged = async (header: unknown, claims: unknown, signature?: string): Promise<string> =>
  [segment(header), segment(claims), signature ?? (await github.token()).split('.')[2]].join('.')

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >

describe('a good token', () => {
  test('of a job proves actor and run, with the fingerprint of the token', async () => {
    const token = await github.token()
    const result = await bench.authenticator.authenticate(token)
    expect(result).toMatchObject({
      ok: true,
      identity: {
        issuer: 'ci',
        actor: {
          kind: 'workload',
          issuer: github.url,
          token_id: claimsOf(token)['jti'],
          credential_fingerprint: createHash('sha256').update(token).digest('hex'),
        },
        pipeline: { provider: 'github', repository: 'acme/shop', run: '9182736450' },
        binding: null,
      },
    })
  })

  test.each(['ES256', 'EdDSA'])('may be signed with %s', async (alg) => {
    await using issuer = await localIssuer('gitlab', alg)
    expect(await openWorkbench([issuer.config('gitlab')]).outcome(await issuer.token())).toBe('ok')
  })

  test('may name several audiences, ours among them', async () => {
    expect(await bench.outcome(await github.token({ aud: ['other', github.audience] }))).toBe('ok')
  })
})

describe('times', () => {
  const at = async (claims: (now_s: number) => Record<string, number | undefined>) =>
    bench.outcome(await github.token(claims(bench.now_s())))

  test.each([
    ['ended within the clock skew', -25, 'ok'],
    ['ended before the clock skew', -35, 'token_expired'],
  ])('a token that %s', async (_what, seconds, expected) => {
    expect(await at((now) => ({ iat: now - 300, nbf: now - 300, exp: now + seconds }))).toBe(
      expected,
    )
  })

  test.each([
    ['begins within the clock skew', 25, 'ok'],
    ['begins after the clock skew', 35, 'token_not_yet_valid'],
  ])('a token that %s', async (_what, seconds, expected) => {
    expect(await at((now) => ({ nbf: now + seconds }))).toBe(expected)
    expect(await at((now) => ({ iat: now + seconds }))).toBe(expected)
  })

  test('a token without an end, an issue time or a subject is refused', async () => {
    for (const claim of ['exp', 'iat', 'sub', 'aud']) {
      expect(await bench.outcome(await github.token({ [claim]: undefined })), claim).toBe(
        'unusable_claims',
      )
    }
  })
})

describe('a token that is not for us', () => {
  test('another audience, another issuer, no issuer', async () => {
    expect(await bench.outcome(await github.token({ aud: 'https://other.example.test' }))).toBe(
      'wrong_audience',
    )
    expect(await bench.outcome(await github.token({ iss: `${github.url}/` }))).toBe(
      'unknown_issuer',
    )
    expect(await bench.outcome(await github.token({ iss: undefined }))).toBe('unusable_claims')
    expect(await bench.outcome(await github.token({ iss: ['a'] }))).toBe('unusable_claims')
  })

  test('an issuer that is not configured is never asked', async () => {
    await using stranger = await localIssuer('github')
    expect(await bench.outcome(await stranger.token())).toBe('unknown_issuer')
    expect(stranger.requests(stranger.discovery_path) + stranger.requests(stranger.jwks_path)).toBe(
      0,
    )
  })

  test('a type of token that proves something else', async () => {
    for (const typ of ['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'JWE', 7]) {
      expect(await bench.outcome(await github.token({}, { header: { typ } })), String(typ)).toBe(
        'malformed_token',
      )
    }
    for (const typ of ['jwt', 'at+jwt', 'application/at+jwt', undefined]) {
      expect(await bench.outcome(await github.token({}, { header: { typ } })), String(typ)).toBe(
        'ok',
      )
    }
  })
})

describe('forged signatures', () => {
  test('alg none, in every spelling, is refused with and without a signature', async () => {
    const claims = claimsOf(await github.token())
    for (const alg of ['none', 'None', 'NONE', 'nOnE', '']) {
      expect(await bench.outcome(await forged({ alg, typ: 'JWT' }, claims, ''))).toBe(
        'algorithm_not_allowed',
      )
      expect(await bench.outcome(await forged({ alg, kid: github.key.kid }, claims))).toBe(
        'algorithm_not_allowed',
      )
    }
  })

  test('an HMAC made with the public key (key confusion) is refused', async () => {
    const { kid, publicJwk } = github.key
    for (const secret of [JSON.stringify(publicJwk), publicJwk.n ?? '']) {
      const token = await new SignJWT(claimsOf(await github.token()))
        .setProtectedHeader({ alg: 'HS256', kid, typ: 'JWT' })
        .sign(Buffer.from(secret))
      expect(await bench.outcome(token)).toBe('algorithm_not_allowed')
    }
  })

  test('an algorithm that this issuer may not use is refused before its keys are asked', async () => {
    await using issuer = await localIssuer('github', 'ES256')
    const own = openWorkbench([issuer.config('ci', { algorithms: ['RS256'] })])
    expect(await own.outcome(await issuer.token())).toBe('algorithm_not_allowed')
    expect(issuer.requests(issuer.jwks_path)).toBe(0)
  })

  test("another issuer's key under this issuer's key id is refused", async () => {
    const key = await newSigningKey('RS256', github.key.kid)
    expect(await bench.outcome(await github.token({}, { key }))).toBe('bad_signature')
  })

  test('changed claims are refused', async () => {
    const [header, , signature] = (await github.token()).split('.')
    const claims = { ...claimsOf(await github.token()), repository: 'mallory/shop' }
    expect(await bench.outcome(`${header}.${segment(claims)}.${signature}`)).toBe('bad_signature')
  })

  test('keys that the token itself offers (jku, x5u, jwk, x5c) are ignored and not fetched', async () => {
    await using evil = await localIssuer('github')
    const url = `${evil.url}${evil.jwks_path}`
    const header = {
      jku: url,
      x5u: url,
      jwk: evil.key.publicJwk,
      x5c: ['AAAA'],
      kid: github.key.kid,
    }
    expect(await bench.outcome(await github.token({}, { key: evil.key, header }))).toBe(
      'bad_signature',
    )
    expect(evil.requests(evil.jwks_path)).toBe(0)
    expect(await bench.outcome(await github.token({}, { header: { jku: url, x5u: url } }))).toBe(
      'ok',
    )
  })
})

describe('malformed tokens', () => {
  test.each([
    ['nothing', ''],
    ['a password', 'hunter2'],
    ['two parts', 'a.b'],
    ['four parts', 'a.b.c.d'],
    ['five parts (JWE)', 'a.b.c.d.e'],
    ['no base64url', '!!.!!.!!'],
    ['no JSON', `${segment('x')}.${segment('y')}.AA`],
    ['lists', `${segment([])}.${segment([])}.AA`],
    ['no alg', `${segment({})}.${segment({})}.AA`],
  ])('%s', async (_what, token) => {
    expect(await bench.outcome(token)).toBe('malformed_token')
  })

  test('names that stand twice, in claims or header', async () => {
    const claims = JSON.stringify(claimsOf(await github.token()))
    const twice = `{"sub":"repo:acme/shop:environment:production",${claims.slice(1)}`
    const header = { alg: 'RS256', kid: github.key.kid }
    expect(await bench.outcome(await forged(header, twice))).toBe('malformed_token')
    expect(await bench.outcome(await forged('{"alg":"none","alg":"RS256"}', claims))).toBe(
      'malformed_token',
    )
  })

  test('another spelling of the same base64url', async () => {
    const [header, claims, signature] = (await github.token()).split('.')
    expect(await bench.outcome(`${header}=.${claims}.${signature}`)).toBe('malformed_token')
    expect(await bench.outcome(`${header}.${claims}\n.${signature}`)).toBe('malformed_token')
  })

  test('critical header extensions', async () => {
    const claims = claimsOf(await github.token())
    const header = { alg: 'RS256', kid: github.key.kid, crit: ['b64'], b64: false }
    expect(await bench.outcome(await forged(header, claims))).toBe('malformed_token')
  })

  test('a token longer than 16,384 characters, before anything looks into it', async () => {
    expect(await bench.outcome(await github.token({ pad: 'x'.repeat(16_384) }))).toBe(
      'token_too_large',
    )
    expect(await bench.outcome('x'.repeat(50_000_000))).toBe('token_too_large')
  })
})
