import { hideRanges, type Hidden } from '#core/masking/hidden-text.ts'
import type { SqlAnalysis } from '#core/sql/analysis.ts'
import { secret_bytes_min } from '#core/sql/redaction.ts'
import type { MaskedCounts } from './mask-counts.ts'

/** A command's text as it may be recorded: what a rule masks in it is replaced. */
export type HiddenStatement = {
  readonly text: string
  /** The statements at their place in that text, and the parser's error without what it quotes. */
  readonly analysis: SqlAnalysis
  /** What was replaced and is long enough to be looked for in the command's answers: never recorded. */
  readonly secrets: readonly string[]
  readonly masked: MaskedCounts
}

/** A range to hide, by which rule, and what it says. */
export type HiddenRange = Hidden & { readonly rule: string; readonly found: string }

const secrets_max = 64

/** The parser quotes a token of the text, and nothing else. */
const quoted_part = / at or near "[^]*"$/

const moved = (analysis: SqlAnalysis, place: (offset: number) => number): SqlAnalysis =>
  analysis.ok
    ? {
        ...analysis,
        statements: analysis.statements.map((statement) => {
          const offset = place(statement.offset)
          return {
            ...statement,
            offset,
            length: place(statement.offset + statement.length) - offset,
          }
        }),
      }
    : { ...analysis, error: analysis.error.replace(quoted_part, ' at or near "[masked]"') }

/** How often each rule is among the ranges. */
export const countsOf = (ranges: readonly { readonly rule: string }[]): MaskedCounts => {
  const counts = new Map<string, number>()
  for (const { rule } of ranges) counts.set(rule, (counts.get(rule) ?? 0) + 1)
  return [...counts].map(([rule, count]) => ({ rule, count }))
}

/** Hides ranges of a text. */
export const hideStatement = (
  bytes: Buffer,
  analysis: SqlAnalysis,
  ranges: readonly HiddenRange[],
): HiddenStatement => {
  const { text, place } = hideRanges(bytes, ranges)
  const secrets = new Set(
    ranges.flatMap(({ found }) => (Buffer.byteLength(found) < secret_bytes_min ? [] : [found])),
  )
  return {
    text,
    analysis: moved(analysis, place),
    secrets: [...secrets].slice(0, secrets_max),
    masked: countsOf(ranges),
  }
}
