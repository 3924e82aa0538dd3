import type { Effect, SettingChange, TransactionControl } from './analysis.ts'
import type { CatalogRelation } from './catalog.ts'
import type { Environment } from './environment.ts'
import { child, children, flag, list, string, type Child, type TreeNode } from './node.ts'
import type { Tables } from './tables.ts'

/** Effects kept of one statement; beyond this one `unknown` stands for the rest. */
export const statement_effects_max = 1000
/** Columns kept of one effect; beyond this `*` stands for all. */
const effect_columns_max = 1600
/** Nodes of a statement and of everything that it reads through views and functions. */
const nodes_max = 2_000_000

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
  /** View or function whose text this is; empty in the statement itself. */
  readonly via: string
  /** Where unqualified names are looked up; undefined: not known. */
  readonly search_path: readonly string[] | undefined
  /** What columns can belong to, here. */
  readonly tables: Tables | undefined
  /** Of a view's query: which of its columns, by position, are wanted; undefined: all of them. */
  readonly wanted: ReadonlySet<number> | undefined
  /** Below a function or DO block: what it prepares and the like is its own business. */
  readonly inside: boolean
  /** The statement defines something, but nothing that a name in a query could mean. */
  readonly quiet: boolean
}

type Found = {
  readonly action: string
  readonly object: string
  readonly via: string
  readonly columns: Set<string>
}

/** A view that is read or written, to be looked into when it is known which columns are. */
export type Opened = {
  /** Key of the effect on the view. */
  readonly effect: string
  readonly view: CatalogRelation
  readonly frame: Frame
}

export type Walk = {
  readonly environment: Environment
  readonly effects: Map<string, Found>
  /** Columns by the key of their effect: they may be found before it. */
  readonly columns: Map<string, Set<string>>
  readonly views: Map<string, Opened>
  /** Functions that were followed. */
  readonly followed: Set<number>
  readonly sets: SettingChange[]
  readonly transactions: TransactionControl[]
  readonly deallocates: string[]
  readonly executes: { name: string; explained: boolean }[]
  readonly prepares: { name: string; query: Child; types: number }[]
  readonly stack: Frame[]
  /** Names that a query after this statement may read as something else. */
  readonly shifted: Set<string>
  shifts_all: boolean
  /** A name is not in the catalog. */
  unresolved: boolean
  nodes: number
  /** The frame in hand. */
  at: Frame
  secrets: number
  literal_dependent: boolean
}

export type Handler = (walk: Walk, frame: Frame) => void

export const newWalk = (environment: Environment, statement: Child): Walk => {
  const root: Frame = {
    ...statement,
    scope: undefined,
    action: 'select',
    locked: false,
    explained: false,
    via: '',
    search_path: environment.search_path,
    tables: undefined,
    wanted: undefined,
    inside: false,
    quiet: false,
  }
  return {
    environment,
    effects: new Map(),
    columns: new Map(),
    views: new Map(),
    followed: new Set(),
    sets: [],
    transactions: [],
    deallocates: [],
    executes: [],
    prepares: [],
    stack: [root],
    shifted: new Set(),
    shifts_all: false,
    unresolved: false,
    nodes: nodes_max,
    at: root,
    secrets: 0,
    literal_dependent: false,
  }
}

export const effectKey = (action: string, object: string, via: string): string =>
  `${action}\0${object}\0${via}`

const lastPart = (object: string): string => {
  const match = /(?:"((?:[^"]|"")*)"|([^".]*))$/.exec(object)
  return match?.[1]?.replaceAll('""', '"') ?? match?.[2] ?? ''
}

const add = (walk: Walk, action: string, object: string, via: string): string => {
  const key = effectKey(action, object, via)
  if (walk.effects.has(key)) return key
  if (walk.effects.size >= statement_effects_max)
    walk.effects.set('', { action: 'unknown', object: '', via: '', columns: new Set() })
  else walk.effects.set(key, { action, object, via, columns: new Set() })
  return key
}

export const emit = (walk: Walk, action: string, object = ''): string => {
  if (action.startsWith('ddl.') && !walk.at.quiet) walk.shifted.add(lastPart(object))
  return add(walk, action, object, walk.at.via)
}

/** An effect on rows: planned only, it is no more than an explanation. Returns its key. */
export const emitData = (walk: Walk, frame: Frame, action: string, object: string): string =>
  emit(walk, frame.explained ? 'explain' : action, object)

/** Columns of an effect that is there, or will be. */
export const addColumns = (walk: Walk, effect: string, columns: Iterable<string>): void => {
  const known = walk.columns.get(effect) ?? new Set<string>()
  for (const column of columns) if (known.size < effect_columns_max) known.add(column)
  if (known.size >= effect_columns_max) known.add('*')
  walk.columns.set(effect, known)
}

const sortedColumns = (columns: ReadonlySet<string> | undefined): readonly string[] =>
  columns === undefined ? [] : columns.has('*') ? ['*'] : [...columns]

/** What was found, with the columns. */
export const effectsOf = (walk: Walk): readonly Effect[] =>
  [...walk.effects].map(([key, { action, object, via }]) => ({
    action,
    object,
    columns: sortedColumns(walk.columns.get(key)),
    via,
  }))

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
    push(walk, frame, [query], { scope, action: 'select', locked: false, wanted: undefined })
  })
  return { names: new Set(all), outer: frame.scope }
}
