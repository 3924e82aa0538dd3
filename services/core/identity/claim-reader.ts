import type { Claims } from './identity.ts'

/** Longest claim that becomes part of an actor or pipeline, UTF-16 units: longer ones are refused, never cut, since policies compare them. */
export const claim_chars_max = 1024
/** Most groups of one actor. */
export const groups_max = 500

/** Reads claims as texts and notes what is missing or unusable, so that a preset is a plain list of fields. */
export interface ClaimReader {
  /** Text of a claim; empty when it is not there. */
  text(name: string): string
  /** Text of a claim that must be there and not empty. */
  need(name: string): string
  /** Texts of a claim that is a list or a single text. */
  list(name: string): readonly string[]
  /** What was wrong, in words without values. */
  readonly problems: readonly string[]
}

/** The claim itself, or, where no claim has this very name, the value at a dotted path (`realm_access.roles`). */
export const claimAt = (claims: Claims, name: string): unknown => {
  if (Object.hasOwn(claims, name)) return claims[name]
  let node: unknown = claims
  for (const key of name.split('.')) {
    if (node === null || typeof node !== 'object' || !Object.hasOwn(node, key)) return undefined
    node = Reflect.get(node, key)
  }
  return node
}

const asText = (value: unknown): string | undefined => {
  if (typeof value === 'string') return value.toWellFormed()
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

/** Opens a reader of a token's claims. */
export const readClaims = (claims: Claims): ClaimReader => {
  const problems: string[] = []
  const bounded = (name: string, value: string): string => {
    if (value.length <= claim_chars_max) return value
    problems.push(`claim ${name} is longer than ${claim_chars_max} characters`)
    return ''
  }
  const text = (name: string): string => {
    const value = claimAt(claims, name)
    if (value === undefined || value === null) return ''
    const found = asText(value)
    if (found === undefined) problems.push(`claim ${name} is not a text`)
    return bounded(name, found ?? '')
  }
  return {
    text,
    need: (name) => {
      const before = problems.length
      const value = text(name)
      if (value === '' && problems.length === before) problems.push(`claim ${name} is missing`)
      return value
    },
    list: (name) => {
      const value = claimAt(claims, name)
      if (value === undefined || value === null) return []
      const items: readonly unknown[] = Array.isArray(value) ? value : [value]
      if (items.length > groups_max)
        problems.push(`claim ${name} has more than ${groups_max} entries`)
      return items.slice(0, groups_max).flatMap((item) => {
        const found = asText(item)
        if (found === undefined) problems.push(`claim ${name} has an entry that is not a text`)
        return found === undefined ? [] : [bounded(name, found)]
      })
    },
    problems,
  }
}
