import type { MaskedLiteral, TextMasks } from '#core/masking/statement-masks.ts'
import { redacted } from '#core/masking/method.ts'
import { lexemes, type Lexeme } from '#core/sql/lexemes.ts'
import { decoded } from '#core/sql/redaction.ts'
import type { HiddenRange } from './hidden-statement.ts'

/** Literals of a command that column rules keep out of its record. */

/** Stands for what nobody could attribute to a column. */
const unresolved_rule = 'builtin:mask-unresolved'
/** Arguments of EXECUTE go into parameters of a statement that was prepared elsewhere. */
const argument_rule = 'builtin:execute-argument'

const hiddenBy = (kind: Lexeme['kind']): string =>
  kind === 'comment' ? `/* ${redacted} */` : kind === 'string' ? `'${redacted}'` : redacted

/** What a literal says, without its quotes. */
const valueOf = (text: string): string => {
  const [first] = lexemes(text)
  return first?.kind === 'string' ? decoded(text, first) : text
}

const literalRange = (bytes: Buffer, { offset, length, rule }: MaskedLiteral): HiddenRange => {
  const text = bytes.toString('utf8', offset, offset + length)
  const [first] = lexemes(text)
  return {
    start: offset,
    end: offset + length,
    by: hiddenBy(first?.kind ?? 'number'),
    rule,
    found: valueOf(text),
  }
}

/** Every literal of a text, where nobody can tell which of them are values of masked columns. */
const everyLiteral = (text: string): readonly HiddenRange[] => {
  let at = 0
  let byte = 0
  return lexemes(text).flatMap((lexeme) => {
    const { kind, start, end } = lexeme
    if (kind !== 'string' && kind !== 'number' && kind !== 'comment') return []
    byte += Buffer.byteLength(text.slice(at, start))
    const from = byte
    byte += Buffer.byteLength(text.slice(start, end))
    at = end
    const found = kind === 'string' ? decoded(text, lexeme) : text.slice(start, end)
    return [{ start: from, end: byte, by: hiddenBy(kind), rule: unresolved_rule, found }]
  })
}

/** The literals to hide in a text. `masks` null: it could not be parsed. */
export const hiddenLiterals = (
  text: string,
  bytes: Buffer,
  masks: TextMasks | null,
): readonly HiddenRange[] => {
  if (masks === null || !masks.ok) return everyLiteral(text)
  return masks.statements.flatMap((statement) => [
    ...statement.literals.map((literal) => literalRange(bytes, literal)),
    ...statement.arguments
      .flat()
      .map(({ offset, length }) => literalRange(bytes, { offset, length, rule: argument_rule })),
  ])
}
