import type { ApprovalBook } from './approvals/book.ts'
import type { Callbacks } from './approvals/callbacks.ts'
import type { Decisions } from './approvals/decisions.ts'
import type { RunEnd } from './run-end.ts'
import type { TokenExchange } from './token-exchange.ts'
import type { Store } from './store/store.ts'
import { routeDefiner } from './route.ts'

/** Whether the parts that the api stands on work; each is asked anew at every call. */
export type Readiness = {
  readonly ready: boolean
  readonly checks: {
    readonly log: 'ok' | 'failed'
    readonly clickhouse: 'ok' | 'failed'
    readonly replay: { readonly lag_records: number | null }
  }
}

/** What handlers get. */
export type ApiDeps = {
  readonly store: Store
  readonly exchange: TokenExchange
  readonly approvals: Pick<ApprovalBook, 'find' | 'list'>
  readonly decide: Decisions
  readonly callbacks: Callbacks
  readonly endRun: RunEnd
  readonly readiness: () => Promise<Readiness>
  /** Prometheus text: this process's metrics, its supervisor's other processes', and the pipeline's state. */
  readonly metrics: () => Promise<string>
  readonly version: string
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
}

/** Defines a route of the API. */
export const defineRoute = routeDefiner<ApiDeps>()
