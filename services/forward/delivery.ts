import { setTimeout as sleep } from 'node:timers/promises'
import { createBell } from '#lib/log/bell.ts'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import type { LossReason, SinkMetrics } from './metrics.ts'
import type { Connection } from './sinks/connection.ts'
import type { ResendWindow, WindowEntry } from './window.ts'

/**
 * Delivery over a connection without acknowledgements, at least once:
 *
 *     connect ─▶ send ──(half a window sent, or some seconds)──▶ turn over ─▶ send on the next connection ...
 *                  └────────── lost: everything in the window again, after a back-off ──────────┘
 *
 * Turning over ends our side and waits for the receiver to end its own, which proves that it read
 * everything (sinks/connection.ts); the next connection is opened meanwhile and written to only
 * after the proof, so that the receiver reads all messages in order.
 */
export type DeliveryTimes = {
  readonly connect_timeout_ms: number
  /**
   * A message waits at most so long for the proof that it was read, when there is too little
   * traffic to fill half a window.
   */
  readonly confirm_interval_ms: number
  /** How long a receiver may take to read what it was sent, before its connection is given up. */
  readonly confirm_timeout_ms: number
  /**
   * How long messages are kept after the proof, in case the receiver dies before it has them on
   * disk.
   */
  readonly settle_ms: number
  readonly heartbeat_interval_ms: number
  readonly backoff_ms: { readonly first: number; readonly max: number }
}

export const delivery_times: DeliveryTimes = {
  connect_timeout_ms: 10_000,
  confirm_interval_ms: 10_000,
  confirm_timeout_ms: 60_000,
  settle_ms: 5_000,
  heartbeat_interval_ms: 30_000,
  backoff_ms: { first: 100, max: 10_000 },
}

export type DeliveryOptions = {
  readonly window: ResendWindow
  readonly times: DeliveryTimes
  readonly connect: (timeout_ms: number) => Promise<Connection>
  /** A sign of life to send now. */
  readonly heartbeat: () => Buffer
  readonly logger: Logger
  readonly metrics: SinkMetrics
  readonly now_ms: () => number
  readonly random: () => number
}

export interface Delivery extends AsyncDisposable {
  /**
   * Takes a message: at once (null) or when there is room in the window. When the delivery is over
   * it takes nothing more, without a word if it was finished; rejects with
   * CairnError('sink_unavailable') if it broke.
   */
  push(entry: WindowEntry): Promise<void> | null
  /**
   * Sends what is in the window, waits for its proof and lets it leave; gives up after `timeout_ms`
   * or without a connection.
   */
  finish(timeout_ms: number): Promise<void>
}

/** So much is given to the socket in one piece. */
const write_bytes = 64 * 1024
/** Longest sleep of the loop: what depends on time is looked at this often. */
const tick_ms = 250

type Attempt =
  | { readonly ok: true; readonly connection: Connection }
  | { readonly ok: false; readonly error: unknown }

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

