import { backend, header_bytes } from '../wire.ts'

/**
 * Errors, notices and notifications masked. Fields of an error that name things (SQLSTATE, schema, table, column, type, constraint, file, line) stay;
 * the texts may hold values, and are masked or withheld (section "Error and Notice Message Fields").
 */

/** Masks a text; null when nothing in it changes. */
export type MaskText = (bytes: Buffer, start: number, end: number) => Buffer | null

/** Message, detail, hint, where, internal query. */
const text_fields = new Set([0x4d, 0x44, 0x48, 0x57, 0x71])
const message_field = 0x4d
/** Detail, where, internal query. */
const context_fields = new Set([0x44, 0x57, 0x71])

const framed = (type: number, parts: readonly Buffer[]): Buffer => {
  const header = Buffer.alloc(header_bytes)
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  header[0] = type
  header.writeInt32BE(4 + length, 1)
  return Buffer.concat([header, ...parts])
}

/** Whether a text must not hold a zero byte: it would end the field early. */
const clean = (bytes: Buffer): Buffer =>
  bytes.includes(0) ? Buffer.from(bytes.map((byte) => (byte === 0 ? 0x20 : byte))) : bytes

/** The error or notice with each text field masked; null when none changes. `mask` gets the field's type. */
const maskFields = (
  buffer: Buffer,
  start: number,
  end: number,
  mask: (field: number, from: number, to: number) => Buffer | null | undefined,
): Buffer | null => {
  const parts: Buffer[] = []
  let kept = start + header_bytes
  let at = kept
  let changed = false
  while (at < end && buffer[at] !== 0) {
    const stop = buffer.indexOf(0, at + 1)
    if (stop === -1 || stop >= end) break
    const field = buffer[at]!
    const value = text_fields.has(field) ? mask(field, at + 1, stop) : null
    if (value !== null) {
      changed = true
      // Undefined: the field goes as a whole.
      parts.push(buffer.subarray(kept, value === undefined ? at : at + 1))
      if (value !== undefined) parts.push(clean(value))
      kept = value === undefined ? stop + 1 : stop
    }
    at = stop + 1
  }
  if (!changed) return null
  parts.push(buffer.subarray(kept, end))
  return framed(buffer[start]!, parts)
}

/** Masks what is found in the texts of an error or notice. */
export const maskMessage = (
  buffer: Buffer,
  start: number,
  end: number,
  mask: MaskText,
): Buffer | null => maskFields(buffer, start, end, (_, from, to) => mask(buffer, from, to))

/** Withholds the texts of an error or notice: `words` are the message that is left. */
export const withholdTexts = (
  buffer: Buffer,
  start: number,
  end: number,
  words: string,
): Buffer | null =>
  maskFields(buffer, start, end, (field) =>
    field === message_field ? Buffer.from(words, 'utf8') : undefined,
  )

/** Masks what is found in message and hint, and withholds detail, context and internal query. */
export const withholdContext = (
  buffer: Buffer,
  start: number,
  end: number,
  mask: MaskText,
): Buffer | null =>
  maskFields(buffer, start, end, (field, from, to) =>
    context_fields.has(field) ? undefined : mask(buffer, from, to),
  )

/**
 * Masks what is found in a notification's payload.
 *
 *     NotificationResponse = pid:int32 channel:cstring payload:cstring
 */
export const maskNotification = (
  buffer: Buffer,
  start: number,
  end: number,
  mask: MaskText,
): Buffer | null => {
  const channel = start + header_bytes + 4
  const payload = buffer.indexOf(0, channel) + 1
  if (payload === 0 || payload >= end) return null
  const masked = mask(buffer, payload, end - 1)
  if (masked === null) return null
  return framed(backend.notification, [
    buffer.subarray(start + header_bytes, payload),
    clean(masked),
    buffer.subarray(end - 1, end),
  ])
}
