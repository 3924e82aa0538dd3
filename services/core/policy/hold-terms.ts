import type { HoldTerms } from './decision.ts'
import type { PolicyRule } from './policy-rule.ts'

/**
 * The terms of a command that several rules hold: whoever decides must be good enough for each of them, so the groups are those that all
 * of them name, the quorum is the largest and the time the shortest. Undefined when no group is left: nobody could approve it.
 */
export const holdTerms = (rules: readonly PolicyRule[]): HoldTerms | undefined => {
  const holds = rules.map(({ hold }) => hold).filter((hold) => hold !== undefined)
  const [first, ...rest] = holds
  if (first === undefined || holds.length < rules.length) return undefined
  const groups = first.groups.filter((group) => rest.every((other) => other.groups.includes(group)))
  if (groups.length === 0) return undefined
  return {
    groups,
    quorum: Math.max(...holds.map(({ quorum }) => quorum)),
    expires_s: Math.min(...holds.map(({ expires_s }) => expires_s)),
    rules: rules.map(({ name }) => name),
  }
}
