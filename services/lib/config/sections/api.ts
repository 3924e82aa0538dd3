import { z } from 'zod'
import { claimPatterns, host, listenPort, namePatterns, whole } from '../scalars.ts'

export const api = z
  .strictObject({
    host: host('Address to listen on.').default('127.0.0.1'),
    port: listenPort('Port to listen on; CAIRN_API_PORT overrides it.').default(8080),
    tokens: z
      .strictObject({
        lifetime_s: whole(30, 3600, 'How long a Cairn token lives.').default(300),
        bind_peer: z
          .boolean()
          .default(true)
          .describe(
            "A Cairn token is good only from the address that asked for it. Set it to false where clients reach the API through a proxy or another network than the gateway. A client on the API's own machine is bound only where the gateway listens on loopback, too.",
          ),
      })
      .prefault({})
      .describe('Tokens that the exchange issues.'),
    roles: z
      .array(
        z.strictObject({
          role: z
            .enum(['admin', 'analyst', 'approver', 'auditor', 'developer'])
            .describe('Role in Cairn.'),
          issuers: namePatterns('Issuers it applies to; default all.').default(['*']),
          claims: claimPatterns('Claims that must match, all of them.').default({}),
          groups: z
            .array(z.string().min(1).max(256))
            .max(1000)
            .default([])
            .describe('Any of these groups; none means all.'),
        }),
      )
      .max(1000)
      .default([])
      .describe('Who has which role in the API and console.'),
  })
  .prefault({})
  .describe('The HTTP API.')
