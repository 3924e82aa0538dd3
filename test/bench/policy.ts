import { evaluateCommand, type PolicyCommand } from '#core/policy/command-evaluation.ts'
import { openPolicySession } from '#core/policy/policy-session.ts'
import type { PolicyRule, SessionRequest } from '#core/policy/policy-rule.ts'
import { compilePolicies } from '#core/policy/policy-set.ts'
import { sessionScope } from '#core/policy/session-scope.ts'
import { firstVerb } from '#core/sql/analysis.ts'
import { analyzeText } from '#core/sql/analyze.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import type { Bench, Row } from './row.ts'

/** What a decision costs: 50 rules of which 10 are about the session, each way of asking them. One process, no I/O. */
const warm_ms = 300
const measured_ms = 1000
const slice = 64
const now_ms = Date.UTC(2026, 2, 2, 10)

const measure = (operation: () => void): number => {
  const run = (duration_ms: number): number => {
    const started = performance.now()
    let count = 0
    let now = started
    while (now - started < duration_ms) {
      for (let at = 0; at < slice; at += 1) operation()
      count += slice
      now = performance.now()
    }
    return (count / (now - started)) * 1000
  }
  run(warm_ms)
  return run(measured_ms)
}

const rule = (index: number, more: Partial<PolicyRule> = {}): PolicyRule => ({
  name: `policy-${index}`,
  effect: index % 10 === 9 ? 'deny' : 'allow',
  issuers: ['github'],
  claims: { repository: [`acme/service-${index % 5}`], ref: ['refs/heads/*'] },
  targets: ['*'],
  roles: ['reader', 'deploy'],
  databases: ['*'],
  actions: index % 10 === 9 ? ['ddl.*', 'truncate'] : ['select', 'insert', 'update'],
  objects: ['public.*', `service_${index}.*`],
  ...more,
})

const rules = Array.from({ length: 50 }, (_, index) => rule(index))

const request: SessionRequest = {
  issuer: 'github',
  claims: { repository: 'acme/service-4', ref: 'refs/heads/main' },
  actor: {
    kind: 'workload',
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'repo:acme/service-4:ref:refs/heads/main',
    display_name: 'acme/service-4',
    groups: [],
    credential_fingerprint: '',
    token_id: '',
  },
  pipeline: null,
  peer: { address: '127.0.0.1', client_software: 'bench' },
  protocol: 'postgres',
  target: 'shop',
  role: 'reader',
  database: 'shop',
}

const texts = {
  one: 'select total from public.orders where id = $1',
  join: `select c.name, sum(i.price) from public.orders o join public.items i on i.order_id = o.id
    join public.customers c on c.id = o.customer_id group by c.name`,
}

const conditions = {
  effects: 'command.effects.all(e, e.action == "select") && command.risk < 50',
  text: 'command.text.startsWith("select") && now.getHours() < 18',
}

const run = async (): Promise<readonly Row[]> => {
  const parser = await loadSqlParser()
  const analyzer = createSqlAnalyzer(parser)
  const commandOf = (text: string): PolicyCommand => {
    const analysis = analyzer.analyze(text)
    return {
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
    }
  }
  const path = ['public']
  const plain = compilePolicies(rules, 'plain')
  const withEffects = compilePolicies([...rules, rule(54, { when: conditions.effects })], 'effects')
  const withText = compilePolicies([...rules, rule(54, { when: conditions.text })], 'text')
  const one = commandOf(texts.one)
  const join = commandOf(texts.join)
  const cached = (set: typeof plain, command: PolicyCommand) => {
    const session = openPolicySession(request)
    return () => session.command(set, command, path, now_ms)
  }
  const cold = (set: typeof plain, command: PolicyCommand) => {
    const scope = sessionScope(set, request, now_ms)
    return () => evaluateCommand(scope, command, path, now_ms)
  }
  const cases: readonly (readonly [string, () => unknown])[] = [
    ['parse and analysis, one table, to compare', () => analyzeText(parser, texts.one)],
    ['kept, one table', cached(plain, one)],
    ['kept, three tables', cached(plain, join)],
    ['cold, one table', cold(plain, one)],
    ['cold, three tables', cold(plain, join)],
    ['kept, condition on effects', cached(withEffects, one)],
    ['cold, condition on effects', cold(withEffects, one)],
    ['never kept, condition on text and time', cached(withText, one)],
    ['a session opens, 50 rules', () => sessionScope(plain, request, now_ms)],
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

export const bench: Bench = { name: 'Policy: a decision, kept and cold', run }
