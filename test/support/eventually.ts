import { setTimeout as delay } from 'node:timers/promises'

/** Asks again until the answer is not undefined or false; fails with the last error or `what` after the deadline. */
export const eventually = async <T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  deadline_ms = 30_000,
): Promise<T> => {
  const until = Date.now() + deadline_ms
  let last: unknown
  while (Date.now() < until) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== false) return answer
      last = undefined
    } catch (error) {
      last = error
    }
    await delay(25)
  }
  throw new Error(`not within ${deadline_ms} ms: ${what}`, { cause: last })
}
