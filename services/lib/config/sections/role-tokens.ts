import { z } from 'zod'
import { expected_fields } from '#core/identity/expectation.ts'
import { whole } from '../scalars.ts'

const pattern = z.string().max(1024)

/** What a role asks of tokens and of the job behind them; keys of `targets[].roles[]`. */
export const roleTokens = {
  expect: z
    .array(
      z
        .partialRecord(
          z.enum(expected_fields),
          z
            .union([pattern, z.array(pattern).min(1).max(100)], {
              error: 'expected a text or a list of texts',
            })
            .transform((value) => (typeof value === 'string' ? [value] : value)),
        )
        .refine((fields) => Object.keys(fields).length > 0, {
          error: 'an expected job needs a field; leave expect out where any job is good',
        }),
    )
    .max(100)
    .default([])
    .describe(
      'Jobs that may have the role: field to value or values, "*" standing for any run of characters, "" for no value. One of the jobs has to fit; none named: any. Another context is refused (context_mismatch) before the target hears of it.',
    ),
  sessions_per_token: whole(
    0,
    1_000_000,
    'Sessions that one token may open, over all gateways. 0: any number, they are not counted.',
  ).default(1),
  session_max_s: whole(0, 2_000_000, 'Longest session; 0 no limit.').default(0),
  end_with_token: z
    .boolean()
    .default(false)
    .describe('Ends a session when the token that opened it ends.'),
} as const
