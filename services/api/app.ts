import Fastify, {
  errorCodes,
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { CairnError } from '#lib/error.ts'
import { ledgerKey } from '#lib/identity/token-ledger.ts'
import { isLoopbackHost } from '#lib/loopback.ts'
import { counter, histogram } from '#lib/metrics.ts'
import { peerAddress } from '#lib/peer-address.ts'
import type { AuditRecorder } from './audit.ts'
import type { Authentication } from './authentication.ts'
import type { Caller } from './caller.ts'
import { problem, problem_content_type, problemOf } from './problem.ts'
import type { AuditNote, Answer, AuditedAnswer, RequestPeer, Route } from './route.ts'

/** Largest body, bytes: a token exchange. */
const body_bytes_max = 64 * 1024
/** Longest URL, bytes. */
const url_bytes_max = 4096
/** All headers of a request, bytes: tokens of up to 16 KiB fit. */
const headers_bytes_max = 32 * 1024
/** A request has to arrive within this, milliseconds. */
const request_timeout_ms = 15_000
/** An answer has to be made within this, milliseconds, unless its route says otherwise. */
const answer_timeout_ms = 30_000
const connection_idle_ms = 65_000
const connections_max = 1000
const user_agent_chars_max = 256

export type AppOptions<Deps> = {
  readonly routes: readonly Route<Deps>[]
  readonly deps: Deps
  readonly audit: Pick<AuditRecorder, 'record'>
  readonly authentication: Authentication
  /** Address the server listens on: on loopback, only loopback names are answered. */
  readonly host: string
  readonly onError: (
    error: unknown,
    request: { readonly method: string; readonly route: string },
  ) => void
}

const security_headers: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

const sendProblem = (reply: FastifyReply, details: ReturnType<typeof problem>): FastifyReply => {
  if (details.status === 401) void reply.header('www-authenticate', 'Bearer realm="cairn"')
  return reply
    .code(details.status)
    .header('content-type', problem_content_type)
    .send(JSON.stringify(details))
}

/**
 * A page in a browser can make a name of its own point to 127.0.0.1 (DNS rebinding) and so reach a server that trusts loopback; the name
 * then stands in the Host header.
 */
const hostIsOurs = (request: FastifyRequest, listening: string): boolean => {
  if (!isLoopbackHost(listening)) return true
  const url = `http://${request.headers.host ?? ''}`
  return URL.canParse(url) && isLoopbackHost(new URL(url).hostname)
}

const peerOf = (request: FastifyRequest): RequestPeer => ({
  address: peerAddress(request.socket.remoteAddress),
  port: request.socket.remotePort ?? 0,
  client_software: (request.headers['user-agent'] ?? '').slice(0, user_agent_chars_max),
})

const requireRole = (caller: Caller, allowed: readonly string[]): void => {
  if (![...caller.roles].some((role) => allowed.includes(role)))
    throw new CairnError(
      'forbidden',
      caller.roles.size === 0
        ? 'this identity has no role in the API; api.roles in the configuration gives roles'
        : `this needs one of the roles ${allowed.join(', ')}`,
    )
}

const authorize = async (
  request: FastifyRequest,
  { access }: Pick<Route<unknown>, 'access'>,
  authentication: Authentication,
): Promise<Caller | undefined> => {
  if (access.kind === 'open' || access.kind === 'self') return undefined
  if (access.kind === 'loopback' && isLoopbackHost(request.socket.remoteAddress ?? ''))
    return undefined
  const caller = await authentication.callerOf(request.headers.authorization)
  requireRole(caller, access.roles)
  return caller
}

class InvalidInput extends Error {
  readonly errors: readonly { readonly where: string; readonly message: string }[]

  constructor(errors: readonly { readonly where: string; readonly message: string }[]) {
    super('invalid input')
    this.errors = errors
  }
}

const parseInput = (
  shape: Route<unknown>['params'],
  place: 'path' | 'query',
  value: unknown,
): unknown => {
  if (shape === undefined) {
    const extra = place === 'query' ? Object.keys(value as object) : []
    if (extra.length > 0)
      throw new InvalidInput(extra.map((name) => ({ where: `query: ${name}`, message: 'unknown' })))
    return undefined
  }
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  throw new InvalidInput(
    parsed.error.issues.flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => ({ where: `${place}: ${key}`, message: 'unknown' }))
        : [{ where: `${place}: ${issue.path.join('.')}`, message: issue.message }],
    ),
  )
}

/** The ledger's records share a partition with what they are about. */
const keyOf = (note: AuditNote): Buffer | undefined => {
  if (note.type !== 'token.revoked') return undefined
  const { run, token, session } = note.body
  return ledgerKey(run, token === '' ? session : token)
}

const record = (
  audit: Pick<AuditRecorder, 'record'>,
  note: AuditNote,
  peer: RequestPeer,
): Promise<void> => {
  const { actor, pipeline, target } = note
  const context = { actor, pipeline, target, peer: { ...peer, tls: '', fingerprint: '' } }
  return audit.record<AuditNote['type']>(note.type, context, note.body, keyOf(note))
}

/** Bodies as they came. */
const raw_bodies = new WeakMap<FastifyRequest, string>()

/** A JSON object of texts, as the fields of a form. */
const readJson = (text: string): URLSearchParams => {
  let fields: unknown
  try {
    fields = JSON.parse(text)
  } catch {
    fields = undefined
  }
  const entries = typeof fields === 'object' && fields !== null ? Object.entries(fields) : undefined
  if (entries?.every((entry): entry is [string, string] => typeof entry[1] === 'string') !== true)
    throw new CairnError('unusable_input', 'the body is no JSON object whose values are texts')
  return new URLSearchParams(entries)
}

