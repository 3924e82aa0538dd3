import type { Frame } from './frontend-frames.ts'
import { frontend } from './wire.ts'

/**
 * Bodies of client messages (chapter "Message Formats"). Strict: a string ends with its zero byte inside the message, and nothing
 * is left over; what does not fit is null, which ends the session.
 *
 *     Query        = text:cstring
 *     Parse        = name:cstring text:cstring n:int16 n*oid:int32
 *     Bind         = portal:cstring statement:cstring n:int16 n*format:int16
 *                    n:int16 n*(length:int32 bytes) n:int16 n*format:int16     length -1 is NULL
 *     Describe     = kind:'S'|'P' name:cstring
 *     Close        = kind:'S'|'P' name:cstring
 *     Execute      = portal:cstring rows:int32
 *     FunctionCall = oid:int32 n:int16 n*format:int16 n:int16 n*(length:int32 bytes) format:int16
 *     CopyFail     = reason:cstring
 */

/** Where a string's bytes are, without its zero byte. */
export type Span = { readonly start: number; readonly end: number }

export type ParseMessage = {
  readonly name: string
  readonly text: Span
  readonly oids: readonly number[]
}

/** One parameter on the wire: where its bytes are; `start` -1 for NULL. */
export type WireParameter = {
  readonly binary: boolean
  readonly start: number
  readonly length: number
}

export type BindMessage = {
  readonly portal: string
  readonly statement: string
  readonly parameters: readonly WireParameter[]
  /** Formats of the result's columns: none, one for all, or one for each; true is binary. */
  readonly formats: readonly boolean[]
}

export type NamedMessage = { readonly statement: boolean; readonly name: string }

export type ExecuteMessage = { readonly portal: string; readonly row_limit: number }

export type FunctionCallMessage = {
  readonly oid: number
  readonly parameters: readonly WireParameter[]
}

/**
 * The server keeps 63 bytes of a statement's or portal's name (NAMEDATALEN) and cuts the rest. Cutting here too keeps two names that
 * are one there from being two here.
 */
export const name_bytes_max = 63

/** End of the zero-terminated string at `start`, or -1. */
const stringEnd = (frame: Frame, start: number): number => {
  if (start >= frame.end) return -1
  const end = frame.buffer.indexOf(0, start)
  return end === -1 || end >= frame.end ? -1 : end
}

/** A name, one character per byte (it is a key, in whatever encoding the client uses). */
const nameOf = (frame: Frame, start: number, end: number): string =>
  start === end ? '' : frame.buffer.toString('latin1', start, Math.min(end, start + name_bytes_max))

/** Where the one string of a Query or CopyFail is. */
export const readOnlyString = (frame: Frame): Span | null => {
  const end = stringEnd(frame, frame.body)
  return end === -1 || end + 1 !== frame.end ? null : { start: frame.body, end }
}

export const readParse = (frame: Frame): ParseMessage | null => {
  const { buffer } = frame
  const nameEnd = stringEnd(frame, frame.body)
  if (nameEnd === -1) return null
  const textEnd = stringEnd(frame, nameEnd + 1)
  if (textEnd === -1 || textEnd + 3 > frame.end) return null
  const count = buffer.readUInt16BE(textEnd + 1)
  const at = textEnd + 3
  if (at + count * 4 !== frame.end) return null
  const oids: number[] = []
  for (let i = 0; i < count; i++) oids.push(buffer.readInt32BE(at + i * 4))
  return {
    name: nameOf(frame, frame.body, nameEnd),
    text: { start: nameEnd + 1, end: textEnd },
    oids,
  }
}

/** Format codes, then values, as Bind and FunctionCall have them; null when they do not fit. */
const readValues = (
  frame: Frame,
  from: number,
): { readonly at: number; readonly parameters: WireParameter[] } | null => {
  const { buffer, end } = frame
  if (from + 2 > end) return null
  const formats = buffer.readUInt16BE(from)
  const formatsAt = from + 2
  let at = formatsAt + formats * 2
  if (at + 2 > end) return null
  for (let i = 0; i < formats; i++) if (buffer.readUInt16BE(formatsAt + i * 2) > 1) return null
  const count = buffer.readUInt16BE(at)
  at += 2
  if (formats > 1 && formats !== count) return null
  const parameters: WireParameter[] = []
  for (let i = 0; i < count; i++) {
    if (at + 4 > end) return null
    const length = buffer.readInt32BE(at)
    at += 4
    if (length < -1 || (length > 0 && at + length > end)) return null
    const binary = formats > 0 && buffer.readUInt16BE(formatsAt + (formats === 1 ? 0 : i * 2)) === 1
    parameters.push({ binary, start: length === -1 ? -1 : at, length })
    if (length > 0) at += length
  }
  return { at, parameters }
}

export const readBind = (frame: Frame): BindMessage | null => {
  const { buffer, end } = frame
  const portalEnd = stringEnd(frame, frame.body)
  if (portalEnd === -1) return null
  const statementEnd = stringEnd(frame, portalEnd + 1)
  if (statementEnd === -1) return null
  const values = readValues(frame, statementEnd + 1)
  if (values === null || values.at + 2 > end) return null
  const results = buffer.readUInt16BE(values.at)
  if (values.at + 2 + results * 2 !== end) return null
  const formats: boolean[] = []
  for (let i = 0; i < results; i++) {
    const format = buffer.readUInt16BE(values.at + 2 + i * 2)
    if (format > 1) return null
    formats.push(format === 1)
  }
  return {
    portal: nameOf(frame, frame.body, portalEnd),
    statement: nameOf(frame, portalEnd + 1, statementEnd),
    parameters: values.parameters,
    formats,
  }
}

/** Describe and Close. */
export const readNamed = (frame: Frame): NamedMessage | null => {
  const kind = frame.body < frame.end ? frame.buffer[frame.body] : 0
  if (kind !== 0x53 && kind !== 0x50) return null
  const end = stringEnd(frame, frame.body + 1)
  if (end === -1 || end + 1 !== frame.end) return null
  return { statement: kind === 0x53, name: nameOf(frame, frame.body + 1, end) }
}

export const readExecute = (frame: Frame): ExecuteMessage | null => {
  const end = stringEnd(frame, frame.body)
  if (end === -1 || end + 5 !== frame.end) return null
  return {
    portal: nameOf(frame, frame.body, end),
    row_limit: frame.buffer.readInt32BE(end + 1),
  }
}

export const readFunctionCall = (frame: Frame): FunctionCallMessage | null => {
  const { buffer, end } = frame
  if (frame.body + 4 > end) return null
  const values = readValues(frame, frame.body + 4)
  if (values === null || values.at + 2 !== end) return null
  return { oid: buffer.readInt32BE(frame.body), parameters: values.parameters }
}

/** Name of a message type for the record. */
export const messageNames: Readonly<Record<number, string>> = {
  [frontend.query]: 'Query',
  [frontend.parse]: 'Parse',
  [frontend.bind]: 'Bind',
  [frontend.describe]: 'Describe',
  [frontend.execute]: 'Execute',
  [frontend.close]: 'Close',
  [frontend.function_call]: 'FunctionCall',
}
