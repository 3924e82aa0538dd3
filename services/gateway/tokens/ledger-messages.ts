import type { Revocation } from '#core/identity/token-index.ts'
import type { ClaimRequest, ClaimResult } from '#lib/identity/token-ledger.ts'
import type { LogConfig } from '#lib/log/open.ts'

/** What the ledger's thread is started with. */
export type LedgerStart = {
  /** The log's configuration; secrets packed. */
  readonly log: LogConfig
  readonly data_dir: string
  readonly deployment: string
  /** Name under which it records. */
  readonly name: string
  readonly version: string
  readonly policy_digest: string
}

/** To the thread. */
export type LedgerOrder =
  | { readonly type: 'claim'; readonly id: number; readonly request: ClaimRequest }
  | { readonly type: 'give_back'; readonly claim: string; readonly request: ClaimRequest }
  /** The session was ended by somebody: its token ends, too. */
  | {
      readonly type: 'revoke'
      readonly token: string
      readonly run: string
      readonly session: string
    }
  | { readonly type: 'stop' }

/** From the thread. */
export type LedgerReport =
  | { readonly type: 'result'; readonly id: number; readonly result: ClaimResult }
  | { readonly type: 'revoked'; readonly revocation: Revocation }
  /** The ledger knows what stood in the log at its start. */
  | { readonly type: 'caught_up' }
  | { readonly type: 'trouble'; readonly reason: string }
  | { readonly type: 'stopped' }
