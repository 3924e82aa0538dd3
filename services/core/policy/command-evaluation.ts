import { effectOn, type Effect, type SqlAnalysis } from '#core/sql/analysis.ts'
import type { ConditionCommand } from './condition.ts'
import { builtin_rules, type CommandDecision, type Decision, type HoldTerms } from './decision.ts'
import { ownReasons, quoted, ruleNames, withDryRules } from './evaluate.ts'
import { holdTerms } from './hold-terms.ts'
import type { SearchPath } from './object-pattern.ts'
import type { PolicyRule } from './policy-rule.ts'
import type { CompiledRule } from './policy-set.ts'
import { riskOf } from './risk.ts'
import { concerns, permissionsOf } from './rule-reach.ts'
import { sessionRules, type ScopedRule, type SessionScope } from './session-scope.ts'

/** A command as policies see it, whatever the protocol. */
export type PolicyCommand = {
  /** How it came: query, execute ... */
  readonly kind: string
  readonly statement: {
    /** As it is recorded. */
    readonly text: string
    /** Length as received. */
    readonly text_bytes: number
    /** What was replaced in it. */
    readonly secrets: readonly unknown[]
    readonly masked: readonly unknown[]
    /** Of the first statement; `empty` for none, `unknown` for what the gateway never saw. */
    readonly verb: string
    /** With those that an EXECUTE runs. */
    readonly statements: readonly { readonly verb: string; readonly effects: readonly Effect[] }[]
    readonly analysis: SqlAnalysis
  }
  readonly parameters: readonly {
    readonly format: 'text' | 'binary'
    readonly value: string | null
    readonly masked: boolean
    /** On the wire; -1 for NULL. */
    readonly value_bytes: number
  }[]
}

/** Values of a command that are together no longer than this are never cut. */
const sure_parameters_bytes = 1024
/** A command that does more at once is denied: what it costs to look at it would hold up everybody else. */
const command_effects_max = 10_000
/** Effects that a reason names. */
const shown_effects_max = 5

/** The effects of a command; a statement without any does what its verb says. */
export const effectsOf = ({ statement }: PolicyCommand): readonly Effect[] => {
  const { statements, verb } = statement
  if (statements.length === 0) return verb === 'empty' ? [] : [effectOn('unknown')]
  const [only, ...others] = statements
  if (only !== undefined && others.length === 0)
    return only.effects.length === 0 ? [effectOn(only.verb)] : only.effects
  return distinct(statements)
}

/** What several statements do alike is looked at once. */
const distinct = (statements: PolicyCommand['statement']['statements']): readonly Effect[] => {
  const found = new Map<string, Effect>()
  for (const { verb, effects } of statements)
    for (const effect of effects.length === 0 ? [effectOn(verb)] : effects) {
      const { action, object, via, columns } = effect
      found.set([action, object, via, ...columns].join('\0'), effect)
    }
  return [...found.values()]
}

const wholeText = ({ text, text_bytes, secrets, masked }: PolicyCommand['statement']): boolean =>
  secrets.length === 0 && masked.length === 0 && Buffer.byteLength(text) === text_bytes

const wholeParameters = (
  parameters: PolicyCommand['parameters'],
): readonly (string | null)[] | undefined => {
  const total = parameters.reduce((sum, { value_bytes }) => sum + Math.max(value_bytes, 0), 0)
  const whole = parameters.every(
    ({ value, masked, value_bytes, format }) =>
      !masked &&
      (value_bytes === -1 ||
        (value !== null &&
          (total <= sure_parameters_bytes ||
            (format === 'text' && Buffer.byteLength(value) === value_bytes)))),
  )
  return whole ? parameters.map(({ value }) => value) : undefined
}

const conditionCommand = (
  command: PolicyCommand,
  effects: readonly Effect[],
  risk: number,
  volatile: boolean,
): ConditionCommand => {
  const { kind, statement, parameters } = command
  const base = { kind, verb: statement.verb, effects, risk }
  if (!volatile) return base
  const values = wholeParameters(parameters)
  return {
    ...base,
    ...(wholeText(statement) ? { text: statement.text } : {}),
    ...(values === undefined ? {} : { parameters: values }),
  }
}

type Outcome = Pick<Decision, 'outcome' | 'rules' | 'reason'> & { readonly hold: HoldTerms | null }

const shown = ({ action, object, columns }: Effect): string => {
  const name = object === '' ? action : `${action} on ${quoted(object)}`
  return columns.length === 0 || columns.includes('*')
    ? name
    : `${name} (${columns.slice(0, 5).map(quoted).join(', ')})`
}

const listed = (effects: readonly Effect[]): string => {
  const more = effects.length - shown_effects_max
  const words = [...new Set(effects.slice(0, 100).map(shown))]
    .slice(0, shown_effects_max)
    .join(', ')
  return more > 0 ? `${words} and ${more} more` : words
}

const by = (
  outcome: 'deny' | 'hold' | 'allow',
  rules: readonly PolicyRule[],
  effects: readonly Effect[],
  hold: HoldTerms | null,
): Outcome => {
  const names = ruleNames(rules)
  const verb = { deny: 'denied', hold: 'held', allow: 'allowed' }[outcome]
  const why = outcome === 'allow' ? '' : ownReasons(rules)
  return {
    outcome,
    rules: names,
    reason: `${listed(effects) || 'nothing'}: ${verb} by ${names.join(', ')}${why}`,
    hold,
  }
}

