import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'
import { CairnError } from '#lib/error.ts'
import { query_bytes_max } from './query-gate.ts'

/** A request's body, unpacked. Throws CairnError('limit_exceeded') past the longest query, 'unusable_input' for an encoding it cannot read. */
export const readBody = async (request: IncomingMessage): Promise<string> => {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity' && encoding !== 'gzip')
    throw new CairnError('unusable_input', `content encoding ${encoding.slice(0, 50)} is not known`)
  const source = encoding === 'gzip' ? request.pipe(createGunzip()) : request
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of source as AsyncIterable<Buffer>) {
      bytes += part.length
      if (bytes > query_bytes_max)
        throw new CairnError('limit_exceeded', `a query of more than ${query_bytes_max} bytes`)
      parts.push(part)
    }
  } catch (error) {
    if (error instanceof CairnError) throw error
    throw new CairnError('unusable_input', 'the body cannot be unpacked', { cause: error })
  }
  return Buffer.concat(parts).toString('utf8')
}
