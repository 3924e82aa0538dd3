import { hash } from 'node:crypto'
import { decodeValue } from '#core/events/codec.ts'
import { runOf } from '#core/identity/run.ts'
import {
  createTokenIndex,
  type Claim,
  type Revocation,
  type TokenIndex,
  type Verdict,
} from '#core/identity/token-index.ts'
import type { Log, LogFollower, StoredRecord } from '#lib/log/port.ts'
import type { LogRecorder, OwnContext } from '#lib/log/recorder.ts'
import { pause } from '#lib/log/pause.ts'

/**
 * The ledger of tokens: how often each has been used, for all gateways of a deployment.
 *
 *     claim ──▶ token.claimed ──▶ topic cairn.tokens, key: run or token ──▶ every gateway folds the topic (token-index.ts)
 *                                                                                   │
 *     verdict ◀── the own claim comes by, with everything that stands before it ◀──┘
 *
 * No gateway asks another: the order of the partition decides. A claim whose verdict does not come in time is refused, and so is every one
 * while the log does not answer.
 */
export const tokens_topic = 'cairn.tokens'

/** How long a claim waits for its verdict, milliseconds. */
const claim_timeout_ms = 5_000
/** Between two tries to follow the log, milliseconds. */
const retry_ms = { first: 100, max: 2_000 } as const
/** How often what has ended is forgotten, milliseconds. */
const sweep_ms = 30_000

/** A token that asks to be used. */
export type ClaimRequest = {
  readonly token: string
  readonly run: string
  /** Sessions that the token may open in all; 0: as many as it likes, they are not counted. */
  readonly uses: number
  readonly expires_ms: number
  readonly context: OwnContext
}

export type ClaimRefusal = {
  readonly ok: false
  readonly reason: 'token_replayed' | 'token_revoked' | 'token_expired' | 'ledger_unavailable'
  readonly detail: string
}

/** `claim` is its id; empty where nothing is counted. */
export type ClaimResult = { readonly ok: true; readonly claim: string } | ClaimRefusal

export interface TokenLedger extends AsyncDisposable {
  /** Claims one use of a token. Never rejects. */
  claim(request: ClaimRequest): Promise<ClaimResult>
  /** A use that was had and came to no session: the next claim of the token at this ledger gets it. */
  giveBack(claim: string, request: ClaimRequest): void
  /** Resolves when the ledger knows what stood in the log as it was opened. */
  readonly caughtUp: Promise<void>
  readonly tokens: number
}

export type TokenLedgerDeps = {
  readonly log: Pick<Log, 'follow'>
  readonly recorder: Pick<LogRecorder, 'record'>
  readonly now_ms: () => number
  /** A fresh id for a claim. */
  readonly newId: () => string
  readonly claim_timeout_ms?: number
  readonly index?: TokenIndex
  /** Something was revoked, by whomever. Also called for what was revoked before the ledger was opened. */
  readonly onRevoked: (revocation: Revocation) => void
  readonly onTrouble: (error: Error) => void
}

/** A claim on its way; `settle` is null once nobody waits for it any more. */
type Pending = {
  readonly request: ClaimRequest
  settle: ((result: ClaimResult) => void) | null
}

/**
 * Key of what the ledger writes: tokens of one run share a partition with the end of their run, so that the order of the partition
 * also says which came first.
 */
export const ledgerKey = (run: string, name: string): Buffer =>
  Buffer.from(hash('sha256', run === '' ? `token ${name}` : `run ${run}`), 'hex')

const refusals: Readonly<Record<Exclude<Verdict, 'won'>, ClaimRefusal>> = {
  replayed: {
    ok: false,
    reason: 'token_replayed',
    detail: 'the token has been used: it has opened as many sessions as its role allows',
  },
  revoked: { ok: false, reason: 'token_revoked', detail: 'the token, or its run, has been ended' },
  expired: { ok: false, reason: 'token_expired', detail: 'the token has ended' },
  full: {
    ok: false,
    reason: 'ledger_unavailable',
    detail: 'more tokens are in use than the ledger can remember',
  },
}

const late: ClaimRefusal = {
  ok: false,
  reason: 'ledger_unavailable',
  detail: 'whether the token has been used before could not be found out in time',
}

const no_claim = ''

