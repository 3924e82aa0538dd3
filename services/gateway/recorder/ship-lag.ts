/** Times are noted at most this often, and at most so many of them are kept: older ones are thinned out. */
const resolution_ms = 50
const marks_max = 2_000

/** How old the oldest record is that the log does not have, from when bytes were written and how far the log is. */
export interface ShipLag {
  /** Everything up to `end` (bytes on the journal's scale) was written by now. */
  readonly written: (end: number, now_ms: number) => void
  /** The log has everything up to `end`. */
  readonly acked: (end: number) => void
  /** Milliseconds; 0 if the log has everything. */
  readonly lag_ms: (now_ms: number) => number
}

export const openShipLag = (): ShipLag => {
  let marks: { end: number; readonly at_ms: number }[] = []
  return {
    written: (end, now_ms) => {
      const last = marks.at(-1)
      // A mark stands for the oldest of its bytes.
      if (last !== undefined && now_ms - last.at_ms < resolution_ms) last.end = end
      else marks.push({ end, at_ms: now_ms })
      if (marks.length > marks_max)
        marks = marks.filter((_, index) => index % 2 === 1 || index === 0)
    },
    acked: (end) => {
      const left = marks.findIndex((mark) => mark.end > end)
      marks = left === -1 ? [] : marks.slice(left)
    },
    lag_ms: (now_ms) => (marks.length === 0 ? 0 : Math.round(now_ms - marks[0]!.at_ms)),
  }
}
