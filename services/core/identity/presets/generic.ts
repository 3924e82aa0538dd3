import { definePreset } from '../preset.ts'

const pipeline_fields = [
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

/**
 * Any OIDC issuer. The configuration's `claims` names the claim for each field; without it the name is the first of `name`,
 * `preferred_username` and `email`, the groups are `groups`, and there is no pipeline. There is a pipeline as soon as one of
 * its mapped claims is in the token.
 */
export const generic = definePreset({
  name: 'generic',
  actor_kind: 'human',
  map: (claims, mapping) => {
    const mapped = (field: string): string => {
      const claim = mapping[field]
      return claim === undefined ? '' : claims.text(claim)
    }
    const values = pipeline_fields.map((field) => [field, mapped(field)] as const)
    const fields = Object.fromEntries(values) as Record<(typeof pipeline_fields)[number], string>
    return {
      display_name:
        mapped('display_name') ||
        claims.text('name') ||
        claims.text('preferred_username') ||
        claims.text('email'),
      groups: claims.list(mapping['groups'] ?? 'groups'),
      pipeline: values.some(([, value]) => value !== '')
        ? { provider: 'generic', ...fields }
        : null,
    }
  },
})
