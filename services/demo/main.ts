import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from 'pg'
import { stringify } from 'yaml'
import type { Logger } from '#lib/logger.ts'
import { shopSchema } from './database.ts'
import { startDemoIssuer, type DemoIssuer } from './issuer.ts'
import { startPostgres, type LocalPostgres } from './postgres.ts'
import { runDemoSessions } from './sessions.ts'

export type DemoOptions = {
  /** Cairn's data folder; the demonstration's configuration goes below it. */
  readonly data_dir: string
  readonly say: (line: string) => void
  readonly logger: Logger
}

/** The demonstration: a target, an issuer, a configuration that joins them, and sessions to look at. */
export interface Demo extends AsyncDisposable {
  readonly config_file: string
  /** What `cairn token` needs to act as one of the demonstration's identities. */
  readonly run: { readonly demo: { readonly token_url: string } }
  /** Runs the sessions through the gateway and prints how to go on. */
  runSessions(ports: Readonly<Record<string, number>>): Promise<void>
}

const createShop = async (
  postgres: LocalPostgres,
  passwords: { readonly reader: string; readonly migrator: string },
): Promise<void> => {
  const admin = new Client({ connectionString: postgres.url })
  await admin.connect()
  await admin.query('create database shop')
  await admin.end()
  const shop = new Client({ connectionString: postgres.url.replace(/\/postgres$/, '/shop') })
  await shop.connect()
  await shop.query(shopSchema(passwords))
  await shop.end()
}

/** The jobs that deploy. */
const production = {
  pipeline: { repository: 'acme/shop', environment: 'production', ref: 'refs/heads/main' },
} as const

const configuration = (
  postgres: LocalPostgres,
  issuer: DemoIssuer,
  passwords: { readonly reader: string; readonly migrator: string },
): Readonly<Record<string, unknown>> => ({
  deployment: 'demo',
  issuers: issuer.issuers,
  credentials: [
    { name: 'shop-reader', user: 'shop_reader', password: passwords.reader },
    { name: 'shop-migrator', user: 'shop_migrator', password: passwords.migrator },
  ],
  targets: [
    {
      name: 'shop',
      protocol: 'postgres',
      host: postgres.host,
      port: postgres.port,
      tls: { mode: 'verify-full', ca_file: postgres.ca_file },
      default_database: 'shop',
      roles: [
        { name: 'reader', credential: 'shop-reader' },
        { name: 'migrator', credential: 'shop-migrator' },
      ],
    },
  ],
  policies: [
    {
      name: 'nightly-report-reads',
      effect: 'allow',
      issuers: ['demo-ci'],
      pipeline: { workflow: 'acme/shop/.github/workflows/nightly-report.yml@refs/heads/main' },
      targets: ['shop'],
      roles: ['reader'],
      actions: ['select', 'show'],
    },
    {
      name: 'production-deploys-migrate',
      effect: 'allow',
      issuers: ['demo-ci'],
      ...production,
      targets: ['shop'],
      roles: ['migrator'],
    },
    {
      name: 'engineers-read',
      effect: 'allow',
      issuers: ['demo-people'],
      groups: ['engineering'],
      targets: ['shop'],
      roles: ['reader'],
    },
    {
      name: 'engineers-migrate',
      effect: 'allow',
      issuers: ['demo-people'],
      groups: ['engineering'],
      targets: ['shop'],
      roles: ['migrator'],
    },
    ...[
      { name: 'deploys-change-the-schema-with-a-dba', issuers: ['demo-ci'], ...production },
      {
        name: 'engineers-change-the-schema-with-a-dba',
        issuers: ['demo-people'],
        groups: ['engineering'],
      },
    ].map((who) => ({
      ...who,
      effect: 'hold',
      targets: ['shop'],
      roles: ['migrator'],
      actions: ['ddl.*', 'truncate', 'grant'],
      hold: { groups: ['dba'], quorum: 1, expires_s: 900 },
    })),
  ],
  masking: {
    rules: [
      {
        name: 'customer-emails',
        columns: ['customers.email'],
        method: 'partial',
        partial: { keep_first: 2, keep_last: 4 },
        roles: ['reader'],
      },
      { name: 'cards', detectors: ['card'] },
    ],
  },
  api: {
    roles: [
      { role: 'approver', issuers: ['demo-people'], groups: ['dba'] },
      { role: 'developer', issuers: ['demo-people'] },
    ],
  },
})

const howToGoOn = (
  ports: Readonly<Record<string, number>>,
  approver_url: string,
): readonly string[] => [
  '',
  'Cairn runs. In a second terminal, in this folder:',
  '',
  '  PGPASSWORD=$(npx cairn token --target shop --role reader) \\',
  `    psql 'host=127.0.0.1 port=${ports['postgres']} dbname=shop user=reader sslmode=require'`,
  '',
  '  npx cairn sessions',
  '  npx cairn replay SESSION',
  `  curl 'http://127.0.0.1:${ports['clickhouse']}/' --data 'select count() from cairn.commands'`,
  '',
  'Ask for the role migrator instead, change the schema, and the command waits for a DBA, who is not you:',
  '',
  '  npx cairn approvals',
  `  CAIRN_API_TOKEN=$(curl -s ${approver_url}) npx cairn approve APPROVAL`,
  '',
  `API: http://127.0.0.1:${ports['api']}/v1/openapi.json    Stop: Ctrl-C`,
  '',
]

/** Starts target and issuer and writes the configuration (0600: it holds the target's passwords). */
export const startDemo = async ({ data_dir, say, logger }: DemoOptions): Promise<Demo> => {
  await using stack = new AsyncDisposableStack()
  say(
    'demonstration: starting a PostgreSQL, an issuer and Cairn (a configuration file or CAIRN_DEMO=0 leaves it out)',
  )
  const postgres = stack.use(await startPostgres({ tls: true }))
  const issuer = stack.use(await startDemoIssuer({ port: 0, logger }))
  const passwords = {
    reader: randomBytes(18).toString('base64url'),
    migrator: randomBytes(18).toString('base64url'),
  }
  await createShop(postgres, passwords)
  const folder = join(data_dir, 'demo')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const config_file = join(folder, 'cairn.yaml')
  await writeFile(
    config_file,
    `# Written at each start of the demonstration.\n${stringify({ data_dir, ...configuration(postgres, issuer, passwords) })}`,
    { mode: 0o600 },
  )
  const held = stack.move()
  return {
    config_file,
    run: { demo: { token_url: issuer.tokenUrl('ana') } },
    runSessions: async (ports) => {
      say('sessions of the demonstration, through the gateway:')
      await runDemoSessions({
        port: ports['postgres'] ?? 0,
        api: `http://127.0.0.1:${ports['api']}`,
        mint: (profile) => issuer.mint(profile),
        say,
      })
      for (const line of howToGoOn(ports, issuer.tokenUrl('grace'))) say(line)
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
