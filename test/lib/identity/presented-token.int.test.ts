import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localIssuer, type LocalIssuer } from '../../support/local-issuer.ts'
import { openWorkbench, type Workbench } from './workbench.ts'

let issuer: LocalIssuer
let bench: Workbench
beforeAll(async () => {
  issuer = await localIssuer('github', 'ES256')
  bench = openWorkbench([issuer.config('ci')])
})
afterAll(() => issuer[Symbol.asyncDispose]())

const presented = async (token: string) => {
  const result = await bench.authenticator.authenticate(token)
  if (!result.ok) throw new Error(result.detail)
  return result.token
}

/** Order of the curve P-256 (FIPS 186-5). */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** The same token with its signature (r, s) written as (r, order - s), which is as good. */
const resigned = (token: string): string => {
  const [head, body, signature = ''] = token.split('.')
  const bytes = Buffer.from(signature, 'base64url')
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`)
  const other = Buffer.concat([
    bytes.subarray(0, 32),
    Buffer.from(s.toString(16).padStart(64, '0'), 'hex'),
  ])
  return `${head}.${body}.${other.toString('base64url')}`
}

describe('what a presented token is known by', () => {
  test('is the same for every way to write its signature, with an id and without', async () => {
    for (const claims of [{}, { jti: 'a-1' }]) {
      const token = await issuer.token({ jti: undefined, ...claims })
      const other = resigned(token)
      expect(other).not.toBe(token)
      expect((await presented(other)).id).toBe((await presented(token)).id)
    }
  })

  test('differs between tokens, and is neither the id nor a part of the token', async () => {
    const tokens = await Promise.all(
      [{ jti: 'a' }, { jti: 'b' }, { jti: undefined, nonce: '1' }, { jti: undefined }].map(
        (claims) => issuer.token(claims),
      ),
    )
    const ids = await Promise.all(tokens.map(async (token) => (await presented(token)).id))
    expect(new Set(ids).size).toBe(tokens.length)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{64}$/)
  })

  test('says how long the token lives in all', async () => {
    const token = await issuer.token({}, { lifetime_s: 90 })
    expect((await presented(token)).lifetime_s).toBe(90)
  })
})
