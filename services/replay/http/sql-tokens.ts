/**
 * Tokens of ClickHouse SQL as the engine's own formatter prints it: no comments, one statement.
 *
 *     token      = word / quoted / string / number / parameter / mark
 *     word       = (ALPHA / "_") *(ALPHA / DIGIT / "_" / "$")
 *     quoted     = "`" ... "`" / DQUOTE ... DQUOTE      ; identifiers; "\" escapes, a doubled quote is a quote
 *     string     = "'" ... "'"                          ; the same escapes
 *     parameter  = "{" name ":" type "}"
 */
export type Token = {
  readonly kind: 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'mark'
  /** As written; identifiers without their quotes. */
  readonly text: string
}

const word = /[A-Za-z_][A-Za-z0-9_$]*/y
const number = /(?:0x[0-9a-fA-F]+|\d[\d_]*(?:\.\d*)?(?:[eE][+-]?\d+)?)/y
const parameter = /\{\s*[A-Za-z_][A-Za-z0-9_]*\s*:[^{}'"`]*\}/y
const space = /\s+/y

/** Reads a quoted token at `at`; the place behind it, or -1 when it does not end. */
const quotedEnd = (sql: string, at: number): number => {
  const quote = sql[at]
  for (let place = at + 1; place < sql.length; place++) {
    if (sql[place] === '\\') place++
    else if (sql[place] === quote) {
      if (sql[place + 1] !== quote) return place + 1
      place++
    }
  }
  return -1
}

const match = (pattern: RegExp, sql: string, at: number): string | null => {
  pattern.lastIndex = at
  return pattern.exec(sql)?.[0] ?? null
}

const patterns = [
  ['word', word],
  ['number', number],
  ['parameter', parameter],
] as const

const tokenAt = (sql: string, at: number): Token | null => {
  for (const [kind, pattern] of patterns) {
    const text = match(pattern, sql, at)
    if (text !== null) return { kind, text }
  }
  return null
}

/** Splits a statement; null for what the formatter never prints (a comment, an open quote). */
export const sqlTokens = (sql: string): readonly Token[] | null => {
  const tokens: Token[] = []
  let at = 0
  while (at < sql.length) {
    const blank = match(space, sql, at)
    if (blank !== null) {
      at += blank.length
      continue
    }
    if (sql.startsWith('/*', at) || sql.startsWith('--', at)) return null
    const character = sql[at]!
    if (character === "'" || character === '`' || character === '"') {
      const end = quotedEnd(sql, at)
      if (end < 0) return null
      const text = sql.slice(at + 1, end - 1)
      tokens.push({ kind: character === "'" ? 'string' : 'quoted', text })
      at = end
      continue
    }
    const token: Token = tokenAt(sql, at) ?? { kind: 'mark', text: character }
    tokens.push(token)
    at += token.text.length
  }
  return tokens
}
