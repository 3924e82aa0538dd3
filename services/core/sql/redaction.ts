import type { SqlAnalysis, StatementAnalysis } from './analysis.ts'
import { lexemes, type Lexeme } from './lexemes.ts'

/**
 * Secrets never come into a record: literals after PASSWORD and in options named like it, passwords inside of connection strings and
 * addresses, also in comments, in bodies between dollar quotes and in strings that hold SQL. It works on the text's lexemes, so that a text that
 * cannot be parsed is redacted too; what the parse tree knows to be secret and the lexemes do not show costs the text all of its
 * literals. A value that nothing names (`insert into users values ('me', 'hunter2')`) is not seen: masking by column is for that.
 * Nor are a word and a value that only the database puts together outside of a body with EXECUTE, and arguments of SQL's EXECUTE.
 */
export type Redacted = {
  readonly text: string
  /** The analysis's statements, at their place in the redacted text. */
  readonly statements: readonly StatementAnalysis[]
  /** The parser's message, without what it quotes of a redacted text; empty if the text was parsed. */
  readonly error: string
  /** How many literals or parts of them were replaced. */
  readonly count: number
  /** What was replaced, decoded: for the answers, which may repeat it. Bounded; stays in memory. */
  readonly secrets: readonly string[]
  /** The values bound to the text's parameters are secrets. */
  readonly secret_parameters: boolean
}

/** What was replaced so far. */
type Found = { readonly secrets: Set<string>; chars: number }

const newFound = (): Found => ({ secrets: new Set(), chars: 0 })

/** Shorter secrets would be found everywhere in an answer, bytes. */
export const secret_bytes_min = 4
const secrets_max = 64
const secret_chars_max = 65_536

const keep = (found: Found, secret: string): void => {
  if (found.secrets.size >= secrets_max || Buffer.byteLength(secret) < secret_bytes_min) return
  const kept = secret.slice(0, secret_chars_max - found.chars)
  if (kept.length < secret_bytes_min || /^\*+$/.test(kept)) return
  if (!found.secrets.has(kept)) found.chars += kept.length
  found.secrets.add(kept)
}

type Range = { readonly start: number; readonly end: number; readonly by: string }

const stars = '***'
const literal = `'${stars}'`
/** Texts within texts are looked into this deep; deeper ones go as a whole. */
const depth_max = 4

/** Whether anything could be secret at all: most texts end here. */
const suspicious =
  /pass|pwd|:\/\/|dblink|secret|token|credential|api_?key|private_?key|(?:alter|create)\s+(?:role|user|group)/i
const secret_word =
  /^"?(?:\w+_|ssl|key|new|old)?(?:password|passwd|passphrase|pwd|passcode|secret|secret_access_key|secret_key|token|api_?key|private_?key|credentials?)"?$/i
const setting_of_secret =
  /^"?(?:\w+\.)+"?(?:\w+_)?(?:password|passwd|passphrase|pwd|passcode|secret|secret_access_key|secret_key|token|api_?key|private_?key|credentials?)"?$/i
/** Dynamic SQL in a body that has to do with roles: any of its strings may be a part of a password, or of the word. */
const dynamic = /\bexecute\b/i
const about_roles = /pass|(?:alter|create)\s+(?:role|user|group)/i
/** Strings of SQL's own words say no secret. */
const only_keywords =
  /^\s*(?:(?:alter|create|drop|role|user|group|with|encrypted|login|nologin|superuser|nosuperuser|createdb|createrole|password|valid|until)\b\s*){2,}$/i
/** Definitions that carry secrets: texts with them that cannot be parsed lose every string. */
const defined = /^(?:role|user|group|subscription|server)$/i
const defines = /^(?:alter|create)$/i
/** What may stand between the word and its value. */
const between = /^(?:=|:|>|to|is)$/i
/** `key=value` of a connection string, and user:password@ of an address. */
const connection_value =
  /((?:password|passwd|passphrase|pwd)\s*=\s*)('(?:[^'\\]|\\.)*'?|[^\s'&;,)]+)/gi
/** A format string that puts a later argument after PASSWORD. */
const formatted = /passw(?:or)?d\s+%(?:\d+\$)?[sL]/i

