import type { OwnRoles } from './role-names.ts'

/** Most roles that are remembered as abandoned at a target; what is forgotten is found by its age. */
const abandoned_max = 10_000

/** What this process knows of the roles it made by one credential, by target. */
export interface OwnRoleBook {
  /** A role is about to be made. */
  begin(target: string, role: string): void
  /** It is gone, or was never there. */
  done(target: string, role: string): void
  /** Its session is over and it may still be there: a sweep comes soon. */
  abandon(target: string, role: string): void
  at(target: string): OwnRoles & { readonly abandoned: Set<string> }
}

type Roles = { readonly live: Set<string>; readonly abandoned: Set<string> }

export const openOwnRoles = (onAbandoned: (target: string) => void): OwnRoleBook => {
  const targets = new Map<string, Roles>()
  const at = (target: string): Roles => {
    const known = targets.get(target)
    if (known !== undefined) return known
    const roles = { live: new Set<string>(), abandoned: new Set<string>() }
    targets.set(target, roles)
    return roles
  }
  const done = (target: string, role: string): void => {
    at(target).live.delete(role)
    at(target).abandoned.delete(role)
  }
  return {
    begin: (target, role) => void at(target).live.add(role),
    done,
    abandon: (target, role) => {
      done(target, role)
      if (at(target).abandoned.size < abandoned_max) at(target).abandoned.add(role)
      onAbandoned(target)
    },
    at,
  }
}
