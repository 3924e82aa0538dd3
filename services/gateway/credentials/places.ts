import { CairnError } from '#lib/error.ts'

/** A bounded number of places, and a bounded queue before them. */
export interface Places {
  /**
   * Does the work in a place of its own, as soon as one is free.
   * @throws CairnError('limit_exceeded') too many wait already, CairnError('target_unavailable') the signal came first; and what the work throws
   */
  with<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result>
}

export const openPlaces = (places_max: number, waiting_max: number): Places => {
  let taken = 0
  const waiting = new Set<() => void>()

  const enter = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted) throw new CairnError('target_unavailable', 'it was given up')
    if (taken < places_max) {
      taken++
      return
    }
    if (waiting.size >= waiting_max)
      throw new CairnError('limit_exceeded', `more than ${waiting_max} wait already`)
    await new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        waiting.delete(take)
        reject(new CairnError('target_unavailable', 'it was given up'))
      }
      const take = (): void => {
        waiting.delete(take)
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      waiting.add(take)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Whoever leaves hands its place on. */
  const leave = (): void => {
    const [next] = waiting
    if (next === undefined) taken--
    else next()
  }

  return {
    with: async (signal, work) => {
      await enter(signal)
      try {
        return await work()
      } finally {
        leave()
      }
    },
  }
}
