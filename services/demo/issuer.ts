import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'
import { isLoopbackHost } from '#lib/loopback.ts'
import type { Logger } from '#lib/logger.ts'

/**
 * The issuer of the demonstration: it signs tokens for invented CI jobs and one invented person for whoever asks on this
 * machine. It proves nothing and listens on loopback only; a real deployment names its CI system and its identity provider instead.
 *
 *     GET /{ci|people}/.well-known/openid-configuration   discovery
 *     GET /{ci|people}/jwks                               its public key, new at each start, kept in memory only
 *     GET /token/{profile}                                a token as plain text
 */

const audience = 'cairn-demo'
const algorithm = 'ES256'
const lifetime_s = 300

type Profile = {
  readonly issuer: 'ci' | 'people'
  readonly claims: Readonly<Record<string, string | readonly string[]>>
}

/** Claims of a GitHub Actions job of the invented repository acme/shop. */
const job = (workflow: string, more: Readonly<Record<string, string>>): Profile => {
  const ref = more['ref'] ?? 'refs/heads/main'
  const file = `acme/shop/.github/workflows/${workflow}.yml@${ref}`
  const environment = more['environment']
  return {
    issuer: 'ci',
    claims: {
      sub:
        environment === undefined
          ? `repo:acme/shop:ref:${ref}`
          : `repo:acme/shop:environment:${environment}`,
      repository: 'acme/shop',
      repository_owner: 'acme',
      repository_visibility: 'private',
      ref,
      sha: '3b0c4f1e9d8a7264b5c3d2e1f00918273645abcd',
      workflow,
      workflow_ref: file,
      job_workflow_ref: file,
      run_attempt: '1',
      runner_environment: 'github-hosted',
      ...more,
    },
  }
}

const profiles = {
  'nightly-report': job('nightly-report', {
    actor: 'acme-bot',
    event_name: 'schedule',
    run_id: '7310042001',
  }),
  deploy: job('deploy', {
    actor: 'ben',
    event_name: 'push',
    run_id: '7310042002',
    environment: 'production',
  }),
  'docs-build': job('docs', {
    actor: 'mallory',
    event_name: 'pull_request',
    run_id: '7310042003',
    ref: 'refs/pull/81/merge',
  }),
  ana: {
    issuer: 'people',
    claims: {
      sub: 'u-1001',
      name: 'Ana Lima',
      email: 'ana@acme.example',
      groups: ['engineering', 'dba'],
    },
  },
  grace: {
    issuer: 'people',
    claims: {
      sub: 'u-1002',
      name: 'Grace Okafor',
      email: 'grace@acme.example',
      groups: ['dba'],
    },
  },
} as const satisfies Readonly<Record<string, Profile>>

/** Who the demonstration issuer signs tokens for. */
export type DemoProfile = keyof typeof profiles

export interface DemoIssuer extends AsyncDisposable {
  readonly url: string
  /** Entries for `issuers` in the configuration: `demo-ci` and `demo-people`. */
  readonly issuers: readonly Readonly<Record<string, unknown>>[]
  /** Where a token of a profile is to be had with a plain GET. */
  tokenUrl(profile: DemoProfile): string
  mint(profile: DemoProfile): Promise<string>
}

const isProfile = (name: string): name is DemoProfile => Object.hasOwn(profiles, name)

const send = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

const sendJson = (response: ServerResponse, value: unknown): void =>
  send(response, 200, 'application/json', JSON.stringify(value))

type Answers = {
  readonly url: () => string
  readonly jwks: unknown
  readonly mint: (profile: DemoProfile) => Promise<string>
}

const answer = async (
  request: IncomingMessage,
  response: ServerResponse,
  answers: Answers,
): Promise<void> => {
  // A page in a browser can reach loopback through a name of its own (DNS rebinding), but not under a loopback name.
  const host = `http://${request.headers.host ?? ''}`
  if (!URL.canParse(host) || !isLoopbackHost(new URL(host).hostname))
    return send(response, 403, 'text/plain', 'loopback only\n')
  if (request.method !== 'GET') return send(response, 405, 'text/plain', 'GET only\n')
  const path = (request.url ?? '').split('?')[0] ?? ''
  const [, first = '', ...rest] = path.split('/')
  const below = rest.join('/')
  if ((first === 'ci' || first === 'people') && below === 'jwks')
    return sendJson(response, answers.jwks)
  if ((first === 'ci' || first === 'people') && below === '.well-known/openid-configuration') {
    const issuer = `${answers.url()}/${first}`
    return sendJson(response, {
      issuer,
      jwks_uri: `${issuer}/jwks`,
      id_token_signing_alg_values_supported: [algorithm],
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
    })
  }
  if (first === 'token' && isProfile(below))
    return send(response, 200, 'text/plain', await answers.mint(below))
  const known = Object.keys(profiles).join(', ')
  return send(
    response,
    404,
    'text/plain',
    `Cairn's demonstration issuer. GET /token/<profile>; profiles: ${known}\n`,
  )
}

/** Starts the demonstration issuer on 127.0.0.1; `port` 0 takes any free one. */
export const startDemoIssuer = async (options: {
  readonly port: number
  readonly logger: Logger
}): Promise<DemoIssuer> => {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(jwk)
  const jwks = { keys: [{ ...jwk, kid, alg: algorithm, use: 'sig' }] }

  const server = createServer({ requestTimeout: 10_000 })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const mint = (name: DemoProfile): Promise<string> => {
    const { issuer, claims } = profiles[name]
    return new SignJWT({ ...claims })
      .setProtectedHeader({ alg: algorithm, kid, typ: 'JWT' })
      .setIssuer(`${url}/${issuer}`)
      .setAudience(audience)
      .setIssuedAt()
      .setNotBefore('0s')
      .setExpirationTime(`${lifetime_s}s`)
      .setJti(randomUUID())
      .sign(privateKey)
  }
  server.on('request', (request, response) => {
    answer(request, response, { url: () => url, jwks, mint }).catch((error: unknown) => {
      options.logger.error({ error }, 'the demonstration issuer failed to answer')
      response.destroy()
    })
  })
  options.logger.warn({ url }, 'demonstration issuer: signs tokens for anyone on this machine')

  const shared = { audience, algorithms: [algorithm] }
  return {
    url,
    issuers: [
      { name: 'demo-ci', preset: 'github-actions', issuer: `${url}/ci`, ...shared },
      {
        name: 'demo-people',
        preset: 'generic',
        actor_kind: 'human',
        issuer: `${url}/people`,
        ...shared,
      },
    ],
    tokenUrl: (profile) => `${url}/token/${profile}`,
    mint,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
