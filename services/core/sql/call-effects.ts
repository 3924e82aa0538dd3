import type { CatalogFunction } from './catalog.ts'
import { findFunctions, objectOf } from './environment.ts'
import { connection_functions, functionEffect, sequence_functions } from './functions.ts'
import { isHarmless } from './harmless-functions.ts'
import {
  child,
  children,
  constantText,
  flag,
  list,
  names,
  qualified,
  string,
  type Child,
} from './node.ts'
import { parseSearchPath } from './search-path.ts'
import { recordSetting } from './session-effects.ts'
import { emit, push, type Frame, type Handler, type Walk } from './walk.ts'

/** Effects of calls: what the function is known to do, or what its body does. */

/** Functions that one statement runs, also through one another; more are not looked into. */
const functions_max = 200

const isTrue = (value: Child | undefined): boolean =>
  value !== undefined && flag(value.node, 'boolval')

const setConfig = (walk: Walk, args: readonly Child[]): void => {
  walk.literal_dependent = true
  const [name, value, local] = args
  const is_local = local?.kind === 'A_Const' && isTrue(child('A_Const', local.node, 'boolval'))
  recordSetting(walk, {
    name: constantText(name)?.toLowerCase() ?? '',
    value: constantText(value),
    local: is_local,
  })
}

/** Languages whose functions are compiled code: what they do is unknown, but they define nothing that a query names. */
const native_languages = new Set(['c', 'internal'])

/** Reads the body of a function. False when it cannot be told what it does. */
const follow = (walk: Walk, frame: Frame, found: CatalogFunction): boolean => {
  if (walk.followed.has(found.oid)) return true
  if (walk.followed.size >= functions_max) return false
  const body = walk.environment.body(found)
  if (body === undefined) return false
  walk.followed.add(found.oid)
  const search_path =
    found.search_path === undefined ? frame.search_path : parseSearchPath(found.search_path)
  if (body.ends_transactions) emit(walk, 'transaction', 'commit')
  push(walk, frame, body.statements, {
    // Who may call a function may do what it does, also through other functions.
    via: frame.via === '' ? objectOf(found) : frame.via,
    search_path,
    action: 'select',
    scope: undefined,
    tables: undefined,
    locked: false,
    wanted: undefined,
    inside: true,
    quiet: false,
  })
  return !body.dynamic
}

/** What a call may run. `object` is the function as effects name it. */
const runs = (
  walk: Walk,
  frame: Frame,
  parts: readonly string[],
): { readonly object: string; readonly known: boolean } => {
  const written = qualified(parts)
  const name = parts.at(-1) ?? ''
  const found = findFunctions(walk.environment, frame.search_path, parts)
  if (found === undefined || found.length === 0) {
    walk.unresolved = true
    const builtin = parts.length === 1 || parts.at(-2) === 'pg_catalog'
    const known = found === undefined && builtin && isHarmless(name)
    if (!known && functionEffect(name) === undefined) walk.shifts_all = true
    return { object: written, known }
  }
  const own = found.filter(({ builtin }) => !builtin)
  const builtin_known =
    own.length === found.length || isHarmless(name) || functionEffect(name) !== undefined
  if (own.length === 0) return { object: written, known: builtin_known }
  const followed = own.map((one) => {
    const known = follow(walk, frame, one)
    if (!known && !native_languages.has(one.language)) walk.shifts_all = true
    return known
  })
  const schemas = new Set(found.map(({ schema }) => schema))
  return {
    object: schemas.size === 1 ? objectOf(own[0]!) : written,
    known: builtin_known && followed.every(Boolean),
  }
}

/**
 * `(x).name` and `x.name` are `name(x)` where the row x has no such column (section "Composite Types"): an own function of that name may run.
 * Builtins take no rows of somebody's own.
 */
export const fieldCall = (walk: Walk, frame: Frame, name: string): void => {
  const found = findFunctions(walk.environment, frame.search_path, [name])
  if (found?.some(({ builtin }) => !builtin) !== true) return
  const { object, known } = runs(walk, frame, [name])
  emit(walk, `call:${name}`, object)
  if (!known) emit(walk, 'unknown', object)
}

