import { hideRanges } from '#core/masking/hidden-text.ts'
import { decodeBinary, type TextReader } from '#core/postgres/binary-values.ts'
import type { Finder } from './finder.ts'
import { countsOf } from './hidden-statement.ts'
import type { MaskedCounts } from './mask-counts.ts'

/** A bound value as it may be recorded. */
export type HiddenValue = {
  /** Null: nothing of it is shown. */
  readonly text: string | null
  /** What was replaced, for the command's answers: never recorded. */
  readonly secrets: readonly string[]
  readonly masked: MaskedCounts
}

/**
 * A value with each find replaced; null when there is none. A binary value of a type that cannot be shown as text is recorded as hex: it is
 * looked at as it is, and goes as a whole.
 */
export const hideFinds = (
  finder: Finder,
  bytes: Buffer,
  oid: number,
  read: TextReader,
): HiddenValue | null => {
  const shown = oid === -1 ? read(bytes, 0, bytes.length) : decodeBinary(bytes, oid, read)
  const text = Buffer.from(shown, 'utf8')
  const finds = finder.finds(text)
  if (finds.length > 0)
    return {
      text: hideRanges(text, finds).text.toWellFormed(),
      secrets: finds.map(({ found }) => found),
      masked: countsOf(finds),
    }
  const raw = oid === -1 ? [] : finder.finds(bytes)
  return raw.length === 0
    ? null
    : { text: null, secrets: raw.map(({ found }) => found), masked: countsOf(raw) }
}

/** A value that goes as a whole. */
export const hideWhole = (
  bytes: Buffer,
  oid: number,
  read: TextReader,
  rule: string,
): HiddenValue => ({
  text: null,
  secrets: [oid === -1 ? read(bytes, 0, bytes.length) : decodeBinary(bytes, oid, read)],
  masked: [{ rule, count: 1 }],
})
