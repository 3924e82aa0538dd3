import { readFile, stat } from 'node:fs/promises'
import { createLocalJWKSet, errors, type CryptoKey, type JWK, type JWTHeaderParameters } from 'jose'
import type { Logger } from '#lib/logger.ts'
import { counter, gauge } from '#lib/metrics.ts'
import { document_bytes_max, fetchJson, isFetchable, type Fetch } from './json-fetch.ts'

/** Most keys taken from one key set. */
const keys_max = 100
/** After a failed fetch the next one waits at least this long, milliseconds, or the cooldown if that is shorter. */
const retry_after_failure_ms = 5000

/** What the keys of one issuer need to know of its configuration. */
export type KeySourceConfig = {
  readonly name: string
  readonly issuer: string
  readonly discovery_url?: string | undefined
  readonly jwks_file?: string | undefined
  readonly keys: {
    readonly timeout_ms: number
    readonly age_max_s: number
    readonly cooldown_s: number
    readonly stale_max_s: number
  }
}

export type KeyResult =
  | { readonly ok: true; readonly key: CryptoKey }
  | {
      readonly ok: false
      readonly reason: 'unknown_key' | 'issuer_unavailable'
      readonly detail: string
    }

/** The keys of one issuer. */
export interface IssuerKeys {
  /** The key that a token's header names. Fetches when it must, never more often than the cooldown allows. */
  find(header: JWTHeaderParameters): Promise<KeyResult>
}

type Loaded =
  | { readonly ok: true; readonly keys: readonly JWK[] }
  | { readonly ok: false; readonly detail: string }

const failed = (detail: string): Loaded => ({ ok: false, detail })

/** Public signature keys of a key set; symmetric and private ones have no business there and are dropped. */
const usableKeys = (document: unknown): Loaded => {
  const keys =
    document !== null && typeof document === 'object' && 'keys' in document
      ? document.keys
      : undefined
  if (!Array.isArray(keys)) return failed('the key set has no keys')
  if (keys.length > keys_max) return failed(`the key set has more than ${keys_max} keys`)
  const usable = (keys as unknown[]).filter(
    (key): key is JWK =>
      key !== null &&
      typeof key === 'object' &&
      'kty' in key &&
      typeof key.kty === 'string' &&
      key.kty !== 'oct' &&
      !('d' in key) &&
      (!('use' in key) || key.use === 'sig'),
  )
  return usable.length === 0 ? failed('the key set has no usable key') : { ok: true, keys: usable }
}

