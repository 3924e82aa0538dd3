import { hash } from 'node:crypto'
import { policyText } from '#core/policy/canonical.ts'
import { compilePolicies, type PolicySet } from '#core/policy/policy-set.ts'
import type { Config } from '#lib/config/schema.ts'

/** A policy in force and the text it came from: what policy.loaded records. */
export type LoadedPolicy = {
  readonly set: PolicySet
  /** Canonical text; its SHA-256 is the set's digest. */
  readonly text: string
  readonly source: string
}

/** Holds the policy in force. A change is one assignment: a command sees the old one or the new one, whole. */
export interface PolicyHolder {
  current(): LoadedPolicy
  replace(policy: LoadedPolicy): void
}

/** Compiles the policies of a configuration. `source` is the file they came from. */
export const loadPolicy = (
  { policies, policy_mode }: Pick<Config, 'policies' | 'policy_mode'>,
  source: string,
): LoadedPolicy => {
  const text = policyText(policies, policy_mode)
  const options = { dry_run: policy_mode === 'dry_run' }
  return { text, source, set: compilePolicies(policies, hash('sha256', text), options) }
}

export const holdPolicy = (initial: LoadedPolicy): PolicyHolder => {
  let policy = initial
  return {
    current: () => policy,
    replace(next) {
      policy = next
    },
  }
}
