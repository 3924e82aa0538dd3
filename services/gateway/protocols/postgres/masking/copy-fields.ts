import type { CopyFormat } from '#core/sql/copy-format.ts'

/**
 * Lines of COPY in text and CSV format (reference page of COPY, section "File Formats"), as the server writes them: one line a message.
 *
 *     text  = field *(delimiter field) LF      a backslash takes the special meaning from the next byte, or gives one to a letter
 *     csv   = field *(delimiter field) LF      a field between quotes may hold delimiters and line ends; escape quote is a quote
 */
export type LineFormat = Exclude<CopyFormat, { readonly kind: 'binary' }>

const backslash = 0x5c
const line_feed = 0x0a

/** Letters of escapes in text format. */
const escapes = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
])
const letters = new Map([...escapes].map(([letter, byte]) => [byte, letter]))

/** Ends of the fields of a line, the last one before the line feed; null: it is not one line. */
export const fieldEnds = (
  { kind, delimiter, quote, escape }: LineFormat,
  buffer: Buffer,
  start: number,
  end: number,
): readonly number[] | null => {
  if (end <= start || buffer[end - 1] !== line_feed) return null
  const last = end - 1
  const ends: number[] = []
  let quoted = false
  for (let at = start; at < last; at++) {
    const byte = buffer[at]!
    if (kind === 'text') {
      if (byte === backslash) at++
      else if (byte === delimiter) ends.push(at)
      else if (byte === line_feed) return null
    } else if (quoted) {
      if (
        byte === escape &&
        (buffer[at + 1] === quote || buffer[at + 1] === escape) &&
        at + 1 < last
      )
        at++
      else if (byte === quote) quoted = false
    } else if (byte === quote) quoted = true
    else if (byte === delimiter) ends.push(at)
    else if (byte === line_feed) return null
  }
  if (quoted) return null
  ends.push(last)
  return ends
}

const isText = (buffer: Buffer, start: number, end: number, text: string): boolean =>
  end - start === Buffer.byteLength(text) && buffer.toString('utf8', start, end) === text

/** The value of a field; null for NULL. */
export const fieldValue = (
  format: LineFormat,
  buffer: Buffer,
  start: number,
  end: number,
): Buffer | null => {
  if (isText(buffer, start, end, format.null_text)) return null
  const bytes: number[] = []
  let quoted = false
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!
    if (format.kind === 'text') {
      if (byte === backslash && at + 1 < end) bytes.push(escapes.get(buffer[++at]!) ?? buffer[at]!)
      else bytes.push(byte)
    } else if (quoted && byte === format.escape && at + 1 < end) {
      const next = buffer[at + 1]!
      if (next === format.quote || next === format.escape) bytes.push(buffer[++at]!)
      else if (byte === format.quote) quoted = false
      else bytes.push(byte)
    } else if (byte === format.quote) quoted = !quoted
    else bytes.push(byte)
  }
  return Buffer.from(bytes)
}

const textField = ({ delimiter }: LineFormat, value: Buffer): Buffer => {
  const bytes: number[] = []
  for (const byte of value) {
    const letter = letters.get(byte)
    if (letter !== undefined) bytes.push(backslash, letter)
    else if (byte === backslash || byte === delimiter) bytes.push(backslash, byte)
    else bytes.push(byte)
  }
  return Buffer.from(bytes)
}

const csvField = ({ quote, escape }: LineFormat, value: Buffer): Buffer => {
  const bytes = [quote]
  for (const byte of value) {
    if (byte === quote || byte === escape) bytes.push(escape)
    bytes.push(byte)
  }
  bytes.push(quote)
  return Buffer.from(bytes)
}

/** A value as a field: in CSV always between quotes, so that it is never NULL, nor the end of the data. */
export const fieldOf = (format: LineFormat, value: Buffer | null): Buffer => {
  if (value === null) return Buffer.from(format.null_text, 'utf8')
  return format.kind === 'text' ? textField(format, value) : csvField(format, value)
}
