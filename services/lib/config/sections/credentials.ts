import { z } from 'zod'
import { name, secret, text } from '../scalars.ts'

export const credentials = z
  .array(
    z.strictObject({
      name: name('Name that roles refer to.'),
      user: text('User at the target.', 63),
      password: secret('Password at the target.'),
    }),
  )
  .max(1000)
  .default([])
  .describe('Credentials of targets. Clients never see them.')
