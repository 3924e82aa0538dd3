import type { SessionRules } from '#core/masking/rules.ts'
import type { SqlAnalysis } from '#core/sql/analysis.ts'
import type { Naming } from '#core/sql/naming.ts'
import type { ParameterMask } from '../bound-parameters.ts'
import { backend } from '../wire.ts'
import { openFinder } from './finder.ts'
import { hideFinds } from './hidden-value.ts'
import { hideStatement, type HiddenStatement } from './hidden-statement.ts'
import { openMaskCounts, type MaskCounts } from './mask-counts.ts'
import { maskMessage, maskNotification } from './message-mask.ts'
import { openRowMask, type RowMask } from './row-mask.ts'
import type { RowShape } from './row-shape.ts'

/** What is masked in one session. Sessions without rules have none, and cost nothing. */
export interface MaskSession {
  /** Largest message that is collected to be masked; a larger one ends the session. */
  readonly row_bytes_max: number
  /** What was masked in answers since it was last asked. */
  readonly counts: MaskCounts
  /** The masking of a result. */
  rows(shape: RowShape): RowMask
  /** An error, notice or notification as it goes on; null when nothing in it changes. */
  message(buffer: Buffer, start: number, end: number): Buffer | null
  /** A command's text as it may be recorded; null when nothing in it is masked. */
  hide(text: string, analysis: SqlAnalysis, naming: Naming): HiddenStatement | null
  /** A bound value as it may be recorded; null when nothing in it is masked. */
  readonly hideValue: ParameterMask
}

export type MaskSessionOptions = {
  readonly rules: SessionRules
  readonly row_bytes_max: number
  /** Told of what was masked, for metrics. */
  readonly counted: (rule: string, count: number) => void
}

export const openMaskSession = (options: MaskSessionOptions): MaskSession => {
  const { rules, row_bytes_max } = options
  const counts = openMaskCounts(options.counted)
  const finder = openFinder(rules.detectors, counts)
  return {
    row_bytes_max,
    counts,
    rows: (shape) =>
      openRowMask(shape.map(({ type_oid, binary }) => finder.column(type_oid, binary))),
    message: (buffer, start, end) =>
      buffer[start] === backend.notification
        ? maskNotification(buffer, start, end, finder.text)
        : maskMessage(buffer, start, end, finder.text),
    hide: (text, analysis) => {
      const bytes = Buffer.from(text, 'utf8')
      const finds = finder.finds(bytes)
      return finds.length === 0 ? null : hideStatement(bytes, analysis, finds)
    },
    hideValue: (buffer, start, length, _, oid, read) =>
      hideFinds(finder, buffer.subarray(start, start + length), oid, read),
  }
}
