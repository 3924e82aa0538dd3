/**
 * Text for a terminal. Everything that comes from the trail was chosen by someone else: SQL, user names, error messages,
 * result values. A terminal obeys what is in them: escape sequences that rewrite the screen, set the title or paste into the
 * shell; carriage returns and backspaces that hide what was written; direction overrides that show `1;drop` as something else.
 * So every such character is shown as what it is, `\x1b` or `\u{202e}`, never sent.
 */

// Cc: C0, DEL and C1 controls. Cf: direction marks and overrides, zero-width characters, tags. Zl and Zp: line separators. Cs: lone
// surrogates. Co: private use, which fonts show as anything.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu

const named: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

const shown = (character: string): string => {
  const code = character.codePointAt(0) ?? 0
  return (
    named[character] ??
    (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`)
  )
}

/** One line: every control, format and line-breaking character is written out. Safe to send to any terminal. */
export const safeLine = (text: string): string => text.replace(unsafe, shown)

/** Lines of a longer text, each safe; tabs become spaces. */
export const safeLines = (text: string): readonly string[] =>
  text
    .replaceAll('\r\n', '\n')
    .split('\n')
    .map((line) => safeLine(line.replaceAll('\t', '    ')))

/** JSON that is safe to look at: what JSON.stringify leaves raw (DEL, C1, direction overrides ...) is written as `\uXXXX`; still the same value. */
export const safeJson = (value: unknown): string =>
  JSON.stringify(value).replace(unsafe, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  )

// Wide in every terminal that matters: CJK, Hangul, full-width forms, emoji (UAX #11, W and F, in ranges).
const wide =
  /[\u{1100}-\u{115f}\u{2e80}-\u{303e}\u{3041}-\u{a4cf}\u{a960}-\u{a97f}\u{ac00}-\u{d7a3}\u{f900}-\u{faff}\u{fe30}-\u{fe6f}\u{ff00}-\u{ff60}\u{ffe0}-\u{ffe6}\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1faff}\u{20000}-\u{3fffd}]/u
const zero = /[\p{Mn}\p{Me}]/u
const narrow_only = /^[\x20-\x7e]*$/

/** Columns that safe text takes on a terminal. */
export const displayWidth = (text: string): number => {
  if (narrow_only.test(text)) return text.length
  let columns = 0
  for (const character of text) columns += zero.test(character) ? 0 : wide.test(character) ? 2 : 1
  return columns
}

/** Safe text cut to `columns`, with an ellipsis when something is missing. */
export const cut = (text: string, columns: number): string => {
  if (displayWidth(text) <= columns) return text
  let taken = ''
  let used = 0
  for (const character of text) {
    const more = displayWidth(character)
    if (used + more > columns - 1) break
    taken += character
    used += more
  }
  return columns < 1 ? '' : `${taken}…`
}

/** Safe text filled with spaces to `columns`. */
export const pad = (text: string, columns: number, side: 'left' | 'right' = 'left'): string => {
  const fill = ' '.repeat(Math.max(0, columns - displayWidth(text)))
  return side === 'left' ? `${text}${fill}` : `${fill}${text}`
}
