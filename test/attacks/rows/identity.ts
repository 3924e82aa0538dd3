import { createHmac } from 'node:crypto'
import { exportSPKI, importJWK } from 'jose'
import { newSigningKey } from '../../support/local-issuer.ts'
import { githubClaims } from '../../support/token-shapes.ts'
import { login, openSecure, wire } from '../../support/wire-client.ts'
import type { Attack, Found } from '../attack.ts'
import type { Ground } from '../ground.ts'
import { ofType, queries, sqlAttack, verdict } from '../sql-attack.ts'

/** Tokens that are not what they should be, and names that are more than names. */

type Startup = Readonly<Record<string, string>>

/** Shows a token; the gateway must not let it in, and the target must hear nothing. */
const shown = async (ground: Ground, token: string, startup: Startup): Promise<Found> => {
  await using client = await openSecure(ground.port)
  const port = client.socket.localPort
  const outcome = await login(client, startup, token).then(
    () => 'in',
    () => 'out',
  )
  if (outcome === 'in') {
    client.send(wire.terminate())
    await client.closed()
    return { outcome: 'succeeded', where: 'the session was opened' }
  }
  const refused = await ground.until('a refusal', (events) =>
    ofType(events, 'session.refused').find(({ context }) => context.peer?.port === port),
  )
  const fields = refused.differences.map(({ field }) => field).join(' ')
  return { outcome: 'refused', where: `session.refused ${refused.reason} ${fields}`.trim() }
}

const startup = (role: string): Startup => ({ user: role, database: 'main' })

type MakeToken = (ground: Ground) => Promise<string>

const refusedToken = (attack: string, make: MakeToken, role = 'once'): Attack => ({
  attack,
  expect: ['refused'],
  how: async (ground) => shown(ground, await make(ground), startup(role)),
})

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>

/** The same bytes: the last character of a base64url text has bits that mean nothing. */
const otherSpelling = (token: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(token.at(-1)!)
  return `${token.slice(0, -1)}${alphabet[last ^ 1]}`
}

/** Signs with the issuer's public key as if it were a shared secret. */
const confused: MakeToken = async ({ ci }) => {
  const key = await importJWK(ci.key.publicJwk, ci.key.alg, { extractable: true })
  if (!(key instanceof CryptoKey)) throw new TypeError('no public key')
  const signed = `${part({ alg: 'HS256', kid: ci.key.kid, typ: 'JWT' })}.${(await ci.token()).split('.')[1]}`
  const mac = createHmac('sha256', await exportSPKI(key))
    .update(signed)
    .digest('base64url')
  return `${signed}.${mac}`
}

