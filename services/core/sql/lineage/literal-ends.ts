import type { SqlParser, SqlToken } from '../parser.ts'
import type { LiteralEnd } from './findings.ts'

/** Numbers and plain strings. */
const literal_tokens: ReadonlySet<string> = new Set(['SCONST', 'ICONST', 'FCONST'])

/** The scanner has no name for prefixed strings (`U&'...'`, `B'1'`, `X'ff'`). */
const isLiteral = ({ tokenName, text }: SqlToken): boolean =>
  literal_tokens.has(tokenName) || text.endsWith("'")

const sign = '-'

/** The tree knows where a literal begins; the scanner knows where it ends. A negative number begins with its sign. */
export const literalEnds = (parser: SqlParser, text: string): LiteralEnd => {
  let tokens: readonly SqlToken[] | undefined
  let byStart: ReadonlyMap<number, number> | undefined
  return (offset) => {
    tokens ??= parser.scan(text) ?? []
    byStart ??= new Map(tokens.map(({ start }, index) => [start, index]))
    const index = byStart.get(offset)
    const token = index === undefined ? undefined : tokens[index]
    if (index === undefined || !token) return 'unknown'
    if (isLiteral(token)) return token.end
    if (token.text !== sign) return undefined
    const number = tokens[index + 1]
    return number && isLiteral(number) ? number.end : undefined
  }
}
