import { CairnError } from '#lib/error.ts'
import { openSideQueries, type SideQueries } from '../protocols/postgres/side-queries.ts'
import type { PostgresTarget } from '../protocols/postgres/target.ts'
import { openPlaces } from './places.ts'
import type { CredentialSource } from './source.ts'

/** Connections of one gateway process to one target for making and dropping roles; more wait. */
const connections_max = 4
/** Who wait for one; more are refused. */
const waiting_max = 1000

export type AdminConnection = {
  readonly database: string
  readonly signal: AbortSignal
}

/** A target as the owner of roles sees it: short connections with an account that may make and drop them. */
export interface Administration {
  readonly target: PostgresTarget
  /**
   * Runs `work` on a connection of its own, closed afterwards.
   * @throws CairnError('target_unavailable' | 'limit_exceeded') and what `work` throws
   */
  with<Result>(
    where: AdminConnection,
    work: (queries: SideQueries) => Promise<Result>,
  ): Promise<Result>
}

export const openAdministration = (
  target: PostgresTarget,
  admin: CredentialSource,
): Administration => {
  const places = openPlaces(connections_max, waiting_max)

  const connect = async ({ database, signal }: AdminConnection) => {
    const { name, host, port, connect_timeout_ms } = target.config
    const credential = await admin.issue({ target: name, role: '', database, actor: '', signal })
    const opened = await openSideQueries({
      host,
      port,
      tls: target.tls,
      user: credential.user,
      password: credential.password,
      database,
      parameters: new Map([['application_name', 'cairn credentials']]),
      timeout_ms: connect_timeout_ms,
      signal,
    })
    if (!opened.ok) throw new CairnError('target_unavailable', opened.detail)
    return opened.queries
  }

  return {
    target,
    with: (where, work) =>
      places.with(where.signal, async () => {
        await using queries = await connect(where)
        return await work(queries)
      }),
  }
}
