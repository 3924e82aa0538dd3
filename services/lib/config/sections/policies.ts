import { z } from 'zod'
import { claimPatterns, name, namePatterns } from '../scalars.ts'

export const policies = z
  .array(
    z.strictObject({
      name: name('Name that stands in every decision.'),
      effect: z
        .enum(['allow', 'deny'])
        .describe('deny beats allow; what no policy allows is denied.'),
      issuers: namePatterns('Issuers it applies to; default all.').default(['*']),
      claims: claimPatterns('Claims that must match, all of them.').default({}),
      targets: namePatterns('Targets it applies to.').default(['*']),
      roles: namePatterns('Roles it applies to.').default(['*']),
      databases: z
        .array(z.string().min(1).max(63))
        .max(1000)
        .default(['*'])
        .describe('Databases it applies to, "*" standing for any run of characters.'),
    }),
  )
  .max(1000)
  .default([])
  .describe('Who may reach what. Default deny.')
