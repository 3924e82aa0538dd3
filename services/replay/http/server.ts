import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CairnError } from '#lib/error.ts'
import type { EmbeddedClickHouse } from '#lib/clickhouse/embedded.ts'
import type { Logger } from '#lib/logger.ts'
import { isLoopbackHost } from '#lib/loopback.ts'
import { isForeignPage, isReader } from './account.ts'
import { readBody } from './body.ts'
import { forRevision, gzipped, written } from './chunks.ts'
import { authenticationFailed, failureOf, tooManyQueries, type HttpFailure } from './failure.ts'
import { contentType } from './formats.ts'
import { openQueryGate, type AdmittedQuery } from './query-gate.ts'
import { openQueue } from './queue.ts'
import { query_limits, queryParams, querySettings } from './settings.ts'

export type HttpOptions = {
  readonly clickhouse: EmbeddedClickHouse
  readonly host: string
  /** 0 means any free one. */
  readonly port: number
  /** Asked of the reader when it is not null. */
  readonly password: string | null
  readonly logger: Logger
  /** Queries that run at a time; as many more may wait. */
  readonly queries_max: number
}

export interface HttpInterface extends AsyncDisposable {
  readonly port: number
}

const format_default = 'TabSeparated'
/** A client that sends its query slower than this is let go. */
const request_timeout_ms = 30_000
const connections_max = 256

const sendFailure = (response: ServerResponse, { status, code, text }: HttpFailure): void => {
  if (response.headersSent) {
    // Part of the answer is out: say it, and break the transfer off, so that nobody takes it for whole.
    response.write(text)
    response.socket?.destroySoon()
    return
  }
  response.writeHead(status, {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': String(code),
  })
  response.end(response.req.method === 'HEAD' ? undefined : text)
}

const summary = (begun: number): string => {
  const zero = '0'
  return JSON.stringify({
    read_rows: zero,
    read_bytes: zero,
    written_rows: zero,
    written_bytes: zero,
    total_rows_to_read: zero,
    result_rows: zero,
    result_bytes: zero,
    elapsed_ns: String(Math.round((performance.now() - begun) * 1e6)),
  })
}

const queryOf = (params: URLSearchParams, body: string): string => {
  const stated = params.get('query') ?? ''
  // ClickHouse takes a statement whose first part is in the address and whose rest is in the body.
  return body === '' || stated === '' ? stated + body : `${stated}\n${body}`
}

const checkDatabase = (params: URLSearchParams, database: string): void => {
  const wanted = params.get('database') ?? ''
  if (wanted !== '' && wanted !== 'default' && wanted !== database)
    throw new CairnError('forbidden', `database ${wanted.slice(0, 100)} is not open to readers`)
}

type Answer = {
  readonly query: AdmittedQuery
  readonly format: string
  readonly id: string
  readonly gzip: boolean
  readonly begun: number
}

/** The first chunk is waited for before the head goes out: most errors come before it. */
const sendAnswer = async (
  response: ServerResponse,
  chunks: AsyncIterator<Uint8Array>,
  answer: Answer,
): Promise<void> => {
  let next = await chunks.next()
  response.writeHead(200, {
    'content-type': contentType(answer.format),
    'x-clickhouse-format': answer.format,
    'x-clickhouse-query-id': answer.id,
    'x-clickhouse-server-display-name': 'cairn',
    'x-clickhouse-timezone': 'UTC',
    'x-clickhouse-summary': summary(answer.begun),
    ...(answer.gzip ? { 'content-encoding': 'gzip' } : {}),
  })
  let bytes = 0
  while (next.done !== true) {
    bytes += next.value.length
    if (bytes > query_limits.result_bytes_max)
      throw new CairnError('limit_exceeded', 'the answer is larger than readers may have')
    await written(response, next.value)
    if (response.destroyed) return
    next = await chunks.next()
  }
  response.end()
}

const wantsGzip = (request: IncomingMessage, params: URLSearchParams): boolean =>
  ['1', 'true'].includes(params.get('enable_http_compression') ?? '') &&
  /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')

