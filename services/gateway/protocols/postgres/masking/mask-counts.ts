import type { CommandReceived } from '#core/events/types.ts'

/** What was masked, as records say it. */
export type MaskedCounts = CommandReceived['masked']

export const no_masks: MaskedCounts = []

/** Counts what each rule masked until somebody takes the counts. */
export interface MaskCounts {
  readonly add: (rule: string) => void
  readonly total: number
  /** The counts so far; they begin anew. */
  take(): MaskedCounts
}

/** @param counted told of every count that is taken, for metrics */
export const openMaskCounts = (counted: (rule: string, count: number) => void): MaskCounts => {
  const counts = new Map<string, number>()
  let total = 0
  return {
    add: (rule) => {
      counts.set(rule, (counts.get(rule) ?? 0) + 1)
      total++
    },
    get total() {
      return total
    },
    take: () => {
      if (total === 0) return no_masks
      const taken = [...counts].map(([rule, count]) => ({ rule, count }))
      counts.clear()
      total = 0
      for (const { rule, count } of taken) counted(rule, count)
      return taken
    },
  }
}

/** Two lists of counts as one. */
export const joinCounts = (one: MaskedCounts, other: MaskedCounts): MaskedCounts => {
  if (one.length === 0) return other
  if (other.length === 0) return one
  const sums = new Map(one.map(({ rule, count }) => [rule, count]))
  for (const { rule, count } of other) sums.set(rule, (sums.get(rule) ?? 0) + count)
  return [...sums].map(([rule, count]) => ({ rule, count }))
}
