import type { z } from 'zod'
import type { Actor, EventBodies, Pipeline, Target } from '#core/events/types.ts'
import type { Caller, Role } from './caller.ts'

/** Who may call a route. */
export type Access =
  /** Anyone who reaches the port: nothing of the trail is in the answer. */
  | { readonly kind: 'open' }
  /** Anyone on this machine; from elsewhere, these roles. */
  | { readonly kind: 'loopback'; readonly roles: readonly Role[] }
  /** A bearer token with one of these roles. */
  | { readonly kind: 'roles'; readonly roles: readonly Role[] }
  /** The request itself carries what proves who asks (token exchange). */
  | { readonly kind: 'self' }

type AuditType =
  | 'evidence.viewed'
  | 'admin.changed'
  | 'session.refused'
  | 'token.revoked'
  | 'approval.decided'
  | 'approval.rejected'

/** What is recorded about a request before its answer goes out. */
export type AuditNote = {
  [T in AuditType]: {
    readonly type: T
    readonly body: EventBodies[T]
    readonly actor: Actor | null
    readonly pipeline: Pipeline | null
    readonly target: Target | null
  }
}[AuditType]

/** Where a request comes from, as far as it is recorded. */
export type RequestPeer = {
  readonly address: string
  readonly port: number
  /** User-Agent, cut; not trusted. */
  readonly client_software: string
}

export type Answer = {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** An object is sent as JSON, a string as it is (with a content-type header). */
  readonly body: object | string
}

/** An answer that changes something or holds content. `audit` null: this one disclosed nothing (an empty page of a follower). */
export type AuditedAnswer = Answer & { readonly audit: AuditNote | null }

type Shape = z.ZodObject | undefined
type Parsed<S extends Shape> = S extends z.ZodObject ? z.output<S> : undefined

export type RouteRequest<Params extends Shape, Query extends Shape, A extends Access> = {
  readonly params: Parsed<Params>
  readonly query: Parsed<Query>
  readonly body: unknown
  /** The body as it came, for what is signed over it. */
  readonly raw: string
  /** A header of the request; undefined when it is not there or there twice. */
  readonly header: (name: string) => string | undefined
  readonly peer: RequestPeer
  readonly caller: A extends { readonly kind: 'roles' } ? Caller : undefined
  /** Aborted when the client goes away, the answer takes too long, or the service stops. */
  readonly signal: AbortSignal
}

export type ResponseSpec = {
  readonly description: string
  readonly content_type?: string
  /** Shape of a JSON answer. */
  readonly schema?: z.ZodType
}

type Common<Deps, Params extends Shape, Query extends Shape, A extends Access> = {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** OpenAPI's form: `/v1/sessions/{id}`. */
  readonly path: string
  readonly tag: string
  readonly summary: string
  readonly description: string
  readonly access: A
  readonly params?: Params
  readonly query?: Query
  /** Fields of a form body (application/x-www-form-urlencoded), for the documentation: the handler gets URLSearchParams. */
  readonly form?: z.ZodObject
  /** The fields may also come as a JSON object of texts: the handler gets URLSearchParams all the same. */
  readonly json?: boolean
  readonly responses: Readonly<Record<number, ResponseSpec>>
  /** How long an answer may take, milliseconds (default: the API's). */
  readonly timeout_ms?: number
  readonly handle: (request: RouteRequest<Params, Query, A>, deps: Deps) => Promise<Answer>
}

/**
 * What a route does with the trail. `content` reads what was said or answered in sessions, `mutates` changes something: both
 * are audited, and the answer's type forces the handler to say what is recorded. `none` answers nothing of that kind.
 */
type Effect<Deps, Params extends Shape, Query extends Shape, A extends Access> =
  | { readonly effect: 'none' }
  | {
      readonly effect: 'content' | 'mutates'
      readonly handle: (
        request: RouteRequest<Params, Query, A>,
        deps: Deps,
      ) => Promise<AuditedAnswer>
    }

export type RouteSpec<
  Deps,
  Params extends Shape = Shape,
  Query extends Shape = Shape,
  A extends Access = Access,
> = Common<Deps, Params, Query, A> & Effect<Deps, Params, Query, A>

/** A route as the application sees it: input types forgotten, shapes kept. */
export type Route<Deps> = Omit<Common<Deps, Shape, Shape, Access>, 'handle'> & {
  readonly effect: 'none' | 'content' | 'mutates'
  readonly handle: (
    request: {
      readonly params: unknown
      readonly query: unknown
      readonly body: unknown
      readonly raw: string
      readonly header: (name: string) => string | undefined
      readonly peer: RequestPeer
      readonly caller: Caller | undefined
      readonly signal: AbortSignal
    },
    deps: Deps,
  ) => Promise<Answer | AuditedAnswer>
}

/**
 * Makes `defineRoute` for the dependencies that handlers get. A route's declaration is its documentation (OpenAPI), its input
 * check, its access rule and its audit rule; it is listed in routes/registry.ts.
 */
export const routeDefiner =
  <Deps>() =>
  <const A extends Access, Params extends Shape = undefined, Query extends Shape = undefined>(
    spec: RouteSpec<Deps, Params, Query, A>,
  ): Route<Deps> =>
    // The application parses params and query by the very shapes that gave the handler its types.
    spec as unknown as Route<Deps>