export const identity_attacks: readonly Attack[] = [
  {
    attack: '(not one: a good token, once)',
    expect: ['recorded'],
    how: async (ground) => {
      const session = await ground.open('once')
      await queries('select 1')(session.client)
      return verdict(await session.end())
    },
  },
  {
    attack: 'a token used twice',
    expect: ['refused'],
    how: async (ground) => {
      const token = await ground.ci.token()
      const session = await ground.open('once', { token })
      await session.end()
      return shown(ground, token, startup('once'))
    },
  },
  {
    attack: 'a token used twice at the same moment',
    expect: ['refused'],
    how: async (ground) => {
      const token = await ground.ci.token()
      const tries = await Promise.all(
        Array.from({ length: 8 }, async () => {
          await using client = await openSecure(ground.port)
          return await login(client, startup('once'), token).then(
            () => 1,
            () => 0,
          )
        }),
      )
      const let_in = tries.filter((one) => one === 1).length
      return let_in === 1
        ? { outcome: 'refused', where: '7 of 8: session.refused token_replayed' }
        : { outcome: 'succeeded', where: `${let_in} of 8 were let in` }
    },
  },
  refusedToken('an expired token', ({ ci }) =>
    ci.token({}, { now_s: Math.floor(Date.now() / 1000) - 3600 }),
  ),
  refusedToken('a token from the future', ({ ci }) =>
    ci.token({}, { now_s: Math.floor(Date.now() / 1000) + 3600 }),
  ),
  refusedToken('a token without an end', ({ ci }) => ci.token({ exp: undefined })),
  refusedToken('a token for another audience', ({ ci }) =>
    ci.token({ aud: 'https://other.example' }),
  ),
  {
    attack: 'a token without an id, used twice',
    expect: ['refused'],
    how: async (ground) => {
      const token = await ground.ci.token({ jti: undefined })
      const session = await ground.open('once', { token })
      await session.end()
      return shown(ground, token, startup('once'))
    },
  },
  {
    attack: 'a token used twice, its signature written in another way',
    expect: ['refused'],
    how: async (ground) => {
      const token = await ground.ci.token({ jti: undefined, run_number: 'spelled' })
      const session = await ground.open('once', { token })
      await session.end()
      return shown(ground, otherSpelling(token), startup('once'))
    },
  },
  refusedToken('a token of an issuer that nobody configured', ({ ci }) =>
    ci.token({ iss: 'https://evil.example' }),
  ),
  refusedToken(
    'alg none',
    async ({ ci }) => `${part({ alg: 'none', typ: 'JWT' })}.${(await ci.token()).split('.')[1]}.`,
  ),
  refusedToken('the public key as a shared secret (HS256)', confused),
  refusedToken('a key of one’s own under the issuer’s key id', async ({ ci }) => {
    const key = await newSigningKey('RS256', ci.key.kid)
    return ci.token({}, { key })
  }),
  refusedToken('a key of one’s own in the token’s header', async ({ ci }) => {
    const key = await newSigningKey()
    return ci.token({}, { key, header: { jwk: key.publicJwk } })
  }),
  refusedToken('a token with another payload under its signature', async ({ ci }) => {
    const token = await ci.token({
      workflow_ref: 'acme/shop/.github/workflows/build.yml@refs/heads/main',
    })
    const [header, , signature] = token.split('.')
    return `${header}.${part({ ...claimsOf(token), workflow_ref: githubClaims()['workflow_ref'] })}.${signature}`
  }),
  refusedToken('the token of another job of the repository', ({ ci }) =>
    ci.token({ workflow_ref: 'acme/shop/.github/workflows/build.yml@refs/heads/main' }),
  ),
  refusedToken('the token of another repository', ({ ci }) =>
    ci.token({ repository: 'acme/other' }),
  ),
  refusedToken('the token of a fork', ({ ci }) => ci.token({ repository: 'mallory/shop' })),
  refusedToken('the token of a job outside of the environment', ({ ci }) =>
    ci.token({ environment: undefined }),
  ),
  refusedToken('a repository whose name only begins alike', ({ ci }) =>
    ci.token({ repository: 'acme/shop-evil' }),
  ),
  refusedToken('a person’s token with claims of a job', ({ people }) =>
    people.token(githubClaims()),
  ),
  refusedToken('a role that the policy does not give', ({ people }) => people.token(), 'writer'),
  refusedToken('a role that does not exist', ({ ci }) => ci.token(), 'postgres'),
  ...['cairn.session', 'cairn.actor', 'cairn.origin'].map((name): Attack => ({
    attack: `a client that chooses its ${name}`,
    expect: ['refused'],
    how: async (ground) =>
      shown(ground, await ground.ci.token(), { ...startup('writer'), [name]: 'a'.repeat(64) }),
  })),
  {
    attack: 'the run of somebody else, stated by the client',
    expect: ['refused'],
    how: async (ground) =>
      shown(ground, await ground.ci.token(), { ...startup('writer'), 'cairn.run': '1' }),
  },
  {
    attack: 'names with line ends and control characters',
    expect: ['refused'],
    how: async (ground) => {
      const evil = 'x\r\n{"event":"forged"}\u001b[2J'
      const found = await shown(ground, await ground.ci.token(), { user: evil, database: evil })
      const kept = ofType(await ground.events(), 'session.refused').some(
        ({ requested_role, requested_target }) =>
          requested_role === evil && requested_target === evil,
      )
      return kept ? found : { outcome: 'succeeded', where: 'the name is not in its field' }
    },
  },
  ...['-c role=pg_monitor', '-c log_statement=none', '-c session_preload_libraries=x'].map(
    (options): Attack => ({
      attack: `startup options: ${options}`,
      expect: ['refused'],
      how: async (ground) =>
        shown(ground, await ground.ci.token(), { ...startup('writer'), options }),
    }),
  ),
  sqlAttack({
    attack: 'the target’s own password, asked of the target',
    role: 'writer',
    say: queries('select rolpassword from pg_authid'),
    leaks: ['SCRAM-SHA-256$'],
    expect: ['refused'],
  }),
]
