import { z } from 'zod'
import { vaultSource } from './vaults.ts'
import { name, path, secret, text, whole } from '../scalars.ts'

const variable = (doc: string) =>
  z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, { error: 'expected the name of a variable' })
    .describe(doc)

const identifiers = (doc: string) => z.array(text('', 63)).max(100).default([]).describe(doc)

const databaseRole = z
  .strictObject({
    admin: name(
      'Credential that makes and drops the roles; its user needs CREATEROLE, and the admin option on the roles of member_of.',
    ),
    member_of: identifiers('Roles that the session’s role is a member of.'),
    grants: z
      .array(text('', 4096))
      .max(100)
      .default([])
      .describe(
        'Statements that give the role its rights, one each; {role} and {database} stand for their quoted names.',
      ),
    settings: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_.]{0,62}$/, {
          error: 'expected the name of a setting',
        }),
        z.string().max(1024),
      )
      .default({})
      .describe('Settings that its sessions begin with, as of ALTER ROLE ... SET.'),
    lifetime_s: whole(
      1,
      604_800,
      'How long the role lives at most (VALID UNTIL); a session that is open then is ended.',
    ).default(43_200),
    connections_max: whole(
      1,
      1000,
      'Connections that the role may have: the session, and the gateway’s own beside it.',
    ).default(5),
    objects: z
      .enum(['reassign', 'drop'])
      .default('reassign')
      .describe('What becomes of the objects that the session made, when its role is dropped.'),
    reassign_to: text(
      'Role that gets them: one of member_of, default the first. So nothing that a session leaves behind has rights that it had not itself.',
      63,
    ).exactOptional(),
    sweep_s: whole(
      5,
      86_400,
      'How often roles that a crash left behind are looked for and dropped.',
    ).default(60),
  })
  .describe('A PostgreSQL role of its own for each session, dropped when it is over.')

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
      vault: vaultSource.exactOptional(),
      database_role: databaseRole.exactOptional(),
    }),
  )
  .max(1000)
  .default([])
  .describe(
    'Credentials of targets; clients never see them. Each has exactly one source: password, password_file, password_env, vault or database_role.',
  )
