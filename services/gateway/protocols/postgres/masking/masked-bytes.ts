/** Where masked messages are written, many in one buffer, so that they go on in one piece. What was written is never written over. */
export interface MaskedBytes {
  readonly buffer: Buffer
  /** Where the next message begins. */
  readonly at: number
  /** Makes room for a message; afterwards `buffer` may be another one. */
  reserve(bytes: number): void
  /** Writes at the end. */
  copy(source: Buffer, start: number, end: number): void
  int32(value: number): void
}

const block_bytes = 64 * 1024
const looped_bytes_max = 64

export const openMaskedBytes = (): MaskedBytes => {
  let buffer = Buffer.alloc(0)
  let at = 0
  return {
    get buffer() {
      return buffer
    },
    get at() {
      return at
    },
    reserve: (bytes) => {
      if (at + bytes <= buffer.length) return
      buffer = Buffer.allocUnsafeSlow(Math.max(block_bytes, bytes))
      at = 0
    },
    copy: (source, start, end) => {
      const bytes = end - start
      if (bytes > looped_bytes_max) source.copy(buffer, at, start, end)
      // A call into the runtime takes longer than copying a few bytes here.
      else for (let i = 0; i < bytes; i++) buffer[at + i] = source[start + i]!
      at += bytes
    },
    int32: (value) => {
      buffer[at] = value >>> 24
      buffer[at + 1] = value >>> 16
      buffer[at + 2] = value >>> 8
      buffer[at + 3] = value
      at += 4
    },
  }
}
