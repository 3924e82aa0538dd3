/** Time as the recorder wants it, handed in. */
export type Clock = {
  /** Wall clock, whole microseconds since the Unix epoch. */
  readonly wall_us: () => number
  /** Monotonic clock, whole nanoseconds since the clock was opened. */
  readonly mono_ns: () => number
}

/** The system's clock has steps of a millisecond here; the finer one may be off by so much before it is set anew. */
const drift_ms_max = 2

/**
 * The system's clocks. Microseconds come from the monotonic clock, set by the wall clock at the beginning and whenever the two
 * differ: a step of the system's clock shows in the records, as it must.
 */
export const openSystemClock = (): Clock => {
  const opened_ms = performance.now()
  let offset_ms = Date.now() - opened_ms
  return {
    wall_us: () => {
      const mono_ms = performance.now()
      const wall_ms = Date.now()
      if (Math.abs(mono_ms + offset_ms - wall_ms) > drift_ms_max) offset_ms = wall_ms - mono_ms
      return Math.round((mono_ms + offset_ms) * 1000)
    },
    // Records hold numbers below 2^53, which are 104 days: then this clock stands still, and records go on.
    mono_ns: () =>
      Math.min(Math.round((performance.now() - opened_ms) * 1e6), Number.MAX_SAFE_INTEGER),
  }
}
