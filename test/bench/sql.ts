import { firstVerb, type SqlAnalysis } from '#core/sql/analysis.ts'
import { analyzeText, sql_limits } from '#core/sql/analyze.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { createCatalog } from '#core/sql/catalog-index.ts'
import { newDefinitionCache } from '#core/sql/database-environment.ts'
import type { Naming } from '#core/sql/naming.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets } from '#core/sql/redaction.ts'
import type { PolicyCommand } from '#core/policy/command-evaluation.ts'
import { evaluateSession } from '#core/policy/evaluate.ts'
import type { PolicyRule, SessionRequest } from '#core/policy/policy-rule.ts'
import { openPolicySession } from '#core/policy/policy-session.ts'
import { compilePolicies } from '#core/policy/policy-set.ts'
import type { Bench, Row } from './row.ts'

/** What a command costs before anything is recorded: parse or cache, redaction, decision. Time of one process, no I/O. */
const warm_ms = 300
const measured_ms = 1000
const slice = 64

/** Operations a second: warmed up first, then for a second, the clock read once per slice. */
const measure = (operation: (index: number) => void): number => {
  let index = 0
  const run = (duration_ms: number): number => {
    const started = performance.now()
    const first = index
    let now = started
    while (now - started < duration_ms) {
      for (let at = 0; at < slice; at += 1) operation(index++)
      now = performance.now()
    }
    return ((index - first) / (now - started)) * 1000
  }
  run(warm_ms)
  return run(measured_ms)
}

const simple = (index: number): string =>
  `SELECT abalance FROM pgbench_accounts WHERE aid = ${index % 100_000};`

const wide = (index: number): string =>
  `with recent as (select o.id, o.customer_id, sum(i.price * i.quantity) as total from orders o join items i on i.order_id = o.id
   where o.placed_at > now() - interval '30 days' and o.status in ('paid', 'shipped') group by o.id, o.customer_id)
   select c.name, count(*) as orders, sum(r.total) as revenue from recent r join customers c on c.id = r.customer_id
   where c.country = 'DE' and c.id <> ${index} group by c.name having sum(r.total) > 100 order by revenue desc limit 10`

const policies: readonly PolicyRule[] = Array.from({ length: 50 }, (_, index) => ({
  name: `policy-${index}`,
  effect: 'allow',
  issuers: ['github'],
  claims: { repository: [`acme/service-${index}`], ref: ['refs/heads/*'] },
  targets: ['*'],
  roles: ['reader', 'migrator'],
  databases: ['*'],
}))

const request: SessionRequest = {
  issuer: 'github',
  claims: { repository: 'acme/service-49', ref: 'refs/heads/main' },
  protocol: 'postgres',
  target: 'shop',
  role: 'reader',
  database: 'shop',
  actor: {
    kind: 'workload',
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'repo:acme/service-49:ref:refs/heads/main',
    display_name: 'acme/service-49',
    groups: [],
    credential_fingerprint: '',
    token_id: '',
  },
  pipeline: null,
  peer: { address: '127.0.0.1', client_software: 'bench' },
}

const now_ms = Date.UTC(2026, 2, 2)

const command = (text: string, analysis: SqlAnalysis): PolicyCommand => ({
  kind: 'query',
  statement: {
    text,
    text_bytes: text.length,
    secrets: [],
    masked: [],
    verb: firstVerb(analysis),
    statements: analysis.ok ? analysis.statements : [],
    analysis,
  },
  parameters: [],
})

const seen = (index: number): string => `SELECT total FROM shown WHERE id = ${index % 100_000}`

const relation = (oid: number, name: string, columns: string, definition: string | null) =>
  ({
    oid,
    schema: 'public',
    name,
    kind: definition === null ? 'table' : 'view',
    columns: columns
      .split(' ')
      .map((column, at) => ({ name: column, number: at + 1, type_oid: 23, generated: null })),
    definition,
    parents: [],
  }) as const

/** A database of ten thousand tables, two views among them. */
const naming: Naming = {
  catalog: createCatalog({
    version: 1,
    relations: [
      ...Array.from({ length: 10_000 }, (_, at) => relation(at + 1, `t${at}`, 'id a b c d', null)),
      relation(20_001, 'pgbench_accounts', 'aid bid abalance filler', null),
      relation(20_002, 'kept', 'id a', 'SELECT t1.id, t1.a FROM public.t1 WHERE t1.b > 0'),
      relation(
        20_003,
        'shown',
        'id total',
        'SELECT k.id, t.a AS total FROM public.kept k JOIN public.t2 t ON t.id = k.id',
      ),
    ],
    functions: [],
  }),
  search_path: ['public'],
}

const run = async (): Promise<readonly Row[]> => {
  const parser = await loadSqlParser()
  const analyzer = createSqlAnalyzer(parser)
  const set = compilePolicies(policies, 'digest')
  const session = openPolicySession(request)
  const known = analyzer.analyze(simple(0))
  const definitions = newDefinitionCache()
  const within = (text: string) => analyzeText(parser, text, sql_limits, naming, definitions)
  const cases: readonly (readonly [string, (index: number) => void])[] = [
    ['parse, 60 bytes', (index) => analyzeText(parser, simple(index))],
    ['parse, 700 bytes', (index) => analyzeText(parser, wide(index))],
    [
      'same text again',
      () => analyzer.analyze('SELECT abalance FROM pgbench_accounts WHERE aid = $1'),
    ],
    ['another literal, 60 bytes', (index) => analyzer.analyze(simple(index))],
    ['another literal, 700 bytes', (index) => analyzer.analyze(wide(index))],
    ['parse in a database, 60 bytes', (index) => within(simple(index))],
    ['parse in a database, a view over a view', (index) => within(seen(index))],
    [
      'same text again, in a database',
      () => analyzer.analyze('SELECT abalance FROM pgbench_accounts WHERE aid = $1', naming),
    ],
    ['another literal, in a database', (index) => analyzer.analyze(seen(index), naming)],
    ['redaction, nothing to do', (index) => redactSecrets(simple(index), known)],
    ['redaction, a password', () => redactSecrets(`alter role a password 'secret'`, known)],
    ['decision of a session, 50 policies', () => evaluateSession(set, request, now_ms)],
    [
      'decision of a command',
      (index) => session.command(set, command(simple(index), known), null, now_ms),
    ],
    [
      'analysis, redaction, decision',
      (index) => {
        const text = simple(index)
        const analysis = analyzer.analyze(text)
        redactSecrets(text, analysis)
        session.command(set, command(text, analysis), null, now_ms)
      },
    ],
  ]
  const rates = cases.map(([, operation]) => measure(operation))
  return cases.map(([name], index): Row => {
    const per_second = rates[index] ?? 0
    const row = { case: name, per_second, figures: { us: 1e6 / per_second } }
    if (index === 0) return row
    return Object.assign(row, {
      reference: cases[0]?.[0] ?? '',
      ratio: per_second / (rates[0] ?? 1),
    })
  })
}

export const bench: Bench = { name: 'SQL: parse, caches, redaction, decision', run }
