import type { Difference } from '#core/events/types.ts'
import { anyOf } from '../policy/pattern.ts'
import type { Identity } from './identity.ts'

/** Fields of an identity that a role can expect; all but issuer and subject are of the pipeline behind it. */
export const expected_fields = [
  'issuer',
  'subject',
  'provider',
  'repository',
  'ref',
  'sha',
  'workflow',
  'run',
  'run_attempt',
  'job',
  'environment',
  'triggering_user',
  'runner',
  'approval_ticket',
] as const

export type ExpectedField = (typeof expected_fields)[number]

/** One expected job: field to patterns, one of which must match; fields that are not named may be anything. */
export type Expectation = Readonly<Partial<Record<ExpectedField, readonly string[] | undefined>>>

const actualOf = (identity: Identity, field: ExpectedField): string => {
  if (field === 'issuer') return identity.issuer
  if (field === 'subject') return identity.actor.subject
  return identity.pipeline?.[field] ?? ''
}

/** What a token does not say matches an empty pattern only: `*` is any value, but one. */
const matches = (patterns: readonly string[], actual: string): boolean =>
  actual === '' ? patterns.includes('') : anyOf(patterns)(actual)

const differencesFrom = (expectation: Expectation, identity: Identity): Difference[] =>
  expected_fields.flatMap((field) => {
    const patterns = expectation[field]
    const actual = actualOf(identity, field)
    return patterns === undefined || matches(patterns, actual)
      ? []
      : [{ field, expected: patterns.join(' | '), actual }]
  })

/**
 * What differs between an identity and the jobs that a role expects: nothing if one of them fits, or if none is named; else the
 * differences from the one that comes closest (the first of those).
 */
export const contextDifferences = (
  expectations: readonly Expectation[],
  identity: Identity,
): readonly Difference[] => {
  let closest: readonly Difference[] | undefined
  for (const expectation of expectations) {
    const differences = differencesFrom(expectation, identity)
    if (closest === undefined || differences.length < closest.length) closest = differences
  }
  return closest ?? []
}