/** `(value).name`, `(value)[1].name`. */
export const indirection: Handler = (walk, frame) => {
  for (const step of list(frame.node, 'indirection'))
    if (step.kind === 'String') fieldCall(walk, frame, string(step.node, 'sval'))
  push(walk, frame, children(frame.kind, frame.node))
}

/** A procedure's call is seen as `call:` like a function's. */
export const call: Handler = (walk, frame) => {
  const parts = names(list(frame.node, 'funcname'))
  const name = parts.at(-1) ?? ''
  const args = list(frame.node, 'args')
  // Syntax such as EXTRACT or SUBSTRING(x FROM y) comes as a call in pg_catalog and is no call anyone wrote.
  const is_syntax = string(frame.node, 'funcformat') === 'COERCE_SQL_SYNTAX'
  const effect = functionEffect(name)
  const { object, known } = runs(walk, frame, parts)
  if (!is_syntax) emit(walk, `call:${name}`, object)
  if (effect) {
    emit(walk, effect, effect === 'unknown' ? '' : name)
    walk.literal_dependent = true
  } else if (!known) emit(walk, 'unknown', object)
  if (name === 'set_config') setConfig(walk, args)
  if (name === 'pg_notify') emit(walk, 'notify', constantText(args[0]) ?? '')
  if (sequence_functions.has(name)) {
    emit(walk, 'update', constantText(args[0]) ?? '')
    walk.literal_dependent = true
  }
  if (connection_functions.has(name) && args.some((arg) => constantText(arg) !== undefined))
    walk.secrets += 1
  push(walk, frame, children(frame.kind, frame.node), { action: 'select' })
}

/** Functions that are called without their names: by an operator, by a cast. */
const callAll = (walk: Walk, frame: Frame, functions: readonly CatalogFunction[]): void => {
  for (const found of functions) {
    const known = follow(walk, frame, found)
    emit(walk, `call:${found.name}`, objectOf(found))
    if (known) continue
    emit(walk, 'unknown', objectOf(found))
    if (!native_languages.has(found.language)) walk.shifts_all = true
  }
}

/** An operator of one's own is a function of one's own: OPERATOR(schema.symbol), or a symbol that only such a one has. */
const operatorIn =
  (field: string): Handler =>
  (walk, frame) => {
    const parts = names(list(frame.node, field))
    const own = walk.environment.catalog?.operators?.(parts.at(-1) ?? '') ?? []
    if (own.length > 0 && parts[0] !== 'pg_catalog') callAll(walk, frame, own)
    else if (parts.length > 1 && parts[0] !== 'pg_catalog') {
      emit(walk, 'call:operator', qualified(parts))
      emit(walk, 'unknown', qualified(parts))
    }
    push(walk, frame, children(frame.kind, frame.node))
  }

export const operator = operatorIn('name')
/** `x = any (select ...)` */
export const subLink = operatorIn('operName')
/** ORDER BY x USING < */
export const sortBy = operatorIn('useOp')

/** Precision and length can change the tree itself (float(24) is float4, float(25) float8). */
export const typeName: Handler = (walk, frame) => {
  if (list(frame.node, 'typmods').length > 0) walk.literal_dependent = true
  const type = names(list(frame.node, 'names')).at(-1) ?? ''
  callAll(walk, frame, walk.environment.catalog?.casts?.(type) ?? [])
  push(walk, frame, children(frame.kind, frame.node))
}

/** DO: the block runs as part of the statement. */
export const doBlock: Handler = (walk, frame) => {
  const args = list(frame.node, 'args')
  const option = (name: string): Child | undefined => {
    const found = args.find(({ node }) => string(node, 'defname') === name)
    return found && child('DefElem', found.node, 'arg')
  }
  const language = string(option('language')?.node, 'sval') || 'plpgsql'
  emit(walk, 'do_block', language)
  const text = string(option('as')?.node, 'sval')
  const body = language === 'plpgsql' ? walk.environment.block(text) : undefined
  if (body === undefined || body.dynamic) {
    emit(walk, 'unknown')
    walk.shifts_all = true
  }
  if (body === undefined) return
  if (body.ends_transactions) emit(walk, 'transaction', 'commit')
  push(walk, frame, body.statements, {
    inside: true,
    action: 'select',
    scope: undefined,
    tables: undefined,
  })
}
