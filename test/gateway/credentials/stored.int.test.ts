import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema } from '#lib/config/schema.ts'
import { openLogger } from '#lib/logger.ts'
import { openCredentialBroker } from '../../../services/gateway/credentials/broker.ts'
import { filesBelow } from '../../support/files-below.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { connected, throughGateway } from './clients.ts'

/** Begins every password, to search for it. */
const planted = 'hunter2secret'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-stored-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const broker = (
  source: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
) => {
  const config = configSchema.parse({
    targets: [
      { name: 'shop', host: '127.0.0.1', roles: [{ name: 'app', credential: 'shop-app' }] },
    ],
    credentials: [{ name: 'shop-app', ...source }],
  })
  return openCredentialBroker(config, {
    gateway_name: 'gw/0',
    targets: new Map(),
    env,
    onSwept: () => undefined,
    logger: openLogger('gateway', 'silent'),
    now_ms: () => Date.now(),
  })
}

const request = (role = 'app') => ({
  target: 'shop',
  role,
  database: 'shop',
  actor: 'nobody',
  signal: new AbortController().signal,
})

describe('credentials that stand somewhere', () => {
  it('come from the configuration, a file or the environment, and never print', async () => {
    await writeFile(join(folder, 'password'), `${planted}File\n`)
    await writeFile(join(folder, 'user'), 'from-a-file\n')
    const sources = [
      { source: { user: 'app', password: `${planted}Static` }, user: 'app', password: 'Static' },
      {
        source: { user: 'app', password_file: join(folder, 'password') },
        user: 'app',
        password: 'File',
      },
      {
        source: { user_file: join(folder, 'user'), password_env: 'SHOP_PASSWORD' },
        user: 'from-a-file',
        password: 'Environment',
      },
    ]
    for (const { source, user, password } of sources) {
      await using opened = await broker(source, { SHOP_PASSWORD: `${planted}Environment` })
      const credential = await opened.issue(request())
      expect(credential).toMatchObject({ name: 'shop-app', kind: 'static', user, expires_us: null })
      expect(credential?.password.reveal()).toBe(planted + password)
      expect(JSON.stringify(credential)).not.toContain(planted)
      expect(await credential?.revoke()).toBe('the session is over')
    }
  })

  it('a role that the target does not have has none', async () => {
    await using opened = await broker({ user: 'app', password: 'x' })
    expect(opened.issue(request('other'))).toBeUndefined()
    expect(opened.issue({ ...request(), target: 'other' })).toBeUndefined()
  })

  it.each([
    ['a missing file', { password_file: 'missing' }, 'cannot be read (ENOENT)'],
    ['a folder', { password_file: '.' }, 'cannot be read (EISDIR)'],
    ['an empty file', { password_file: 'empty' }, 'is empty'],
    ['a large file', { password_file: 'large' }, 'is larger than 65536 bytes'],
    ['a zero byte', { password_file: 'zero' }, 'holds a zero byte'],
    ['no variable', { password_env: 'NOT_THERE' }, 'variable NOT_THERE is not set'],
  ])('%s is no credential, in words without what was read', async (_what, source, words) => {
    await writeFile(join(folder, 'empty'), '\n')
    await writeFile(join(folder, 'large'), planted.repeat(6000))
    await writeFile(join(folder, 'zero'), `${planted}\0`)
    const [key, value] = Object.entries(source)[0]!
    await using opened = await broker({
      user: 'app',
      [key]: key === 'password_file' ? join(folder, value) : value,
    })
    const failure = await opened.issue(request())?.then(
      () => null,
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({ code: 'target_unavailable' })
    expect(String(failure)).toContain(words)
    expect(String(failure)).toContain('shop-app')
    expect(String(failure)).not.toContain(planted)
  })
})

describe('a password file behind a running gateway', () => {
  let postgres: TestPostgres
  let gateway: TestGateway
  const rotate = async (password: string): Promise<void> => {
    await using admin = await connected({ connectionString: postgres.url })
    await admin.client.query(`alter role rotated password '${password}'`)
    await writeFile(join(folder, 'rotated'), password)
  }
  const session = async () => throughGateway(gateway.port, await gateway.token())
  beforeAll(async () => {
    postgres = await startPostgres()
    await using admin = await connected({ connectionString: postgres.url })
    await admin.client.query('create role rotated login')
    gateway = await startTestGateway({
      targets: { main: postgres },
      config: {
        credentials: [
          { name: 'main-admin', user: 'rotated', password_file: join(folder, 'rotated') },
        ],
      },
    })
  })
  afterAll(async () => {
    await gateway?.[Symbol.asyncDispose]()
    await postgres?.stop()
  })

  it('a new password is the next session’s, without a restart', async () => {
    for (const password of [`${planted}One`, `${planted}Two`]) {
      await rotate(password)
      await using opened = await session()
      const { rows } = await opened.client.query('select session_user::text as who')
      expect(rows).toEqual([{ who: 'rotated' }])
    }
    const issued = await gateway.until((records) => {
      const found = records.filter(({ type }) => type === 'credential.revoked')
      return found.length === 2 ? found : undefined
    })
    expect(issued[0]).toMatchObject({ credential: 'main-admin', principal: 'rotated' })
  })

  it('when it cannot be read the session is refused: the record says why, the client learns nothing of it', async () => {
    await rm(join(folder, 'rotated'))
    const failure = await session().then(
      () => null,
      (error: unknown) => error,
    )
    expect(failure).toMatchObject({
      code: '08006',
      message: 'the gateway has no credential for the target now',
    })
    const refused = await gateway.until((records) =>
      records.find(
        (record) => record.type === 'session.refused' && record.reason === 'credential_unavailable',
      ),
    )
    expect(
      JSON.stringify(refused, (_key, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      ),
    ).toContain(`credential main-admin: ${join(folder, 'rotated')} cannot be read (ENOENT)`)
  })

  it('no file of the gateway has a password, right or wrong', async () => {
    await writeFile(join(folder, 'rotated'), `${planted}Wrong`)
    await expect(session()).rejects.toMatchObject({ code: '08006' })
    await gateway.until((records) =>
      records.find(
        (record) =>
          record.type === 'session.refused' && record.reason === 'target_authentication_failed',
      ),
    )
    for (const [path, content] of await filesBelow(gateway.data_dir))
      expect(content.includes(planted), path).toBe(false)
  })
})
