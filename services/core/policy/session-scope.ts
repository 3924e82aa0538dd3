import { sessionVariables, type SessionVariables } from './condition.ts'
import type { CompiledRule, PolicySet } from './policy-set.ts'
import type { SessionRequest } from './policy-rule.ts'

/** A rule that is about a session. */
export type ScopedRule = {
  readonly compiled: CompiledRule
  /** Its condition has to be asked for every command. */
  readonly open: boolean
}

/** The part of a policy that is about one session: what commands are decided by. */
export type SessionScope = {
  readonly set: PolicySet
  readonly rules: readonly ScopedRule[]
  /** Some rule is only recorded. */
  readonly dry_rules: boolean
  /** Some condition changes with more than a command's effects: no decision may be kept. */
  readonly volatile: boolean
  readonly variables: SessionVariables
}

/**
 * Chooses the rules that are about a session. A condition that asks for nothing but the session is answered here, once; in error it drops a
 * rule that allows and keeps one that denies or holds.
 */
export const sessionScope = (
  set: PolicySet,
  request: SessionRequest,
  now_ms: number,
): SessionScope => {
  const variables = sessionVariables(request)
  const rules: ScopedRule[] = []
  for (const compiled of set.rules) {
    if (!compiled.matches(request)) continue
    const { condition, rule } = compiled
    const open =
      condition !== undefined &&
      (condition.uses_command || (condition.uses_peer && request.peer === null))
    if (condition !== undefined && !open) {
      const holds = condition.holds({ session: variables, command: null, now_ms })
      if (holds === false || (holds === 'error' && rule.effect === 'allow')) continue
    }
    rules.push({ compiled, open })
  }
  return {
    set,
    rules,
    dry_rules: rules.some(({ compiled }) => compiled.rule.dry_run === true),
    volatile: rules.some(({ compiled, open }) => open && compiled.condition?.volatile === true),
    variables,
  }
}

/** Whether a rule is about everything that a session may do. */
const isWhole = ({ compiled, open }: ScopedRule): boolean => {
  const { actions, objects, columns } = compiled.rule
  const whole = (patterns: readonly string[] | undefined): boolean =>
    patterns === undefined || patterns.includes('*')
  return !open && whole(actions) && whole(objects) && whole(columns)
}

/** The rules that deny everything in a session, and those that may allow something: by name. */
export const sessionRules = (rules: readonly ScopedRule[]) => ({
  denies: rules
    .filter((one) => one.compiled.rule.effect === 'deny' && isWhole(one))
    .map(({ compiled }) => compiled.rule),
  allows: rules.map(({ compiled }) => compiled.rule).filter(({ effect }) => effect === 'allow'),
})
