import { randomBytes } from 'node:crypto'
import type { CredentialConfig, DatabaseRoleConfig } from '#lib/config/schema.ts'
import { passingSecret, type PassingSecret } from '#lib/config/secret.ts'
import { CairnError } from '#lib/error.ts'
import { sqlstateOf, type SideQueries } from '../protocols/postgres/side-queries.ts'
import type { Administration } from './admin-connection.ts'
import type { CredentialRequest, IssuedCredential } from './port.ts'
import type { OwnRoleBook } from './own-roles.ts'
import { roleName, type RoleOwner } from './role-names.ts'
import { readServer, removeRole } from './role-removal.ts'
import { createRole } from './role-statements.ts'
import { scramVerifier } from './scram-verifier.ts'
import { unavailable, type CredentialSource } from './source.ts'

/** How long the end of a session waits for its role to be dropped, milliseconds; a sweep does it later. */
const removal_timeout_ms = 5_000

export type DatabaseRoleDeps = {
  readonly owner: RoleOwner
  /** Ways to the targets, by name. */
  readonly administrations: ReadonlyMap<string, Administration>
  readonly own: OwnRoleBook
  readonly now_ms: () => number
}

/** Makes it all or nothing. A connection that breaks in between rolls back by itself. */
const inTransaction = async (
  queries: SideQueries,
  statements: readonly string[],
): Promise<void> => {
  await queries.query('begin')
  try {
    for (const statement of statements) await queries.query(statement)
    await queries.query('commit')
  } catch (error) {
    if (queries.open) await queries.query('rollback').catch(() => undefined)
    throw error
  }
}

const wordsOf = (error: unknown): string => {
  if (!(error instanceof CairnError)) return 'an unexpected error'
  const sqlstate = sqlstateOf(error)
  if (sqlstate === '42501')
    return `${error.message}: the admin credential needs CREATEROLE, and the admin option on the roles of member_of`
  return error.message
}

/** Ends by itself; the session must not outlive it. */
const watchLifetime = (lifetime_ms: number): Disposable & { readonly lost: AbortSignal } => {
  const ended = new AbortController()
  const timer = setTimeout(
    () => ended.abort('the lifetime of its role at the target is over'),
    lifetime_ms,
  )
  timer.unref()
  return { lost: ended.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}

type Made = { readonly name: string; readonly password: PassingSecret }

const makeRole = async (
  role: DatabaseRoleConfig,
  administration: Administration,
  { owner, own }: Pick<DatabaseRoleDeps, 'owner' | 'own'>,
  { target, database, actor, signal }: CredentialRequest,
): Promise<Made> => {
  const password = randomBytes(32).toString('base64url')
  const verifier = await scramVerifier(password)
  return administration.with({ database, signal }, async (queries) => {
    const { now_s } = await readServer(queries)
    const name = roleName(owner, now_s, randomBytes(6).toString('hex'))
    const valid_until_s = now_s + role.lifetime_s
    const { gateway } = owner
    own.begin(target, name)
    try {
      await inTransaction(
        queries,
        createRole({ name, verifier, valid_until_s, database, actor, gateway }, role),
      )
    } catch (error) {
      // Whether it was committed is not known where the connection broke.
      if (queries.open) own.done(target, name)
      else own.abandon(target, name)
      throw error
    }
    return { name, password: passingSecret(password) }
  })
}

/**
 * A role of its own for each session, made with a random password and an expiry, dropped when the session is over. What is left after a crash is
 * dropped by a sweep (role-sweep.ts).
 */
export const openDatabaseRole = (
  config: CredentialConfig,
  role: DatabaseRoleConfig,
  deps: DatabaseRoleDeps,
): CredentialSource => ({
  issue: async (request): Promise<IssuedCredential> => {
    const administration = deps.administrations.get(request.target)
    if (administration === undefined) throw unavailable(config, 'no way to the target')
    let made: Made
    try {
      made = await makeRole(role, administration, deps, request)
    } catch (error) {
      throw unavailable(config, `no role could be made: ${wordsOf(error)}`, error)
    }
    const lifetime = watchLifetime(role.lifetime_s * 1000)
    const { name, password } = made
    return {
      name: config.name,
      kind: 'database_role',
      user: name,
      password: password.secret,
      expires_us: Math.round((deps.now_ms() + role.lifetime_s * 1000) * 1000),
      lost: lifetime.lost,
      revoke: async () => {
        lifetime[Symbol.dispose]()
        password.forget()
        try {
          const dropped = await removeRole(administration, {
            role: name,
            database: request.database,
            config: role,
            signal: AbortSignal.timeout(removal_timeout_ms),
          })
          deps.own.done(request.target, name)
          return dropped
            ? 'the session is over: role dropped'
            : 'the session is over: the role was gone already'
        } catch (error) {
          deps.own.abandon(request.target, name)
          return `the session is over; its role could not be dropped yet and will be by a sweep: ${wordsOf(error)}`
        }
      },
    }
  },
})
