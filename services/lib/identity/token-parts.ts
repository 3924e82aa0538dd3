import { hasDuplicateNames } from '#core/identity/json-names.ts'
import type { Claims, Refusal } from '#core/identity/identity.ts'

/** Largest token, characters. PostgreSQL's own clients send passwords of up to 64 KiB; issuers' tokens are under 4 KiB. */
export const token_chars_max = 16_384

/** Types of token that are an identity: plain JWT, RFC 9068 access token, and ours. Others (logout, DPoP, events) prove something else. */
const token_types: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'id+jwt', 'cairn+jwt'])

export type TokenParts = {
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: string }
  /** Not verified: good for choosing whom to ask, for nothing else. */
  readonly claims: Claims
  readonly typ: string
}

type Parsed = { readonly ok: true; readonly parts: TokenParts } | Refusal

const malformed = (detail: string): Refusal => ({ ok: false, reason: 'malformed_token', detail })

const decodeObject = (part: string): Claims | string => {
  // Buffer.from skips what is not base64url, so that many texts would be one token: only the canonical one is it.
  const bytes = Buffer.from(part, 'base64url')
  if (bytes.toString('base64url') !== part) return 'not base64url'
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      return 'not a JSON object'
    return hasDuplicateNames(text) ? 'a name stands twice' : (value as Claims)
  } catch {
    return 'not a JSON object'
  }
}

/**
 * Takes a compact JWT (RFC 7515, section 7.1) apart and checks its form, before anything is fetched or verified: size, three
 * canonical base64url parts, JSON objects without duplicate names, a known type, no critical extensions. Header fields that
 * point to keys (jku, x5u, jwk, x5c) are never looked at.
 */
export const parseToken = (token: string): Parsed => {
  if (token.length > token_chars_max) {
    return {
      ok: false,
      reason: 'token_too_large',
      detail: `the token is longer than ${token_chars_max} characters`,
    }
  }
  const [head, body, signature, ...rest] = token.split('.')
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) {
    return malformed('not a signed JWT: three parts are expected')
  }
  const header = decodeObject(head)
  if (typeof header === 'string') return malformed(`header: ${header}`)
  const claims = decodeObject(body)
  if (typeof claims === 'string') return malformed(`claims: ${claims}`)
  const { alg, typ = 'JWT' } = header
  if (typeof alg !== 'string') return malformed('header: alg is missing')
  if (header['crit'] !== undefined)
    return malformed('header: critical extensions are not supported')
  const plain = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : ''
  if (!token_types.has(plain)) return malformed('header: this type of token is no identity')
  return { ok: true, parts: { header: { ...header, alg }, claims, typ: plain } }
}
