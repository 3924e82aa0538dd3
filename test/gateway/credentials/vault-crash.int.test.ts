import { expect, it } from 'vitest'
import { startCairn } from '../../support/cairn.ts'
import { eventually } from '../../support/eventually.ts'
import { localIssuer } from '../../support/local-issuer.ts'
import { startOpenBao } from '../../support/openbao.ts'
import { startPostgres } from '../../support/postgres.ts'
import { openBao } from '../../support/tools.ts'
import { connected, throughGateway } from './clients.ts'

const binary = openBao()

it.skipIf(binary === null)(
  'kill -9 of the gateway: nobody renews the lease of its session any more, and the vault drops the account',
  async () => {
    await using postgres = await startPostgres()
    await using bao = await startOpenBao(binary!)
    await bao.ok('POST', 'sys/mounts/database', { type: 'database' })
    await bao.ok('POST', 'database/config/shop', {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: '*',
      connection_url: `postgresql://{{username}}:{{password}}@127.0.0.1:${postgres.port}/postgres?sslmode=disable`,
      username: postgres.user,
      password: postgres.password,
    })
    await bao.ok('POST', 'database/roles/app', {
      db_name: 'shop',
      creation_statements: [
        `CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
      ],
      default_ttl: '5s',
      max_ttl: '1h',
    })
    await using issuer = await localIssuer('github')
    await using cairn = await startCairn({
      services: ['gateway'],
      config: {
        issuers: [issuer.config('ci')],
        vaults: [
          {
            name: 'main',
            url: bao.url,
            tls: { ca_file: bao.ca_file },
            auth: { token: bao.root_token },
          },
        ],
        credentials: [{ name: 'app', vault: { server: 'main', database: { role: 'app' } } }],
        targets: [
          {
            name: 'main',
            host: postgres.host,
            port: postgres.port,
            tls: { mode: 'disable' },
            roles: [{ name: 'app', credential: 'app' }],
          },
        ],
        policies: [{ name: 'tests', effect: 'allow', actions: ['*'] }],
      },
    })
    const session = await throughGateway(cairn.ports['postgres']!, await issuer.token({}), {
      user: 'app',
    })
    const accounts = async (): Promise<number> => {
      await using admin = await connected({ connectionString: postgres.url })
      const { rowCount } = await admin.client.query(
        `select 1 from pg_roles where rolname like 'v-%' and rolcanlogin`,
      )
      return rowCount ?? 0
    }
    expect(await accounts()).toBe(1)
    const gateway = (await cairn.processes()).get('gateway') ?? 0
    const ended = cairn.stop('SIGKILL')
    process.kill(gateway, 'SIGKILL')
    await ended
    await eventually('the vault has dropped it', async () => (await accounts()) === 0)
    await session.client.end().catch(() => undefined)
  },
)
