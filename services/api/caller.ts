import type { Actor, Pipeline } from '#core/events/types.ts'
import type { ApiRoleConfig } from '#lib/config/schema.ts'

/** Roles in the API. */
export type Role = ApiRoleConfig['role']

/** Who asks, proven. */
export type Caller = {
  readonly issuer: string
  readonly subject: string
  readonly roles: ReadonlySet<Role>
  /** Null for this machine's admin token: it names no person. */
  readonly actor: Actor | null
  readonly pipeline: Pipeline | null
  /** User names and addresses that are this person's alone, as the issuer states them. */
  readonly names: readonly string[]
}

/** Whose sessions a caller may see; goes into every query. */
export type Scope =
  | { readonly kind: 'all' }
  | { readonly kind: 'own'; readonly issuer: string; readonly subject: string }

const see_all: readonly Role[] = ['admin', 'analyst', 'auditor']

/** A developer sees sessions of exactly the own identity (issuer and subject); the other readers see all. */
export const scopeOf = (caller: Caller): Scope =>
  see_all.some((role) => caller.roles.has(role))
    ? { kind: 'all' }
    : { kind: 'own', issuer: caller.issuer, subject: caller.subject }
