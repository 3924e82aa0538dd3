/** Lets a loop sleep until there is something to do. A ring while nobody waits is remembered. */
export interface Bell {
  readonly ring: () => void
  /** Resolves at the next ring, or after `timeout_ms`. One waiter at a time. */
  readonly wait: (timeout_ms?: number) => Promise<void>
}

export const createBell = (): Bell => {
  let rung = false
  let wake: (() => void) | null = null
  return {
    ring: () => {
      rung = true
      wake?.()
    },
    wait: (timeout_ms) =>
      new Promise((resolve) => {
        let timer: NodeJS.Timeout | null = null
        const done = (): void => {
          rung = false
          wake = null
          if (timer !== null) clearTimeout(timer)
          resolve()
        }
        if (rung) {
          done()
          return
        }
        wake = done
        if (timeout_ms !== undefined) timer = setTimeout(done, timeout_ms)
      }),
  }
}
