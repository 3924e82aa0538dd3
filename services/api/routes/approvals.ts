import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { CairnError } from '#lib/error.ts'
import type { BookEntry } from '../approvals/book.ts'
import { scopeOf, type Caller, type Role } from '../caller.ts'
import { defineRoute, type ApiDeps } from '../deps.ts'
import { readCursor, writeCursor } from '../store/cursor.ts'
import { viewed } from '../viewed.ts'
import {
  approval_states,
  approvalBeginning,
  approvalShape,
  shownApproval,
} from './approval-shapes.ts'
import { filters, next, page, sessionId } from './shapes.ts'

/** Who sees approvals; a developer those of the own sessions. */
const viewers = [
  'admin',
  'analyst',
  'approver',
  'auditor',
  'developer',
] as const satisfies readonly Role[]

const params = z.strictObject({ id: approvalBeginning })

/** Longest wait of a reader, milliseconds. */
const wait_ms_max = 25_000
/** Between two looks into the book while a reader waits, milliseconds. */
const look_ms = 25
const pending: ReadonlySet<string> = new Set(['waiting', 'approved'])

/** An approver sees what all do: who decides has to know. */
const ownOnly = (
  caller: Caller,
): { readonly issuer: string; readonly subject: string } | undefined => {
  if (caller.roles.has('approver')) return undefined
  const scope = scopeOf(caller)
  return scope.kind === 'all' ? undefined : scope
}

const only = (found: readonly BookEntry[], id: string): BookEntry => {
  const [entry, other] = found
  if (entry === undefined) throw new CairnError('not_found', `no approval begins with ${id}`)
  if (other !== undefined)
    throw new CairnError('unusable_input', `several approvals begin with ${id}; give more digits`)
  return entry
}

export const approvals = defineRoute({
  method: 'GET',
  path: '/v1/approvals',
  tag: 'approvals',
  summary: 'List approvals, the newest first',
  description:
    'Commands that wait for people, and those that did, as far back as the log keeps them. A developer gets those of the own sessions.',
  access: { kind: 'roles', roles: viewers },
  effect: 'content',
  query: z.strictObject({
    state: z.enum(approval_states).optional().describe('In this state now.'),
    target: filters.target,
    session: sessionId.optional().describe('Of this session; whole id.'),
    command: z.coerce
      .number()
      .int()
      .min(0)
      .optional()
      .describe('About this command of the session.'),
    ...page,
  }),
  responses: {
    200: {
      description: 'A page.',
      schema: z.strictObject({ items: z.array(approvalShape), next }),
    },
  },
  handle: async ({ query, caller }, deps) => {
    const { limit, cursor, ...filter } = query
    const all = deps.approvals.list({ ...filter, actor: ownOnly(caller) })
    const [time_us, id] = cursor === undefined ? [Number.POSITIVE_INFINITY, ''] : readCursor(cursor)
    const behind = all.filter(({ approval: { request }, id: own }) =>
      request.requested === time_us ? own < id : request.requested < time_us,
    )
    const shown = behind.slice(0, limit)
    const last = shown.at(-1)
    return {
      body: {
        items: shown.map(shownApproval),
        next:
          behind.length > limit && last !== undefined
            ? writeCursor([last.approval.request.requested, last.id, 0])
            : null,
      },
      audit: viewed(caller, 'approvals', query.session ?? '', {
        ...filter,
        approvals: shown.length,
      }),
    }
  },
})

export const approvalById = defineRoute({
  method: 'GET',
  path: '/v1/approvals/{id}',
  tag: 'approvals',
  summary: 'One approval',
  description:
    'What waits and for whom, and what has been decided. With the record of its command (effects, parameters) as soon as the tables have it.',
  access: { kind: 'roles', roles: viewers },
  effect: 'content',
  params,
  query: z.strictObject({
    wait_ms: z.coerce
      .number()
      .int()
      .min(0)
      .max(wait_ms_max)
      .default(0)
      .describe('How long to wait for it to be over, milliseconds.'),
  }),
  timeout_ms: wait_ms_max + 30_000,
  responses: {
    200: {
      description: 'The approval.',
      schema: approvalShape.extend({
        received: z
          .record(z.string(), z.unknown())
          .nullable()
          .describe(
            "Fields of the command's command.received event; null while the tables lack it.",
          ),
      }),
    },
  },
  handle: async ({ params: { id }, query, caller, signal }, deps) => {
    const found = only(deps.approvals.find(id), id)
    const own = ownOnly(caller)
    const { actor } = found.approval.request.requester
    if (own !== undefined && !(actor?.issuer === own.issuer && actor.subject === own.subject))
      throw new CairnError('not_found', `no approval begins with ${id}`)
    const entry = await settled(deps, found, query.wait_ms, signal)
    const shown = shownApproval(entry)
    return {
      body: { ...shown, received: await receivedOf(entry, deps) },
      audit: viewed(caller, 'approvals', shown.session, { approval: entry.id }),
    }
  },
})

/** The approval when it is over, or as it is after so long. */
const settled = async (
  deps: ApiDeps,
  found: BookEntry,
  wait_ms: number,
  signal: AbortSignal,
): Promise<BookEntry> => {
  const until_ms = deps.now_ms() + wait_ms
  let entry = found
  while (pending.has(entry.approval.state) && deps.now_ms() < until_ms) {
    await sleep(Math.min(look_ms, Math.max(1, until_ms - deps.now_ms())), undefined, { signal })
    entry = deps.approvals.find(found.id)[0] ?? entry
  }
  return entry
}

/** The record of the command, if the tables have it; their trouble must not keep people from deciding. */
const receivedOf = async (
  { approval }: BookEntry,
  deps: ApiDeps,
): Promise<Readonly<Record<string, unknown>> | null> => {
  const { session, command } = approval.request
  try {
    const { items } = await deps.store.records(session.toString('hex'), command - 1, 1)
    const [record] = items
    return record?.sseq === command ? record.event : null
  } catch (error) {
    if (error instanceof CairnError) return null
    throw error
  }
}
