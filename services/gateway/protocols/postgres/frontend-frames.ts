import { frontend, header_bytes, small_message_bytes_max } from './wire.ts'

/**
 * Cuts a client's byte stream into messages without copying: a message that lies in one chunk is a view of it.
 *
 *     stream   = *message
 *     message  = type:byte length:int32 body       4 <= length <= limit of the type
 *
 * CopyData is handed on in fragments as it arrives (`first` and `last` say which), so that it is never collected whole. Any
 * other message is collected up to its limit; what is held is what has arrived, never what the length announces.
 */

/** One message or one fragment of CopyData. The object is used again for the next one: read it before asking for more. */
export type Frame = {
  type: number
  /** Holds the bytes. */
  buffer: Buffer
  /** Where the type byte is; for a later fragment, where its bytes begin. */
  start: number
  /** Where the body begins; for a later fragment the same as `start`. */
  body: number
  end: number
  first: boolean
  last: boolean
}

export type FrameError = { readonly violation: string; readonly too_large: boolean }

export interface FrontendFramer {
  /** Takes the next bytes of the stream; the buffer must not change afterwards. */
  push(chunk: Buffer): void
  /** The next message, or null when more bytes are needed. After an error the stream is unusable. */
  next(): Frame | FrameError | null
  /** Bytes taken and not yet handed out. */
  readonly pending_bytes: number
}

export const isFrameError = (frame: Frame | FrameError): frame is FrameError => 'violation' in frame

/** Type byte to length limit: 0 unknown, 1 exactly four, 2 small, 3 large. */
const classes = new Uint8Array(256)
for (const type of [frontend.flush, frontend.sync, frontend.copy_done, frontend.terminate])
  classes[type] = 1
for (const type of [frontend.describe, frontend.execute, frontend.close, frontend.copy_fail])
  classes[type] = 2
for (const type of [
  frontend.query,
  frontend.parse,
  frontend.bind,
  frontend.function_call,
  frontend.copy_data,
])
  classes[type] = 3

/** Largest CopyData that PostgreSQL takes (MaxAllocSize - 1), bytes. */
const copy_data_bytes_max = 0x3fff_fffe

const printable = (type: number): string => `0x${type.toString(16).padStart(2, '0')}`

/** Checks a header; null when it is good. */
const lengthError = (
  type: number,
  length: number,
  message_bytes_max: number,
): FrameError | null => {
  const kind = classes[type]
  if (kind === 0)
    return { violation: `invalid frontend message type ${printable(type)}`, too_large: false }
  const max =
    kind === 1
      ? 4
      : kind === 2
        ? small_message_bytes_max
        : type === frontend.copy_data
          ? copy_data_bytes_max
          : message_bytes_max
  if (length < 4 || (kind === 1 && length !== 4))
    return {
      violation: `invalid length ${length} of message ${printable(type)}`,
      too_large: false,
    }
  if (length > max)
    return {
      violation: `message ${printable(type)} of ${length} bytes is longer than ${max}`,
      too_large: true,
    }
  return null
}

/** Opens a framer for one connection. `message_bytes_max` bounds every message but CopyData. */
export const openFrontendFramer = (message_bytes_max: number): FrontendFramer => {
  const chunks: Buffer[] = []
  let head = 0
  let current: Buffer | null = null
  let at = 0
  let pending = 0
  /** Pieces of a message that spans chunks, and how many bytes they hold. */
  let parts: Buffer[] = []
  let held = 0
  /** Length of the whole spanning message with its type byte; 0 while its header is incomplete. */
  let wanted = 0
  /** CopyData bytes still to come. */
  let copy_left = 0
  const frame: Frame = {
    type: 0,
    buffer: Buffer.alloc(0),
    start: 0,
    body: 0,
    end: 0,
    first: true,
    last: true,
  }

  const advance = (): boolean => {
    if (current !== null && at < current.length) return true
    const next = chunks[head]
    if (next === undefined) {
      current = null
      return false
    }
    head++
    if (head === chunks.length) {
      chunks.length = 0
      head = 0
    }
    current = next
    at = 0
    return true
  }

  const give = (type: number, buffer: Buffer, start: number, body: number, end: number): Frame => {
    frame.type = type
    frame.buffer = buffer
    frame.start = start
    frame.body = body
    frame.end = end
    frame.first = true
    frame.last = true
    pending -= end - start
    return frame
  }

  const copyFragment = (buffer: Buffer): Frame => {
    const end = Math.min(buffer.length, at + copy_left)
    const fragment = give(frontend.copy_data, buffer, at, at, end)
    fragment.first = false
    copy_left -= end - at
    fragment.last = copy_left === 0
    at = end
    return fragment
  }

  const hold = (buffer: Buffer, end: number): void => {
    parts.push(at === 0 && end === buffer.length ? buffer : buffer.subarray(at, end))
    held += end - at
    at = end
  }

  /** Ends the collection: one buffer with what is held. */
  const collected = (): Buffer => {
    const whole = parts.length === 1 ? parts[0]! : Buffer.concat(parts, held)
    parts = []
    held = 0
    wanted = 0
    return whole
  }

  /** Goes on with a message that began in an earlier chunk. */
  const continueHeld = (buffer: Buffer): Frame | FrameError | null => {
    if (wanted === 0) {
      hold(buffer, Math.min(buffer.length, at + header_bytes - held))
      if (held < header_bytes) return null
      const header = Buffer.concat(parts, held)
      parts = [header]
      const type = header[0]!
      const length = header.readInt32BE(1)
      const error = lengthError(type, length, message_bytes_max)
      if (error !== null) return error
      if (type === frontend.copy_data) {
        collected()
        copy_left = length - 4
        const fragment = give(type, header, 0, header_bytes, header_bytes)
        fragment.last = copy_left === 0
        return fragment
      }
      wanted = length + 1
    }
    hold(buffer, Math.min(buffer.length, at + wanted - held))
    if (held < wanted) return null
    const whole = collected()
    return give(whole[0]!, whole, 0, header_bytes, whole.length)
  }

  const nextIn = (buffer: Buffer): Frame | FrameError | null => {
    if (copy_left > 0) return copyFragment(buffer)
    if (held > 0) return continueHeld(buffer)
    const start = at
    const left = buffer.length - start
    if (left < header_bytes) {
      hold(buffer, buffer.length)
      return null
    }
    const type = buffer[start]!
    const length = buffer.readInt32BE(start + 1)
    const error = lengthError(type, length, message_bytes_max)
    if (error !== null) return error
    if (left > length) {
      at = start + length + 1
      return give(type, buffer, start, start + header_bytes, at)
    }
    if (type === frontend.copy_data) {
      copy_left = length + 1 - left
      at = buffer.length
      const fragment = give(type, buffer, start, start + header_bytes, at)
      fragment.last = false
      return fragment
    }
    wanted = length + 1
    hold(buffer, buffer.length)
    return null
  }

  return {
    push: (chunk) => {
      if (chunk.length === 0) return
      chunks.push(chunk)
      pending += chunk.length
    },
    next: () => {
      while (advance()) {
        const found = nextIn(current!)
        if (found !== null) return found
      }
      return null
    },
    get pending_bytes() {
      return pending
    },
  }
}
