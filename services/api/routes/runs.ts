import { z } from 'zod'
import { defineRoute } from '../deps.ts'
import { problem, problem_content_type } from '../problem.ts'

const form = z.object({
  subject_token: z.string().describe('OIDC token of a job of the run.'),
})

export const endRun = defineRoute({
  method: 'POST',
  path: '/v1/runs/end',
  tag: 'tokens',
  summary: "End a job's run: its tokens are dead, its sessions end",
  description:
    'The last step of a pipeline. The run is the one that the token names (issuer, repository, run, attempt): every token of it is refused from now on, also Cairn tokens that were exchanged before, and every session that one of them opened is ended, at all gateways.',
  access: { kind: 'self' },
  effect: 'mutates',
  form,
  responses: {
    200: {
      description: 'The run is ended.',
      schema: z.strictObject({
        repository: z.string(),
        run: z.string(),
        run_attempt: z.string(),
      }),
    },
  },
  handle: async ({ body }, deps) => {
    const ended = await deps.endRun(body instanceof URLSearchParams ? body : new URLSearchParams())
    if (ended.ok) {
      const { repository = '', run = '', run_attempt = '' } = ended.identity.pipeline ?? {}
      return { body: { repository, run, run_attempt }, audit: ended.note }
    }
    const unusable = ended.reason === 'no_token' || ended.reason === 'no_run'
    const [status, code] = unusable
      ? ([400, 'unusable_input'] as const)
      : ended.reason === 'issuer_unavailable'
        ? ([503, 'issuer_unavailable'] as const)
        : ([401, 'identity_refused'] as const)
    const detail = unusable ? ended.detail : `subject_token: ${ended.reason}: ${ended.detail}`
    return {
      status,
      headers: { 'content-type': problem_content_type },
      body: problem(status, code, detail),
      audit: ended.note,
    }
  },
})
