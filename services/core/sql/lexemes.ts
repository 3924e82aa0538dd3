/**
 * A text of SQL cut into its lexemes, whether it can be parsed or not: for redaction, which must not depend on a parser's opinion. One
 * that does not end (a string, a comment) runs to the end of the text.
 */
export type Lexeme = {
  readonly kind: 'comment' | 'string' | 'word' | 'quoted_name' | 'number' | 'mark'
  /** UTF-16 units in the text. */
  readonly start: number
  readonly end: number
  /** Of strings and comments: where the content begins and ends. */
  readonly content: readonly [number, number]
  /** Of strings: how a quote stands inside. */
  readonly quoting: 'doubled' | 'backslash' | 'dollar' | undefined
}

const pattern = new RegExp(
  [
    String.raw`(?<comment>--[^\n\r]*)`,
    String.raw`(?<opening>/\*)`,
    String.raw`(?<escaped>[eE]'(?:[^'\\]|\\[^]|'')*(?:'|$))`,
    String.raw`(?<plain>(?:[nNbBxX]|[uU]&)?'(?:[^']|'')*(?:'|$))`,
    String.raw`(?<tag>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)`,
    String.raw`(?<name>(?:[uU]&)?"(?:[^"]|"")*(?:"|$))`,
    String.raw`(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)`,
    String.raw`(?<number>\d[\w.]*)`,
    String.raw`(?<mark>[^\s])`,
  ].join('|'),
  'g',
)

/** Comments nest. */
const commentEnd = (text: string, from: number): number => {
  const marks = /\/\*|\*\//g
  marks.lastIndex = from
  let depth = 0
  for (let found = marks.exec(text); found; found = marks.exec(text)) {
    depth += found[0] === '/*' ? 1 : -1
    if (depth === 0) return marks.lastIndex
  }
  return text.length
}

const isClosed = (text: string, start: number, end: number): boolean =>
  end - start > 1 && text.charCodeAt(end - 1) === 0x27

/** Cuts a text. Linear in its length. */
export const lexemes = (text: string): readonly Lexeme[] => {
  const found: Lexeme[] = []
  const scan = new RegExp(pattern)
  for (let match = scan.exec(text); match; match = scan.exec(text)) {
    const start = match.index
    let end = start + match[0].length
    const groups = match.groups ?? {}
    const base = { start, quoting: undefined } as const
    if (groups['comment'] !== undefined)
      found.push({ ...base, kind: 'comment', end, content: [start + 2, end] })
    else if (groups['opening'] !== undefined) {
      end = commentEnd(text, start)
      const inner = text.endsWith('*/', end) && end - start >= 4 ? end - 2 : end
      found.push({ ...base, kind: 'comment', end, content: [start + 2, inner] })
    } else if (groups['escaped'] !== undefined || groups['plain'] !== undefined) {
      const quoting = groups['escaped'] === undefined ? 'doubled' : 'backslash'
      const open = text.indexOf("'", start)
      const inner = isClosed(text, open, end) ? end - 1 : end
      found.push({ kind: 'string', start, end, content: [open + 1, inner], quoting })
    } else if (groups['tag'] !== undefined) {
      const close = text.indexOf(groups['tag'], end)
      const inner = close < 0 ? text.length : close
      const content: [number, number] = [end, inner]
      end = close < 0 ? text.length : close + groups['tag'].length
      found.push({ kind: 'string', start, end, content, quoting: 'dollar' })
    } else {
      const kind =
        groups['name'] !== undefined
          ? 'quoted_name'
          : groups['word'] !== undefined
            ? 'word'
            : groups['number'] !== undefined
              ? 'number'
              : 'mark'
      found.push({ ...base, kind, end, content: [start, end] })
    }
    scan.lastIndex = end
  }
  return found
}
