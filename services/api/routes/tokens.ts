import { z } from 'zod'
import { defineRoute } from '../deps.ts'
import { problem, problem_content_type } from '../problem.ts'

const grant = 'urn:ietf:params:oauth:grant-type:token-exchange'

const form = z.object({
  grant_type: z.literal(grant),
  subject_token: z.string().describe('OIDC token of a configured issuer.'),
  subject_token_type: z
    .string()
    .describe('urn:ietf:params:oauth:token-type:jwt, :id_token or :access_token.'),
  audience: z.string().describe('Name of the target.'),
  scope: z.string().describe('Name of the role.'),
})

export const exchange = defineRoute({
  method: 'POST',
  path: '/v1/tokens',
  tag: 'tokens',
  summary: 'Exchange an OIDC token for a Cairn token',
  description:
    'OAuth 2.0 Token Exchange (RFC 8693). The Cairn token is the password of a connection through the gateway: good for one target and one role, in its run and (api.tokens.bind_peer) from the address that asked, for minutes, and for as many sessions as its role allows. The policy has to allow it, and the role has to expect the job.',
  access: { kind: 'self' },
  effect: 'mutates',
  form,
  responses: {
    200: {
      description: 'The token.',
      schema: z.strictObject({
        access_token: z.string(),
        issued_token_type: z.string(),
        token_type: z.literal('N_A'),
        expires_in: z.int().describe('Seconds.'),
        scope: z.string(),
      }),
    },
  },
  handle: async ({ body, peer }, deps) => {
    const parameters = body instanceof URLSearchParams ? body : new URLSearchParams()
    const { result, note } = await deps.exchange(parameters, peer)
    if (result.ok) return { body: result.body, audit: note }
    const { error, error_description } = result.body
    const code =
      result.status === 503
        ? 'issuer_unavailable'
        : result.refusal !== null
          ? 'identity_refused'
          : error === 'invalid_target' && result.identity !== null
            ? 'forbidden'
            : 'unusable_input'
    return {
      status: result.status,
      headers: { 'content-type': problem_content_type },
      body: problem(result.status, code, error_description, { error, error_description }),
      audit: note,
    }
  },
})
