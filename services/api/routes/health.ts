import { z } from 'zod'
import { metrics_content_type } from '#lib/metrics.ts'
import { defineRoute } from '../deps.ts'

export const healthz = defineRoute({
  method: 'GET',
  path: '/healthz',
  tag: 'operation',
  summary: 'Whether the process runs',
  description: 'Answers as long as the process does; asks nothing else.',
  access: { kind: 'open' },
  effect: 'none',
  responses: {
    200: { description: 'It runs.', schema: z.strictObject({ status: z.literal('ok') }) },
  },
  handle: async () => ({ body: { status: 'ok' } }),
})

const readiness = z.strictObject({
  ready: z.boolean(),
  checks: z.strictObject({
    log: z.enum(['ok', 'failed']),
    clickhouse: z.enum(['ok', 'failed']),
    replay: z.strictObject({
      lag_records: z
        .number()
        .nullable()
        .describe('Records in the log that the tables do not have yet; null if not known.'),
    }),
  }),
})

export const readyz = defineRoute({
  method: 'GET',
  path: '/readyz',
  tag: 'operation',
  summary: 'Whether it can do its work',
  description:
    'Asks the log and ClickHouse, and how far the tables are behind the log. 503 while one of them does not answer.',
  access: { kind: 'open' },
  effect: 'none',
  responses: {
    200: { description: 'Ready.', schema: readiness },
    503: { description: 'Not ready; the same body says why.', schema: readiness },
  },
  handle: async (_request, deps) => {
    const state = await deps.readiness()
    return { status: state.ready ? 200 : 503, body: state }
  },
})

export const metrics = defineRoute({
  method: 'GET',
  path: '/metrics',
  tag: 'operation',
  summary: 'Metrics for Prometheus',
  description:
    'Metrics of all processes of this machine, and the state of the pipeline: lag of each consumer group, sessions and commands in the tables. Open on the machine itself.',
  access: { kind: 'loopback', roles: ['admin', 'analyst', 'auditor'] },
  effect: 'none',
  responses: {
    200: { description: 'Text exposition format 0.0.4.', content_type: 'text/plain' },
  },
  handle: async (_request, deps) => ({
    headers: { 'content-type': metrics_content_type },
    body: await deps.metrics(),
  }),
})
