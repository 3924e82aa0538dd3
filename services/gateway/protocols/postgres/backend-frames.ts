import { backend, header_bytes } from './wire.ts'

/**
 * Walks a server's byte stream message by message without copying it. Rows and COPY data are skipped by their length; messages
 * that decide something (completion, error, ready, parameter status ...) are given whole, also when a chunk ends inside one.
 *
 *     stream = *message       message = type:byte length:int32 body
 */

/** What the walker found. The object is used again: read it before asking for more. */
export type BackendPiece = {
  /** Message type; for the rest of a message that began in an earlier chunk, its type. */
  type: number
  buffer: Buffer
  start: number
  end: number
  /** The message begins here. */
  first: boolean
  /** The message ends here. */
  last: boolean
}

export interface BackendWalker {
  /** The message that is invalid is one, and longer than what is collected. */
  readonly oversized: boolean
  /** Takes a chunk. All pieces of the one before must have been asked for. */
  push(chunk: Buffer): void
  /** The next piece, or null at the end of the chunk. `invalid` for bytes that are no message, and for one that is too large to be whole. */
  next(): BackendPiece | 'invalid' | null
  /** A message was given in part: its rest is to come. */
  readonly within: boolean
}

/** 0 unknown, 1 may be handed on in pieces, 2 is needed whole. */
const handling = new Uint8Array(256)
for (const type of [
  backend.data_row,
  backend.copy_data,
  backend.row_description,
  backend.notice,
  backend.notification,
  backend.function_result,
])
  handling[type] = 1
for (const type of [
  backend.authentication,
  backend.key_data,
  backend.parameter_status,
  backend.ready,
  backend.error,
  backend.command_complete,
  backend.empty_query,
  backend.portal_suspended,
  backend.parse_complete,
  backend.bind_complete,
  backend.close_complete,
  backend.parameter_description,
  backend.no_data,
  backend.copy_in,
  backend.copy_out,
  backend.copy_both,
  backend.copy_done,
])
  handling[type] = 2

/** Largest message that is collected whole: an error with a long context, a description of 65,535 parameters. */
export const whole_message_bytes_max = 4 * 1024 * 1024

/** @param collected_bytes_max 0: rows may come in pieces; else every message is given whole, up to this length */
export const openBackendWalker = (collected_bytes_max = 0): BackendWalker => {
  const collects = collected_bytes_max > 0
  let chunk: Buffer = Buffer.alloc(0)
  let at = 0
  /** Bytes of a message in pieces that are still to come. */
  let left = 0
  let leftType = 0
  /** Header or whole message that spans chunks. */
  let held: Buffer[] = []
  let heldBytes = 0
  let wanted = 0
  let oversized = false
  const piece: BackendPiece = {
    type: 0,
    buffer: chunk,
    start: 0,
    end: 0,
    first: true,
    last: true,
  }

  const give = (
    type: number,
    buffer: Buffer,
    start: number,
    end: number,
    first: boolean,
    last: boolean,
  ): BackendPiece => {
    piece.type = type
    piece.buffer = buffer
    piece.start = start
    piece.end = end
    piece.first = first
    piece.last = last
    return piece
  }

  const hold = (end: number): void => {
    held.push(chunk.subarray(at, end))
    heldBytes += end - at
    at = end
  }

  const release = (): Buffer => {
    const whole = held.length === 1 ? held[0]! : Buffer.concat(held, heldBytes)
    held = []
    heldBytes = 0
    wanted = 0
    return whole
  }

  const inPieces = (type: number): boolean => !collects && handling[type] === 1

  const good = (type: number, length: number): boolean => {
    if (length < 4 || handling[type] === 0) return false
    if (handling[type] !== 1) return length <= whole_message_bytes_max
    oversized ||= collects && length > collected_bytes_max
    return !oversized
  }

  const continueHeld = (): BackendPiece | 'invalid' | null => {
    if (wanted === 0) {
      hold(Math.min(chunk.length, at + header_bytes - heldBytes))
      if (heldBytes < header_bytes) return null
      const header = Buffer.concat(held, heldBytes)
      held = [header]
      const type = header[0]!
      const length = header.readInt32BE(1)
      if (!good(type, length)) return 'invalid'
      if (inPieces(type)) {
        release()
        left = length - 4
        leftType = type
        return give(type, header, 0, header_bytes, true, left === 0)
      }
      wanted = length + 1
    }
    hold(Math.min(chunk.length, at + wanted - heldBytes))
    if (heldBytes < wanted) return null
    const whole = release()
    return give(whole[0]!, whole, 0, whole.length, true, true)
  }

  return {
    get oversized() {
      return oversized
    },
    push: (next) => {
      chunk = next
      at = 0
    },
    get within() {
      return left > 0
    },
    next: () => {
      if (at >= chunk.length) return null
      if (left > 0) {
        const start = at
        at = Math.min(chunk.length, at + left)
        left -= at - start
        return give(leftType, chunk, start, at, false, left === 0)
      }
      if (heldBytes > 0) return continueHeld()
      const available = chunk.length - at
      if (available < header_bytes) {
        hold(chunk.length)
        return null
      }
      const start = at
      const type = chunk[start]!
      const length = chunk.readInt32BE(start + 1)
      if (!good(type, length)) return 'invalid'
      if (available > length) {
        at = start + length + 1
        return give(type, chunk, start, at, true, true)
      }
      if (inPieces(type)) {
        left = length + 1 - available
        leftType = type
        at = chunk.length
        return give(type, chunk, start, at, true, false)
      }
      wanted = length + 1
      hold(chunk.length)
      return null
    },
  }
}
