/**
 * What a server sends (PostgreSQL protocol 3, chapter "Message Formats"), decoded from recorded bytes. Every message is
 *
 *     type Byte1 | length Int32 (with itself, without the type) | body
 */
export type Field = {
  readonly name: string
  readonly table_oid: number
  readonly column: number
  readonly type_oid: number
  readonly type_bytes: number
  readonly type_modifier: number
  readonly format: 'text' | 'binary'
}

/** Fields of an error or a notice by their letter: S severity, C code, M message, D detail, H hint, P position ... */
export type NoticeFields = Readonly<Record<string, string>>

export type BackendMessage =
  | { readonly type: 'row_description'; readonly fields: readonly Field[] }
  /** Views of the bytes given to the decoder; null for NULL. */
  | { readonly type: 'data_row'; readonly values: readonly (Buffer | null)[] }
  | { readonly type: 'command_complete'; readonly tag: string }
  | { readonly type: 'error'; readonly fields: NoticeFields }
  | { readonly type: 'notice'; readonly fields: NoticeFields }
  | {
      readonly type: 'copy_response'
      readonly direction: 'in' | 'out' | 'both'
      readonly format: 'text' | 'binary'
      readonly columns: number
    }
  | { readonly type: 'copy_data'; readonly data: Buffer }
  | { readonly type: 'copy_done' }
  | { readonly type: 'ready'; readonly status: string }
  | { readonly type: 'parameter_status'; readonly name: string; readonly value: string }
  | { readonly type: 'parameter_description'; readonly type_oids: readonly number[] }
  | {
      readonly type: 'notification'
      readonly pid: number
      readonly channel: string
      readonly payload: string
    }
  | { readonly type: 'function_result'; readonly value: Buffer | null }
  | { readonly type: 'empty_query' }
  | { readonly type: 'parse_complete' }
  | { readonly type: 'bind_complete' }
  | { readonly type: 'close_complete' }
  | { readonly type: 'no_data' }
  | { readonly type: 'portal_suspended' }
  /** A message of another kind, or one larger than the limit: its body was passed over. */
  | {
      readonly type: 'skipped'
      readonly code: string
      readonly bytes: number
      readonly why: 'unknown' | 'too_large'
    }
  /** No more messages come after this one: what follows cannot be framed. */
  | { readonly type: 'malformed'; readonly detail: string }

/** Thrown by a body's reads when its bytes end too early, and caught in `decodeBody`. */
const malformed = new Error('malformed')

type Body = ReturnType<typeof openBody>

const openBody = (bytes: Buffer) => {
  let at = 0
  const take = (count: number): number => {
    const from = at
    if (count < 0 || from + count > bytes.length) throw malformed
    at = from + count
    return from
  }
  const int32 = (): number => bytes.readInt32BE(take(4))
  return {
    int32,
    byte: (): number => bytes.readUInt8(take(1)),
    int16: (): number => bytes.readInt16BE(take(2)),
    count: (): number => bytes.readUInt16BE(take(2)),
    uint32: (): number => bytes.readUInt32BE(take(4)),
    /** Ends with a zero byte. */
    text: (): string => {
      const end = bytes.indexOf(0, at)
      if (end < 0) throw malformed
      const text = bytes.toString('utf8', at, end)
      at = end + 1
      return text
    },
    /** int32 length, -1 for NULL, then the bytes. */
    value: (): Buffer | null => {
      const length = int32()
      if (length === -1) return null
      const from = take(length)
      return bytes.subarray(from, from + length)
    },
    end: (): void => {
      if (at !== bytes.length) throw malformed
    },
  }
}

type BodyReader = (body: Body) => BackendMessage

const format = (code: number): 'text' | 'binary' => (code === 1 ? 'binary' : 'text')

const readField = (body: Body): Field => ({
  name: body.text(),
  table_oid: body.uint32(),
  column: body.int16(),
  type_oid: body.uint32(),
  type_bytes: body.int16(),
  type_modifier: body.int32(),
  format: format(body.int16()),
})

const readFields = (body: Body): NoticeFields => {
  const fields: Record<string, string> = {}
  for (let code = body.byte(); code !== 0; code = body.byte())
    fields[String.fromCharCode(code)] = body.text()
  return fields
}

const several = <T>(count: number, read: () => T): readonly T[] => {
  const items: T[] = []
  for (let index = 0; index < count; index += 1) items.push(read())
  return items
}

const copyResponse =
  (direction: 'in' | 'out' | 'both'): BodyReader =>
  (body) => {
    const overall = format(body.byte())
    const columns = body.count()
    several(columns, () => body.int16())
    return { type: 'copy_response', direction, format: overall, columns }
  }

const empty =
  (message: BackendMessage): BodyReader =>
  () =>
    message

