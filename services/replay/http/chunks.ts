import type { ServerResponse } from 'node:http'
import { constants as zlib, createGzip } from 'node:zlib'
import { nativeForRevision } from './native.ts'

/** Writes a chunk; a promise when the client has to read first. */
export const written = (response: ServerResponse, chunk: Uint8Array): Promise<void> | undefined =>
  response.write(chunk)
    ? undefined
    : new Promise((resolve) => {
        const go = (): void => {
          response.off('drain', go)
          response.off('close', go)
          resolve()
        }
        response.once('drain', go)
        response.once('close', go)
      })

/** Packs chunks as they come. */
export const gzipped = async function* (
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const gzip = createGzip({ level: zlib.Z_BEST_SPEED })
  const failed = (async () => {
    for await (const chunk of chunks)
      if (!gzip.write(chunk)) await new Promise((resolve) => gzip.once('drain', resolve))
    gzip.end()
  })().catch((error: unknown) => {
    gzip.destroy(error instanceof Error ? error : new Error(String(error)))
  })
  try {
    yield* gzip as AsyncIterable<Buffer>
  } finally {
    gzip.destroy()
    await failed
  }
}

/** Chunks of Native in the form of a client's revision. */
export const forRevision = async function* (
  chunks: AsyncIterable<Uint8Array>,
  revision: number,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield nativeForRevision(chunk, revision)
}
