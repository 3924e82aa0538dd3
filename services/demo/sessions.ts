import { Client } from 'pg'
import type { DemoProfile } from './issuer.ts'

/** A session of the demonstration: who connects, asking for what, and what runs. */
type DemoSession = {
  readonly title: string
  readonly profile: DemoProfile
  readonly role: string
  readonly application: string
  readonly statements: readonly (
    string | { readonly text: string; readonly values: readonly unknown[] }
  )[]
  /** The gateway is expected to refuse it. */
  readonly refused?: true
}

/** The last one is the attack: a token stolen from a documentation build asks for the role that migrates the schema. */
const sessions: readonly DemoSession[] = [
  {
    title: 'nightly report of acme/shop',
    profile: 'nightly-report',
    role: 'reader',
    application: 'nightly-report',
    statements: [
      'select status, count(*), sum(total_cents) / 100.0 as total from orders group by status order by status',
      {
        text: 'select country, count(*) from customers where country <> $1 group by country order by 2 desc',
        values: ['DE'],
      },
      'select no_such_column from orders',
    ],
  },
  {
    title: 'deployment of acme/shop from main',
    profile: 'deploy',
    role: 'migrator',
    application: 'migrate',
    statements: [
      'begin',
      'alter table orders add column if not exists shipped_at timestamptz',
      {
        text: "update orders set shipped_at = placed_at + interval '2 days' where status = $1 and shipped_at is null",
        values: ['shipped'],
      },
      'commit',
    ],
  },
  {
    title: 'Ana, an engineer, looks at an order',
    profile: 'ana',
    role: 'reader',
    application: 'psql',
    statements: [
      {
        text: 'select o.id, o.status, c.name, c.country from orders o join customers c on c.id = o.customer_id where o.id = $1',
        values: [42],
      },
      'drop table orders',
    ],
  },
  {
    title: 'attack: the token of a documentation build asks for the migrator role',
    profile: 'docs-build',
    role: 'migrator',
    application: 'psql',
    statements: ['select * from customers'],
    refused: true,
  },
]

export type RunSessionsOptions = {
  readonly port: number
  readonly mint: (profile: DemoProfile) => Promise<string>
  readonly say: (line: string) => void
}

const runSession = async (session: DemoSession, options: RunSessionsOptions): Promise<string> => {
  const client = new Client({
    host: '127.0.0.1',
    port: options.port,
    database: 'shop',
    user: session.role,
    password: await options.mint(session.profile),
    application_name: session.application,
    // The listener's certificate is self-signed and made on this machine at the first start.
    ssl: { rejectUnauthorized: false },
  })
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : String(error)}`
  }
  let failed = 0
  for (const statement of session.statements)
    await (
      typeof statement === 'string'
        ? client.query(statement)
        : client.query(statement.text, [...statement.values])
    ).catch(() => failed++)
  await client.end()
  return `${session.statements.length} commands, ${failed} of them refused by the database`
}

/** Runs the demonstration's sessions through the gateway, one after the other, and says what came of each. */
export const runDemoSessions = async (options: RunSessionsOptions): Promise<void> => {
  for (const session of sessions) {
    const outcome = await runSession(session, options)
    options.say(`  ${session.title}: ${outcome}`)
  }
}
