import { z } from 'zod'
import { name, path, secret, text } from '../scalars.ts'

const variable = (doc: string) =>
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, { error: 'expected the name of a variable' })
    .describe(doc)

export const credentials = z
  .array(
    z.strictObject({
      name: name('Name that roles refer to.'),
      user: text('User at the target.', 63).exactOptional(),
      user_file: path('File with the user, read for each session.').exactOptional(),
      password: secret('Password at the target, read once at the start.').exactOptional(),
      password_file: path(
        'File with the password, read for each session: a new password needs no restart.',
      ).exactOptional(),
      password_env: variable(
        'Environment variable of the gateway with the password.',
      ).exactOptional(),
    }),
  )
  .max(1000)
  .default([])
  .describe(
    'Credentials of targets; clients never see them. Each has exactly one source: password, password_file or password_env.',
  )
