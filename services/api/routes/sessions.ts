import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { scopeOf, type Caller, type Role } from '../caller.ts'
import { defineRoute, type ApiDeps } from '../deps.ts'
import type { AuditNote } from '../route.ts'
import type { RecordPage } from '../store/records.ts'
import { viewed } from '../viewed.ts'
import {
  filters,
  next,
  page,
  session,
  sessionBeginning,
  sessionId,
  sessionRecord,
} from './shapes.ts'

/** Who reads sessions. A developer sees the own ones; approvers decide about what is put before them. */
export const readers = [
  'admin',
  'analyst',
  'auditor',
  'developer',
] as const satisfies readonly Role[]

const common = {
  method: 'GET',
  tag: 'sessions',
  access: { kind: 'roles', roles: readers },
} as const

export const sessions = defineRoute({
  ...common,
  path: '/v1/sessions',
  summary: 'List sessions, the newest first',
  description: 'Who came, from which run, to which target. A developer gets the own sessions.',
  effect: 'none',
  query: z.strictObject({
    target: filters.target,
    role: filters.role,
    actor: filters.actor,
    repository: filters.repository,
    run: filters.run,
    state: z.enum(['open', 'ended']).optional().describe('open or ended.'),
    since: filters.since,
    until: filters.until,
    ...page,
  }),
  responses: {
    200: { description: 'A page.', schema: z.strictObject({ items: z.array(session), next }) },
  },
  handle: async ({ query, caller }, deps) => ({
    body: await deps.store.sessions(scopeOf(caller), query, query),
  }),
})

const ended = ({ actor, pipeline, subject }: Caller, session: string): AuditNote => ({
  type: 'token.revoked',
  actor,
  pipeline,
  target: null,
  body: {
    kind: 'session',
    token: '',
    run: '',
    session,
    reason: 'ended through the API',
    revoked_by: subject,
  },
})

const params = z.strictObject({ id: sessionBeginning })

export const sessionById = defineRoute({
  ...common,
  path: '/v1/sessions/{id}',
  summary: 'One session',
  description: 'A beginning of the id is enough where it fits one session only.',
  effect: 'content',
  params,
  responses: { 200: { description: 'The session.', schema: session } },
  handle: async ({ params: { id }, caller }, deps) => {
    const found = await deps.store.session(scopeOf(caller), id)
    return { body: found, audit: viewed(caller, 'session', found.id, {}) }
  },
})

export const endSession = defineRoute({
  method: 'DELETE',
  path: '/v1/sessions/{id}',
  tag: 'sessions',
  summary: 'End a session now',
  description:
    'Its gateway ends it as soon as it reads the order in the log, whichever gateway that is. The token that opened it is dead from then on.',
  access: { kind: 'roles', roles: ['admin', 'analyst'] },
  effect: 'mutates',
  params,
  responses: {
    202: {
      description: 'The order is recorded; ended: the session was over already.',
      schema: z.strictObject({ session: sessionId, state: z.enum(['ending', 'ended']) }),
    },
  },
  handle: async ({ params: { id }, caller }, deps) => {
    const found = await deps.store.session(scopeOf(caller), id)
    const state = found.state === 'open' ? 'ending' : 'ended'
    return {
      status: 202,
      body: { session: found.id, state },
      audit: state === 'ended' ? viewed(caller, 'session', found.id, {}) : ended(caller, found.id),
    }
  },
})

/** Longest wait of a follower, milliseconds. */
const wait_ms_max = 25_000
/** Between two looks into the tables while a follower waits, milliseconds. */
const look_ms = 200

/** A page of records; an empty one only when nothing came within `wait_ms` or the session is over. */
const waitForRecords = async (
  deps: ApiDeps,
  ask: { readonly session: string; readonly after: number; readonly limit: number },
  wait_ms: number,
  signal: AbortSignal,
): Promise<RecordPage> => {
  const until_ms = deps.now_ms() + wait_ms
  for (;;) {
    const found = await deps.store.records(ask.session, ask.after, ask.limit)
    const left_ms = until_ms - deps.now_ms()
    if (found.items.length > 0 || found.ended || left_ms <= 0) return found
    await sleep(Math.min(look_ms, left_ms), undefined, { signal })
  }
}

export const sessionRecords = defineRoute({
  ...common,
  path: '/v1/sessions/{id}/records',
  summary: 'Records of a session, in order',
  description:
    'What was said and answered: commands, decisions, response bytes. With wait_ms, the answer to an empty page waits until there is something, so that a follower sees records within a second.',
  effect: 'content',
  params,
  query: z.strictObject({
    after: z.coerce
      .number()
      .int()
      .min(-1)
      .max(Number.MAX_SAFE_INTEGER)
      .default(-1)
      .describe('Records behind this sequence number; -1: from the first.'),
    limit: page.limit,
    wait_ms: z.coerce
      .number()
      .int()
      .min(0)
      .max(wait_ms_max)
      .default(0)
      .describe('How long to wait for a record when there is none, milliseconds.'),
  }),
  responses: {
    200: {
      description: 'A page: at most `limit` records and 8 MiB.',
      schema: z.strictObject({
        session: sessionId,
        items: z.array(sessionRecord),
        next: z
          .number()
          .nullable()
          .describe('`after` of the next page; null when there are no more records now.'),
        ended: z.boolean().describe('The session is over and these are its last records.'),
      }),
    },
  },
  timeout_ms: wait_ms_max + 30_000,
  handle: async ({ params: { id }, query, caller, signal }, deps) => {
    const found = await deps.store.session(scopeOf(caller), id)
    const { after, limit, wait_ms } = query
    const { items, more, ended } = await waitForRecords(
      deps,
      { session: found.id, after, limit },
      wait_ms,
      signal,
    )
    const last = items.at(-1)?.sseq
    return {
      body: { session: found.id, items, next: more && last !== undefined ? last : null, ended },
      // A follower's question that found nothing new disclosed nothing.
      audit:
        items.length === 0 && after >= 0
          ? null
          : viewed(caller, 'records', found.id, { after, records: items.length }),
    }
  },
})
