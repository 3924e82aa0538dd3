import { z } from 'zod'
import { host, name, path, remotePort, text, whole } from '../scalars.ts'
import { roleTokens } from './role-tokens.ts'

export const targets = z
  .array(
    z.strictObject({
      name: name('Name that clients and policies use.'),
      protocol: z.enum(['postgres']).default('postgres').describe('Protocol of the target.'),
      host: host('Host of the target.'),
      port: remotePort('Port of the target.').default(5432),
      tls: z
        .strictObject({
          mode: z
            .enum(['disable', 'require', 'verify-ca', 'verify-full'])
            .default('verify-full')
            .describe(
              'As libpq names them: none; encrypted; certificate checked; certificate and name checked.',
            ),
          ca_file: path(
            'PEM file of the authorities to trust; default the system ones.',
          ).exactOptional(),
          server_name: host('Name to check and to send, where it is not the host.').exactOptional(),
        })
        .prefault({})
        .describe('TLS to the target.'),
      default_database: text('Database when the client names none.', 63).default('postgres'),
      connect_timeout_ms: whole(100, 600_000, 'Limit for connecting and logging in.').default(
        10_000,
      ),
      catalog: z
        .strictObject({
          refresh_s: whole(
            0,
            86_400,
            'Seconds between loads of what the database holds (tables, views, functions), beside the loads after a change that the gateway sees. 0: only those.',
          ).default(300),
        })
        .prefault({})
        .describe(
          'What the gateway knows of the target’s databases, to tell what views and functions do.',
        ),
      roles: z
        .array(
          z.strictObject({
            name: name('Role that a client asks for.'),
            credential: name('Name of the credential the gateway uses for it.'),
            ...roleTokens,
          }),
        )
        .max(1000)
        .default([])
        .describe('Roles of the target, each with its credential.'),
    }),
  )
  .max(1000)
  .default([])
  .describe('What sessions can reach.')
