import type { DatabaseRoleConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import type { SideQueries } from '../protocols/postgres/side-queries.ts'
import type { Administration } from './admin-connection.ts'
import {
  leftOver,
  rolesLike,
  sweepLock,
  type FoundRole,
  type OwnRoles,
  type RoleOwner,
} from './role-names.ts'
import { readServer, removeRole, type RoleObjects } from './role-removal.ts'

/** Most roles that one sweep looks at; the rest is the next one's. */
const roles_max = 1000
/** Longest sweep, milliseconds. */
const sweep_timeout_ms = 120_000
/** A sweep after a removal that failed comes this soon, milliseconds. */
const soon_ms = 5_000
/** A role without a session is left alone for so long at least, seconds: its session is on the way. */
const grace_s_min = 120
export type SweepDeps = {
  readonly owner: RoleOwner
  /** Names that are abandoned are taken out when they are gone. */
  readonly own: OwnRoles & { readonly abandoned: Set<string> }
  readonly administration: Administration
  readonly config: RoleObjects & Pick<DatabaseRoleConfig, 'sweep_s'>
  /** Told of each role that was dropped. */
  readonly onDropped: (role: string, why: string) => void
  readonly logger: Logger
}

/** Drops what sessions left behind at one target: at the start, periodically, and soon after a removal failed. */
export interface RoleSweep extends AsyncDisposable {
  /** Sweeps now, or waits for the sweep under way. Never rejects. */
  sweep(): Promise<void>
  /** Sweeps soon. */
  soon(): void
}

const findRoles = async (queries: SideQueries, owner: RoleOwner): Promise<FoundRole[]> => {
  const rows = await queries.query(
    `select r.rolname,
            (select count(*) from pg_catalog.pg_stat_activity a where a.usesysid = r.oid),
            pg_catalog.floor(extract(epoch from nullif(r.rolvaliduntil, 'infinity')))::pg_catalog.int8
       from pg_catalog.pg_roles r
      where r.rolname like $1
      order by r.rolname
      limit ${roles_max}`,
    [rolesLike(owner)],
  )
  return rows.map(([name, backends, until]) => ({
    name: name ?? '',
    backends: Number(backends),
    valid_until_s: until === null || until === undefined ? null : Number(until),
  }))
}

type LeftOver = { readonly name: string; readonly why: string }

/** Null when another gateway process sweeps. */
const findLeftOver = async (
  queries: SideQueries,
  { owner, own }: Pick<SweepDeps, 'owner' | 'own'>,
  grace_s: number,
): Promise<readonly LeftOver[] | null> => {
  const [lock] = await queries.query(
    `select pg_catalog.pg_try_advisory_lock($1::pg_catalog.int4, $2::pg_catalog.int4)`,
    sweepLock(owner),
  )
  if (lock?.[0] !== 't') return null
  const { now_s } = await readServer(queries)
  const roles = await findRoles(queries, owner)
  const names = new Set(roles.map(({ name }) => name))
  if (names.size < roles_max)
    for (const name of own.abandoned) if (!names.has(name)) own.abandoned.delete(name)
  return roles.flatMap((role) => {
    const why = leftOver(role, owner, own, now_s, grace_s)
    return why === null ? [] : [{ name: role.name, why }]
  })
}

/** Begins with a sweep at once; it is not waited for. */
export const openRoleSweep = (deps: SweepDeps): RoleSweep => {
  const { administration, config, logger } = deps
  const { target } = administration
  const stop = new AbortController()
  const grace_s = Math.max(grace_s_min, (3 * target.config.connect_timeout_ms) / 1000)
  const database = target.config.default_database
  let under_way: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  /** Logged once until a sweep succeeds: a target that is away is no news each minute. */
  let failing = false

  const removeAll = async (found: readonly LeftOver[], signal: AbortSignal): Promise<boolean> => {
    let good = true
    for (const { name, why } of found) {
      if (signal.aborted) return false
      try {
        const dropped = await removeRole(administration, { role: name, database, config, signal })
        deps.own.abandoned.delete(name)
        if (dropped) deps.onDropped(name, `${why}: role dropped`)
      } catch (error) {
        good = false
        if (!failing)
          logger.warn(
            { err: error, target: target.config.name, role: name },
            'a role of a session that is over could not be dropped; the next sweep tries again',
          )
      }
    }
    return good
  }

  const sweepOnce = async (): Promise<void> => {
    const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(sweep_timeout_ms)])
    try {
      const good = await administration.with({ database, signal }, async (queries) => {
        // The lock is the connection's: it is held until everything that was found is removed.
        const found = await findLeftOver(queries, deps, grace_s)
        return found === null || (await removeAll(found, signal))
      })
      failing = !good
    } catch (error) {
      if (!(error instanceof CairnError)) throw error
      if (!failing && !stop.signal.aborted)
        logger.warn(
          { err: error, target: target.config.name },
          'left over roles could not be looked for; the next sweep tries again',
        )
      failing = true
    }
  }

  const plan = (delay_ms: number): void => {
    if (stop.signal.aborted) return
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(() => void sweep(), delay_ms)
    timer.unref()
  }

  const sweep = (): Promise<void> => {
    under_way ??= sweepOnce()
      .catch((error: unknown) => logger.error({ err: error }, 'a sweep for roles failed'))
      .finally(() => {
        under_way = null
        plan(config.sweep_s * 1000)
      })
    return under_way
  }

  void sweep()
  return {
    sweep,
    soon: () => plan(soon_ms),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      if (timer !== null) clearTimeout(timer)
      await under_way
    },
  }
}