type Answers = {
  /** Rules that restrict: condition true or in error. */
  readonly restricting: readonly CompiledRule[]
  /** Rules that permit: condition true. */
  readonly permitting: readonly CompiledRule[]
}

const answersOf = (
  scope: SessionScope,
  rules: readonly ScopedRule[],
  command: ConditionCommand,
  now_ms: number,
): Answers => {
  const facts = { session: scope.variables, command, now_ms }
  const restricting: CompiledRule[] = []
  const permitting: CompiledRule[] = []
  for (const { compiled, open } of rules) {
    const holds = !open || compiled.condition === undefined ? true : compiled.condition.holds(facts)
    if (holds === false) continue
    if (compiled.rule.effect !== 'allow') restricting.push(compiled)
    if (compiled.rule.effect === 'allow' && holds === true) permitting.push(compiled)
  }
  return { restricting, permitting }
}

/** Deny beats what nothing allows, that beats hold, hold beats allow; the strictest effect of the strictest statement counts. */
const decideBy = (
  { restricting, permitting }: Answers,
  effects: readonly Effect[],
  path: SearchPath,
): Outcome => {
  const touched = restricting.flatMap((compiled) => {
    const found = effects.filter((effect) => concerns(compiled, effect, path))
    return found.length === 0 ? [] : [{ rule: compiled.rule, found }]
  })
  const denies = touched.filter(({ rule }) => rule.effect === 'deny')
  const rulesOf = (some: typeof touched): readonly PolicyRule[] => some.map(({ rule }) => rule)
  const effectsIn = (some: typeof touched): readonly Effect[] => some.flatMap(({ found }) => found)
  if (denies.length > 0) return by('deny', rulesOf(denies), effectsIn(denies), null)
  const { missing, rules } = permissionsOf(permitting, effects, path)
  if (missing.length > 0)
    return {
      outcome: 'deny',
      rules: [builtin_rules.default_deny],
      reason: `no policy allows ${listed(missing)}`,
      hold: null,
    }
  if (touched.length > 0) {
    const terms = holdTerms(rulesOf(touched))
    if (terms !== undefined) return by('hold', rulesOf(touched), effectsIn(touched), terms)
    return {
      outcome: 'deny',
      rules: [builtin_rules.nobody_approves, ...ruleNames(rulesOf(touched))],
      reason: `${listed(effectsIn(touched))}: held by ${ruleNames(rulesOf(touched)).join(', ')}, which have no group in common that could approve it`,
      hold: null,
    }
  }
  const named = new Set(rules)
  return by(
    'allow',
    permitting.map(({ rule }) => rule).filter(({ name }) => named.has(name)),
    effects,
    null,
  )
}

/** Not a policy's opinion: it is enforced also in a dry run. */
const refused = (
  scope: SessionScope,
  risk: number,
  rule: string,
  reason: string,
): CommandDecision => ({
  outcome: 'deny',
  rules: [rule],
  reason,
  policy_digest: scope.set.digest,
  risk,
  dry_run: false,
  hold: null,
})

const refusedUnread = (scope: SessionScope, risk: number): CommandDecision =>
  refused(
    scope,
    risk,
    builtin_rules.unparsed,
    'the command could not be parsed, so what it does is unknown',
  )

const refusedLarge = (scope: SessionScope, risk: number): CommandDecision =>
  refused(
    scope,
    risk,
    builtin_rules.too_much,
    `the command does more than ${command_effects_max} different things at once; send its statements one by one`,
  )

/** A text without statements does nothing: whoever may be here may send it. */
const decideEmpty = (rules: readonly ScopedRule[]): Outcome => {
  const { denies, allows } = sessionRules(rules)
  if (denies.length > 0) return by('deny', denies, [], null)
  if (allows.length > 0) return by('allow', allows, [], null)
  const reason = 'no policy allows anything in this session'
  return { outcome: 'deny', rules: [builtin_rules.default_deny], reason, hold: null }
}

/**
 * May this command run? Every effect of every statement must be allowed by some rule; a rule that denies any of them denies the command, one that
 * holds any of them holds it. A rule that holds allows nothing: it says which part of what is allowed waits for people. What could not be parsed is denied by `builtin:unparsed`.
 */
export const evaluateCommand = (
  scope: SessionScope,
  command: PolicyCommand,
  path: SearchPath,
  now_ms: number,
): CommandDecision => {
  const effects = effectsOf(command)
  const { analysis } = command.statement
  const risk = riskOf(analysis.ok ? effects : undefined)
  if (!analysis.ok) return refusedUnread(scope, risk)
  if (effects.length > command_effects_max) return refusedLarge(scope, risk)
  const facts = conditionCommand(command, effects, risk, scope.volatile)
  const decided = withDryRules(scope, (rules) =>
    effects.length === 0
      ? decideEmpty(rules)
      : decideBy(answersOf(scope, rules, facts, now_ms), effects, path),
  )
  const { outcome, rules, reason, hold, dry_run } = decided
  return {
    outcome,
    rules,
    reason,
    policy_digest: scope.set.digest,
    risk,
    dry_run,
    hold: dry_run ? null : hold,
  }
}
