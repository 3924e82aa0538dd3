import { CairnError } from '#lib/error.ts'
import { openSideQueries, type SideQueries } from '../protocols/postgres/side-queries.ts'
import type { PostgresTarget } from '../protocols/postgres/target.ts'
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
    work: (queries: SideQueries, user: string) => Promise<Result>,
  ): Promise<Result>
}

export const openAdministration = (
  target: PostgresTarget,
  admin: CredentialSource,
): Administration => {
  let busy = 0
  const waiting: (() => void)[] = []

  const enter = async (): Promise<void> => {
    if (busy < connections_max) {
      busy++
      return
    }
    if (waiting.length >= waiting_max)
      throw new CairnError('limit_exceeded', 'too many sessions wait for their roles')
    // Whoever leaves hands its place on.
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const leave = (): void => {
    const next = waiting.shift()
    if (next === undefined) busy--
    else next()
  }

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
    return { queries: opened.queries, user: credential.user }
  }

  return {
    target,
    with: async (where, work) => {
      await enter()
      try {
        if (where.signal.aborted) throw new CairnError('target_unavailable', 'it was given up')
        const { queries, user } = await connect(where)
        await using _closing = queries
        return await work(queries, user)
      } finally {
        leave()
      }
    },
  }
}
