import { Client } from 'pg'
import { approveNext } from './approver.ts'
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
  /** A command of it waits for a person; somebody approves it with these words. */
  readonly approved?: string
  /** It shows the token of the session before it, which was good for one session. */
  readonly replays?: true
}

/** The last two are attacks: a deployment's token is used a second time, and one of a documentation build asks for the role that migrates the schema. */
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
      'select name, email from customers order by id limit 3',
      'select no_such_column from orders',
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
    title: 'deployment of acme/shop from main, its schema change approved by Grace, a DBA',
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
    approved: 'agreed for release 42',
  },
  {
    title: "attack: the deployment's token, used a second time",
    profile: 'deploy',
    role: 'migrator',
    application: 'psql',
    statements: ['select * from customers'],
    replays: true,
  },
  {
    title: 'attack: the token of a documentation build asks for the migrator role',
    profile: 'docs-build',
    role: 'migrator',
    application: 'psql',
    statements: ['select * from customers'],
  },
]

export type RunSessionsOptions = {
  readonly port: number
  /** Base URL of the API. */
  readonly api: string
  readonly mint: (profile: DemoProfile) => Promise<string>
  readonly say: (line: string) => void
}

const runSession = async (
  session: DemoSession,
  token: string,
  options: RunSessionsOptions,
): Promise<string> => {
  const client = new Client({
    host: '127.0.0.1',
    port: options.port,
    database: 'shop',
    user: session.role,
    password: token,
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
  const approval =
    session.approved === undefined
      ? undefined
      : approveNext({ api: options.api, token: () => options.mint('grace') }, session.approved)
  let failed = 0
  for (const statement of session.statements)
    await (
      typeof statement === 'string'
        ? client.query(statement)
        : client.query(statement.text, [...statement.values])
    ).catch(() => failed++)
  const approved = await approval
  await client.end()
  return [
    `${session.statements.length} commands`,
    ...(failed === 0 ? [] : [`${failed} of them refused`]),
    ...(approved === undefined ? [] : [`approved: ${approved}`]),
  ].join(', ')
}

/** Runs the demonstration's sessions through the gateway, one after the other, and says what came of each. */
export const runDemoSessions = async (options: RunSessionsOptions): Promise<void> => {
  let token = ''
  for (const session of sessions) {
    if (session.replays !== true) token = await options.mint(session.profile)
    const outcome = await runSession(session, token, options)
    options.say(`  ${session.title}: ${outcome}`)
  }
}
