import type { Duplex } from 'node:stream'

/** Pauses a stream while any reason to do so holds. */
export interface Gate<Reason extends string> {
  /** Begins to read, if nothing forbids it. */
  start(): void
  close(reason: Reason): void
  open(reason: Reason): void
  /** Nothing holds any more, for good: the stream runs out. */
  release(): void
}

/** Opens a gate on a paused stream. */
export const openGate = <Reason extends string>(stream: Duplex): Gate<Reason> => {
  const reasons = new Set<Reason>()
  let started = false
  let released = false
  return {
    start: () => {
      started = true
      if (reasons.size === 0) stream.resume()
    },
    close: (reason) => {
      if (released) return
      if (reasons.size === 0) stream.pause()
      reasons.add(reason)
    },
    open: (reason) => {
      if (reasons.delete(reason) && reasons.size === 0 && started) stream.resume()
    },
    release: () => {
      released = true
      reasons.clear()
      stream.resume()
    },
  }
}
