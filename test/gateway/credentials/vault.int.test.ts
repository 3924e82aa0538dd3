import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema } from '#lib/config/schema.ts'
import { openLogger } from '#lib/logger.ts'
import { openCredentialBroker } from '../../../services/gateway/credentials/broker.ts'
import type { CredentialBroker } from '../../../services/gateway/credentials/port.ts'
import { openTargets } from '../../../services/gateway/protocols/postgres/target.ts'
import { eventually } from '../../support/eventually.ts'
import { startTestGateway } from '../../support/gateway.ts'
import { startOpenBao, type TestOpenBao } from '../../support/openbao.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { openBao } from '../../support/tools.ts'
import { connected, throughGateway } from './clients.ts'

const binary = openBao()

/** What a gateway needs: to read its accounts and to revoke their leases; the default policy has the rest. */
const policy = `
path "secret/data/shop/*" { capabilities = ["read"] }
path "database/creds/*" { capabilities = ["read"] }
path "database/static-creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
`

describe.skipIf(binary === null)('credentials from OpenBao', () => {
  let folder: string
  let postgres: TestPostgres
  let bao: TestOpenBao
  let role_id: string
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-vault-'))
    postgres = await startPostgres({ log: true })
    bao = await startOpenBao(binary!)
    await bao.ok('POST', 'sys/policies/acl/gateway', { policy })
    await bao.ok('POST', 'sys/mounts/database', { type: 'database' })
    await bao.ok('POST', 'database/config/shop', {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: '*',
      connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres?sslmode=disable`,
      username: postgres.user,
      password: postgres.password,
      password_authentication: 'scram-sha-256',
    })
    for (const [name, default_ttl, max_ttl] of [
      ['app', '1h', '24h'],
      ['brief', '4s', '24h'],
      ['ending', '3s', '5s'],
    ])
      await bao.ok('POST', `database/roles/${name}`, {
        db_name: 'shop',
        creation_statements: [
          `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
        ],
        default_ttl,
        max_ttl,
      })
    await bao.ok('POST', 'sys/auth/approle', { type: 'approle' })
    await bao.ok('POST', 'auth/approle/role/gateway', {
      token_policies: 'gateway',
      token_ttl: '1h',
    })
    const { data } = await bao.ok('GET', 'auth/approle/role/gateway/role-id')
    role_id = (data as { readonly role_id: string }).role_id
    await bao.ok('POST', 'sys/auth/jwt', { type: 'jwt' })
    await bao.ok('POST', 'auth/jwt/config', {
      jwt_validation_pubkeys: [keys.publicKey.export({ type: 'spki', format: 'pem' })],
    })
    await bao.ok('POST', 'auth/jwt/role/gateway', {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: ['bao'],
      bound_subject: 'gateway',
      token_policies: 'gateway',
      token_ttl: '1h',
    })
  })
  afterAll(async () => {
    await bao?.[Symbol.asyncDispose]()
    await postgres?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const secretId = async (): Promise<string> => {
    const { data } = await bao.ok('POST', 'auth/approle/role/gateway/secret-id', {})
    return (data as { readonly secret_id: string }).secret_id
  }

  const vaultConfig = (auth: unknown, more: Readonly<Record<string, unknown>> = {}) => ({
    name: 'main',
    url: bao.url,
    tls: { ca_file: bao.ca_file },
    auth,
    timeout_ms: 5000,
    retries_max: 1,
    ...more,
  })

  const openBroker = async (
    source: unknown,
    auth: unknown,
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<CredentialBroker> => {
    const config = configSchema.parse({
      targets: [
        {
          name: 'shop',
          host: postgres.host,
          port: postgres.port,
          tls: { mode: 'disable' },
          roles: [{ name: 'app', credential: 'shop-app' }],
        },
      ],
      vaults: [vaultConfig(auth, more)],
      credentials: [{ name: 'shop-app', vault: { server: 'main', ...(source as object) } }],
    })
    return openCredentialBroker(config, {
      gateway_name: 'gw/0',
      targets: await openTargets(config),
      env: {},
      onSwept: () => undefined,
      logger: openLogger('gateway', 'silent'),
      now_ms: () => Date.now(),
    })
  }
  const issue = async (broker: CredentialBroker) => {
    const credential = await broker.issue({
      target: 'shop',
      role: 'app',
      database: 'postgres',
      actor: 'somebody',
      signal: new AbortController().signal,
    })
    if (credential === undefined) throw new Error('no such role')
    return credential
  }
  const failureOf = async (broker: CredentialBroker): Promise<string> =>
    String(await issue(broker).catch((error: unknown) => error))

  const kv = { kv: { path: 'shop/app' } }
  const putSecret = (data: Readonly<Record<string, string>>) =>
    bao.ok('POST', 'secret/data/shop/app', { data })
  const root = () => ({ token: bao.root_token })
  const userThere = async (name: string): Promise<boolean> => {
    await using admin = await connected({ connectionString: postgres.url })
    return (
      (await admin.client.query('select 1 from pg_roles where rolname = $1', [name])).rowCount === 1
    )
  }

  describe('a secret of the KV engine', () => {
    it('is read for each session', async () => {
      await using broker = await openBroker(kv, root())
      for (const password of ['first', 'second']) {
        await putSecret({ username: 'app', password })
        const credential = await issue(broker)
        expect(credential).toMatchObject({ kind: 'vault', user: 'app', expires_us: null })
        expect(credential.password.reveal()).toBe(password)
      }
    })

    it.each([
      ['a secret without its keys', { user: 'x', word: 'y' }, 'no text under the key username'],
      ['a secret without a password', { username: 'x' }, 'no text under the key password'],
    ])('%s is no credential', async (_what, secret, words) => {
      await putSecret(secret)
      await using broker = await openBroker(kv, root())
      expect(await failureOf(broker)).toContain(
        `credential shop-app: secret/data/shop/app has ${words}`,
      )
    })

    it('a deleted version and a path where nothing is are no credential', async () => {
      await putSecret({ username: 'app', password: 'gone' })
      await bao.ok('DELETE', 'secret/data/shop/app')
      await using deleted = await openBroker(kv, root())
      expect(await failureOf(deleted)).toContain('nothing is there (404)')
      await using nowhere = await openBroker({ kv: { path: 'shop/nowhere' } }, root())
      expect(await failureOf(nowhere)).toContain('secret/data/shop/nowhere: nothing is there (404)')
    })

    it('of a namespace', async () => {
      await bao.ok('POST', 'sys/namespaces/team', {})
      const inTeam = { namespace: 'team' }
      await bao.call('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, inTeam)
      await eventually(
        'the engine is there',
        async () =>
          (
            await bao.call(
              'POST',
              'secret/data/shop/app',
              { data: { username: 'team', password: 'p' } },
              inTeam,
            )
          ).status === 200,
      )
      await using broker = await openBroker(kv, root(), inTeam)
      expect((await issue(broker)).user).toBe('team')
    })
  })

  describe('an account of the database engine', () => {
    it('is a session’s own behind a running gateway, and gone when the session is over', async () => {
      await using gateway = await startTestGateway({
        targets: { main: postgres },
        config: {
          vaults: [vaultConfig({ app_role: { role_id, secret_id: await secretId() } })],
          credentials: [
            { name: 'main-admin', vault: { server: 'main', database: { role: 'app' } } },
          ],
        },
      })
      let who = ''
      {
        await using session = await throughGateway(gateway.port, await gateway.token())
        const { rows } = await session.client.query('select session_user::text as who')
        who = (rows[0] as { readonly who: string }).who
        expect(who).toMatch(/^v-approle-app-/)
      }
      const revoked = await gateway.until((all) =>
        all.find((record) => record.type === 'credential.revoked'),
      )
      expect(revoked).toMatchObject({
        credential: 'main-admin',
        principal: who,
        reason: 'the session is over: lease revoked',
      })
      expect(await userThere(who)).toBe(false)
      const issued = (await gateway.records()).find(({ type }) => type === 'credential.issued')
      expect(issued).toMatchObject({ kind: 'vault', principal: who })
      expect(issued?.type === 'credential.issued' && issued.expires !== null).toBe(true)
    })

    it('its lease is renewed as long as it is used', async () => {
      await using broker = await openBroker({ database: { role: 'brief' } }, root())
      const credential = await issue(broker)
      const first_end_us = credential.expires_us ?? 0
      await eventually(
        'it has outlived its first lease',
        () => Date.now() * 1000 > first_end_us + 1_000_000,
      )
      expect(credential.lost.aborted).toBe(false)
      expect(await userThere(credential.user)).toBe(true)
      expect(await credential.revoke()).toBe('the session is over: lease revoked')
      expect(await userThere(credential.user)).toBe(false)
      expect(credential.password.reveal()).toBe('')
    })

    it('its session is told when the lease can be renewed no more, or is revoked at the vault', async () => {
      await using broker = await openBroker({ database: { role: 'ending' } }, root())
      const ending = await issue(broker)
      await eventually('it is lost', () => ending.lost.aborted)
      expect(ending.lost.reason).toBe('its lease at the vault has come to its end')
      await using brief = await openBroker({ database: { role: 'brief' } }, root())
      const revoked = await issue(brief)
      await bao.ok('POST', 'sys/leases/revoke-prefix/database/creds/brief')
      await eventually('it is lost', () => revoked.lost.aborted)
      expect(revoked.lost.reason).toBe('its lease at the vault was revoked')
      expect(await revoked.revoke()).toContain('the session is over')
    })

    it('a static role’s password is the rotated one', async () => {
      await using admin = await connected({ connectionString: postgres.url })
      await admin.client.query(`create role fixed login password 'before'`)
      await bao.ok('POST', 'database/static-roles/fixed', {
        db_name: 'shop',
        username: 'fixed',
        rotation_period: '24h',
      })
      await using broker = await openBroker({ database: { role: 'fixed', static: true } }, root())
      const passwords = new Set<string>()
      for (let round = 0; round < 2; round++) {
        const credential = await issue(broker)
        const password = credential.password.reveal()
        passwords.add(password)
        await using session = await connected({
          host: '127.0.0.1',
          port: postgres.port,
          user: credential.user,
          database: 'postgres',
          password,
        })
        await session.client.query('select 1')
        expect(await credential.revoke()).toBe('the session is over')
        await bao.ok('POST', 'database/rotate-role/fixed')
      }
      expect(passwords.size).toBe(2)
    })
  })

  describe('the gateway’s login', () => {
    beforeAll(() => putSecret({ username: 'app', password: 'p' }))

    it('by AppRole, with a secret id from a file', async () => {
      const secret_id_file = join(folder, 'secret-id')
      await writeFile(secret_id_file, `${await secretId()}\n`)
      await using broker = await openBroker(kv, { app_role: { role_id, secret_id_file } })
      expect((await issue(broker)).user).toBe('app')
    })

    it('by the token of its workload (JWT, and Kubernetes in the same words)', async () => {
      const jwt_file = join(folder, 'jwt')
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: 'ES256' })
        .setSubject('gateway')
        .setAudience('bao')
        .setIssuedAt()
        .setExpirationTime('5m')
        .sign(keys.privateKey)
      await writeFile(jwt_file, token)
      await using broker = await openBroker(kv, { jwt: { role: 'gateway', jwt_file } })
      expect((await issue(broker)).user).toBe('app')
    })

    it('by the token that an agent keeps in a file: a new one is used at once', async () => {
      const token_file = join(folder, 'token')
      const newToken = async (): Promise<string> => {
        const { auth } = await bao.ok('POST', 'auth/token/create', {
          policies: ['gateway'],
          ttl: '1h',
        })
        return (auth as { readonly client_token: string }).client_token
      }
      const first = await newToken()
      await writeFile(token_file, first)
      await using broker = await openBroker(kv, { token_file })
      expect((await issue(broker)).user).toBe('app')
      await bao.ok('POST', 'auth/token/revoke', { token: first })
      await writeFile(token_file, await newToken())
      expect((await issue(broker)).user).toBe('app')
    })

    it('a token that was revoked is replaced by a new login; what it had given out is told', async () => {
      await using broker = await openBroker(
        { database: { role: 'app' } },
        { app_role: { role_id, secret_id: await secretId() } },
      )
      const first = await issue(broker)
      await bao.ok('POST', 'auth/token/revoke-accessor', {
        accessor: await accessorOf('auth/approle/login'),
      })
      const second = await issue(broker)
      expect(second.user).not.toBe(first.user)
      expect(await userThere(second.user)).toBe(true)
      await eventually('the first one is lost', () => first.lost.aborted)
      expect(first.lost.reason).toBe("the gateway's token at vault main was revoked")
      expect(await first.revoke()).toContain('the session is over')
    })
    const accessorOf = async (path: string): Promise<string> => {
      const { body } = await bao.call('GET', 'auth/token/accessors?list=true')
      const { keys: accessors } = (body as { readonly data: { readonly keys: readonly string[] } })
        .data
      for (const accessor of accessors.toReversed()) {
        const found = await bao.call('POST', 'auth/token/lookup-accessor', { accessor })
        if ((found.body['data'] as { readonly path?: string } | undefined)?.path === path)
          return accessor
      }
      throw new Error(`no token of ${path}`)
    }

    it('its token is revoked when the gateway stops, and with it what it gave out', async () => {
      const broker = await openBroker(
        { database: { role: 'app' } },
        { app_role: { role_id, secret_id: await secretId() } },
      )
      const { user } = await issue(broker)
      const accessor = await accessorOf('auth/approle/login')
      await broker[Symbol.asyncDispose]()
      expect(await userThere(user)).toBe(false)
      expect((await bao.call('POST', 'auth/token/lookup-accessor', { accessor })).status).not.toBe(
        200,
      )
    })

    it.each([
      ['a token that is none', { token: 'nonsense' }, 'its token is not accepted'],
      [
        'a wrong secret id',
        { app_role: { role_id: 'nobody', secret_id: 'hunter2secret' } },
        'no login at auth/approle: the request was refused (400)',
      ],
      [
        'a file that is not there',
        { token_file: '/nowhere/token' },
        '/nowhere/token cannot be read',
      ],
    ])('%s: no credential, and words without a secret', async (_what, auth, words) => {
      await using broker = await openBroker(kv, auth)
      const failure = await failureOf(broker)
      expect(failure).toContain('credential shop-app: vault main: ')
      expect(failure).toContain(words)
      expect(failure).not.toContain('hunter2secret')
      expect(failure).not.toContain('nonsense')
    })

    it('what its policies do not allow is told as such, without a login each time', async () => {
      await using broker = await openBroker(
        { kv: { path: 'other/app' } },
        { app_role: { role_id, secret_id: await secretId() } },
      )
      const before = await accessorCount()
      for (let round = 0; round < 3; round++)
        expect(await failureOf(broker)).toContain(
          "vault main: secret/data/other/app: permission denied (403): look at the policies of the gateway's login",
        )
      expect(await accessorCount()).toBe(before + 1)
    })
    const accessorCount = async (): Promise<number> => {
      const { body } = await bao.call('GET', 'auth/token/accessors?list=true')
      return (body as { readonly data: { readonly keys: readonly string[] } }).data.keys.length
    }

    it('a server whose certificate is not trusted is not spoken to', async () => {
      await using broker = await openBroker(kv, root(), { tls: {} })
      expect(await failureOf(broker)).toMatch(/vault main: it cannot be reached \(\w+\)/)
    })
  })

  it('a sealed vault gives no credential, and gives them again when it is unsealed', async () => {
    await putSecret({ username: 'app', password: 'p' })
    await using broker = await openBroker(kv, root())
    expect((await issue(broker)).user).toBe('app')
    await bao.ok('POST', 'sys/seal')
    expect(await failureOf(broker)).toContain('it is sealed or in maintenance (503)')
    await bao.unseal()
  })
})
