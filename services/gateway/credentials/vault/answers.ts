import { z } from 'zod'
import type { Grant } from './keeping.ts'

/** The parts of Vault's answers that are used; everything else in them is let pass. Null: the answer has another form. */

const read = <Value>(schema: z.ZodType<Value>, body: unknown): Value | null => {
  const parsed = schema.safeParse(body)
  return parsed.success ? parsed.data : null
}

const seconds = z.number().min(0)

const login = z.object({
  auth: z.object({
    client_token: z.string().min(1),
    lease_duration: seconds,
    renewable: z.boolean(),
  }),
})

/** Of a login. */
export const readLogin = (body: unknown): (Grant & { readonly token: string }) | null => {
  const auth = read(login, body)?.auth
  if (auth === undefined) return null
  return { token: auth.client_token, ttl_s: auth.lease_duration, renewable: auth.renewable }
}

const token = z.object({ data: z.object({ ttl: seconds, renewable: z.boolean().default(false) }) })

/** Of `auth/token/lookup-self`. */
export const readLookup = (body: unknown): Grant | null => {
  const data = read(token, body)?.data
  return data === undefined ? null : { ttl_s: data.ttl, renewable: data.renewable }
}

const kv = z.object({ data: z.object({ data: z.record(z.string(), z.unknown()).nullable() }) })

/** Of `<mount>/data/<path>` (KV version 2). */
export const readSecret = (body: unknown): Readonly<Record<string, unknown>> | null =>
  read(kv, body)?.data.data ?? null

const account = z.object({ username: z.string().min(1), password: z.string().min(1) })

const leased = z.object({
  lease_id: z.string().min(1),
  lease_duration: seconds,
  renewable: z.boolean(),
  data: account,
})

export type LeasedAccount = Grant & {
  readonly lease_id: string
  readonly username: string
  readonly password: string
}

/** Of `<mount>/creds/<role>`. */
export const readLeasedAccount = (body: unknown): LeasedAccount | null => {
  const answer = read(leased, body)
  if (answer === null) return null
  const { lease_id, lease_duration, renewable, data } = answer
  return { lease_id, ttl_s: lease_duration, renewable, ...data }
}

const rotated = z.object({ data: account.extend({ ttl: seconds.optional() }) })

/** Of `<mount>/static-creds/<role>`; `ttl` is the time until the next rotation, seconds. */
export const readStaticAccount = (
  body: unknown,
): {
  readonly username: string
  readonly password: string
  readonly ttl?: number | undefined
} | null => read(rotated, body)?.data ?? null

const renewed = z.object({ lease_duration: seconds, renewable: z.boolean() })

/** Of `sys/leases/renew`. */
export const readRenewed = (body: unknown): Grant | null => {
  const answer = read(renewed, body)
  return answer === null ? null : { ttl_s: answer.lease_duration, renewable: answer.renewable }
}