/** What ends the user of an address, and what its password. */
const user_end = /[\s/?#@:'"]/g
const password_end = /[\s@'"]/g
const word_end = /\w$/

const next = (pattern: RegExp, text: string, from: number): number => {
  pattern.lastIndex = from
  return pattern.exec(text)?.index ?? text.length
}

/** `scheme://user:password@`. Linear: what ends one password ends all that begin before it. */
const redactAddresses = (text: string, found: Found): string => {
  let out = ''
  let done = 0
  let user_to = 0
  let password_to = 0
  for (let at = text.indexOf('://'); at !== -1; at = text.indexOf('://', at + 3)) {
    if (at < done || !word_end.test(text.slice(Math.max(0, at - 1), at))) continue
    if (user_to < at + 3) user_to = next(user_end, text, at + 3)
    if (text[user_to] !== ':') continue
    const start = user_to + 1
    if (password_to < start) password_to = next(password_end, text, start)
    if (password_to === start || text[password_to] !== '@') continue
    keep(found, text.slice(start, password_to))
    out += text.slice(done, start) + stars
    done = password_to
  }
  return out + text.slice(done)
}

const redactConnection = (text: string, found: Found): string => {
  const replace = (_: string, before: string, value: string): string => {
    keep(found, value.startsWith("'") ? value.replace(/^'|'$/g, '') : value)
    return before + stars
  }
  return redactAddresses(text.replace(connection_value, replace), found)
}

const escape = /\\(?:x([0-9a-f]{1,2})|u([0-9a-f]{4})|U([0-9a-f]{8})|([0-7]{1,3})|([^]))/gi
const named_escapes: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

const codePoint = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : '')

/** Content of a string as the server reads it. */
export const decoded = (text: string, { start, content, quoting }: Lexeme): string => {
  const inner = text.slice(content[0], content[1])
  if (quoting === 'dollar') return inner
  const plain = inner.replaceAll("''", "'")
  if (quoting === 'backslash')
    return plain.replace(escape, (_, hex, short, long, octal, other) =>
      other !== undefined
        ? (named_escapes[String(other)] ?? String(other))
        : codePoint(
            octal === undefined ? parseInt(hex ?? short ?? long, 16) : parseInt(octal, 8) & 0xff,
          ),
    )
  if (!/^u&/i.test(text.slice(start, start + 2))) return plain
  return plain.replace(/\\(?:\+([0-9a-f]{6})|([0-9a-f]{4}))/gi, (_, long, short) =>
    codePoint(parseInt(long ?? short, 16)),
  )
}

/** Keeps a string: as it stands, which an error may quote, and as the server reads it. */
const keepString = (found: Found, text: string, at: Lexeme): void => {
  keep(found, decoded(text, at))
  keep(found, text.slice(at.content[0], at.content[1]))
}

/** Content of a string or a comment: looked at as SQL of its own and as a connection string. Undefined: nothing in it. */
const redactInner = (
  inner: string,
  loose: boolean,
  depth: number,
  found: Found,
): string | undefined => {
  if (!suspicious.test(inner)) return undefined
  if (depth >= depth_max) {
    keep(found, inner)
    return stars
  }
  const outer = redactConnection(inner, found)
  const redacted = apply(outer, rangesOf(outer, loose, depth + 1, found))
  return redacted === inner ? undefined : redacted
}

const redactString = (text: string, at: Lexeme, depth: number, found: Found): Range | undefined => {
  const [from, to] = at.content
  const content = text.slice(from, to)
  if (at.quoting === 'backslash') {
    // Escapes can hide anything: a string that says password goes as a whole.
    if (!suspicious.test(content) && !content.includes('\\')) return undefined
    const plain = redactInner(decoded(text, at), false, depth, found)
    if (plain === undefined && !/passw/i.test(content)) return undefined
    keepString(found, text, at)
    return { start: at.start, end: at.end, by: literal }
  }
  const inner = at.quoting === 'doubled' ? content.replaceAll("''", "'") : content
  const redacted = redactInner(inner, false, depth, found)
  if (redacted === undefined) return undefined
  const by = at.quoting === 'doubled' ? redacted.replaceAll("'", "''") : redacted
  return { start: from, end: to, by }
}

/**
 * @param loose the text cannot be parsed: whatever follows PASSWORD goes, quoted or not
 */
const rangesOf = (text: string, loose: boolean, depth: number, found: Found): readonly Range[] => {
  const ranges: Range[] = []
  let armed = false
  let all = false
  let setting: 'function' | 'name' | undefined
  let before = ''
  // A body is one string of the text that holds it: depth 0 is the text itself.
  const body = depth > 0 && dynamic.test(text) && about_roles.test(text)
  for (const at of lexemes(text)) {
    const { start, end, kind } = at
    if (kind === 'comment') {
      const [from, to] = at.content
      // Comments are no one's grammar: whatever follows the word goes, and all of one between the word and its value.
      const by = armed ? stars : redactInner(text.slice(from, to), true, depth, found)
      if (by !== undefined) ranges.push({ start: from, end: to, by })
      continue
    }
    const word = text.slice(start, end)
    if (kind === 'word') {
      if (/^set_config$/i.test(word)) setting = 'function'
      if (loose && defines.test(before) && defined.test(word)) all = true
      before = word
    }
    if (kind === 'string') {
      if (armed || all) {
        keepString(found, text, at)
        ranges.push({ start, end, by: literal })
      } else {
        const range = redactString(text, at, depth, found)
        if (range) ranges.push(range)
        else if (body && !only_keywords.test(text.slice(...at.content))) {
          keepString(found, text, at)
          ranges.push({ start, end, by: literal })
        }
      }
      if (setting === 'function')
        setting = setting_of_secret.test(decoded(text, at)) ? 'name' : undefined
      // Strings in a row are one: `armed` stays.
      all ||= formatted.test(word)
    } else if (setting === 'name' && word === ',') {
      armed = true
      setting = undefined
    } else if (word === ';') {
      before = ''
      armed = false
      all = false
    } else if ((kind === 'word' || kind === 'quoted_name') && secret_word.test(word)) armed = true
    else if (armed && !between.test(word)) {
      if (loose) {
        keep(found, word.replaceAll('"', ''))
        ranges.push({ start, end, by: stars })
      }
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

const everyString = (text: string, found: Found): readonly Range[] =>
  lexemes(text)
    .filter(({ kind }) => kind === 'string' || kind === 'comment')
    .map((at) => {
      const { start, end, kind } = at
      if (kind === 'string') keepString(found, text, at)
      return { start, end, by: kind === 'string' ? literal : '/* */' }
    })

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
export const redactContent = (text: string): string =>
  redactInner(text, true, 0, newFound()) ?? text

const none: readonly never[] = []

/** A parameter that stands where a secret does: after the word (not in another clause), or in a function's connection string. */
const parameter_after_word =
  /(?:passw|passphrase|passcode|pwd|secret|token|credential|api_?key|private_?key)(?:(?!\b(?:from|where)\b)[^;]){0,200}?\$\d/i
const parameter_of_connection = /dblink\w*"?\s*\([^;]*?\$\d/i

const parameters_are_secret = (text: string): boolean =>
  parameter_after_word.test(text) ||
  parameter_of_connection.test(text) ||
  (/\$\d/.test(text) && formatted.test(text))

const quoted_part = / at or near "[^]*"$/

/** Redacts a bound value that is a connection string or SQL with a secret. Null: nothing in it. */
export const redactValue = (
  value: string,
): { readonly text: string; readonly secrets: readonly string[] } | null => {
  if (!suspicious.test(value)) return null
  const found = newFound()
  const text = redactInner(value, false, 0, found)
  return text === undefined ? null : { text, secrets: [...found.secrets] }
}

/** Whether a value is a setting's name like `my.password`. */
export const namesSecret = (value: string): boolean =>
  value.length <= 128 && suspicious.test(value) && setting_of_secret.test(value)

/** Kept of a text that was too much to be analysed, characters: to read all of it would block the process, and nothing of it runs. */
const unread_chars_max = 64 * 1024

/** The beginning of such a text. It counts as redacted, so that its hash is of what is recorded: nobody looked for secrets in the rest. */
const redactBeginning = (text: string, error: string): Redacted => {
  const found = newFound()
  const shown = text.slice(0, unread_chars_max)
  const ranges = rangesOf(shown, true, 0, found)
  return {
    text: apply(shown, ranges),
    statements: [],
    error,
    count: ranges.length + 1,
    secrets: [...found.secrets],
    secret_parameters: true,
  }
}

/** Redacts a text for its record. Nothing to do costs a fraction of a microsecond. */
export const redactSecrets = (text: string, analysis: SqlAnalysis): Redacted => {
  if (!analysis.ok && analysis.kind === 'limit' && text.length > unread_chars_max)
    return redactBeginning(text, analysis.error.replace(quoted_part, ` at or near "${stars}"`))
  const statements = analysis.ok ? analysis.statements : []
  const error = analysis.ok ? '' : analysis.error
  const known = analysis.ok ? analysis.secrets : 0
  if (known === 0 && analysis.ok && !suspicious.test(text))
    return { text, statements, error, count: 0, secrets: none, secret_parameters: false }
  const found = newFound()
  const secret_parameters = parameters_are_secret(text)
  let ranges = rangesOf(text, !analysis.ok, 0, found)
  if (ranges.length < known) ranges = everyString(text, found)
  if (ranges.length === 0)
    return { text, statements, error, count: 0, secrets: none, secret_parameters }
  return {
    text: apply(text, ranges),
    statements: moved(text, statements, ranges),
    error: error.replace(quoted_part, ` at or near "${stars}"`),
    count: ranges.length,
    secrets: [...found.secrets],
    secret_parameters,
  }
}
