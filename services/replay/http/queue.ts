/** A place among the queries that run; dispose it to give it back. */
type Turn = Disposable

/** Lets `max` queries run and as many wait; null for one more. */
export const openQueue = (max: number) => {
  let running = 0
  const waiting: (() => void)[] = []
  return async (signal: AbortSignal): Promise<Turn | null> => {
    if (running >= max) {
      if (waiting.length >= max) return null
      await new Promise<void>((resolve) => {
        const go = (): void => {
          signal.removeEventListener('abort', leave)
          resolve()
        }
        const leave = (): void => {
          const at = waiting.indexOf(go)
          if (at >= 0) waiting.splice(at, 1)
          // Takes a place for a moment, so that its turn can give one back like every other.
          running++
          resolve()
        }
        waiting.push(go)
        signal.addEventListener('abort', leave, { once: true })
      })
    } else running++
    return {
      [Symbol.dispose]: () => {
        const next = waiting.shift()
        if (next === undefined) running--
        else next()
      },
    }
  }
}
