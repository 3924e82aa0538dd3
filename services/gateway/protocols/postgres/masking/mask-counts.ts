import type { CommandReceived } from '#core/events/types.ts'

/** What was masked, as records say it. */
export type MaskedCounts = CommandReceived['masked']

export const no_masks: MaskedCounts = []

/** Counts of one rule: since the latest `commit`, and before it. */
type Counter = { readonly rule: string; fresh: number; kept: number }

/** Counts what each rule masked, message by message, until a record takes the counts. */
export interface MaskCounts {
  readonly add: (rule: string) => void
  /** The latest message belongs to the record that is being gathered. */
  commit(): void
  /** What belongs to the record; it begins anew. */
  take(): MaskedCounts
}

/** @param counted told of every count that is taken, for metrics */
export const openMaskCounts = (counted: (rule: string, count: number) => void): MaskCounts => {
  const counters: Counter[] = []
  const byRule = new Map<string, Counter>()
  let latest: Counter | null = null
  let fresh = false

  const counterOf = (rule: string): Counter => {
    let counter = byRule.get(rule)
    if (counter === undefined) {
      counter = { rule, fresh: 0, kept: 0 }
      byRule.set(rule, counter)
      counters.push(counter)
    }
    return counter
  }

  return {
    add: (rule) => {
      if (latest === null || latest.rule !== rule) latest = counterOf(rule)
      latest.fresh++
      fresh = true
    },
    commit: () => {
      if (!fresh) return
      fresh = false
      for (const counter of counters) {
        counter.kept += counter.fresh
        counter.fresh = 0
      }
    },
    take: () => {
      const taken: { rule: string; count: number }[] = []
      for (const counter of counters) {
        if (counter.kept === 0) continue
        taken.push({ rule: counter.rule, count: counter.kept })
        counted(counter.rule, counter.kept)
        counter.kept = 0
      }
      return taken.length === 0 ? no_masks : taken
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
