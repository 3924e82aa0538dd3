import type { Duplex } from 'node:stream'
import { CairnError } from '#lib/error.ts'

/**
 * Reads exact numbers of bytes from a stream during a handshake, leaving the rest in the stream: whoever takes the stream over
 * afterwards loses nothing, and bytes that came too early can be seen.
 */
export interface ByteReader {
  /** The next `count` bytes. Throws CairnError('protocol_violation') when the stream ends before. */
  read(count: number): Promise<Buffer>
  /** The next byte, which stays in the stream. */
  peek(): Promise<number>
  /** Bytes that are already here and not yet read. */
  readonly buffered_bytes: number
}

/** Opens a reader on a paused stream; dispose of it by not using it any more. */
export const openByteReader = (stream: Duplex): ByteReader => {
  const attempt = <Result>(take: () => Result | null): Promise<Result> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        stream.off('readable', onReadable)
        stream.off('end', onEnd)
        stream.off('close', onEnd)
        stream.off('error', onEnd)
      }
      const onReadable = (): void => {
        const result = take()
        if (result === null) return
        stop()
        resolve(result)
      }
      const onEnd = (): void => {
        stop()
        reject(new CairnError('protocol_violation', 'the connection ended during the handshake'))
      }
      stream.on('readable', onReadable)
      stream.on('end', onEnd)
      stream.on('close', onEnd)
      stream.on('error', onEnd)
      if (stream.destroyed || stream.readableEnded) onEnd()
      else onReadable()
    })

  const read = (count: number): Promise<Buffer> =>
    attempt(() => stream.read(count) as Buffer | null)

  return {
    read,
    peek: async () => {
      const byte = await read(1)
      stream.unshift(byte)
      return byte[0]!
    },
    get buffered_bytes() {
      return stream.readableLength
    },
  }
}
