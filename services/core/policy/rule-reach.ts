import type { Effect } from '#core/sql/analysis.ts'
import {
  isBoundless,
  isCall,
  isEmptyHanded,
  isOpaque,
  isRelational,
  namesAnything,
} from './actions.ts'
import type { SearchPath } from './object-pattern.ts'
import type { CompiledRule } from './policy-set.ts'

/**
 * What a rule reaches of a command's effects. A rule *concerns* an effect when what it denies or holds may be in it; it *permits* one when
 * it certainly is among what it allows. Where a command does not tell (an object without its schema, columns that are not known, code that
 * cannot be read) the first is the wider, the second the narrower.
 */

/** Whether `objects` is about an action: it names relations, unless every action of the rule is of another kind. */
const namesObjectsOf = ({ actions }: CompiledRule, action: string): boolean =>
  isRelational(action) || (actions !== undefined && !actions.relational)

const concernsObject = (rule: CompiledRule, { action, object }: Effect, path: SearchPath) => {
  const { objects, object_text, actions } = rule
  if (objects === undefined || object_text === undefined) return true
  // What nobody can tell may touch anything; who named the action meant only that.
  if (isBoundless(action) && (actions === undefined || actions.all)) return true
  if (!namesObjectsOf(rule, action)) return actions !== undefined && !actions.all
  if (!isRelational(action)) return object === '' || object_text(object)
  if (object === '') return !isEmptyHanded(action)
  return objects.concerns(object, path)
}

const concernsColumns = ({ columns }: CompiledRule, effect: Effect): boolean =>
  columns === undefined ||
  isBoundless(effect.action) ||
  effect.columns.some((column) => column === '*' || columns(column))

/** Whether what the rule denies or holds may be in this effect. */
export const concerns = (rule: CompiledRule, effect: Effect, path: SearchPath): boolean => {
  const { actions } = rule
  if (actions !== undefined && !actions.matches(effect.action, effect.object)) return false
  return concernsObject(rule, effect, path) && concernsColumns(rule, effect)
}

const permitsObject = (rule: CompiledRule, { action, object }: Effect, path: SearchPath) => {
  const { objects, object_text } = rule
  if (objects === undefined || object_text === undefined) return true
  if (!namesObjectsOf(rule, action)) return true
  if (!isRelational(action)) return object_text(object)
  if (object === '') return isEmptyHanded(action) || object_text('')
  // A role or a database is in no schema, whatever the search path.
  return objects.permits(object, namesAnything(action) ? null : path)
}

/**
 * Columns of an effect that the rule does not permit; undefined when it permits nothing of the effect. `opaque_calls` are the calls whose
 * work is not known: who names one permits what it does.
 */
const columnsLeft = (
  rule: CompiledRule,
  effect: Effect,
  columns: readonly string[],
  path: SearchPath,
  opaque_calls: ReadonlyMap<string, Effect>,
): readonly string[] | undefined => {
  const { actions } = rule
  const { action, object } = effect
  if (actions === undefined) {
    if (isOpaque(action)) return undefined
  } else if (!actions.matches(action, object)) {
    const call = action === 'unknown' ? opaque_calls.get(object) : undefined
    if (call === undefined || !actions.matches(call.action, call.object)) return undefined
  }
  if (!permitsObject(rule, effect, path)) return undefined
  const own = rule.columns
  return own === undefined ? [] : columns.filter((column) => !own(column))
}

export type Permissions = {
  /** Names of the rules that permit something of the command. */
  readonly rules: readonly string[]
  /** What no rule permits. */
  readonly missing: readonly Effect[]
}

/** Calls in a command whose work is not known (an effect `unknown` with the function's name goes with them), by that name. */
const opaqueCalls = (effects: readonly Effect[]): ReadonlyMap<string, Effect> => {
  const found = new Map<string, Effect>()
  const unknown = effects.filter(({ action, object }) => action === 'unknown' && object !== '')
  if (unknown.length === 0) return found
  const calls = new Map<string, Effect>()
  for (const effect of effects) {
    if (!isCall(effect.action)) continue
    calls.set(effect.object, effect)
    calls.set(effect.action, effect)
  }
  for (const { object } of unknown) {
    const call = calls.get(object) ?? calls.get(`call:${object}`)
    if (call !== undefined) found.set(object, call)
  }
  return found
}

/**
 * What no rule permits by itself, and what happens through something that is permitted: through a view to whoever may use the view, through
 * a function to whoever may call it by its exact name. Code that is not known is never permitted so.
 */
const missingThrough = (
  missing: readonly Effect[],
  permitted: readonly Effect[],
  rules: readonly CompiledRule[],
): readonly Effect[] => {
  const inner = Map.groupBy(
    missing.filter(({ via, action }) => via !== '' && !isOpaque(action)),
    ({ via }) => via,
  )
  if (inner.size === 0) return missing
  const through = new Set<Effect>()
  const queue = [...permitted]
  const permit = (effect: Effect): void => {
    if (through.has(effect)) return
    through.add(effect)
    queue.push(effect)
  }
  for (const [via, effects] of inner)
    if (rules.some(({ actions }) => actions?.namesFunction(via) === true)) effects.forEach(permit)
  for (let outer = queue.pop(); outer; outer = queue.pop()) {
    const { action, object } = outer
    if (!isRelational(action)) continue
    for (const effect of inner.get(object) ?? [])
      if (effect.action === action || effect.action === 'select') permit(effect)
  }
  return missing.filter((effect) => !through.has(effect))
}

/** Which effects the rules permit together; columns of one effect may be permitted by several rules. */
export const permissionsOf = (
  rules: readonly CompiledRule[],
  effects: readonly Effect[],
  path: SearchPath,
): Permissions => {
  const opaque_calls = opaqueCalls(effects)
  const unread = new Set(opaque_calls.values())
  const names = new Set<string>()
  const permitted: Effect[] = []
  const missing: Effect[] = []
  for (const effect of effects) {
    // A call itself does nothing: what the function does are effects of their own, `unknown` where that cannot be read.
    if (isCall(effect.action) && !unread.has(effect)) continue
    let left: readonly string[] = effect.columns
    let found = false
    for (const rule of rules) {
      const rest = columnsLeft(rule, effect, left, path, opaque_calls)
      if (rest === undefined || (rest.length === left.length && left.length > 0)) continue
      names.add(rule.rule.name)
      found = true
      left = rest
    }
    if (found && left.length === 0) permitted.push(effect)
    else missing.push(effect)
  }
  return { rules: [...names], missing: missingThrough(missing, permitted, rules) }
}
