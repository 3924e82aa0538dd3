import { randomUUID } from 'node:crypto'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { Provider, type TokenContext } from 'oidc-provider'
import { startIssuerServer, type IssuerServer } from './issuer-server.ts'

export { localIssuer, newSigningKey, type LocalIssuer } from './local-issuer.ts'

/** A client of the provider; its id is the subject of its tokens. */
const client_id = 'nightly-report'

export interface TestIssuer extends IssuerServer {
  readonly audience: string
  readonly subject: string
  /** Its entry for `issuers` in a configuration. */
  config(name: string, more?: Readonly<Record<string, unknown>>): Record<string, unknown>
  /** Gets a token the way a workload does: client credentials for the audience; these claims are added to it. */
  token(claims?: Readonly<Record<string, unknown>>): Promise<string>
  /** The provider starts again with a new signing key; `keep_old` goes on publishing the keys before it. */
  rotate(options?: { readonly keep_old?: boolean }): Promise<void>
}

const newKey = async (): Promise<JWK> => {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'ES256', use: 'sig' }
}

type ProviderOptions = {
  readonly url: string
  readonly keys: readonly JWK[]
  readonly audience: string
  readonly client_secret: string
}

const claims_header = 'x-test-claims'

const openProvider = ({ url, keys, audience, client_secret }: ProviderOptions): Provider =>
  new Provider(url, {
    jwks: { keys },
    clients: [
      {
        client_id,
        client_secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
        id_token_signed_response_alg: 'ES256',
      },
    ],
    clientAuthMethods: ['client_secret_post'],
    cookies: { keys: [client_secret] },
    ttl: { ClientCredentials: 300 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: '',
          audience,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
    extraTokenClaims: (context: TokenContext): unknown =>
      JSON.parse(context.get(claims_header) || '{}'),
  })

/**
 * A real OpenID provider (oidc-provider) on loopback: discovery, key set, tokens as signed JWTs (RFC 9068) by the client
 * credentials grant, rotation of its keys, and outages on demand.
 */
export const startIssuer = async (): Promise<TestIssuer> => {
  const audience = 'https://cairn.example.test'
  const client_secret = randomUUID()
  let keys = [await newKey()]
  let provider: ReturnType<Provider['callback']> | undefined
  const server = await startIssuerServer(() => (request, response) => {
    void provider?.(request, response)
  })
  const open = (): void => {
    provider = openProvider({ url: server.url, keys, audience, client_secret }).callback()
  }
  open()

  return {
    ...server,
    audience,
    subject: client_id,
    config: (name, more = {}) => ({
      name,
      preset: 'generic',
      actor_kind: 'workload',
      issuer: server.url,
      audience,
      algorithms: ['ES256'],
      ...more,
    }),
    token: async (claims = {}) => {
      const response = await fetch(`${server.url}/token`, {
        method: 'POST',
        headers: { [claims_header]: JSON.stringify(claims) },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id,
          client_secret,
          resource: audience,
        }),
      })
      const body = (await response.json()) as { access_token?: string; error_description?: string }
      if (body.access_token === undefined)
        throw new Error(`the issuer refused: ${body.error_description ?? response.status}`)
      return body.access_token
    },
    rotate: async ({ keep_old = true } = {}) => {
      const fresh = await newKey()
      keys = keep_old ? [fresh, ...keys] : [fresh]
      open()
    },
  }
}
