import { z } from 'zod'
import { defineRoute, type ApiDeps } from '../deps.ts'
import { openApi } from '../openapi.ts'
import type { Route } from '../route.ts'

/** The route that describes the others, itself included. */
export const openApiRoute = (others: readonly Route<ApiDeps>[]): Route<ApiDeps> => {
  const own: Route<ApiDeps> = defineRoute({
    method: 'GET',
    path: '/v1/openapi.json',
    tag: 'operation',
    summary: 'This document',
    description: 'OpenAPI 3.1, made from the declarations of the routes.',
    access: { kind: 'open' },
    effect: 'none',
    responses: {
      200: { description: 'OpenAPI 3.1.', schema: z.record(z.string(), z.unknown()) },
    },
    handle: async (_request, deps) => ({ body: openApi([own, ...others], deps.version) }),
  })
  return own
}
