import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeValue, type DecodedEvent } from '#core/events/codec.ts'
import { openEmbeddedLog } from '#lib/log/embedded.ts'
import { embeddedLogPath } from '#lib/log/open.ts'
import type { Log } from '#lib/log/port.ts'
import { startCairn, type RunningCairn } from '../support/cairn.ts'
import { eventually } from '../support/eventually.ts'
import { localIssuer, type LocalIssuer } from '../support/local-issuer.ts'
import type { Trail } from '../support/trail.ts'

/** The api and the replay service as they run, with an issuer that gives any identity, and the log to write a trail into. */
export interface RunningApi extends AsyncDisposable {
  readonly url: string
  readonly cairn: RunningCairn
  readonly issuer: LocalIssuer
  readonly admin_token: string
  readonly log: Log
  /** A token of somebody whose claim `cairn_role` is this. */
  token(role: string, claims?: Readonly<Record<string, unknown>>): Promise<string>
  /** Asks with a bearer token (null: none) and gives status, headers and the body as text and JSON. */
  ask(path: string, token?: string | null, init?: RequestInit): Promise<Asked>
  /** Writes a trail to the log and waits until the tables have it. */
  write(trail: Trail): Promise<void>
  /** Events of the api in the log so far. */
  notes(topic?: 'cairn.audit' | 'cairn.approvals'): Promise<readonly DecodedEvent[]>
}

export type Asked = {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- answers are looked into freely by tests
  readonly json: any
}

export const configuration = (issuer: LocalIssuer): Readonly<Record<string, unknown>> => ({
  deployment: 'test',
  issuers: [issuer.config('test')],
  credentials: [{ name: 'reader', user: 'reader', password: 'not-used-here' }],
  targets: [
    {
      name: 'shop',
      host: '127.0.0.1',
      port: 5432,
      roles: [
        { name: 'reader', credential: 'reader' },
        { name: 'owner', credential: 'reader' },
        {
          name: 'deployer',
          credential: 'reader',
          expect: [{ repository: 'acme/shop', environment: 'production' }],
        },
      ],
    },
  ],
  policies: [
    {
      name: 'readers',
      effect: 'allow',
      claims: { team: 'shop' },
      targets: ['shop'],
      roles: ['reader', 'deployer'],
    },
  ],
  clickhouse: { insert: { linger_ms: 50 } },
  approvals: {
    webhooks: [
      {
        name: 'chat',
        // Nobody listens: what comes back is what counts here.
        url: 'http://127.0.0.1:9/',
        secret: 'one-secret-for-messages',
        events: ['approval.consumed'],
        callback: {
          secret: 'another-one-for-callbacks',
          identities: [{ user: 'U1', issuer: 'https://people.example.test', subject: 'grace' }],
        },
      },
    ],
  },
  api: {
    roles: ['admin', 'analyst', 'approver', 'auditor', 'developer'].map((role) => ({
      role,
      claims: { cairn_role: role },
    })),
  },
})

const records = async (log: Log, topic: string): Promise<readonly DecodedEvent[]> => {
  const found: DecodedEvent[] = []
  for (const { partition, low, high } of await log.lag('test', [topic]))
    for await (const record of log.read(topic, partition, low, high)) {
      const value = decodeValue(record.value)
      if (value.ok && value.event.context.gateway === 'api') found.push(value)
    }
  return found
}

export const startRunningApi = async (): Promise<RunningApi> => {
  await using stack = new AsyncDisposableStack()
  const issuer = stack.use(await localIssuer('generic'))
  const cairn = stack.use(
    await startCairn({ config: configuration(issuer), services: ['replay', 'api'] }),
  )
  const url = `http://127.0.0.1:${cairn.ports['api']}`
  const log = stack.use(
    openEmbeddedLog({ path: embeddedLogPath(cairn.data_dir), now_ms: Date.now, id: randomUUID }),
  )
  const admin_token = (await readFile(join(cairn.data_dir, 'keys', 'admin-token'), 'utf8')).trim()

  const ask = async (
    path: string,
    token: string | null = admin_token,
    init: RequestInit = {},
  ): Promise<Asked> => {
    const response = await fetch(new URL(path, url), {
      ...init,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(init.headers as Record<string, string> | undefined),
      },
    })
    const text = await response.text()
    let json: unknown
    try {
      json = JSON.parse(text)
    } catch {
      json = undefined
    }
    return { status: response.status, headers: response.headers, text, json }
  }

  const held = stack.move()
  return {
    url,
    cairn,
    issuer,
    admin_token,
    log,
    token: (role, claims = {}) => issuer.token({ cairn_role: role, ...claims }),
    ask,
    write: async (trail) => {
      await log.append('cairn.audit', trail.records)
      const ids = [...new Set(trail.records.map(({ key }) => key.toString('hex')))]
      for (const id of ids) {
        const count = trail.records.filter(({ key }) => key.toString('hex') === id).length
        await eventually(`records of ${id} are in the tables`, async () => {
          const { json } = await ask(`/v1/sessions/${id}/records?limit=500`)
          return json?.items?.length >= Math.min(count, 500)
        })
      }
    },
    notes: (topic = 'cairn.audit') => records(log, topic),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  }
}