const isJson = (request: FastifyRequest): boolean =>
  (request.headers['content-type'] ?? '').startsWith('application/json')

const bodyOf = (route: Pick<Route<unknown>, 'json'>, request: FastifyRequest): unknown => {
  if (route.json !== true && isJson(request))
    throw new errorCodes.FST_ERR_CTP_INVALID_MEDIA_TYPE('application/json')
  return request.body
}

/** Answers a request: access, input, the handler, and what is audited is durable before the answer goes out. */
const answerRequest = async <Deps>(
  route: Route<Deps>,
  request: FastifyRequest,
  options: AppOptions<Deps>,
): Promise<Answer> => {
  const peer = peerOf(request)
  const caller = await authorize(request, route, options.authentication)
  const answer: Answer | AuditedAnswer = await route.handle(
    {
      params: parseInput(route.params, 'path', request.params),
      query: parseInput(route.query, 'query', request.query),
      body: bodyOf(route, request),
      raw: raw_bodies.get(request) ?? '',
      header: (name) => {
        const value = request.headers[name]
        return typeof value === 'string' ? value : undefined
      },
      peer,
      caller,
      signal: request.signal,
    },
    options.deps,
  )
  if (route.effect !== 'none') {
    if (!('audit' in answer))
      throw new TypeError(`${route.path} answers content without an audit note`)
    if (answer.audit !== null) await record(options.audit, answer.audit, peer)
  }
  return answer
}

const send = (reply: FastifyReply, answer: Answer): FastifyReply => {
  for (const [name, value] of Object.entries(answer.headers ?? {})) void reply.header(name, value)
  if (typeof answer.body === 'string') return reply.code(answer.status ?? 200).send(answer.body)
  if (answer.headers?.['content-type'] === undefined)
    void reply.header('content-type', 'application/json; charset=utf-8')
  return reply.code(answer.status ?? 200).send(JSON.stringify(answer.body))
}

/** The API as a Fastify plugin: routes, errors, headers; it does not listen. */
export const apiPlugin =
  <Deps>(options: AppOptions<Deps>): FastifyPluginAsync =>
  async (app) => {
    const answers = counter({
      name: 'api_requests_total',
      help: 'Answered requests, by route and status.',
      labels: ['route', 'status'],
    })
    const seconds = histogram({
      name: 'api_request_seconds',
      help: 'Time to answer, by route.',
      labels: ['route'],
      buckets: [0.005, 0.025, 0.1, 0.5, 1, 5, 30],
    })
    const routeOf = (request: FastifyRequest): string => request.routeOptions.url ?? 'none'

    app.addHook('onRequest', async (request, reply) => {
      void reply.headers(security_headers)
      if (!hostIsOurs(request, options.host))
        return sendProblem(
          reply,
          problem(
            421,
            'forbidden',
            'this API listens on loopback and answers to loopback names only',
          ),
        )
      if (request.url.length > url_bytes_max)
        return sendProblem(reply, problem(414, 'unusable_input', 'the URL is too long'))
      return undefined
    })
    app.addHook('onResponse', async (request, reply) => {
      answers.inc({ route: routeOf(request), status: String(reply.statusCode) })
      seconds.observe({ route: routeOf(request) }, reply.elapsedTime / 1000)
    })
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      'application/x-www-form-urlencoded',
      { parseAs: 'string' },
      async (request: FastifyRequest, body: string | Buffer) => {
        raw_bodies.set(request, body.toString())
        return new URLSearchParams(body.toString())
      },
    )
    app.addContentTypeParser(
      'application/json',
      { parseAs: 'string' },
      async (request: FastifyRequest, body: string | Buffer) => {
        raw_bodies.set(request, body.toString())
        return readJson(body.toString())
      },
    )
    app.setNotFoundHandler((request, reply) =>
      sendProblem(
        reply,
        problem(404, 'not_found', `no ${request.method} here; /v1/openapi.json lists the routes`),
      ),
    )
    app.setErrorHandler((error, request, reply) => {
      if (error instanceof InvalidInput)
        return sendProblem(
          reply,
          problem(400, 'unusable_input', 'the request is not as the route wants it', {
            errors: error.errors,
          }),
        )
      const { problem: details, internal } = problemOf(error)
      if (internal) options.onError(error, { method: request.method, route: routeOf(request) })
      return sendProblem(reply, details)
    })
    for (const route of options.routes)
      app.route({
        method: route.method,
        url: route.path.replaceAll(/\{(\w+)\}/g, ':$1'),
        handlerTimeout: route.timeout_ms ?? answer_timeout_ms,
        handler: async (request, reply) =>
          send(reply, await answerRequest(route, request, options)),
      })
  }

/** A Fastify instance fit for the plugin: limits and timeouts; still it does not listen. */
export const openApp = async <Deps>(options: AppOptions<Deps>): Promise<FastifyInstance> => {
  const app = Fastify({
    logger: false,
    bodyLimit: body_bytes_max,
    requestTimeout: request_timeout_ms,
    keepAliveTimeout: connection_idle_ms,
    handlerTimeout: answer_timeout_ms,
    exposeHeadRoutes: false,
    // Connections of clients that keep polling end with the service.
    forceCloseConnections: true,
    return503OnClosing: true,
    http: { maxHeaderSize: headers_bytes_max },
    routerOptions: { maxParamLength: 256 },
    frameworkErrors: (error, _request, reply) => {
      void sendProblem(reply, problemOf(error).problem)
    },
    clientErrorHandler: (_error, socket) => {
      if (!socket.writable) {
        socket.destroy()
        return
      }
      const body = JSON.stringify(problem(400, 'unusable_input', 'the request cannot be read'))
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: ${problem_content_type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
      )
    },
  })
  app.server.maxConnections = connections_max
  await app.register(apiPlugin(options))
  await app.ready()
  return app
}
