import { claimAt } from '#core/identity/claim-reader.ts'
import { compileActions, type ActionMatcher } from './actions.ts'
import { compileCondition, type Condition } from './condition.ts'
import { compileObjects, type ObjectMatcher } from './object-pattern.ts'
import { anyOf, type Matcher } from './pattern.ts'
import type { PipelineField, PolicyRule, SessionRequest } from './policy-rule.ts'

export type CompiledRule = {
  readonly rule: PolicyRule
  /** Whether the session is one that the rule is about, its condition left aside. */
  readonly matches: (request: SessionRequest) => boolean
  /** Undefined: every action (see actions.ts for what that means). */
  readonly actions: ActionMatcher | undefined
  readonly objects: ObjectMatcher | undefined
  /** The objects as they are written: for what is no relation. */
  readonly object_text: Matcher | undefined
  readonly columns: Matcher | undefined
  readonly condition: Condition | undefined
}

/** Policies in force. Immutable: another text is another set. */
export type PolicySet = {
  readonly digest: string
  /** Decisions are made and recorded, and nothing is refused for them. */
  readonly dry_run: boolean
  readonly rules: readonly CompiledRule[]
}

const isText = (value: unknown): value is string | number | boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'

const claimMatches = (value: unknown, matches: Matcher): boolean => {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.some((item) => isText(item) && matches(String(item)))
}

type Test = (request: SessionRequest) => boolean

/** Tests of the fields that a rule has; one that asks for nothing costs nothing. */
const sessionTests = (rule: PolicyRule): readonly Test[] => {
  const tests: Test[] = []
  const named = (patterns: readonly string[], field: 'issuer' | 'target' | 'role' | 'database') => {
    if (patterns.includes('*')) return
    const matches = anyOf(patterns)
    tests.push((request) => matches(request[field]))
  }
  named(rule.targets, 'target')
  named(rule.roles, 'role')
  named(rule.databases, 'database')
  named(rule.issuers, 'issuer')
  const { actors, groups } = rule
  if (actors !== undefined) tests.push(({ actor }) => actors.includes(actor.kind))
  if (groups !== undefined) {
    const matches = anyOf(groups)
    tests.push(({ actor }) => actor.groups.some(matches))
  }
  for (const [name, values] of Object.entries(rule.claims)) {
    const matches = anyOf(values)
    tests.push(({ claims }) => claimMatches(claimAt(claims, name), matches))
  }
  for (const [name, values] of Object.entries(rule.pipeline ?? {})) {
    const matches = anyOf(values)
    tests.push(({ pipeline }) => pipeline !== null && matches(pipeline[name as PipelineField]))
  }
  return tests
}

const conditionOf = ({ name, when }: PolicyRule): Condition | undefined => {
  if (when === undefined) return undefined
  const compiled = compileCondition(when)
  if (!compiled.ok) throw new TypeError(`policy ${name}: its condition was never checked`)
  return compiled.condition
}

const compileRule = (rule: PolicyRule): CompiledRule => {
  const tests = sessionTests(rule)
  return {
    rule,
    matches: (request) => tests.every((test) => test(request)),
    actions: rule.actions === undefined ? undefined : compileActions(rule.actions),
    objects: rule.objects === undefined ? undefined : compileObjects(rule.objects),
    object_text: rule.objects === undefined ? undefined : anyOf(rule.objects),
    columns: rule.columns === undefined ? undefined : anyOf(rule.columns),
    condition: conditionOf(rule),
  }
}

/** Compiles policies that were checked. `digest` is the SHA-256 of their text, hex. */
export const compilePolicies = (
  rules: readonly PolicyRule[],
  digest: string,
  options: { readonly dry_run?: boolean } = {},
): PolicySet => ({ digest, dry_run: options.dry_run ?? false, rules: rules.map(compileRule) })
