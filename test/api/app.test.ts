import { afterEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { CairnError } from '#lib/error.ts'
import { openApp, type AppOptions } from '../../services/api/app.ts'
import type { Caller } from '../../services/api/caller.ts'
import { problemSchema } from '../../services/api/problem-schema.ts'
import { routeDefiner, type Route } from '../../services/api/route.ts'

const defineRoute = routeDefiner<null>()
const analyst: Caller = {
  issuer: 'i',
  subject: 's',
  roles: new Set(['analyst']),
  actor: null,
  pipeline: null,
  names: [],
}
const common = { tag: 't', summary: 's', description: 'd', responses: {} } as const
const note = {
  type: 'evidence.viewed',
  actor: null,
  pipeline: null,
  target: null,
  body: {
    viewer_issuer: 'i',
    viewer_subject: 's',
    resource: 'commands',
    viewed_session: '',
    query: '',
  },
} as const

const content = defineRoute({
  ...common,
  method: 'GET',
  path: '/content',
  access: { kind: 'roles', roles: ['analyst'] },
  effect: 'content',
  handle: async () => ({ body: { said: 'classified' }, audit: note }),
})

const open = async (routes: readonly Route<null>[], more: Partial<AppOptions<null>> = {}) => {
  const errors: unknown[] = []
  const app = await openApp<null>({
    routes,
    deps: null,
    audit: { record: async () => undefined },
    authentication: { callerOf: async () => analyst },
    host: '127.0.0.1',
    onError: (error) => errors.push(error),
    ...more,
  })
  apps.push(app)
  return { app, errors }
}
const apps: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

describe('the application', () => {
  it('gives no content when it cannot be recorded', async () => {
    const { app } = await open([content], {
      audit: {
        record: async () => {
          throw new CairnError('audit_unavailable', 'this cannot be recorded now')
        },
      },
    })
    const answer = await app.inject({ url: '/content' })
    expect(answer.statusCode).toBe(503)
    expect(problemSchema.parse(answer.json()).code).toBe('audit_unavailable')
    expect(answer.body).not.toContain('classified')
  })

  it('gives content only after it is recorded', async () => {
    const order: string[] = []
    const { app } = await open([content], {
      audit: {
        record: async () => {
          await new Promise((resolve) => setImmediate(resolve))
          order.push('recorded')
        },
      },
    })
    const answer = await app.inject({ url: '/content' })
    order.push('answered')
    expect(order).toEqual(['recorded', 'answered'])
    expect(answer.json()).toEqual({ said: 'classified' })
  })

  it('fails rather than answer content from a handler that forgot what is recorded', async () => {
    const forgetful = { ...content, handle: async () => ({ body: { said: 'classified' } }) }
    const { app, errors } = await open([forgetful])
    const answer = await app.inject({ url: '/content' })
    expect(answer.statusCode).toBe(500)
    expect(answer.body).not.toContain('classified')
    expect(errors).toHaveLength(1)
  })

  it('answers faults of its own without their words', async () => {
    const faulty = defineRoute({
      ...common,
      method: 'GET',
      path: '/fault',
      access: { kind: 'open' },
      effect: 'none',
      handle: async () => {
        throw new Error('SELECT secret FROM internals')
      },
    })
    const { app, errors } = await open([faulty])
    const answer = await app.inject({ url: '/fault' })
    expect(problemSchema.parse(answer.json())).toMatchObject({ status: 500, code: 'internal' })
    expect(answer.body).not.toContain('internals')
    expect(String(errors[0])).toContain('internals')
  })

  it('gives up on an answer that takes too long', async () => {
    const slow = defineRoute({
      ...common,
      method: 'GET',
      path: '/slow',
      access: { kind: 'open' },
      effect: 'none',
      timeout_ms: 50,
      handle: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true })
        }),
    })
    const { app } = await open([slow])
    const answer = await app.inject({ url: '/slow' })
    expect(problemSchema.parse(answer.json()).status).toBe(503)
  })

  it('takes only parameters that a route declares, and says which are wrong', async () => {
    const typed = defineRoute({
      ...common,
      method: 'GET',
      path: '/typed/{id}',
      access: { kind: 'open' },
      effect: 'none',
      params: z.strictObject({ id: z.string().regex(/^\d+$/) }),
      query: z.strictObject({ limit: z.coerce.number().int().max(5).default(2) }),
      handle: async ({ params, query }) => ({ body: { id: params.id, limit: query.limit } }),
    })
    const plain = defineRoute({
      ...common,
      method: 'GET',
      path: '/plain',
      access: { kind: 'open' },
      effect: 'none',
      handle: async () => ({ body: {} }),
    })
    const { app } = await open([typed, plain])
    expect((await app.inject({ url: '/typed/7' })).json()).toEqual({ id: '7', limit: 2 })
    expect((await app.inject({ url: '/typed/7?limit=4' })).json()).toEqual({ id: '7', limit: 4 })
    for (const [url, where] of [
      ['/typed/x', 'path: id'],
      ['/typed/7?limit=6', 'query: limit'],
      ['/typed/7?limit=1&limit=2', 'query: limit'],
      ['/typed/7?other=1', 'query: other'],
      ['/plain?other=1', 'query: other'],
    ] as const) {
      const answer = await app.inject({ url })
      expect(answer.statusCode, url).toBe(400)
      expect(problemSchema.parse(answer.json()).errors?.[0]?.where, url).toBe(where)
    }
  })

  it('answers problems to everything else: no route, other methods, long or broken URLs', async () => {
    const { app } = await open([content])
    for (const [request, status] of [
      [{ url: '/nothing' }, 404],
      [{ method: 'DELETE', url: '/content' }, 404],
      [{ method: 'HEAD', url: '/content' }, 404],
      [{ url: `/content?q=${'x'.repeat(5000)}` }, 414],
      [{ url: '/content/%' }, 400],
    ] as const) {
      const answer = await app.inject(request)
      expect(answer.statusCode, JSON.stringify(request)).toBe(status)
      expect(answer.headers['content-type']).toContain('application/problem+json')
      if (answer.body !== '') problemSchema.parse(answer.json())
    }
  })

  it('checks the Host header on loopback only', async () => {
    const foreign = { url: '/content', headers: { host: 'cairn.example' } }
    expect((await (await open([content])).app.inject(foreign)).statusCode).toBe(421)
    const { app } = await open([content], { host: '0.0.0.0' })
    expect((await app.inject(foreign)).statusCode).toBe(200)
  })
})
