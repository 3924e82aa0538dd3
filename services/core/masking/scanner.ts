import type { Detector, Found } from './detector.ts'

/**
 * Runs several detectors over values. Most values hold nothing: what every find of a detector must have (an `@`, `eyJ`, enough digits) is looked
 * for first, with the buffer's own search, once per buffer and not per value.
 */
export type Finds = {
  /** Pairs of first byte and the one behind the last, in order, none overlapping another. */
  readonly ranges: readonly number[]
  /** Which of the scanner's detectors found each, by its index. */
  readonly by: readonly number[]
}

export interface Scanner {
  /** Something may be found in numbers of at most so many digits. */
  finds_in(digits: number): boolean
  /**
   * What is found in a range; null for nearly every value. `numbers`: the value is a number of the database. The result is used again: read it
   * before asking for more.
   */
  scan(bytes: Buffer, start: number, end: number, numbers?: boolean): Finds | null
}

/** Where a needle stands next in the buffer in hand. */
type Needle = { readonly bytes: Buffer; next: number }

type Search = { readonly detector: Detector; readonly needles: readonly Needle[] }

/** Longest value that is counted for digits to the end: beyond, it has enough of them. */
const counted_bytes_max = 4096

const digitsIn = (bytes: Buffer, start: number, end: number): number => {
  if (end - start > counted_bytes_max) return Infinity
  let count = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    if (byte <= 0x39 && byte >= 0x30) count++
  }
  return count
}

export const openScanner = (detectors: readonly Detector[]): Scanner => {
  const searches: readonly Search[] = detectors.map((detector) => ({
    detector,
    needles: detector.needles.map((text) => ({ bytes: Buffer.from(text, 'utf8'), next: -1 })),
  }))
  const fewest_digits = Math.min(
    ...detectors.map(({ digits_min }) => (digits_min === 0 ? Infinity : digits_min)),
  )
  let buffer: Buffer | null = null
  let last = 0
  let ranges: number[] = []
  let by: number[] = []
  /** The detector that is looking. */
  let looking = 0
  const found: Found = (start, end) => {
    ranges.push(start, end)
    by.push(looking)
  }

  const present = (needle: Needle, bytes: Buffer, start: number, end: number): boolean => {
    if (needle.next < start) {
      const next = bytes.indexOf(needle.bytes, start)
      needle.next = next === -1 ? Infinity : next
    }
    return needle.next < end
  }

  const worthwhile = (
    { detector, needles }: Search,
    bytes: Buffer,
    start: number,
    end: number,
    count: number,
  ): boolean => {
    if (count < detector.digits_min) return false
    if (needles.length === 0) return true
    for (const needle of needles) if (present(needle, bytes, start, end)) return true
    return false
  }

  /** Sorts the finds; of two that overlap the first one wins and takes in the other. */
  const settle = (): void => {
    const order = by.map((_, index) => index)
    order.sort((a, b) => ranges[a * 2]! - ranges[b * 2]! || ranges[b * 2 + 1]! - ranges[a * 2 + 1]!)
    const kept: number[] = []
    const kept_by: number[] = []
    for (const index of order) {
      const start = ranges[index * 2]!
      const end = ranges[index * 2 + 1]!
      const open = kept.length - 1
      if (open > 0 && start < kept[open]!) kept[open] = Math.max(kept[open]!, end)
      else {
        kept.push(start, end)
        kept_by.push(by[index]!)
      }
    }
    ranges = kept
    by = kept_by
  }

  return {
    finds_in: (digits) =>
      detectors.some(({ numbers, digits_min }) => numbers && digits_min <= digits),
    scan: (bytes, start, end, numbers = false) => {
      if (buffer !== bytes || start < last) {
        buffer = bytes
        for (const { needles } of searches) for (const needle of needles) needle.next = -1
      }
      last = start
      const count = fewest_digits === Infinity ? 0 : digitsIn(bytes, start, end)
      if (ranges.length > 0) {
        ranges = []
        by = []
      }
      for (let index = 0; index < searches.length; index++) {
        const search = searches[index]!
        if (numbers && !search.detector.numbers) continue
        if (!worthwhile(search, bytes, start, end, count)) continue
        looking = index
        search.detector.find(bytes, start, end, found)
      }
      if (by.length === 0) return null
      if (by.length > 1) settle()
      return { ranges, by }
    },
  }
}
