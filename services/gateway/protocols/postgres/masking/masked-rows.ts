import type { Command } from '../command.ts'
import type { RelayOutput } from '../relay-output.ts'
import type { SecretMask } from '../secret-bytes.ts'
import { openMaskedBytes } from './masked-bytes.ts'
import type { RowMask } from './row-mask.ts'

/**
 * Rows and COPY data of a masked session on their way out. Runs of rows in which nothing changes go on as they came; once a chunk has a masked row,
 * short runs between such are copied beside them, so that client and record get few large pieces.
 */
export interface MaskedRows {
  /** Masks a row. False: it is not a row of this result. */
  row(mask: RowMask, buffer: Buffer, start: number, end: number, owner: Command | null): boolean
  /** A whole message that stays as it is. */
  keep(buffer: Buffer, start: number, end: number, owner: Command | null): void
  /** A message that takes another's place. */
  put(message: Buffer, owner: Command | null): void
  /** Hands on what is kept: before anything else goes out, and at the end of a chunk. */
  settle(): void
  /** A new chunk begins. */
  begin(): void
}

/** Longer runs of unchanged rows are not copied. */
const copied_bytes_max = 16 * 1024

export const openMaskedRows = (output: RelayOutput, secretMask: SecretMask): MaskedRows => {
  const out = openMaskedBytes()
  let used = false
  let keptBuffer: Buffer | null = null
  let keptStart = 0
  let keptEnd = 0
  let keptOwner: Command | null = null

  /** One message, secrets of its command masked in the record; false: nothing of it is a secret, and nothing was done. */
  const secretly = (buffer: Buffer, start: number, end: number, owner: Command | null): boolean => {
    const secrets = owner?.secrets ?? null
    if (secrets === null) return false
    const type = buffer[start]!
    const piece = { type, buffer, start, end, first: true, last: true }
    const copy = secretMask.mask(secrets, piece)
    if (copy === null) return false
    output.note(copy.bytes, 0, copy.bytes.length, owner, copy.count)
    output.pass(buffer, start, end)
    return true
  }

  /** What was just written: one message, or several in which nothing is a secret. */
  const emit = (bytes: number, owner: Command | null, one: boolean): void => {
    const start = out.at - bytes
    if (one && secretly(out.buffer, start, out.at, owner)) return
    output.note(out.buffer, start, out.at, owner)
    output.pass(out.buffer, start, out.at)
  }

  const settle = (): void => {
    const buffer = keptBuffer
    if (buffer === null) return
    keptBuffer = null
    const bytes = keptEnd - keptStart
    if (used && bytes <= copied_bytes_max) {
      out.reserve(bytes)
      out.copy(buffer, keptStart, keptEnd)
      emit(bytes, keptOwner, false)
    } else {
      output.note(buffer, keptStart, keptEnd, keptOwner)
      output.pass(buffer, keptStart, keptEnd)
    }
  }

  const keep = (buffer: Buffer, start: number, end: number, owner: Command | null): void => {
    const more = keptBuffer === buffer && keptEnd === start && keptOwner === owner
    if (more && (owner === null || owner.secrets === null)) {
      keptEnd = end
      return
    }
    settle()
    if (secretly(buffer, start, end, owner)) return
    keptBuffer = buffer
    keptStart = start
    keptEnd = end
    keptOwner = owner
  }

  return {
    row: (mask, buffer, start, end, owner) => {
      const changed = mask.read(buffer, start, end)
      if (changed === -1) return false
      if (changed === 0) {
        keep(buffer, start, end, owner)
        return true
      }
      used = true
      settle()
      emit(mask.write(out), owner, true)
      return true
    },
    keep,
    put: (message, owner) => {
      used = true
      settle()
      out.reserve(message.length)
      out.copy(message, 0, message.length)
      emit(message.length, owner, true)
    },
    settle,
    begin: () => {
      used = false
    },
  }
}
