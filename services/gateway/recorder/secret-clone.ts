import { secretOf, type Secret } from '#lib/config/secret.ts'

/**
 * A configuration on its way to a thread. Secrets are made of functions, which cannot be copied: they travel as a marked value and are wrapped
 * again on the other side, within the one process.
 */
const mark = '\u0000secret'

const isSecret = (value: object): value is Secret =>
  'reveal' in value && typeof value.reveal === 'function'

const mapped = (value: object, map: (value: unknown) => unknown): unknown =>
  Array.isArray(value)
    ? value.map(map)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, map(item)]))

/** Makes a configuration that can be posted to a thread. */
export const packSecrets = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  return isSecret(value) ? { [mark]: value.reveal() } : mapped(value, packSecrets)
}

/** Undoes `packSecrets`. */
export const unpackSecrets = (value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  return mark in value ? secretOf(String(value[mark])) : mapped(value, unpackSecrets)
}
