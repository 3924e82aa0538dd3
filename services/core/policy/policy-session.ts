import type { Effect } from '#core/sql/analysis.ts'
import { evaluateCommand, type PolicyCommand } from './command-evaluation.ts'
import type { CommandDecision, Decision } from './decision.ts'
import { decideSession } from './evaluate.ts'
import type { SearchPath } from './object-pattern.ts'
import type { SessionRequest } from './policy-rule.ts'
import type { PolicySet } from './policy-set.ts'
import { sessionScope, type SessionScope } from './session-scope.ts'

/** Decides for one session, whatever policy is in force when it is asked. */
export interface PolicySession {
  session(set: PolicySet, now_ms: number): Decision
  /** `path`: where its names are looked up. */
  command(set: PolicySet, command: PolicyCommand, path: SearchPath, now_ms: number): CommandDecision
}

type Kept = { readonly verb: string; readonly decision: CommandDecision }

/** Decisions by a statement's effects, which an analyzer gives once for all texts that are alike. Forgotten with them. */
type Memory = { readonly path: SearchPath; readonly decisions: WeakMap<readonly Effect[], Kept> }

const samePath = (one: SearchPath, other: SearchPath): boolean =>
  one === other ||
  (one !== null &&
    other !== null &&
    one.length === other.length &&
    one.every((schema, index) => schema === other[index]))

/**
 * Opens the decisions of a session. The rules about it are chosen once per policy, and the decision about a statement is kept as long as
 * the analysis it is about, unless a condition asks for more than the effects.
 */
export const openPolicySession = (request: SessionRequest): PolicySession => {
  let scope: SessionScope | undefined
  let memory: Memory = { path: null, decisions: new WeakMap() }

  const scopeOf = (set: PolicySet, now_ms: number): SessionScope => {
    if (scope?.set === set) return scope
    memory = { path: memory.path, decisions: new WeakMap() }
    scope = sessionScope(set, request, now_ms)
    return scope
  }

  return {
    session: (set, now_ms) => decideSession(scopeOf(set, now_ms), request),
    command: (set, command, path, now_ms) => {
      const at = scopeOf(set, now_ms)
      const [only, ...others] = command.statement.statements
      const { analysis, verb } = command.statement
      if (at.volatile || only === undefined || others.length > 0 || !analysis.ok)
        return evaluateCommand(at, command, path, now_ms)
      if (!samePath(path, memory.path)) memory = { path, decisions: new WeakMap() }
      const kept = memory.decisions.get(only.effects)
      if (kept !== undefined && kept.verb === verb) return kept.decision
      const decision = evaluateCommand(at, command, path, now_ms)
      memory.decisions.set(only.effects, { verb, decision })
      return decision
    },
  }
}
