import { z } from 'zod'
import { compileCondition, condition_length_max } from '#core/policy/condition.ts'
import { isObjectPattern } from '#core/policy/object-pattern.ts'
import { pipeline_fields } from '#core/policy/policy-rule.ts'
import { claimPatterns, name, namePatterns, path, text, whole } from '../scalars.ts'

const patterns = (doc: string, length_max = 256) =>
  z.array(z.string().min(1).max(length_max)).min(1).max(1000).describe(doc)

/** A pattern or several. */
const fieldPatterns = z
  .union([z.string().max(1024), z.array(z.string().max(1024)).min(1).max(1000)], {
    error: 'expected a value or a list of values',
  })
  .transform((value) => (typeof value === 'string' ? [value] : value))

const action = z.string().regex(/^[a-z_*][a-z_.*]*$|^call:[^\s]+$/, {
  error:
    'expected an action such as select, ddl.alter, ddl.*, call:refund or *, in lower case (the list: services/core/policy/README.md)',
})

const object = z.string().max(256).refine(isObjectPattern, {
  error: 'expected schema.name or name, "*" standing for any run of characters',
})

const when = z
  .string()
  .min(1)
  .max(condition_length_max)
  .superRefine((source, context) => {
    const compiled = compileCondition(source)
    if (compiled.ok) return
    const message = `not a condition: ${compiled.error} (at character ${compiled.offset + 1})`
    context.addIssue({ code: 'custom', message })
  })
  .describe(
    'Condition in CEL over actor, pipeline, claims, issuer, target, role, database, peer, command and now; must be true for the policy to apply.',
  )

const hold = z
  .strictObject({
    groups: patterns('Groups whose members may approve.'),
    quorum: whole(1, 20, 'How many persons must approve, all of them different ones.').default(1),
    expires_s: whole(
      10,
      86_400,
      'How long the command waits for them; then it is refused.',
    ).default(900),
  })
  .describe('Who must approve; for effect hold, which needs it.')

const policy = z
  .strictObject({
    name: name('Name that stands in every decision.'),
    effect: z
      .enum(['allow', 'deny', 'hold'])
      .describe(
        'deny beats hold beats allow; what no policy allows is denied. hold: what is allowed waits until people have approved it.',
      ),
    dry_run: z
      .boolean()
      .exactOptional()
      .describe('Its outcome is recorded and not enforced; it allows nothing either.'),
    reason: text('Said to whoever is refused or held.', 512).exactOptional(),
    issuers: namePatterns('Issuers it applies to; default all.').default(['*']),
    claims: claimPatterns('Claims that must match, all of them.').default({}),
    groups: patterns(
      'Groups of the actor, one of them; "*" standing for any run of characters.',
    ).exactOptional(),
    actors: z
      .array(z.enum(['human', 'workload', 'agent']))
      .min(1)
      .exactOptional()
      .describe('Kinds of actor.'),
    pipeline: z
      .partialRecord(z.enum(pipeline_fields), fieldPatterns)
      .exactOptional()
      .describe('Fields of the CI run that must match, all of them; nobody without a run does.'),
    targets: namePatterns('Targets it applies to.').default(['*']),
    roles: namePatterns('Roles it applies to.').default(['*']),
    databases: z
      .array(z.string().min(1).max(63))
      .max(1000)
      .default(['*'])
      .describe('Databases it applies to, "*" standing for any run of characters.'),
    actions: z
      .array(action)
      .min(1)
      .max(1000)
      .exactOptional()
      .describe(
        'What commands do: select, ddl.*, call:<function> ...; without it everything, but an allow permits opaque actions only by name or by "*".',
      ),
    objects: z
      .array(object)
      .min(1)
      .max(1000)
      .exactOptional()
      .describe('Relations, as schema.name or name.'),
    columns: patterns('Columns of the objects.').exactOptional(),
    when: when.exactOptional(),
    hold: hold.exactOptional(),
  })
  .superRefine((rule, context) => {
    if (rule.effect === 'hold' && rule.hold === undefined)
      context.addIssue({
        code: 'custom',
        path: ['effect'],
        message: 'effect hold needs hold.groups: who may approve',
      })
    if (rule.effect !== 'hold' && rule.hold !== undefined)
      context.addIssue({ code: 'custom', path: ['hold'], message: 'only for effect hold' })
  })

export const policies = z
  .array(policy)
  .max(1000)
  .default([])
  .describe('Who may do what, where. Default deny.')

export const policy_file = path(
  'File with more policies (and cases to test them with); both are in force together. Read anew when it changes, as this file is.',
).exactOptional()

export const policy_mode = z
  .enum(['enforce', 'dry_run'])
  .default('enforce')
  .describe('dry_run: every decision is recorded and none enforced; for trying a policy out.')
