import { z } from 'zod'
import { problemSchema } from './problem-schema.ts'
import type { Access, ResponseSpec, Route } from './route.ts'

/** OpenAPI 3.1 of the routes: made from the very declarations that check input, so that it cannot say something else. */

type Json = { readonly [key: string]: unknown }

const schemaOf = (type: z.ZodType, io: 'input' | 'output'): Json => {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(type, { io, target: 'draft-2020-12' })
  return schema
}

const parameters = (route: Route<never>, place: 'path' | 'query'): readonly Json[] => {
  const shape = place === 'path' ? route.params : route.query
  if (shape === undefined) return []
  const { properties = {}, required = [] } = schemaOf(shape, 'input') as {
    readonly properties?: Readonly<Record<string, Json>>
    readonly required?: readonly string[]
  }
  return Object.entries(properties).map(([name, { description = '', ...schema }]) => ({
    name,
    in: place,
    description,
    required: place === 'path' || required.includes(name),
    schema,
  }))
}

const security = (access: Access): Json =>
  access.kind === 'open' || access.kind === 'self'
    ? { security: [] }
    : {
        security: access.kind === 'loopback' ? [{}, { bearer: [] }] : [{ bearer: [] }],
        'x-roles': access.roles,
      }

const response = (spec: ResponseSpec): Json => ({
  description: spec.description,
  content: {
    [spec.content_type ?? 'application/json']: {
      schema: spec.schema === undefined ? { type: 'string' } : schemaOf(spec.schema, 'output'),
    },
  },
})

const operation = (route: Route<never>): Json => ({
  tags: [route.tag],
  summary: route.summary,
  description:
    route.effect === 'none'
      ? route.description
      : `${route.description} Each call is recorded as an event.`,
  ...security(route.access),
  ...(route.params === undefined && route.query === undefined
    ? {}
    : { parameters: [...parameters(route, 'path'), ...parameters(route, 'query')] }),
  ...(route.form === undefined
    ? {}
    : {
        requestBody: {
          required: true,
          content: {
            'application/x-www-form-urlencoded': { schema: schemaOf(route.form, 'input') },
            ...(route.json === true
              ? { 'application/json': { schema: schemaOf(route.form, 'input') } }
              : {}),
          },
        },
      }),
  responses: {
    ...Object.fromEntries(
      Object.entries(route.responses).map(([status, spec]) => [status, response(spec)]),
    ),
    default: {
      description: 'What went wrong (RFC 9457).',
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  },
})

/** The document for these routes. @param version version of Cairn */
export const openApi = <Deps>(routes: readonly Route<Deps>[], version: string): Json => {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes)
    paths[route.path] = {
      ...paths[route.path],
      [route.method.toLowerCase()]: operation(route),
    }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Cairn',
      version,
      description:
        'Sessions, commands and records of the audit trail. Times are RFC 3339 with microseconds, UTC; session ids are 64 hex digits, a beginning that fits one session only is enough.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths,
    components: {
      schemas: { Problem: schemaOf(problemSchema, 'output') },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: "OIDC token of a configured issuer, or this machine's admin token.",
        },
      },
    },
  }
}
