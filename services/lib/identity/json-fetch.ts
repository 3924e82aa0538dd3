import { isLoopbackHost } from '#lib/loopback.ts'

/** Largest discovery document or key set that is read, bytes. */
export const document_bytes_max = 256 * 1024

export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export type JsonFetched =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly detail: string }

/** What may be fetched: https anywhere, http on loopback only. */
export const isFetchable = (url: string): boolean => {
  if (!URL.canParse(url)) return false
  const { protocol, hostname, username, password } = new URL(url)
  if (username !== '' || password !== '') return false
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}

const failed = (detail: string): JsonFetched => ({ ok: false, detail })

const readBounded = async (response: Response): Promise<Buffer | undefined> => {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > document_bytes_max) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

const describe = (error: unknown): string => {
  if (!(error instanceof Error)) return 'failed'
  if (error.name === 'TimeoutError') return 'no answer in time'
  const cause: unknown = error.cause
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message
}

/**
 * Gets a JSON document of an issuer: one GET, no redirects (an issuer that redirects could point anywhere), within `timeout_ms`
 * from first to last byte, of at most `document_bytes_max` bytes.
 */
export const fetchJson = async (
  url: string,
  fetch: Fetch,
  timeout_ms: number,
): Promise<JsonFetched> => {
  if (!isFetchable(url)) return failed('neither https nor loopback')
  try {
    const response = await fetch(url, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout_ms),
      headers: { accept: 'application/json' },
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      const redirected = response.status >= 300 && response.status < 400
      return failed(
        redirected
          ? `a redirect (HTTP ${response.status}), which is not followed`
          : `HTTP ${response.status}`,
      )
    }
    const bytes = await readBounded(response)
    if (bytes === undefined) return failed(`more than ${document_bytes_max} bytes`)
    return { ok: true, value: JSON.parse(bytes.toString('utf8')) }
  } catch (error) {
    return failed(error instanceof SyntaxError ? 'not JSON' : describe(error))
  }
}
