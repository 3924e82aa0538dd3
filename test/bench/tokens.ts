import { Client } from 'pg'
import { startCairn } from '../support/cairn.ts'
import { localIssuer } from '../support/local-issuer.ts'
import { startPostgres } from '../support/postgres.ts'
import type { Bench, Row } from './row.ts'

/**
 * What the ledger of tokens costs a session: connections opened through one gateway, from connect to ready, by roles that count uses
 * (each token once) and by one that does not, in turn. The embedded log, so a claim is one commit with fsync.
 */
const rounds = Number(process.env['CAIRN_BENCH_ROUNDS'] ?? 6)
const sessions_per_round = 40
const client_counts = [1, 8] as const

const roles = [
  { name: 'uncounted', sessions_per_token: 0 },
  { name: 'counted', sessions_per_token: 1 },
] as const

type Role = (typeof roles)[number]['name']

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[
    Math.min(values.length - 1, Math.floor(values.length * share))
  ] ?? 0

const open = async (port: number, role: Role, password: string): Promise<number> => {
  const client = new Client({ host: '127.0.0.1', port, user: role, database: 'main', password })
  const begun = performance.now()
  await client.connect()
  const took = performance.now() - begun
  await client.end()
  return took
}

const inParallel = async (
  tokens: readonly string[],
  clients: number,
  work: (token: string) => Promise<number>,
): Promise<readonly number[]> => {
  const waiting = [...tokens]
  const times: number[] = []
  const worker = async (): Promise<void> => {
    for (let token = waiting.pop(); token !== undefined; token = waiting.pop())
      times.push(await work(token))
  }
  await Promise.all(Array.from({ length: clients }, worker))
  return times
}

const run = async (): Promise<readonly Row[]> => {
  await using stack = new AsyncDisposableStack()
  const postgres = await startPostgres()
  stack.defer(() => postgres.stop())
  const issuer = stack.use(await localIssuer('github', 'ES256'))
  const cairn = stack.use(
    await startCairn({
      services: ['gateway'],
      config: {
        listeners: { postgres: { cleartext: 'loopback' } },
        issuers: [issuer.config('ci')],
        credentials: [{ name: 'main', user: postgres.user, password: postgres.password }],
        targets: [
          {
            name: 'main',
            host: postgres.host,
            port: postgres.port,
            tls: { mode: 'disable' },
            default_database: postgres.database,
            roles: roles.map((role) => ({ ...role, credential: 'main' })),
          },
        ],
        policies: [{ name: 'bench', effect: 'allow' }],
      },
    }),
  )
  const port = cairn.ports['postgres'] ?? 0
  const rows: Row[] = []
  for (const clients of client_counts) {
    const times = new Map<Role, number[]>(roles.map(({ name }) => [name, []]))
    const spent = new Map<Role, number>(roles.map(({ name }) => [name, 0]))
    // The first round warms up.
    for (let round = 0; round <= rounds; round++)
      for (const { name } of roles) {
        const tokens = await Promise.all(
          Array.from({ length: sessions_per_round }, () => issuer.token()),
        )
        const begun = performance.now()
        const took = await inParallel(tokens, clients, (token) => open(port, name, token))
        if (round === 0) continue
        times.get(name)?.push(...took)
        spent.set(name, (spent.get(name) ?? 0) + performance.now() - begun)
      }
    const per_second = (role: Role): number =>
      (1000 * rounds * sessions_per_round) / (spent.get(role) ?? 1)
    for (const { name } of roles)
      rows.push({
        case: `sessions, ${name}, ${clients} at a time`,
        unit: 'sessions/s',
        per_second: per_second(name),
        ...(name === 'uncounted'
          ? {}
          : { reference: 'uncounted', ratio: per_second(name) / per_second('uncounted') }),
        figures: {
          p50_ms: percentile(times.get(name) ?? [], 0.5),
          p95_ms: percentile(times.get(name) ?? [], 0.95),
        },
      })
  }
  return rows
}

export const bench: Bench = { name: 'tokens: session setup with and without the ledger', run }
