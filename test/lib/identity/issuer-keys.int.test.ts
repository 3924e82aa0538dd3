import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { localIssuer, newSigningKey, startIssuer, type LocalIssuer } from '../../support/issuer.ts'
import { openWorkbench } from './workbench.ts'

let issuer: LocalIssuer
beforeEach(async () => {
  issuer = await localIssuer('github', 'ES256')
})
afterEach(() => issuer[Symbol.asyncDispose]())

const fetches = (): number => issuer.requests(issuer.jwks_path)

/** A token that ends long after the clock of the workbench was moved. */
const lasting = (key = issuer.key) => issuer.token({}, { lifetime_s: 1_000_000, key })

describe('a certified provider', () => {
  test('its tokens are accepted, also after it changed its keys', async () => {
    await using provider = await startIssuer()
    const bench = openWorkbench([provider.config('idp')])
    const result = await bench.authenticator.authenticate(
      await provider.token({ groups: ['ops'], repository: 'a/b' }),
    )
    expect(result).toMatchObject({
      ok: true,
      identity: {
        issuer: 'idp',
        actor: { kind: 'workload', subject: provider.subject, groups: ['ops'] },
      },
    })
    await provider.rotate()
    bench.advance(31)
    expect(await bench.outcome(await provider.token())).toBe('ok')
  })

  test('an outage of the provider is bridged with the keys at hand', async () => {
    await using provider = await startIssuer()
    const bench = openWorkbench([provider.config('idp')])
    const token = await provider.token()
    expect(await bench.outcome(token)).toBe('ok')
    provider.setOutage('cut')
    expect(await bench.outcome(token)).toBe('ok')
  })
})