/** Opens the ledger over a log. */
export const openTokenLedger = (deps: TokenLedgerDeps): TokenLedger => {
  const { now_ms, recorder } = deps
  const index = deps.index ?? createTokenIndex()
  const timeout_ms = deps.claim_timeout_ms ?? claim_timeout_ms
  const stop = new AbortController()
  const caughtUp = Promise.withResolvers<void>()
  /** Own claims that have not come by yet. */
  const pending = new Map<string, Pending>()
  /** Own claims that won and came to nothing, by token. */
  const spare = new Map<string, { readonly expires_ms: number; readonly claims: string[] }>()
  let caught_up = false

  const keepSpare = (claim: string, { token, expires_ms }: ClaimRequest): void => {
    const kept = spare.get(token)
    if (kept === undefined) spare.set(token, { expires_ms, claims: [claim] })
    else if (!kept.claims.includes(claim)) kept.claims.push(claim)
  }

  const takeSpare = (token: string): string | undefined => {
    const kept = spare.get(token)
    const claim = kept?.claims.pop()
    if (kept?.claims.length === 0) spare.delete(token)
    return claim
  }

  const settle = (claim: string, verdict: Verdict): void => {
    const own = pending.get(claim)
    if (own === undefined) return
    pending.delete(claim)
    if (own.settle !== null) own.settle(verdict === 'won' ? { ok: true, claim } : refusals[verdict])
    else if (verdict === 'won') keepSpare(claim, own.request)
  }

  const fold = ({ value, timestamp_ms }: StoredRecord): void => {
    const decoded = decodeValue(value)
    if (!decoded.ok) {
      deps.onTrouble(new Error(`a record of ${tokens_topic} cannot be read: ${decoded.detail}`))
      return
    }
    if (decoded.type === 'token.claimed') {
      const { context, token, claim, uses, expires } = decoded.event
      const run = runOf(context.actor, context.pipeline)
      const folded: Claim = { token, claim, run, uses, expires_ms: Math.floor(expires / 1000) }
      settle(claim, index.claimed(folded, now_ms()))
    } else if (decoded.type === 'token.revoked') {
      const { kind, token, run, session, reason } = decoded.event
      index.revoked({ kind, token, run, session }, timestamp_ms, now_ms())
      // Behind the verdicts of the claims before it, which whoever waits learns in the turn after this one.
      setImmediate(() => deps.onRevoked({ kind, token, run, session, reason }))
    }
  }

  const follow = async (): Promise<LogFollower | null> => {
    let backoff_ms: number = retry_ms.first
    while (!stop.signal.aborted) {
      try {
        return await deps.log.follow({
          topic: tokens_topic,
          onRecords: (records) => records.forEach(fold),
          onTrouble: deps.onTrouble,
        })
      } catch (error) {
        deps.onTrouble(error instanceof Error ? error : new Error(String(error)))
        await pause(backoff_ms, stop.signal)
        backoff_ms = Math.min(backoff_ms * 2, retry_ms.max)
      }
    }
    return null
  }

  const following = follow()
  const catchUp = async (): Promise<void> => {
    await (
      await following
    )?.caughtUp
    caught_up = true
    caughtUp.resolve()
  }
  void catchUp()

  const sweeper = setInterval(() => {
    const now = now_ms()
    index.sweep(now)
    for (const [token, { expires_ms }] of spare) if (expires_ms < now) spare.delete(token)
    for (const [claim, own] of pending)
      if (own.settle === null && own.request.expires_ms < now) pending.delete(claim)
  }, sweep_ms).unref()

  const append = (claim: string, { token, run, uses, expires_ms, context }: ClaimRequest): void => {
    const body = { token, claim, uses, expires: expires_ms * 1000 }
    // Whoever waits is told by the deadline; a record that was only late still comes by.
    recorder
      .record('token.claimed', context, body, ledgerKey(run, token))
      .catch((error: unknown) => deps.onTrouble(error as Error))
  }

  const ask = (request: ClaimRequest): Promise<ClaimResult> =>
    new Promise((resolve) => {
      const claim = deps.newId()
      const timer = setTimeout(() => {
        own.settle = null
        resolve(late)
      }, timeout_ms)
      const own: Pending = {
        request,
        settle: (result) => {
          clearTimeout(timer)
          resolve(result)
        },
      }
      pending.set(claim, own)
      append(claim, request)
    })

  const knowsInTime = async (): Promise<boolean> => {
    if (caught_up) return true
    const waiting = new AbortController()
    const timeout = pause(timeout_ms, waiting.signal).then(() => false)
    const known = await Promise.race([caughtUp.promise.then(() => true), timeout])
    waiting.abort()
    return known
  }

  return {
    caughtUp: caughtUp.promise,
    claim: async (request) => {
      if (!(await knowsInTime())) return late
      const { uses } = request
      const standing = index.standing(
        { ...request, uses: uses === 0 ? Number.MAX_SAFE_INTEGER : uses },
        now_ms(),
      )
      // A use that came back is as good as a free one.
      const kept =
        standing === 'free' || standing === 'replayed' ? takeSpare(request.token) : undefined
      if (kept !== undefined) return { ok: true, claim: kept }
      if (standing !== 'free') return refusals[standing]
      return uses === 0 ? { ok: true, claim: no_claim } : ask(request)
    },
    giveBack: (claim, request) => {
      if (claim !== no_claim) keepSpare(claim, request)
    },
    get tokens() {
      return index.tokens
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      clearInterval(sweeper)
      for (const own of pending.values()) own.settle?.(late)
      pending.clear()
      await (await following)?.[Symbol.asyncDispose]()
    },
  }
}
