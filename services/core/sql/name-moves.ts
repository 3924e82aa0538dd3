import type { Effect, SettingChange } from './analysis.ts'
import { isShifted, joinShifted, type ShiftedNames } from './naming.ts'

/** What a text may change about names: what comes after it in the session may have to be read with another naming. */
export type NameMoves = {
  /** Relations and functions that mean something else afterwards. */
  readonly shifts: ShiftedNames
  /** The search path may be another afterwards. */
  readonly path: boolean
  /** Roles that may be the current one afterwards, the empty string for the one that logged in; null: any. Empty: it stays. */
  readonly roles: readonly string[] | null
  /** Drops the session's temporary relations: the names they had mean others. */
  readonly discards: boolean
  /** Ends a transaction or a part of it: what was set in it may be undone. */
  readonly ends: boolean
}

const no_roles: readonly string[] = []

const path_settings = new Set(['search_path', '*', ''])
const role_settings = new Set(['role', 'session_authorization', '*', ''])
const login_roles = new Set<string | undefined>(['none', 'default', undefined])

/** Controls after which settings may be what they were before. */
const ending = new Set(['commit', 'rollback', 'rollback_to', 'prepare_transaction', 'release'])

const rolesOf = (sets: readonly SettingChange[]): readonly string[] | null => {
  const changes = sets.filter(({ name }) => role_settings.has(name))
  if (changes.length === 0) return no_roles
  if (changes.some(({ name }) => name === '')) return null
  return changes.map(({ name, value }) =>
    name === '*' || login_roles.has(value?.toLowerCase()) ? '' : (value ?? ''),
  )
}

/** Null for nearly every text: it moves nothing. */
export const movesOf = (
  effects: readonly Effect[],
  sets: readonly SettingChange[],
  shifts: ShiftedNames,
): NameMoves | null => {
  const unknown = effects.some(({ action }) => action === 'unknown')
  const path = unknown || sets.some(({ name }) => path_settings.has(name))
  const roles = unknown ? null : rolesOf(sets)
  const ends = effects.some(({ action, object }) => action === 'transaction' && ending.has(object))
  const discards = effects.some(({ action }) => action === 'discard')
  if (!path && !ends && !discards && roles?.length === 0 && !isShifted(shifts)) return null
  return { shifts, path, roles, discards, ends }
}

/** Both, one after the other. */
export const joinMoves = (one: NameMoves | null, other: NameMoves | null): NameMoves | null => {
  if (one === null || other === null) return one ?? other
  return {
    shifts: joinShifted(one.shifts, other.shifts),
    path: one.path || other.path,
    roles: one.roles === null || other.roles === null ? null : [...one.roles, ...other.roles],
    discards: one.discards || other.discards,
    ends: one.ends || other.ends,
  }
}
