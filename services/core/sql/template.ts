/**
 * A text with its literals taken out: two texts of the same template are the same tokens of PostgreSQL's grammar, so its parser
 * builds the same tree but for the literals' values.
 *
 *     template := ( word | quoted | parameter | integer | string | space | other )*
 *     word      := [A-Za-z_] [A-Za-z0-9_$]*        kept
 *     quoted    := '"' ( [^"] | '""' )+ '"'        kept
 *     parameter := '$' digit+                      kept
 *     integer   := digit{1,9}                      becomes U+0001: fits an int, so always an ICONST
 *     string    := "'" ( [^'\] | "''" )* "'"       becomes U+0002: an SCONST, whatever standard_conforming_strings says
 *     space     := [ \t\n\r\f\v]                   kept
 *     other     := one ASCII mark                  kept
 *
 * Whatever else there is (comments, backslashes, dollar quotes, prefixed strings such as E'', numbers with a point, an exponent, a
 * letter or an underscore, two strings in a row, anything outside ASCII, control characters) gives no template, and the text is parsed.
 */
export type Template = {
  readonly key: string
  /** Where the one statement is, without white space and semicolons around it. */
  readonly offset: number
  readonly length: number
}

/** Longer texts are parsed: their literals are not what makes them different. */
export const template_length_max = 4096

const other = 1
const letter = 2
const digit = 3
const space = 4
const quote = 5
const name_quote = 6
const dollar = 7
const comment = 8
const point = 9

const classes = new Uint8Array(128)
for (let code = 0x21; code < 0x7f; code += 1) classes[code] = other
for (const [from, to] of ['az', 'AZ', '__'].map((pair) => [pair.charCodeAt(0), pair.charCodeAt(1)]))
  for (let code = from ?? 0; code <= (to ?? 0); code += 1) classes[code] = letter
for (let code = 0x30; code <= 0x39; code += 1) classes[code] = digit
for (const code of [0x20, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]) classes[code] = space
classes[0x27] = quote
classes[0x22] = name_quote
classes[0x24] = dollar
classes[0x5c] = 0
classes[0x2d] = comment
classes[0x2f] = comment
classes[0x2e] = point

const integer_digits_max = 9
const class_at = (text: string, index: number): number => classes[text.charCodeAt(index)] ?? 0

/** End of a string or quoted name that opens at `from`, or -1. */
const quotedEnd = (text: string, from: number, mark: number): number => {
  for (let index = from + 1; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (code === mark) {
      if (text.charCodeAt(index + 1) !== mark) return index + 1
      index += 1
    } else if (code >= 0x7f || code === 0x5c || (code < 0x20 && classes[code] !== space)) return -1
  }
  return -1
}

const wordEnd = (text: string, from: number): number => {
  let index = from + 1
  for (; index < text.length; index += 1) {
    const kind = class_at(text, index)
    if (kind !== letter && kind !== digit && kind !== dollar) break
  }
  return index
}

const digitsEnd = (text: string, from: number): number => {
  let index = from
  while (class_at(text, index) === digit) index += 1
  return index
}

/** After a number: a letter, a point or a quote would make another token of it. */
const endsNumber = (text: string, index: number): boolean => {
  if (index >= text.length) return true
  const kind = class_at(text, index)
  return kind === space || kind === other || kind === comment
}

/** Strings in a row are one string, if a line break is between them. */
const anotherString = (text: string, from: number): boolean => {
  let index = from
  while (class_at(text, index) === space) index += 1
  return class_at(text, index) === quote
}

/** float(24) is another type than float(25). */
const isFloat = (text: string, from: number, to: number): boolean =>
  to - from === 5 && text.slice(from, to).toLowerCase() === 'float'

const trimmed = (text: string): { readonly offset: number; readonly length: number } => {
  const isMargin = (index: number): boolean =>
    class_at(text, index) === space || text.charCodeAt(index) === 0x3b
  let start = 0
  let end = text.length
  while (start < end && isMargin(start)) start += 1
  while (end > start && isMargin(end - 1)) end -= 1
  return { offset: start, length: end - start }
}

/** The template of a text, or undefined when it has none. Linear, without regular expressions: it stands in every command's way. */
export const templateOf = (text: string): Template | undefined => {
  if (text.length > template_length_max) return undefined
  let key = ''
  let kept = 0
  let index = 0
  while (index < text.length) {
    const from = index
    switch (class_at(text, index)) {
      case letter:
        index = wordEnd(text, index)
        // A prefix makes another kind of string of what follows.
        if (class_at(text, index) === quote || isFloat(text, from, index)) return undefined
        break
      case digit:
        index = digitsEnd(text, index)
        if (index - from > integer_digits_max || !endsNumber(text, index)) return undefined
        key += text.slice(kept, from) + '\u0001'
        kept = index
        break
      case quote:
        index = quotedEnd(text, index, 0x27)
        if (index < 0 || anotherString(text, index)) return undefined
        key += text.slice(kept, from) + '\u0002'
        kept = index
        break
      case name_quote:
        index = quotedEnd(text, index, 0x22)
        if (index < 0) return undefined
        break
      case dollar:
        index = digitsEnd(text, index + 1)
        if (index === from + 1 || !endsNumber(text, index)) return undefined
        break
      case comment:
        index += 1
        if (text.charCodeAt(index) === text.charCodeAt(from) || text.charCodeAt(index) === 0x2a)
          return undefined
        break
      case point:
        index += 1
        if (class_at(text, index) === digit || class_at(text, index) === point) return undefined
        break
      case space:
        index += 1
        break
      case other:
        index += 1
        // U&'...' and U&"..." are other tokens than their parts.
        if (text.charCodeAt(from) === 0x26 && isQuote(class_at(text, index))) return undefined
        break
      default:
        return undefined
    }
  }
  return { key: key + text.slice(kept), ...trimmed(text) }
}

const isQuote = (kind: number): boolean => kind === quote || kind === name_quote