export const openDelivery = (options: DeliveryOptions): Delivery => {
  const { window, times, logger, metrics, now_ms } = options
  const bell = createBell()
  const stop = new AbortController()
  let waiting: (() => void)[] = []
  const state = { finishing: false, failures: 0, quiet: true, heartbeat_at: 0, broken: false }

  const letIn = (): void => {
    metrics.window(window.size)
    if (waiting.length === 0 || window.full) return
    const all = waiting
    waiting = []
    for (const wake of all) wake()
  }

  /** Everything is to be sent again: after a lost connection nobody knows what of it was read. */
  const lose = (reason: LossReason, error: unknown): null => {
    state.failures++
    metrics.lost(reason)
    metrics.connected(false)
    metrics.resent(window.rewind())
    state.heartbeat_at = 0
    if (stop.signal.aborted) return null
    const log = { reason, error: messageOf(error), in_window: window.size }
    if (state.quiet) logger.warn(log, 'the receiver is lost; what it may not have is sent again')
    else logger.debug(log, 'still no receiver')
    state.quiet = false
    return null
  }

  const regain = (): void => {
    metrics.connected(true)
    if (!state.quiet) logger.info('connected to the receiver again')
    state.quiet = true
  }

  const attempt = (): Promise<Attempt> =>
    options.connect(times.connect_timeout_ms).then(
      (connection) => ({ ok: true, connection }),
      (error: unknown) => ({ ok: false, error }),
    )

  const connectPatiently = async (): Promise<Connection | null> => {
    for (;;) {
      if (stop.signal.aborted || (state.finishing && state.failures > 0)) return null
      if (state.failures > 0) {
        const { first, max } = times.backoff_ms
        const wait_ms = Math.min(max, first * 2 ** Math.min(state.failures - 1, 20))
        await sleep(wait_ms * (0.5 + options.random() / 2), undefined, {
          signal: stop.signal,
        }).catch(() => undefined)
        if (stop.signal.aborted) return null
      }
      const attempted = await attempt()
      if (attempted.ok) {
        regain()
        return attempted.connection
      }
      lose('refused', attempted.error)
    }
  }

  const takeChunk = (): Buffer | null => {
    const messages: Buffer[] = []
    let bytes = 0
    while (bytes < write_bytes && !window.due) {
      const message = window.next()
      if (message === null) break
      messages.push(message)
      bytes += message.length
    }
    if (now_ms() >= state.heartbeat_at) {
      state.heartbeat_at = now_ms() + times.heartbeat_interval_ms
      messages.push(options.heartbeat())
    }
    metrics.sent(messages.length)
    return messages.length === 0 ? null : Buffer.concat(messages)
  }

  /** Waits until the socket takes more; a receiver that reads nothing for long is given up. */
  const drained = async (connection: Connection): Promise<void> => {
    const timer = setTimeout(() => connection.destroy(), times.confirm_timeout_ms)
    await connection.drained()
    clearTimeout(timer)
  }

  const turnOver = async (connection: Connection): Promise<Connection | null> => {
    const opening = state.finishing ? null : attempt()
    const proven = await connection.finish(times.confirm_timeout_ms)
    if (proven) {
      state.failures = 0
      window.confirm(now_ms())
      if (state.finishing && window.unsent === 0) window.settle(Number.POSITIVE_INFINITY)
      letIn()
    }
    const opened = await opening
    if (opened === null && proven) return null
    if (opened?.ok === true) {
      if (proven) return opened.connection
      opened.connection.destroy()
    }
    // Also when the proof came: a receiver that cannot be reached again may have died with what it
    // read in its memory.
    if (proven && opened?.ok === false) return lose('refused', opened.error)
    return lose('no_proof', connection.lost)
  }

  /**
   * Sends over one connection until it is turned over (gives the next one) or lost (gives null).
   */
  const serve = async (connection: Connection): Promise<Connection | null> => {
    connection.onLost(bell.ring)
    const giveUp = (): void => connection.destroy()
    stop.signal.addEventListener('abort', giveUp, { once: true })
    try {
      return await sendOver(connection)
    } finally {
      stop.signal.removeEventListener('abort', giveUp)
    }
  }

  const sendOver = async (connection: Connection): Promise<Connection | null> => {
    const opened_ms = now_ms()
    let unconfirmed_since = Number.POSITIVE_INFINITY
    for (;;) {
      if (connection.lost !== null) {
        if (now_ms() - opened_ms >= times.settle_ms) state.failures = 0
        return lose('closed', connection.lost)
      }
      window.settle(now_ms() - times.settle_ms)
      letIn()
      const waited = now_ms() - unconfirmed_since >= times.confirm_interval_ms
      if (window.due || waited || (state.finishing && window.unsent === 0))
        return turnOver(connection)
      const chunk = takeChunk()
      if (chunk === null) {
        await bell.wait(tick_ms)
        continue
      }
      if (window.unconfirmed > 0) unconfirmed_since = Math.min(unconfirmed_since, now_ms())
      if (!connection.write(chunk)) await drained(connection)
    }
  }

  const run = async (): Promise<void> => {
    let next: Connection | null = null
    while (!stop.signal.aborted && !(state.finishing && window.size === 0)) {
      const connection: Connection | null = next ?? (await connectPatiently())
      if (connection === null) return
      next = await serve(connection)
    }
    next?.destroy()
  }

  const running = run()
    .catch((error: unknown) => {
      state.broken = true
      logger.error({ error: messageOf(error) }, 'delivery is broken')
    })
    .finally(() => {
      stop.abort()
      for (const wake of waiting) wake()
    })

  const take = (entry: WindowEntry): boolean => {
    if (state.broken)
      throw new CairnError('sink_unavailable', 'delivery is broken; restart the forwarder')
    if (stop.signal.aborted || state.finishing) return true
    if (window.full) return false
    window.push(entry)
    bell.ring()
    return true
  }

  const takeLater = async (entry: WindowEntry): Promise<void> => {
    do await new Promise<void>((resolve) => waiting.push(resolve))
    while (!take(entry))
  }

  return {
    push: (entry) => (take(entry) ? null : takeLater(entry)),
    finish: async (timeout_ms) => {
      state.finishing = true
      bell.ring()
      for (const wake of waiting) wake()
      const timer = setTimeout(() => {
        stop.abort()
        bell.ring()
      }, timeout_ms)
      await running
      clearTimeout(timer)
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      bell.ring()
      await running
    },
  }
}
