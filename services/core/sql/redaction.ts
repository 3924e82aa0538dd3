import type { SqlAnalysis, StatementAnalysis } from './analysis.ts'
import { lexemes, type Lexeme } from './lexemes.ts'

/**
 * Secrets never come into a record: literals after PASSWORD and in options named like it, passwords inside of connection strings and
 * addresses, also in comments, in bodies between dollar quotes and in strings that hold SQL. It works on the text's lexemes, so that a text that
 * cannot be parsed is redacted too; what the parse tree knows to be secret and the lexemes do not show costs the text all of its
 * literals. A value that nothing names (`insert into users values ('me', 'hunter2')`) is not seen: masking by column is for that.
 */
export type Redacted = {
  readonly text: string
  /** The analysis's statements, at their place in the redacted text. */
  readonly statements: readonly StatementAnalysis[]
  /** The parser's message, without what it quotes of a redacted text; empty if the text was parsed. */
  readonly error: string
  /** How many literals or parts of them were replaced. */
  readonly count: number
}

type Range = { readonly start: number; readonly end: number; readonly by: string }

const stars = '***'
const literal = `'${stars}'`
/** Texts within texts are looked into this deep; deeper ones go as a whole. */
const depth_max = 4

/** Whether anything could be secret at all: most texts end here. */
const suspicious = /passw|passphrase|pwd|:\/\/|secret/i
const secret_word = /^"?(?:ssl|key|new|old)?_?(?:password|passwd|passphrase|pwd)"?$/i
/** What may stand between the word and its value. */
const between = /^(?:=|:|>|to|is)$/i
/** `key=value` of a connection string, and user:password@ of an address. */
const connection_value =
  /((?:password|passwd|passphrase|pwd)\s*=\s*)('(?:[^'\\]|\\.)*'?|[^\s'&;,)]+)/gi
const address_password = /(\w:\/\/[^\s/?#@:'"]*:)([^\s@'"]+)(?=@)/g
/** A format string that puts a later argument after PASSWORD. */
const formatted = /passw(?:or)?d\s+%(?:\d+\$)?[sL]/i

const redactConnection = (text: string): string =>
  text.replace(connection_value, `$1${stars}`).replace(address_password, `$1${stars}`)

/** Content of a string or a comment: looked at as SQL of its own and as a connection string. Undefined: nothing in it. */
const redactInner = (inner: string, loose: boolean, depth: number): string | undefined => {
  if (!suspicious.test(inner)) return undefined
  if (depth >= depth_max) return stars
  const outer = redactConnection(inner)
  const redacted = apply(outer, rangesOf(outer, loose, depth + 1))
  return redacted === inner ? undefined : redacted
}

const redactString = (text: string, at: Lexeme, depth: number): Range | undefined => {
  const [from, to] = at.content
  const content = text.slice(from, to)
  if (at.quoting === 'backslash') {
    // Escapes can hide anything: a string that says password goes as a whole.
    if (!suspicious.test(content) && !content.includes('\\')) return undefined
    const plain = redactInner(content, false, depth)
    if (plain === undefined && !/passw/i.test(content)) return undefined
    return { start: at.start, end: at.end, by: literal }
  }
  const inner = at.quoting === 'doubled' ? content.replaceAll("''", "'") : content
  const redacted = redactInner(inner, false, depth)
  if (redacted === undefined) return undefined
  const by = at.quoting === 'doubled' ? redacted.replaceAll("'", "''") : redacted
  return { start: from, end: to, by }
}

/**
 * @param loose the text cannot be parsed: whatever follows PASSWORD goes, quoted or not
 */
const rangesOf = (text: string, loose: boolean, depth: number): readonly Range[] => {
  const ranges: Range[] = []
  let armed = false
  let all = false
  for (const at of lexemes(text)) {
    const { start, end, kind } = at
    if (kind === 'comment') {
      const [from, to] = at.content
      // Comments are no one's grammar: whatever follows the word goes, and all of one between the word and its value.
      const by = armed ? stars : redactInner(text.slice(from, to), true, depth)
      if (by !== undefined) ranges.push({ start: from, end: to, by })
      continue
    }
    const word = text.slice(start, end)
    if (kind === 'string') {
      if (armed || all) ranges.push({ start, end, by: literal })
      else {
        const range = redactString(text, at, depth)
        if (range) ranges.push(range)
      }
      // Strings in a row are one: `armed` stays.
      all ||= formatted.test(word)
    } else if (word === ';') {
      armed = false
      all = false
    } else if ((kind === 'word' || kind === 'quoted_name') && secret_word.test(word)) armed = true
    else if (armed && !between.test(word)) {
      if (loose) ranges.push({ start, end, by: stars })
      armed = false
    }
  }
  return ranges
}

const apply = (text: string, ranges: readonly Range[]): string => {
  let result = ''
  let kept = 0
  for (const { start, end, by } of ranges) {
    result += text.slice(kept, start) + by
    kept = end
  }
  return result + text.slice(kept)
}

const everyString = (text: string): readonly Range[] =>
  lexemes(text)
    .filter(({ kind }) => kind === 'string' || kind === 'comment')
    .map(({ start, end, kind }) => ({ start, end, by: kind === 'string' ? literal : '/* */' }))

/** Statements move by what the ranges before them have grown or shrunk. Bytes. */
const moved = (
  text: string,
  statements: readonly StatementAnalysis[],
  ranges: readonly Range[],
): readonly StatementAnalysis[] => {
  let position = 0
  let byte = 0
  const changes = ranges.map(({ start, end, by }) => {
    byte += Buffer.byteLength(text.slice(position, start))
    const from = byte
    byte += Buffer.byteLength(text.slice(start, end))
    position = end
    return { end: byte, change: Buffer.byteLength(by) - (byte - from) }
  })
  const place = (offset: number): number =>
    changes.reduce((sum, { end, change }) => (end <= offset ? sum + change : sum), offset)
  return statements.map((statement) => {
    const offset = place(statement.offset)
    const length = place(statement.offset + statement.length) - offset
    return { ...statement, offset, length }
  })
}

/** Redacts a text that stands alone: a program of COPY, a connection string. */
export const redactContent = (text: string): string => redactInner(text, true, 0) ?? text

const quoted_part = / at or near "[^]*"$/

/** Redacts a text for its record. Nothing to do costs a fraction of a microsecond. */
export const redactSecrets = (text: string, analysis: SqlAnalysis): Redacted => {
  const statements = analysis.ok ? analysis.statements : []
  const error = analysis.ok ? '' : analysis.error
  const known = analysis.ok ? analysis.secrets : 0
  if (known === 0 && !suspicious.test(text)) return { text, statements, error, count: 0 }
  let ranges = rangesOf(text, !analysis.ok, 0)
  if (ranges.length < known) ranges = everyString(text)
  if (ranges.length === 0) return { text, statements, error, count: 0 }
  return {
    text: apply(text, ranges),
    statements: moved(text, statements, ranges),
    error: error.replace(quoted_part, ` at or near "${stars}"`),
    count: ranges.length,
  }
}