const loadFile = async (path: string): Promise<Loaded> => {
  try {
    if ((await stat(path)).size > document_bytes_max)
      return failed(`jwks_file is larger than ${document_bytes_max} bytes`)
    return usableKeys(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    return failed(
      error instanceof SyntaxError ? 'jwks_file is not JSON' : 'jwks_file cannot be read',
    )
  }
}

const discoveryUrl = (config: KeySourceConfig): string =>
  config.discovery_url ?? `${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`

/** OpenID Connect Discovery 1.0, section 4.3: the issuer in the document must be the one that was asked, letter for letter. */
const loadRemote = async (config: KeySourceConfig, fetch: Fetch): Promise<Loaded> => {
  const { timeout_ms } = config.keys
  const discovered = await fetchJson(discoveryUrl(config), fetch, timeout_ms)
  if (!discovered.ok) return failed(`discovery: ${discovered.detail}`)
  const metadata = discovered.value as {
    readonly issuer?: unknown
    readonly jwks_uri?: unknown
  } | null
  if (metadata?.issuer !== config.issuer)
    return failed('discovery: the document is for another issuer')
  const { jwks_uri } = metadata
  if (typeof jwks_uri !== 'string' || !isFetchable(jwks_uri))
    return failed('discovery: jwks_uri is neither https nor loopback')
  // Only an issuer that is itself on loopback may send us to loopback services.
  if (jwks_uri.startsWith('http:') && !config.issuer.startsWith('http:'))
    return failed('discovery: jwks_uri is not https')
  const keys = await fetchJson(jwks_uri, fetch, timeout_ms)
  return keys.ok ? usableKeys(keys.value) : failed(`key set: ${keys.detail}`)
}

type Cached = {
  readonly resolve: ReturnType<typeof createLocalJWKSet>
  readonly fetched_at_ms: number
}

/**
 * Opens the keys of an issuer, from discovery and key set or from a file. Nothing is fetched before the first token.
 *
 * Rotation: a key id that is not known fetches once per `cooldown_s`, however many such tokens come. Keys older than `age_max_s`
 * are fetched before use. Outage: keys up to `stale_max_s` old go on being used, then the issuer's tokens are refused.
 */
export const openIssuerKeys = (
  config: KeySourceConfig,
  deps: { readonly fetch: Fetch; readonly clock: () => number; readonly logger: Logger },
): IssuerKeys => {
  const { clock, logger } = deps
  const fetches = counter({
    name: 'issuer_key_fetches_total',
    help: "Fetches of an issuer's keys, by outcome.",
    labels: ['issuer', 'outcome'],
  })
  const fetched_at = gauge({
    name: 'issuer_keys_fetched_timestamp_seconds',
    help: 'When the keys of an issuer were last fetched.',
    labels: ['issuer'],
  })
  const cooldown_ms = config.keys.cooldown_s * 1000
  let cached: Cached | undefined
  let failure: string | undefined
  let next_fetch_ms = Number.NEGATIVE_INFINITY
  let running: Promise<void> | undefined

  const load = async (): Promise<void> => {
    const loaded = await (config.jwks_file === undefined
      ? loadRemote(config, deps.fetch)
      : loadFile(config.jwks_file))
    const now_ms = clock()
    fetches.inc({ issuer: config.name, outcome: loaded.ok ? 'ok' : 'failed' })
    if (loaded.ok) {
      if (failure !== undefined) logger.info({ issuer: config.name }, 'the issuer answers again')
      cached = { resolve: createLocalJWKSet({ keys: [...loaded.keys] }), fetched_at_ms: now_ms }
      failure = undefined
      next_fetch_ms = now_ms + cooldown_ms
      fetched_at.set({ issuer: config.name }, now_ms / 1000)
      return
    }
    if (failure === undefined)
      logger.warn(
        { issuer: config.name, detail: loaded.detail },
        'the keys of an issuer cannot be fetched',
      )
    failure = loaded.detail
    next_fetch_ms = now_ms + Math.min(retry_after_failure_ms, cooldown_ms)
  }

  /** Fetches unless it is too early; those who come meanwhile wait for the same fetch. */
  const refresh = async (): Promise<void> => {
    if (running === undefined && clock() < next_fetch_ms) return
    running ??= load().finally(() => {
      running = undefined
    })
    await running
  }

  const ageMs = (): number =>
    cached === undefined ? Number.POSITIVE_INFINITY : clock() - cached.fetched_at_ms

  const usable_ms = Math.max(config.keys.stale_max_s, config.keys.age_max_s) * 1000
  const usable = (): boolean => ageMs() <= usable_ms

  const select = async (header: JWTHeaderParameters): Promise<CryptoKey | undefined> => {
    try {
      return await cached?.resolve(header)
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined
      throw error
    }
  }

  return {
    find: async (header) => {
      if (ageMs() > config.keys.age_max_s * 1000) {
        // Sessions wait for the fetch that finds the outage, not for those that only see whether it is over.
        if (failure !== undefined && usable()) void refresh()
        else await refresh()
      }
      if (!usable()) {
        const detail = `the keys of issuer ${config.name} cannot be had: ${failure ?? 'not fetched yet'}`
        return { ok: false, reason: 'issuer_unavailable', detail }
      }
      let key = await select(header)
      if (key === undefined) {
        await refresh()
        key = await select(header)
      }
      if (key !== undefined) return { ok: true, key }
      return {
        ok: false,
        reason: 'unknown_key',
        detail: `issuer ${config.name} publishes no key that fits this token`,
      }
    },
  }
}