describe('fetching', () => {
  test('nothing is fetched before the first token, and tokens that come together share one fetch', async () => {
    const bench = openWorkbench([issuer.config('ci')])
    expect(fetches()).toBe(0)
    const token = await issuer.token()
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => bench.outcome(token)))
    expect(new Set(outcomes)).toEqual(new Set(['ok']))
    expect([issuer.requests(issuer.discovery_path), fetches()]).toEqual([1, 1])
  })

  test('a new key is found at once after the cooldown, an old one is gone when the issuer drops it', async () => {
    const bench = openWorkbench([issuer.config('ci')])
    const old = issuer.key
    expect(await bench.outcome(await issuer.token())).toBe('ok')
    await issuer.rotate({ keep_old: false })
    expect(await bench.outcome(await issuer.token())).toBe('unknown_key')
    bench.advance(31)
    expect(await bench.outcome(await lasting())).toBe('ok')
    expect(await bench.outcome(await lasting(old))).toBe('unknown_key')
  })

  test('a storm of unknown key ids fetches once per cooldown', async () => {
    const bench = openWorkbench([issuer.config('ci')])
    expect(await bench.outcome(await issuer.token())).toBe('ok')
    bench.advance(31)
    const strangers = await Promise.all(Array.from({ length: 50 }, () => newSigningKey('ES256')))
    const tokens = await Promise.all(strangers.map((key) => lasting(key)))
    for (const token of tokens) expect(await bench.outcome(token)).toBe('unknown_key')
    expect(fetches()).toBe(2)
  })

  test('keys are fetched again when they are ten minutes old, so that a withdrawn one ends', async () => {
    const bench = openWorkbench([issuer.config('ci')])
    const withdrawn = issuer.key
    expect(await bench.outcome(await lasting())).toBe('ok')
    await issuer.rotate({ keep_old: false })
    bench.advance(599)
    expect(await bench.outcome(await lasting(withdrawn))).toBe('ok')
    bench.advance(2)
    expect(await bench.outcome(await lasting(withdrawn))).toBe('unknown_key')
  })

  test('keys can come from a file, which is read again when they are old', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'cairn-jwks-'))
    try {
      const jwks_file = join(folder, 'jwks.json')
      await writeFile(jwks_file, JSON.stringify(issuer.jwks()))
      const bench = openWorkbench([issuer.config('ci', { jwks_file })])
      expect(await bench.outcome(await lasting())).toBe('ok')
      await writeFile(jwks_file, '{')
      bench.advance(601)
      expect(await bench.outcome(await lasting())).toBe('ok')
      await writeFile(
        jwks_file,
        JSON.stringify({ keys: [(await newSigningKey('ES256')).publicJwk] }),
      )
      bench.advance(601)
      // The file could not be read last time: this token only sets the next reading off.
      await expect.poll(async () => bench.outcome(await lasting())).toBe('unknown_key')
      expect(issuer.requests(issuer.discovery_path)).toBe(0)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

describe('outage', () => {
  test.each(['cut', 'error'] as const)(
    '(%s) keys at hand serve for a day, then tokens are refused until it is over',
    async (outage) => {
      const bench = openWorkbench([issuer.config('ci')])
      expect(await bench.outcome(await lasting())).toBe('ok')
      issuer.setOutage(outage)
      bench.advance(86_300)
      expect(await bench.outcome(await lasting())).toBe('ok')
      bench.advance(200)
      expect(await bench.outcome(await lasting())).toBe('issuer_unavailable')
      issuer.setOutage('none')
      bench.advance(6)
      expect(await bench.outcome(await lasting())).toBe('ok')
      expect(bench.log()).toContain('the keys of an issuer cannot be fetched')
      expect(bench.log()).toContain('the issuer answers again')
    },
  )

  test('an issuer that does not answer is given up in time', async () => {
    issuer.setOutage('hang')
    const bench = openWorkbench([issuer.config('ci', { keys: { timeout_ms: 150 } })])
    const before = performance.now()
    const result = await bench.authenticator.authenticate(await issuer.token())
    expect(result).toMatchObject({
      ok: false,
      reason: 'issuer_unavailable',
      detail: expect.stringContaining('no answer in time') as string,
    })
    expect(performance.now() - before).toBeLessThan(3000)
  })

  test('while it lasts, an issuer is asked at most every five seconds', async () => {
    issuer.setOutage('cut')
    const bench = openWorkbench([issuer.config('ci')])
    for (let second = 0; second < 20; second++) {
      expect(await bench.outcome(await lasting())).toBe('issuer_unavailable')
      bench.advance(1)
    }
    expect(issuer.requests(issuer.discovery_path)).toBeLessThanOrEqual(5)
    expect(bench.log().split('cannot be fetched').length - 1).toBe(1)
  })

  test('sessions do not wait for an issuer that is known to hang while keys are at hand', async () => {
    const bench = openWorkbench([issuer.config('ci', { keys: { timeout_ms: 300 } })])
    expect(await bench.outcome(await lasting())).toBe('ok')
    issuer.setOutage('hang')
    bench.advance(700)
    expect(await bench.outcome(await lasting())).toBe('ok')
    bench.advance(6)
    const before = performance.now()
    expect(await bench.outcome(await lasting())).toBe('ok')
    expect(performance.now() - before).toBeLessThan(250)
  })
})

describe('hostile answers of an issuer', () => {
  const detailWith = async (
    prepare: () => void,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<string> => {
    prepare()
    const result = await openWorkbench([issuer.config('ci', more)]).authenticator.authenticate(
      await issuer.token(),
    )
    return result.ok ? 'ok' : `${result.reason}: ${result.detail}`
  }
  const discovery = (changes: Readonly<Record<string, unknown>>) =>
    issuer.answer(
      issuer.discovery_path,
      JSON.stringify({ issuer: issuer.url, jwks_uri: `${issuer.url}/jwks`, ...changes }),
    )

  test('a redirect is not followed, wherever it leads', async () => {
    await using other = await localIssuer('github', 'ES256')
    const location = `${other.url}${other.discovery_path}`
    expect(
      await detailWith(() => issuer.answer(issuer.discovery_path, '', 302, { location })),
    ).toMatch(/^issuer_unavailable: .*a redirect \(HTTP 302\), which is not followed/)
    expect(other.requests(other.discovery_path)).toBe(0)
  })

  test('a redirect of the key set is not followed', async () => {
    expect(
      await detailWith(() =>
        issuer.answer(issuer.jwks_path, '', 307, { location: 'http://127.0.0.1:1/' }),
      ),
    ).toContain('key set: a redirect')
  })

  test.each([
    ['for another issuer', { issuer: 'https://other.example.test' }, 'for another issuer'],
    [
      'with keys in the clear elsewhere',
      { jwks_uri: 'http://other.example.test/jwks' },
      'neither https nor loopback',
    ],
    ['with keys in a file', { jwks_uri: 'file:///etc/passwd' }, 'neither https nor loopback'],
    [
      'with keys behind a password',
      { jwks_uri: 'https://u:p@other.example.test/' },
      'neither https nor loopback',
    ],
    ['without keys', { jwks_uri: undefined }, 'neither https nor loopback'],
  ])('a discovery document %s', async (_what, changes, expected) => {
    expect(await detailWith(() => discovery(changes))).toContain(expected)
  })

  test.each([
    ['no JSON', '<html>', 'not JSON'],
    ['no keys', '{}', 'the key set has no keys'],
    ['null', 'null', 'the key set has no keys'],
    [
      'too many keys',
      JSON.stringify({ keys: Array.from({ length: 101 }, () => ({ kty: 'EC' })) }),
      'more than 100 keys',
    ],
    [
      'only symmetric and private keys',
      JSON.stringify({ keys: [{ kty: 'oct', k: 'AA' }, { kty: 'EC', d: 'AA' }, null, 3] }),
      'no usable key',
    ],
    ['256 KiB of nothing', ' '.repeat(262_145), 'more than 262144 bytes'],
  ])('a key set with %s', async (_what, body, expected) => {
    expect(await detailWith(() => issuer.answer(issuer.jwks_path, body))).toContain(
      `issuer_unavailable: the keys of issuer ci cannot be had`,
    )
    expect(await detailWith(() => issuer.answer(issuer.jwks_path, body))).toContain(expected)
  })

  test('a weak RSA key signs nothing', async () => {
    const { privateKey, publicKey } = (await import('node:crypto')).generateKeyPairSync('rsa', {
      modulusLength: 1024,
    })
    const kid = 'weak'
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }
    issuer.answer(issuer.jwks_path, JSON.stringify({ keys: [jwk] }))
    const bench = openWorkbench([issuer.config('ci')])
    const [head, body] = (await issuer.token({}, { header: { kid } })).split('.')
    const header = Buffer.from(
      JSON.stringify({
        ...JSON.parse(Buffer.from(head ?? '', 'base64url').toString()),
        alg: 'RS256',
      }),
    ).toString('base64url')
    const { sign } = await import('node:crypto')
    const signature = sign('sha256', Buffer.from(`${header}.${body}`), privateKey).toString(
      'base64url',
    )
    expect(await bench.outcome(`${header}.${body}.${signature}`)).toBe('bad_signature')
  })
})
