import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'
import { githubClaims, gitlabClaims } from './token-shapes.ts'
import { startIssuerServer, type IssuerServer } from './issuer-server.ts'

/** Which issuer's tokens are imitated, claim by claim. */
export type TokenShape = 'github' | 'gitlab' | 'generic'

export type SigningKey = {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly publicJwk: JWK
}

export type TokenOptions = {
  /** Seconds since 1970 that the token is issued at; default now. */
  readonly now_s?: number
  readonly lifetime_s?: number
  /** Protected header fields on top of alg, kid and typ; undefined removes one. */
  readonly header?: Readonly<Record<string, unknown>>
  readonly key?: SigningKey
}

export interface LocalIssuer extends IssuerServer {
  readonly audience: string
  readonly discovery_path: string
  readonly jwks_path: string
  /** Its entry for `issuers` in a configuration. */
  config(name: string, more?: Readonly<Record<string, unknown>>): Record<string, unknown>
  /** A signed token: the shape's claims with these on top; a claim given as undefined is left out. */
  token(claims?: Readonly<Record<string, unknown>>, options?: TokenOptions): Promise<string>
  /** The key that signs now. */
  readonly key: SigningKey
  /** Signs with a new key from now on; the old one stays published unless told otherwise. */
  rotate(options?: { readonly keep_old?: boolean; readonly alg?: string }): Promise<void>
  jwks(): { readonly keys: readonly JWK[] }
  /** Answers a path with something of the test's own. */
  answer(
    path: string,
    body: string,
    status?: number,
    headers?: Readonly<Record<string, string>>,
  ): void
}

/** A fresh signing key. */
export const newSigningKey = async (
  alg = 'RS256',
  kid: string = randomUUID(),
): Promise<SigningKey> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' }
  return { kid, alg, privateKey, publicJwk }
}

const shapes = {
  github: { preset: 'github-actions', claims: githubClaims },
  gitlab: { preset: 'gitlab', claims: gitlabClaims },
  generic: { preset: 'generic', claims: () => ({ sub: 'ana@example.test' }) },
} as const

const defined = (entries: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined))

const discovery_path = '/.well-known/openid-configuration'
const jwks_path = '/jwks'

/**
 * An issuer on loopback with a key set of its own: discovery, JWKS, and tokens of the shape that GitHub Actions or GitLab signs.
 * For the issuer's other half (a certified provider) see issuer.ts.
 */
export const localIssuer = async (shape: TokenShape, alg = 'RS256'): Promise<LocalIssuer> => {
  let keys = [await newSigningKey(alg)]
  const answers = new Map<
    string,
    { body: string; status: number; headers: Readonly<Record<string, string>> }
  >()
  const jwks = (): { keys: JWK[] } => ({ keys: keys.map(({ publicJwk }) => publicJwk) })
  const current = (): SigningKey => keys.at(-1)!
  const audience = 'https://cairn.example.test'

  const server = await startIssuerServer((url) => (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const own = answers.get(path)
    if (own !== undefined) {
      response
        .writeHead(own.status, { 'content-type': 'application/json', ...own.headers })
        .end(own.body)
      return
    }
    const documents: Readonly<Record<string, () => unknown>> = {
      [discovery_path]: () => ({
        issuer: url,
        jwks_uri: `${url}${jwks_path}`,
        id_token_signing_alg_values_supported: [alg],
      }),
      [jwks_path]: jwks,
    }
    const body = documents[path]?.()
    response
      .writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
      .end(JSON.stringify(body ?? {}))
  })

  return {
    ...server,
    audience,
    discovery_path,
    jwks_path,
    config: (name, more = {}) => ({
      name,
      preset: shapes[shape].preset,
      issuer: server.url,
      audience,
      algorithms: ['RS256', 'ES256', 'EdDSA'],
      ...more,
    }),
    token: async (claims = {}, options = {}) => {
      const key = options.key ?? current()
      const now_s = options.now_s ?? Math.floor(Date.now() / 1000)
      const payload = defined({
        ...shapes[shape].claims(),
        iss: server.url,
        aud: audience,
        jti: randomUUID(),
        iat: now_s,
        nbf: now_s,
        exp: now_s + (options.lifetime_s ?? 300),
        ...claims,
      })
      const header = defined({ alg: key.alg, kid: key.kid, typ: 'JWT', ...options.header })
      return new SignJWT(payload)
        .setProtectedHeader({ ...header, alg: key.alg })
        .sign(key.privateKey)
    },
    get key() {
      return current()
    },
    rotate: async ({ keep_old = true, alg: next = alg } = {}) => {
      const fresh = await newSigningKey(next)
      keys = keep_old ? [...keys, fresh] : [fresh]
    },
    jwks,
    answer: (path, body, status = 200, headers = {}) => {
      answers.set(path, { body, status, headers })
    },
  }
}
