import { z } from 'zod'
import { scopeOf } from '../caller.ts'
import { defineRoute } from '../deps.ts'
import { viewed } from '../viewed.ts'
import { readers } from './sessions.ts'
import { command, filters, next, page, sessionBeginning } from './shapes.ts'

/** Longest text that is searched for, characters. */
const q_chars_max = 1024

export const commands = defineRoute({
  method: 'GET',
  path: '/v1/commands',
  tag: 'commands',
  summary: 'Search commands, the newest first',
  description:
    'Commands of all sessions, with what the policy said and how they ended. A developer gets those of the own sessions.',
  access: { kind: 'roles', roles: readers },
  effect: 'content',
  query: z.strictObject({
    q: z
      .string()
      .min(1)
      .max(q_chars_max)
      .optional()
      .describe('Text that the command holds, in any case.'),
    target: filters.target,
    actor: filters.actor,
    repository: filters.repository,
    verb: filters.verb,
    outcome: z.enum(['allow', 'deny', 'hold', 'mask']).optional().describe('Last decision.'),
    session: sessionBeginning.optional(),
    since: filters.since,
    until: filters.until,
    ...page,
  }),
  responses: {
    200: { description: 'A page.', schema: z.strictObject({ items: z.array(command), next }) },
  },
  handle: async ({ query, caller }, deps) => {
    const scope = scopeOf(caller)
    const { limit, cursor, session: beginning, ...filter } = query
    const session =
      beginning === undefined ? undefined : (await deps.store.session(scope, beginning)).id
    const body = await deps.store.commands(scope, { ...filter, session }, { limit, cursor })
    return {
      body,
      audit: viewed(caller, 'commands', session ?? '', { ...filter, commands: body.items.length }),
    }
  },
})