const readers = new Map<string, BodyReader>([
  [
    'T',
    (body) => ({ type: 'row_description', fields: several(body.count(), () => readField(body)) }),
  ],
  ['D', (body) => ({ type: 'data_row', values: several(body.count(), () => body.value()) })],
  ['C', (body) => ({ type: 'command_complete', tag: body.text() })],
  ['E', (body) => ({ type: 'error', fields: readFields(body) })],
  ['N', (body) => ({ type: 'notice', fields: readFields(body) })],
  ['G', copyResponse('in')],
  ['H', copyResponse('out')],
  ['W', copyResponse('both')],
  ['Z', (body) => ({ type: 'ready', status: String.fromCharCode(body.byte()) })],
  ['S', (body) => ({ type: 'parameter_status', name: body.text(), value: body.text() })],
  [
    't',
    (body) => ({
      type: 'parameter_description',
      type_oids: several(body.count(), () => body.uint32()),
    }),
  ],
  [
    'A',
    (body) => ({
      type: 'notification',
      pid: body.int32(),
      channel: body.text(),
      payload: body.text(),
    }),
  ],
  ['V', (body) => ({ type: 'function_result', value: body.value() })],
  ['c', empty({ type: 'copy_done' })],
  ['I', empty({ type: 'empty_query' })],
  ['1', empty({ type: 'parse_complete' })],
  ['2', empty({ type: 'bind_complete' })],
  ['3', empty({ type: 'close_complete' })],
  ['n', empty({ type: 'no_data' })],
  ['s', empty({ type: 'portal_suspended' })],
])

const decodeBody = (code: string, bytes: Buffer): BackendMessage => {
  if (code === 'd') return { type: 'copy_data', data: bytes }
  const read = readers.get(code)
  if (!read) return { type: 'skipped', code, bytes: bytes.length, why: 'unknown' }
  const body = openBody(bytes)
  try {
    const message = read(body)
    body.end()
    return message
  } catch (error) {
    if (error !== malformed) throw error
    return {
      type: 'malformed',
      detail: `message ${code} of ${bytes.length} bytes does not fit its format`,
    }
  }
}

export interface BackendDecoder {
  /** Messages that are complete with this chunk, in order. Chunks may be cut anywhere. */
  push(chunk: Buffer): readonly BackendMessage[]
  /** Bytes of a message that has begun and is not complete. */
  readonly pending_bytes: number
}

const header_bytes = 5

/**
 * A decoder for one stream of recorded bytes. Keeps at most one message of `message_bytes_max` (default 16 MiB); larger ones are
 * passed over and named. After `malformed` nothing more comes.
 */
export const createBackendDecoder = (
  options: { readonly message_bytes_max?: number } = {},
): BackendDecoder => {
  const { message_bytes_max = 16 * 1024 * 1024 } = options
  let parts: Buffer[] = []
  let kept = 0
  let passing = 0
  let broken = false

  /** The kept bytes as one, copied once per message however many chunks it came in. */
  const joined = (): Buffer => {
    if (parts.length > 1) parts = [Buffer.concat(parts, kept)]
    return parts[0] ?? Buffer.alloc(0)
  }
  const drop = (bytes: Buffer, count: number): Buffer => {
    const rest = bytes.subarray(count)
    parts = rest.length > 0 ? [rest] : []
    kept = rest.length
    return rest
  }
  /** Bytes that the next message needs to be complete. */
  let needed = header_bytes

  const take = (): BackendMessage | undefined => {
    if (passing > 0) {
      const bytes = joined()
      const passed = Math.min(passing, bytes.length)
      passing -= passed
      drop(bytes, passed)
      needed = header_bytes
    }
    if (passing > 0 || kept < needed) return undefined
    const bytes = joined()
    const code = String.fromCharCode(bytes[0] ?? 0)
    const length = bytes.readInt32BE(1)
    if (length < 4) {
      broken = true
      return { type: 'malformed', detail: `message ${JSON.stringify(code)} has length ${length}` }
    }
    if (length - 4 > message_bytes_max) {
      passing = length - 4
      drop(bytes, header_bytes)
      return { type: 'skipped', code, bytes: length - 4, why: 'too_large' }
    }
    needed = 1 + length
    if (kept < needed) return undefined
    const message = decodeBody(code, bytes.subarray(header_bytes, needed))
    drop(bytes, needed)
    needed = header_bytes
    broken = message.type === 'malformed'
    return message
  }

  return {
    push(chunk) {
      const messages: BackendMessage[] = []
      if (broken || chunk.length === 0) return messages
      parts.push(chunk)
      kept += chunk.length
      let message = take()
      while (message) {
        messages.push(message)
        message = broken ? undefined : take()
      }
      return messages
    },
    get pending_bytes() {
      return kept + passing
    },
  }
}
