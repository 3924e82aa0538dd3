import type { Revocation } from '#core/identity/token-index.ts'

/** A session's hold on the token that opened it. */
export interface TokenLease {
  /** Aborted when the token, its run or the session is ended; the reason is in words. */
  readonly revoked: AbortSignal
  /** Tells which session it is, so that it can be ended by its id. @param session id, hex */
  bind(session: string): void
  /** No session came of it: the use can be had again. */
  giveBack(): void
  /** The session is over. */
  end(): void
}

/** Token and run behind a lease. */
export type Leased = { readonly token: string; readonly run: string }

type Open = Leased & { readonly ended: AbortController }

export interface Leases {
  open(of: Leased, giveBack: () => void): TokenLease
  /** Ends what a revocation is about. @returns what the sessions were opened with */
  revoke(revocation: Revocation): readonly Leased[]
}

const add = (index: Map<string, Set<Open>>, key: string, lease: Open): void => {
  const known = index.get(key)
  if (known === undefined) index.set(key, new Set([lease]))
  else known.add(lease)
}

const remove = (index: Map<string, Set<Open>>, key: string, lease: Open): void => {
  const known = index.get(key)
  known?.delete(lease)
  if (known?.size === 0) index.delete(key)
}

/** The leases of a process, found by token, run and session. */
export const openLeases = (): Leases => {
  const by_token = new Map<string, Set<Open>>()
  const by_run = new Map<string, Set<Open>>()
  const by_session = new Map<string, Open>()

  const concerned = ({ kind, token, run, session }: Revocation): readonly Open[] => {
    if (kind === 'token') return [...(by_token.get(token) ?? [])]
    if (kind === 'run') return [...(by_run.get(run) ?? [])]
    const found = by_session.get(session)
    return found === undefined ? [] : [found]
  }

  return {
    open: ({ token, run }, giveBack) => {
      const lease: Open = { token, run, ended: new AbortController() }
      let bound = ''
      add(by_token, token, lease)
      if (run !== '') add(by_run, run, lease)
      const end = (): void => {
        remove(by_token, token, lease)
        remove(by_run, run, lease)
        by_session.delete(bound)
      }
      return {
        revoked: lease.ended.signal,
        bind: (session) => {
          bound = session
          by_session.set(session, lease)
        },
        giveBack: () => {
          end()
          giveBack()
        },
        end,
      }
    },
    revoke: (revocation) => {
      const leases = concerned(revocation)
      for (const { ended } of leases) ended.abort(revocation.reason)
      return leases
    },
  }
}