/**
 * ClickHouse's HTTP interface on the embedded engine, for one account that can only read: GET, POST and HEAD on `/` with the query in the
 * address or the body, `/ping`, `/replicas_status`, parameters, formats, gzip, errors as ClickHouse answers them
 * (https://clickhouse.com/docs/interfaces/http). Sessions, uploads and native compression are not offered.
 * Throws what `listen` throws.
 */
export const openHttpInterface = async (options: HttpOptions): Promise<HttpInterface> => {
  const { clickhouse, logger, password } = options
  const admit = await openQueryGate(clickhouse)
  const queue = openQueue(options.queries_max)
  const loopback_only = isLoopbackHost(options.host)
  const running = new Set<Promise<void>>()

  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
    params: URLSearchParams,
    signal: AbortSignal,
  ): Promise<void> => {
    const begun = performance.now()
    checkDatabase(params, clickhouse.database)
    if (['1', 'true'].includes(params.get('compress') ?? params.get('decompress') ?? ''))
      throw new CairnError('unusable_input', 'native compression is not offered; use gzip')
    const settings = querySettings(params)
    const values = queryParams(params)
    const body = request.method === 'POST' ? await readBody(request) : ''
    const sql = queryOf(params, body)
    if (sql.trim() === '') {
      response.writeHead(200, { 'content-type': 'text/html; charset=UTF-8' })
      response.end('Ok.\n')
      return
    }
    using turn = await queue(signal)
    if (turn === null) return sendFailure(response, tooManyQueries())
    const query = await admit(sql)
    const format = query.format ?? params.get('default_format') ?? format_default
    if (!/^[A-Za-z0-9]{1,64}$/.test(format))
      throw new CairnError('unusable_input', 'a format with a name that is none')
    const id = randomUUID()
    const gzip = wantsGzip(request, params)
    const revision = format === 'Native' ? Number(params.get('client_protocol_version') ?? 0) : 0
    const engine_chunks = clickhouse.readOnly({
      sql: query.sql,
      format,
      settings,
      params: values,
      signal,
      id,
    })
    const chunks = revision > 0 ? forRevision(engine_chunks, revision) : engine_chunks
    const sent = (gzip ? gzipped(chunks) : chunks)[Symbol.asyncIterator]()
    try {
      await sendAnswer(response, sent, { query, format, id, gzip, begun })
    } finally {
      await sent.return?.()
    }
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = URL.parse(request.url ?? '/', 'http://localhost')
    if (url === null) return void response.writeHead(400).end()
    if (isForeignPage(request, loopback_only))
      return void response.writeHead(403).end('not for pages of other sites\n')
    if (request.method !== 'GET' && request.method !== 'POST' && request.method !== 'HEAD')
      return void response.writeHead(405, { allow: 'GET, HEAD, POST' }).end()
    if (url.pathname === '/ping' || url.pathname === '/replicas_status')
      return void response.writeHead(200, { 'content-type': 'text/plain' }).end('Ok.\n')
    if (url.pathname !== '/') return void response.writeHead(404).end('There is no such path.\n')
    if (!isReader(request, url.searchParams, password))
      return sendFailure(response, authenticationFailed())
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      await answer(request, response, url.searchParams, gone.signal)
    } catch (error) {
      if (gone.signal.aborted) return
      logger.debug({ err: error }, 'a query failed')
      sendFailure(response, failureOf(error))
    }
  }

  const server = createServer(
    { requestTimeout: request_timeout_ms, headersTimeout: 10_000, maxHeaderSize: 512 * 1024 },
    (request, response) => {
      response.on('error', () => undefined)
      const work = handle(request, response).catch((error: unknown) => {
        logger.error({ err: error }, 'the HTTP interface failed')
        response.destroy()
      })
      running.add(work)
      void work.then(() => running.delete(work))
    },
  )
  server.maxConnections = connections_max
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, () => resolve())
  })
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
      await Promise.all(running)
    },
  }
}
