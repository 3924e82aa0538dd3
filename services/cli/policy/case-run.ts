import { effectOn, firstVerb, type SqlAnalysed, type SqlAnalysis } from '#core/sql/analysis.ts'
import type { PolicyCommand } from '#core/policy/command-evaluation.ts'
import type { Decision } from '#core/policy/decision.ts'
import { openPolicySession } from '#core/policy/policy-session.ts'
import type { PolicySet } from '#core/policy/policy-set.ts'
import type { PolicyCase, PolicySubject } from '#lib/config/policy-file.ts'
import type { CaseMasks } from './case-masks.ts'
import { subjectRequest } from './case-subject.ts'

export type CaseResult =
  | { readonly outcome: 'passed' }
  | {
      readonly outcome: 'failed'
      /** What the case expects and what the policy says, in words. */
      readonly reason: string
    }
  /** The case cannot be asked. */
  | { readonly outcome: 'unusable'; readonly reason: string }

/** What an EXECUTE of the same text runs; a name that the text does not prepare may be anything. */
const executed = ({ executes, prepares }: SqlAnalysed) =>
  executes.map(({ name }) => {
    const found = prepares.find((one) => one.name === name)
    return found ?? { verb: 'unknown', effects: [effectOn('unknown')] }
  })

const commandOf = (one: PolicyCase, sql: string, analysis: SqlAnalysis): PolicyCommand => ({
  kind: 'query',
  statement: {
    text: sql,
    text_bytes: Buffer.byteLength(sql),
    secrets: [],
    masked: [],
    verb: firstVerb(analysis),
    statements: analysis.ok ? [...analysis.statements, ...executed(analysis)] : [],
    analysis,
  },
  parameters: one.parameters.map((value) => ({
    format: 'text',
    value,
    masked: false,
    value_bytes: value === null ? -1 : Buffer.byteLength(value),
  })),
})

const said = ({ outcome, dry_run, rules, reason }: Decision): string =>
  `${outcome}${dry_run ? ' (dry run: not enforced)' : ''} by ${rules.join(', ')}: ${reason}`

const sameNames = (one: readonly string[], other: readonly string[]): boolean =>
  new Set(one).symmetricDifference(new Set(other)).size === 0

/** Asks a case. What a dry run does not enforce happens: it counts as allowed. */
export const runCase = (
  one: PolicyCase,
  subject: PolicySubject,
  set: PolicySet,
  analyze: (sql: string, path: readonly string[]) => SqlAnalysis,
  masks: CaseMasks,
): CaseResult => {
  const asked = subjectRequest(subject, one)
  if (!asked.ok) return { outcome: 'unusable', reason: `subject ${one.subject}: ${asked.problem}` }
  const session = openPolicySession(asked.request)
  const now_ms = Date.parse(one.now)
  const opened = session.session(set, now_ms)
  // A command needs a session first.
  const refused = opened.outcome === 'deny' && !opened.dry_run
  const path = one.search_path
  const decided = (sql: string): Decision =>
    masks(
      asked.request,
      sql,
      path,
      session.command(set, commandOf(one, sql, analyze(sql, path)), path, now_ms),
    )
  const decision = one.sql === undefined || refused ? opened : decided(one.sql)
  const happens = decision.dry_run ? 'allow' : decision.outcome
  if (happens !== one.expect)
    return { outcome: 'failed', reason: `expected ${one.expect}, got ${said(decision)}` }
  if (one.rules !== undefined && !sameNames(one.rules, decision.rules))
    return {
      outcome: 'failed',
      reason: `expected rules ${one.rules.join(', ')}, got ${said(decision)}`,
    }
  return { outcome: 'passed' }
}
