import {
  Agent as HttpAgent,
  request as requestHttp,
  type IncomingMessage,
  type OutgoingHttpHeaders,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import type { VaultConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import { clientTls } from '#lib/tls.ts'
import { openPlaces } from '../places.ts'

/**
 * The HTTP API of HashiCorp Vault and OpenBao (developer.hashicorp.com/vault/api-docs): JSON over `/v1/...`, the token in
 * `X-Vault-Token`, the namespace in `X-Vault-Namespace`. A standby answers 307 with the active node's address, or 429, 472, 473; a sealed one
 * 503; one that lags behind 412.
 */

/** Largest answer, bytes. */
const answer_bytes_max = 1024 * 1024
/** Requests that wait for a place; more are refused. */
const waiting_max = 1000
/** First pause before a request is tried again, milliseconds; doubled each time, up to the maximum; the true one is random below it. */
const pause_ms = 100
const pause_ms_max = 2_000

export type VaultRequest = {
  readonly method: 'GET' | 'POST'
  /** Below `/v1/`, of plain segments. */
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
  /** Empty for a login. */
  readonly token: string
  readonly signal: AbortSignal
}

export type VaultAnswer = { readonly status: number; readonly body: unknown }

/** Requests to one vault. */
export interface VaultHttp extends Disposable {
  /**
   * Sends a request; again, after a pause, when there was no answer or the server could not serve it.
   * @throws CairnError('target_unavailable' | 'limit_exceeded') no answer; the words never hold what was sent or received
   */
  send(request: VaultRequest): Promise<VaultAnswer>
}

const transient = new Set([412, 429, 472, 473, 500, 502, 503, 504])

/** What came of one exchange. `again`: another try may help. */
type Exchange =
  | ({ readonly kind: 'answer' } & VaultAnswer)
  | { readonly kind: 'redirect'; readonly to: URL }
  | { readonly kind: 'failed'; readonly why: string; readonly again: boolean }

const readAnswer = async (response: IncomingMessage): Promise<Exchange> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > answer_bytes_max) {
      response.destroy()
      const why = `its answer is larger than ${answer_bytes_max} bytes`
      return { kind: 'failed', why, again: false }
    }
    chunks.push(chunk)
  }
  const status = response.statusCode ?? 0
  try {
    const text = Buffer.concat(chunks).toString('utf8')
    return { kind: 'answer', status, body: text === '' ? null : (JSON.parse(text) as unknown) }
  } catch {
    // The parser's words quote the answer. A proxy in between tells of its trouble in HTML.
    if (transient.has(status)) return { kind: 'answer', status, body: null }
    return { kind: 'failed', why: `its answer (${status}) is no JSON`, again: false }
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''

/** Where a standby sends us: one step, and never out of TLS. */
const redirected = (from: URL, location: string | undefined): URL | null => {
  if (location === undefined || !URL.canParse(location, from.href)) return null
  const to = new URL(location, from)
  return to.protocol === from.protocol ? to : null
}

/** @throws CairnError('config_invalid') a certificate file cannot be read */
export const openVaultHttp = async (config: VaultConfig): Promise<VaultHttp> => {
  const base = new URL(config.url)
  const secure = base.protocol === 'https:'
  const tls = secure ? await clientTls({ mode: 'verify-full', ...config.tls }, base.hostname) : null
  const kept = { keepAlive: true, maxSockets: config.requests_max, maxFreeSockets: 2 }
  const agent = tls === null ? new HttpAgent(kept) : new HttpsAgent({ ...kept, ...tls })
  const places = openPlaces(config.requests_max, waiting_max)

  const headersOf = ({ token }: VaultRequest, body: Buffer | null): OutgoingHttpHeaders => ({
    // Asked for by servers that guard against request forgery from inside a network.
    'X-Vault-Request': 'true',
    ...(token === '' ? {} : { 'X-Vault-Token': token }),
    ...(config.namespace === undefined ? {} : { 'X-Vault-Namespace': config.namespace }),
    ...(body === null ? {} : { 'Content-Type': 'application/json', 'Content-Length': body.length }),
  })

  const exchange = (url: URL, sent: VaultRequest): Promise<Exchange> => {
    const body = sent.body === undefined ? null : Buffer.from(JSON.stringify(sent.body))
    const limit = AbortSignal.timeout(config.timeout_ms)
    return new Promise((resolve) => {
      const request = (secure ? requestHttps : requestHttp)(url, {
        method: sent.method,
        agent,
        signal: AbortSignal.any([sent.signal, limit]),
        headers: headersOf(sent, body),
      })
      const failed = (error: unknown): void => {
        const why = limit.aborted ? 'no answer in time' : `it cannot be reached${codeOf(error)}`
        resolve({ kind: 'failed', why, again: true })
      }
      request.on('error', failed)
      request.once('response', (response) => {
        const to = response.statusCode === 307 ? redirected(url, response.headers.location) : null
        if (to === null) readAnswer(response).then(resolve, failed)
        else {
          response.resume()
          resolve({ kind: 'redirect', to })
        }
      })
      request.end(body)
    })
  }

  const once = async (sent: VaultRequest): Promise<Exchange> => {
    const first = await exchange(new URL(`/v1/${sent.path}`, base), sent)
    return first.kind === 'redirect' ? exchange(first.to, sent) : first
  }

  const send = async (sent: VaultRequest): Promise<VaultAnswer> => {
    for (let tries = 0; ; tries++) {
      const last = tries >= config.retries_max || sent.signal.aborted
      const done = await once(sent)
      if (done.kind === 'answer' && (last || !transient.has(done.status)))
        return { status: done.status, body: done.body }
      const why = done.kind === 'failed' ? done.why : 'it sends us from one server to the next'
      if (done.kind !== 'answer' && (last || (done.kind === 'failed' && !done.again)))
        throw new CairnError('target_unavailable', `vault ${config.name}: ${why}`)
      const most = Math.min(pause_ms * 2 ** tries, pause_ms_max)
      await delay(Math.random() * most, undefined, { signal: sent.signal }).catch(() => undefined)
    }
  }

  return {
    send: (sent) => places.with(sent.signal, () => send(sent)),
    [Symbol.dispose]: () => agent.destroy(),
  }
}
