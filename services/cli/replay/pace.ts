import { setTimeout as sleep } from 'node:timers/promises'

/** Longest pause that is kept, milliseconds of the session's own time: nobody waits through a lunch break. */
const pause_ms_max = 5000

/** Waits as long as the session did before the record of this time. */
export type Pause = (time_us: number, signal: AbortSignal) => Promise<void>

/** Pauses of a replay, `speed` times faster than the session was; infinity: none. */
export const pace = (speed: number): Pause => {
  let last_us: number | undefined
  return async (time_us, signal) => {
    const pause_ms = last_us === undefined ? 0 : Math.min((time_us - last_us) / 1000, pause_ms_max)
    last_us = time_us
    if (pause_ms / speed >= 1) await sleep(pause_ms / speed, undefined, { signal })
  }
}
