import { z } from 'zod'
import { isColumnPattern } from '#core/masking/column-pattern.ts'
import { bytes, claimPatterns, name, namePatterns, secret, whole } from '../scalars.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB

const groups = z.array(z.string().min(1).max(256)).max(1000)
const databases = z.array(z.string().min(1).max(63)).max(1000)

const rule = z
  .strictObject({
    name: name('Name that stands in the records of what it masked.'),
    columns: z
      .array(
        z.string().max(200).refine(isColumnPattern, {
          error:
            'expected table.column or schema.table.column, "*" standing for any run of characters',
        }),
      )
      .max(1000)
      .default([])
      .describe(
        'Columns whose values are masked, and everything computed from them: table.column or schema.table.column, "*" standing for any run of characters within a part.',
      ),
    detectors: z
      .array(z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/))
      .max(100)
      .default([])
      .describe(
        'What is looked for in every value: email, card, iban, jwt, aws_key, gcp_key, private_key, us_ssn, phone, or one of masking.detectors.',
      ),
    method: z
      .enum(['redact', 'partial', 'hash', 'null'])
      .default('redact')
      .describe('What stands in the place of a value. hash needs masking.hash_key.'),
    partial: z
      .strictObject({
        keep_first: whole(0, 64, 'Characters kept at the beginning.').default(0),
        keep_last: whole(0, 64, 'Characters kept at the end.').default(4),
      })
      .prefault({})
      .describe('For method partial. Never more than half of a value is shown.'),
    targets: namePatterns('Targets it applies to.').default(['*']),
    roles: namePatterns('Roles it applies to.').default(['*']),
    databases: databases
      .default(['*'])
      .describe('Databases it applies to, "*" standing for any run of characters.'),
    issuers: namePatterns('Issuers it applies to; default all.').default(['*']),
    groups: groups.default([]).describe('Any of these groups; none means all.'),
    claims: claimPatterns('Claims that must match, all of them.').default({}),
    unless: z
      .strictObject({
        issuers: namePatterns('Issuers.').default([]),
        groups: groups.default([]).describe('Any of these groups.'),
        claims: claimPatterns('Claims, all of them.').default({}),
        roles: namePatterns('Roles.').default([]),
      })
      .exactOptional()
      .describe('Who sees the values as they are: whoever matches every key given here.'),
  })
  .refine(({ columns, detectors }) => columns.length + detectors.length > 0, {
    error: 'the rule masks nothing: give columns or detectors',
  })

const detector = z.strictObject({
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/)
    .describe('Name that rules refer to.'),
  re2: z.string().min(1).max(1000).describe('Pattern in RE2 syntax; what it matches is masked.'),
  literal: z
    .string()
    .max(100)
    .default('')
    .describe('Text that stands in every match: values without it are passed over quickly.'),
})

export const masking = z
  .strictObject({
    hash_key: secret('Key of method hash; another key, other hashes.').exactOptional(),
    row_bytes_max: bytes(
      { min: 64 * KiB, max: GiB },
      'Largest row of a masked session; a larger one ends the session.',
    ).prefault('16MiB'),
    rules: z
      .array(rule)
      .max(1000)
      .default([])
      .describe('What is masked, for whom; the first rule that fits a column or a find counts.'),
    detectors: z.array(detector).max(100).default([]).describe('Detectors of your own.'),
  })
  .prefault({})
  .describe('Values that clients, and with them the record, do not get to see.')
