import { z } from 'zod'
import { whole } from '../scalars.ts'

const httpUrl = (doc: string) =>
  z
    .string()
    .max(1024)
    .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), {
      error: 'expected an https:// or http:// URL',
    })
    .meta({ description: doc, format: 'uri' })

export const approvals = z
  .strictObject({
    link_base: z
      .union([z.literal(''), httpUrl('Address of the console.')])
      .default('')
      .describe('Where people decide: beginning of the links in notices and events; none without.'),
    holds_max: whole(
      1,
      100_000,
      'Commands of one gateway process that wait for people at once; more are refused.',
    ).default(1000),
  })
  .prefault({})
  .describe('Commands that wait for people.')
