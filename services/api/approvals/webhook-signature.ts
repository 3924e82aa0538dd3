import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Secret } from '#lib/config/secret.ts'

/**
 * Signed messages between servers, as the Standard Webhooks specification has them:
 *
 *     webhook-id         unique per message; the same when it is sent again
 *     webhook-timestamp  seconds since 1970
 *     webhook-signature  "v1," base64(HMAC-SHA256(secret, id "." timestamp "." body)), several separated by spaces
 */
export type SignedHeaders = {
  readonly 'webhook-id': string
  readonly 'webhook-timestamp': string
  readonly 'webhook-signature': string
}

/** A secret in the specification's form is `whsec_` and base64; any other is taken as it is. */
const keyOf = (secret: Secret): Buffer => {
  const text = secret.reveal()
  return text.startsWith('whsec_')
    ? Buffer.from(text.slice(6), 'base64')
    : Buffer.from(text, 'utf8')
}

const mac = (secret: Secret, id: string, timestamp: string, body: string): Buffer =>
  createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`, 'utf8').digest()

/** @param now_ms milliseconds since 1970 */
export const signMessage = (
  secret: Secret,
  message: { readonly id: string; readonly body: string },
  now_ms: number,
): SignedHeaders => {
  const timestamp = String(Math.floor(now_ms / 1000))
  const signature = mac(secret, message.id, timestamp, message.body).toString('base64')
  return {
    'webhook-id': message.id,
    'webhook-timestamp': timestamp,
    'webhook-signature': `v1,${signature}`,
  }
}

export type Unsigned = 'missing' | 'stale' | 'bad_signature'

/** Signatures that are tried of one message. */
const signatures_max = 8

/**
 * Whether a message is signed with the secret, and its timestamp within the window on either side of now. Null when it is.
 * @param window_s seconds
 */
export const checkMessage = (
  secret: Secret,
  headers: Readonly<Record<keyof SignedHeaders, string | undefined>>,
  body: string,
  when: { readonly now_ms: number; readonly window_s: number },
): Unsigned | null => {
  const { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': given } = headers
  if (id === undefined || timestamp === undefined || given === undefined) return 'missing'
  if (!/^[\w.:-]{1,128}$/.test(id) || !/^\d{1,12}$/.test(timestamp)) return 'missing'
  const wanted = mac(secret, id, timestamp, body)
  const good = given
    .split(' ')
    .slice(0, signatures_max)
    .some((one) => {
      const bytes = Buffer.from(one.startsWith('v1,') ? one.slice(3) : '', 'base64')
      return bytes.length === wanted.length && timingSafeEqual(bytes, wanted)
    })
  if (!good) return 'bad_signature'
  const away_s = Math.abs(when.now_ms / 1000 - Number(timestamp))
  return away_s > when.window_s ? 'stale' : null
}
