import {
  foundMask,
  replaceFinds,
  type FoundRule,
  type MaskFound,
} from '#core/masking/found-value.ts'
import type { DetectorRule } from '#core/masking/rules.ts'
import { openScanner, type Scanner } from '#core/masking/scanner.ts'
import type { MaskCounts } from './mask-counts.ts'

/** A find in a text of the gateway's own: where it is, UTF-8 bytes, and what was there. */
export type TextFind = {
  readonly start: number
  readonly end: number
  readonly by: string
  readonly rule: string
  readonly found: string
}

/** Masks what the detectors of a session find. */
export interface Finder {
  /** There are detectors. */
  readonly active: boolean
  /** The masking of a column's values; null when nothing can be found in them. */
  column(type_oid: number, binary: boolean): MaskFound | null
  /** A text with each find replaced; null when there is none. */
  readonly text: (bytes: Buffer, start: number, end: number) => Buffer | null
  /** What is found in a text, not counted. */
  finds(bytes: Buffer): readonly TextFind[]
}

const nothing: readonly never[] = []
const ignored = (): void => undefined

const findsIn = (
  scanner: Scanner,
  rules: readonly FoundRule[],
  bytes: Buffer,
): readonly TextFind[] => {
  const finds = scanner.scan(bytes, 0, bytes.length)
  if (finds === null) return nothing
  const { ranges, by } = finds
  return by.map((rule, index) => {
    const start = ranges[index * 2]!
    const end = ranges[index * 2 + 1]!
    const one = { ranges: [start, end], by: [rule] }
    return {
      start,
      end,
      by: replaceFinds(bytes, start, end, one, rules, ignored).toString('utf8'),
      rule: rules[rule]!.rule,
      found: bytes.toString('utf8', start, end),
    }
  })
}

export const openFinder = (detectors: readonly DetectorRule[], counts: MaskCounts): Finder => {
  const scanner = openScanner(detectors.map(({ detector }) => detector))
  const none = detectors.length === 0
  return {
    active: !none,
    column: (type_oid, binary) =>
      none ? null : foundMask(scanner, detectors, type_oid, binary, counts.add),
    text: (bytes, start, end) => {
      const finds = none ? null : scanner.scan(bytes, start, end)
      return finds === null ? null : replaceFinds(bytes, start, end, finds, detectors, counts.add)
    },
    finds: (bytes) => (none ? nothing : findsIn(scanner, detectors, bytes)),
  }
}
