import { CairnError } from '#lib/error.ts'

/** How long something lives from now, and whether it can be made to live longer. */
export type Grant = { readonly ttl_s: number; readonly renewable: boolean }

export type KeepingOptions = {
  readonly grant: Grant
  /**
   * Makes it live longer. Null: the vault says that it is gone.
   * @throws CairnError('target_unavailable') not now
   */
  readonly renew: (signal: AbortSignal) => Promise<Grant | null>
  /** It has ended: it was gone, or lived as long as it may. Called once, and never after dispose. */
  readonly onEnd: (gone: boolean) => void
  /** Monotonic clock, milliseconds. */
  readonly now_ms: () => number
}

/** Something that is kept alive until it is disposed or has to end. */
export interface Keeping extends Disposable {
  /** Monotonic, milliseconds: when it ends unless it is renewed; Infinity for what does not. */
  readonly ends_ms: number
}

/** Longest timer, milliseconds. */
const timer_ms_max = 86_400_000
/** Shortest pause between two tries, milliseconds. */
const retry_ms = 1_000
/** What the vault's clock and ours, and the way between, may differ by: it is given up this long before its end. */
const margin = 0.05

/**
 * Renews at about two thirds of the life (never all at the same moment: the moment is random), tries again until the end, and tells of the end. A vault that gives no more
 * than what was left has come to the maximum it allows: then it is used up to its end.
 */
export const keepAlive = (options: KeepingOptions): Keeping => {
  const { now_ms } = options
  const stop = new AbortController()
  let timer: NodeJS.Timeout | null = null
  /** When it ends, and when it is given up: a little earlier. */
  let true_end_ms = 0
  let ends_ms = Infinity

  const end = (gone: boolean): void => {
    if (stop.signal.aborted) return
    stop.abort()
    if (timer !== null) clearTimeout(timer)
    options.onEnd(gone)
  }

  const at = (when_ms: number, work: () => void): void => {
    const left_ms = when_ms - now_ms()
    timer = setTimeout(
      () => (left_ms > timer_ms_max ? at(when_ms, work) : work()),
      Math.min(Math.max(left_ms, 0), timer_ms_max),
    )
    timer.unref()
  }

  const take = (grant: Grant): void => {
    // A life of 0 is one without an end: a root token.
    if (grant.ttl_s === 0) {
      ends_ms = Infinity
      return
    }
    const now = now_ms()
    const life_ms = grant.ttl_s * 1000
    const grows = now + life_ms > true_end_ms + retry_ms
    true_end_ms = now + life_ms
    ends_ms = now + life_ms * (1 - margin)
    if (grant.renewable && grows) at(now + life_ms * (0.6 + Math.random() * 0.1), renewSoon)
    else at(ends_ms, () => end(false))
  }

  const renew = async (): Promise<void> => {
    let grant: Grant | null
    try {
      grant = await options.renew(stop.signal)
    } catch (error) {
      if (!(error instanceof CairnError)) throw error
      if (stop.signal.aborted) return
      const next_ms = now_ms() + Math.max(retry_ms, (ends_ms - now_ms()) / 4)
      if (next_ms < ends_ms) at(next_ms, renewSoon)
      else at(ends_ms, () => end(false))
      return
    }
    if (stop.signal.aborted) return
    if (grant === null) end(true)
    else take(grant)
  }
  const renewSoon = (): void => {
    // What nobody foresaw ends it too: a credential that is not renewed must not be relied on.
    renew().catch(() => end(false))
  }

  take(options.grant)
  return {
    get ends_ms() {
      return ends_ms
    },
    [Symbol.dispose]: () => {
      stop.abort()
      if (timer !== null) clearTimeout(timer)
    },
  }
}
