import { setTimeout as delay } from 'node:timers/promises'
import { CairnError } from '#lib/error.ts'
import { retry_backoff_ms } from './limits.ts'

/** Errors that say that the other side is not there now. */
const passing: ReadonlySet<string> = new Set(['store_unavailable', 'log_unavailable'])

const isPassing = (error: unknown): boolean =>
  error instanceof CairnError && passing.has(error.code)

/**
 * Does `work` until it succeeds, waiting longer each time, as long as it fails because ClickHouse or the log is not available.
 * Throws what else it throws, and the signal's reason when aborted.
 */
export const untilAvailable = async <T>(
  work: () => Promise<T>,
  options: {
    readonly signal: AbortSignal
    /** Called before each wait. */
    readonly onFailure: (error: unknown, failures: number) => void | Promise<void>
  },
): Promise<T> => {
  for (let failures = 1; ; failures++) {
    options.signal.throwIfAborted()
    try {
      return await work()
    } catch (error) {
      if (!isPassing(error)) throw error
      await options.onFailure(error, failures)
      const wait_ms = Math.min(retry_backoff_ms.first * 2 ** (failures - 1), retry_backoff_ms.max)
      await delay(wait_ms, undefined, { signal: options.signal })
    }
  }
}
