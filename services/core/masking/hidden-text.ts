/** A range of a text's UTF-8 bytes and what stands in its place. */
export type Hidden = { readonly start: number; readonly end: number; readonly by: string }

export type HiddenText = {
  readonly text: string
  /** Where an offset of the old text is in the new one, bytes; inside of a range: its end. */
  readonly place: (offset: number) => number
}

/** Sorted, and without what lies inside another: ranges that overlap become one, which the first of them fills. */
const disjoint = (ranges: readonly Hidden[]): readonly Hidden[] => {
  const sorted = ranges.toSorted((a, b) => a.start - b.start || b.end - a.end)
  const kept: Hidden[] = []
  for (const range of sorted) {
    const last = kept.at(-1)
    if (last !== undefined && range.start < last.end)
      kept[kept.length - 1] = { ...last, end: Math.max(last.end, range.end) }
    else kept.push(range)
  }
  return kept
}

/** Replaces ranges of a text. */
export const hideRanges = (bytes: Buffer, ranges: readonly Hidden[]): HiddenText => {
  const parts: string[] = []
  const moves: { readonly start: number; readonly end: number; readonly change: number }[] = []
  let at = 0
  for (const { start, end, by } of disjoint(ranges)) {
    parts.push(bytes.toString('utf8', at, start), by)
    moves.push({ start, end, change: Buffer.byteLength(by) - (end - start) })
    at = end
  }
  parts.push(bytes.toString('utf8', at))
  return {
    text: parts.join(''),
    place: (offset) =>
      moves.reduce((sum, { start, end, change }) => {
        if (end <= offset) return sum + change
        return start < offset ? sum + (end + change - offset) : sum
      }, offset),
  }
}
