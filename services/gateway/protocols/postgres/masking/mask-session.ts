import { fixedMask, valueMask } from '#core/masking/typed-value.ts'
import type { MaskFound } from '#core/masking/found-value.ts'
import type { SessionRules } from '#core/masking/rules.ts'
import type { OutputMask } from '#core/masking/statement-masks.ts'
import type { SqlAnalysis } from '#core/sql/analysis.ts'
import { copyFormats, type CopyFormat } from '#core/sql/copy-format.ts'
import type { LineageReader } from '#core/sql/lineage/cached-reader.ts'
import type { SqlParser } from '#core/sql/parser.ts'
import type { Naming } from '#core/sql/naming.ts'
import type { ParameterMask } from '../bound-parameters.ts'
import { encodingIsSafe } from '../startup-parameters.ts'
import type { StatementText } from '../statement.ts'
import { backend } from '../wire.ts'
import { openColumnSession, type ColumnSession, type ResultMask } from './column-session.ts'
import type { CommandMask, CopyInputRules } from './command-mask.ts'
import { openCopyInputMask, type CopyInputMask } from './copy-input-mask.ts'
import { openCopyMask, type CopyMask } from './copy-mask.ts'
import { openFinder } from './finder.ts'
import { hiddenLiterals } from './hidden-literals.ts'
import { hideStatement, type HiddenStatement } from './hidden-statement.ts'
import { hideFinds, hideWhole } from './hidden-value.ts'
import { openMaskCounts, type MaskCounts } from './mask-counts.ts'
import { maskMessage, maskNotification, withholdContext, withholdTexts } from './message-mask.ts'
import { openRowMask, type RowMask } from './row-mask.ts'
import type { RowShape } from './row-shape.ts'
import { withheldOf, withheld_words } from './withheld.ts'

/** What is masked in one session. Sessions without rules have none, and cost nothing. */
export interface MaskSession {
  /** Largest message that is collected to be masked; a larger one ends the session. */
  readonly row_bytes_max: number
  /** What was masked in answers since it was last asked. */
  readonly counts: MaskCounts
  /** Null: no rule is about columns. */
  readonly columns: ColumnSession | null
  /** The masking of a result; `result` is what column rules say of it. */
  rows(shape: RowShape, result: ResultMask | null, naming: Naming): RowMask
  /** An error, notice or notification as it goes on; null when nothing in it changes. */
  message(buffer: Buffer, start: number, end: number, mask: CommandMask | null): Buffer | null
  /** A command's text as it may be recorded; null when nothing in it is masked. */
  hide(text: string, analysis: SqlAnalysis, naming: Naming): HiddenStatement | null
  /** Formats of a text's COPYs, by statement; null when one is not known. */
  copies(text: string): readonly (CopyFormat | null)[] | null
  /** The masking of a COPY TO STDOUT of so many columns. */
  copyOut(format: CopyFormat, count: number, result: ResultMask | null): CopyMask
  /** What is recorded of the data of a COPY FROM STDIN; null: all of it. */
  copyIn(rules: CopyInputRules): CopyInputMask | null
  /** What of the values bound to a statement may be recorded. */
  values(statement: StatementText, naming: Naming): ParameterMask
}

export type MaskSessionOptions = {
  readonly rules: SessionRules
  readonly row_bytes_max: number
  readonly lineage: LineageReader
  readonly parser: Pick<SqlParser, 'parse'>
  /** Told of what was masked, for metrics. */
  readonly counted: (rule: string, count: number) => void
}

/** text. */
const text_oid = 25

export const openMaskSession = (options: MaskSessionOptions): MaskSession => {
  const { rules, row_bytes_max } = options
  const counts = openMaskCounts(options.counted)
  const finder = openFinder(rules.detectors, counts)
  const columns =
    rules.columns.length === 0 ? null : openColumnSession(rules.columns, options.lineage)

  const whole = ({ rule, method }: OutputMask, oid: number, binary: boolean): MaskFound => {
    const fixed = fixedMask(method, oid, binary)
    if (fixed !== undefined)
      return () => {
        counts.add(rule)
        return fixed
      }
    const mask = valueMask(method, oid, binary)
    return (bytes, start, end) => {
      counts.add(rule)
      return mask(bytes.subarray(start, end))
    }
  }

  return {
    row_bytes_max,
    counts,
    columns,
    rows: (shape, result, naming) => {
      const outputs = columns?.outputs(shape, result, naming)
      return openRowMask(
        shape.map(({ type_oid, binary }, index) => {
          const output = outputs?.[index] ?? null
          return output === null ? finder.column(type_oid, binary) : whole(output, type_oid, binary)
        }),
      )
    },
    message: (buffer, start, end, mask) => {
      if (buffer[start] === backend.notification)
        return maskNotification(buffer, start, end, finder.text)
      const withheld = columns === null ? 'nothing' : withheldOf(buffer, start, end, mask)
      if (withheld === 'texts') return withholdTexts(buffer, start, end, withheld_words)
      return withheld === 'context'
        ? withholdContext(buffer, start, end, finder.text)
        : maskMessage(buffer, start, end, finder.text)
    },
    hide: (text, analysis, naming) => {
      const bytes = Buffer.from(text, 'utf8')
      const literals =
        columns === null
          ? []
          : hiddenLiterals(text, bytes, analysis.ok ? columns.read(text, naming) : null)
      const ranges = [...literals, ...finder.finds(bytes)]
      return ranges.length === 0 ? null : hideStatement(bytes, analysis, ranges)
    },
    copies: (text) => {
      const formats = copyFormats(options.parser, text)
      const known = formats?.filter((format) => format !== undefined) ?? []
      if (formats === undefined || known.length < formats.length) return null
      return known.every((format) => format === null || encodingIsSafe(format.encoding))
        ? known
        : null
    },
    copyOut: (format, count, result) => {
      const outputs = columns?.copied(count, result)
      const binary = format.kind === 'binary'
      const fits = result?.types.length === count
      return openCopyMask(
        format,
        Array.from({ length: count }, (_, index) => {
          const output = outputs?.[index] ?? null
          // Nobody tells the type of what is computed: in text it is scanned as text.
          const oid = (fits ? result.types[index] : 0) ?? 0
          if (output !== null) return whole(output, oid, binary)
          return finder.column(oid === 0 && !binary ? text_oid : oid, binary)
        }),
      )
    },
    copyIn: (input) =>
      input.columns === null && !finder.active ? null : openCopyInputMask(input, finder),
    values: (statement, naming) => {
      const { unmasked } = statement
      const read = columns === null || unmasked === null ? null : columns.read(unmasked, naming)
      const rulesOf = (number: number): string | null => {
        if (columns === null) return null
        if (read === null || !read.ok) return 'builtin:mask-unresolved'
        return read.statements[0]?.parameters.get(number) ?? null
      }
      return (buffer, start, length, number, oid, text_of) => {
        const rule = rulesOf(number)
        const bytes = buffer.subarray(start, start + length)
        return rule === null
          ? hideFinds(finder, bytes, oid, text_of)
          : hideWhole(bytes, oid, text_of, rule)
      }
    },
  }
}
