import { effectOn, type Effect, type SettingChange, type TransactionControl } from './analysis.ts'
import { child, children, flag, list, string, type Child, type TreeNode } from './node.ts'

/** Effects kept of one statement; beyond this one `unknown` stands for the rest. */
export const statement_effects_max = 1000

/** Names that WITH gives to queries: they hide relations, from the place where they are visible. */
type Scope = { readonly names: ReadonlySet<string>; readonly outer: Scope | undefined } | undefined

export const hides = (scope: Scope, name: string): boolean => {
  for (let at = scope; at; at = at.outer) if (at.names.has(name)) return true
  return false
}

export type Frame = {
  readonly kind: string
  readonly node: TreeNode
  readonly field: string
  readonly scope: Scope
  /** What happens to a relation that is named here. */
  readonly action: string
  /** FOR UPDATE and friends apply to the relations in FROM. */
  readonly locked: boolean
  /** Only planned (EXPLAIN without ANALYZE): relations are not touched. */
  readonly explained: boolean
}

export type Walk = {
  readonly effects: Map<string, Effect>
  readonly sets: SettingChange[]
  readonly transactions: TransactionControl[]
  readonly deallocates: string[]
  readonly executes: { name: string; explained: boolean }[]
  readonly prepares: { name: string; query: Child; types: number }[]
  readonly stack: Frame[]
  secrets: number
  literal_dependent: boolean
}

export type Handler = (walk: Walk, frame: Frame) => void

export const emit = (walk: Walk, action: string, object = ''): void => {
  if (walk.effects.size >= statement_effects_max) {
    walk.effects.set('unknown\0', effectOn('unknown'))
    return
  }
  const key = `${action}\0${object}`
  if (!walk.effects.has(key)) walk.effects.set(key, effectOn(action, object))
}

/** An effect on rows: planned only, it is no more than an explanation. */
export const emitData = (walk: Walk, frame: Frame, action: string, object: string): void =>
  emit(walk, frame.explained ? 'explain' : action, object)

type Change = Partial<Omit<Frame, 'kind' | 'node' | 'field'>>

/** Children wait on a stack, last first, so that they are visited in the order of the text and depth costs no call stack. */
export const push = (
  walk: Walk,
  frame: Frame,
  next: readonly Child[],
  change: Change = {},
): void => {
  for (let index = next.length - 1; index >= 0; index -= 1) {
    const at = next[index]
    if (at) walk.stack.push({ ...frame, ...change, kind: at.kind, node: at.node, field: at.field })
  }
}

export const childrenBut = (frame: Frame, ...fields: readonly string[]): readonly Child[] =>
  children(frame.kind, frame.node).filter(({ field }) => !fields.includes(field))

/** WITH: each query sees the ones before it, or all of them when RECURSIVE; the statement sees all. Returns its scope. */
export const openWith = (walk: Walk, frame: Frame): Scope => {
  const clause = child(frame.kind, frame.node, 'withClause')
  if (!clause) return frame.scope
  const queries = list(clause.node, 'ctes')
  const all = queries.map(({ node }) => string(node, 'ctename'))
  const recursive = flag(clause.node, 'recursive')
  queries.forEach((query, index) => {
    const seen = recursive ? all : all.slice(0, index)
    const scope: Scope = { names: new Set(seen), outer: frame.scope }
    push(walk, frame, [query], { scope, action: 'select', locked: false })
  })
  return { names: new Set(all), outer: frame.scope }
}
