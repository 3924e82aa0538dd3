import { serialize } from 'pg-protocol'
import { CairnError } from '#lib/error.ts'
import { openBackendWalker, type BackendPiece } from './backend-frames.ts'
import { readErrorFields } from './errors.ts'
import { terminateMessage } from './frontend-writes.ts'
import { connectUpstream, type UpstreamFailure, type UpstreamRequest } from './upstream.ts'
import { backend, header_bytes } from './wire.ts'

/** Rows as the target wrote them: text format, null for NULL. */
export type SideRows = readonly (readonly (string | null)[])[]

/**
 * A connection of the gateway's own beside a session: the catalog, an estimate, a role to create. Queries run one after the other, each by the extended protocol
 * (section "Extended Query"): values are bound, never written into the text.
 */
export interface SideQueries extends AsyncDisposable {
  /**
   * Runs one statement and gives its rows. Waits for the queries before it.
   * @param text   one statement, with $1 ... for the values
   * @param values in text format; null for NULL
   * @throws CairnError('target_unavailable') the target refused it or went away; `sqlstateOf` has the code. The target's own words are left out: they quote values
   * @throws CairnError('limit_exceeded') more rows or bytes than the limits allow, or too many queries at once
   */
  query(text: string, values?: readonly (string | null)[]): Promise<SideRows>
  /** False once the connection is gone: every query fails from then on. */
  readonly open: boolean
}

export type SideLimits = {
  /** Rows of one answer. */
  readonly rows_max: number
  /** Bytes of one answer. */
  readonly answer_bytes_max: number
  /** Queries that wait for the ones before them. */
  readonly waiting_max: number
  /** The target ends a statement after this. */
  readonly statement_timeout_ms: number
}

export const side_limits: SideLimits = {
  rows_max: 10_000,
  answer_bytes_max: 8 * 1024 * 1024,
  waiting_max: 64,
  statement_timeout_ms: 5_000,
}

export type SideQueriesResult =
  { readonly ok: true; readonly queries: SideQueries } | ({ readonly ok: false } & UpstreamFailure)

/** How much longer than the target's own limit an answer is waited for, milliseconds. */
const answer_grace_ms = 2_000

const refused = (sqlstate: string): CairnError =>
  new CairnError(
    'target_unavailable',
    `the target refused a query of the gateway itself (SQLSTATE ${sqlstate})`,
    { cause: { sqlstate } },
  )

const gone = (why: string): CairnError =>
  new CairnError('target_unavailable', `a connection of the gateway itself is gone: ${why}`)

/** SQLSTATE of a query that the target refused; empty for every other error. */
export const sqlstateOf = (error: unknown): string => {
  const cause = error instanceof CairnError ? error.cause : undefined
  if (typeof cause !== 'object' || cause === null || !('sqlstate' in cause)) return ''
  return typeof cause.sqlstate === 'string' ? cause.sqlstate : ''
}

/** DataRow: int16 count, then int32 length (-1 for NULL) and bytes. Null when it does not keep to that. */
const readRow = (body: Buffer): (string | null)[] | null => {
  if (body.length < 2) return null
  const row: (string | null)[] = []
  let at = 2
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    if (at + 4 > body.length) return null
    const length = body.readInt32BE(at)
    at += 4
    if (length > body.length - at) return null
    row.push(length < 0 ? null : body.toString('utf8', at, at + length))
    if (length > 0) at += length
  }
  return row
}

/** The query that runs, until its ReadyForQuery. */
type Running = {
  readonly rows: (string | null)[][]
  bytes: number
  failure: CairnError | null
  readonly resolve: (rows: SideRows) => void
  readonly reject: (error: CairnError) => void
  readonly timer: NodeJS.Timeout
}

/**
 * Logs in at the target as the request says, with an empty search path and a limit for statements. The request's signal ends the connection,
 * also later.
 */
export const openSideQueries = async (
  request: UpstreamRequest,
  more: Partial<SideLimits> = {},
): Promise<SideQueriesResult> => {
  const limits = { ...side_limits, ...more }
  const connected = await connectUpstream({
    ...request,
    parameters: new Map([
      ['application_name', 'cairn'],
      ...request.parameters,
      ['client_encoding', 'UTF8'],
    ]),
  })
  if (!connected.ok) return connected
  const { stream } = connected.upstream
  const walker = openBackendWalker()
  let running: Running | null = null
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let ended: CairnError | null = null
  /** A row whose message comes in pieces. */
  let row: Buffer[] = []

  /** Nothing more is asked or awaited. The connection closes as `close` does it. */
  const end = (error: CairnError, close = (): unknown => stream.destroy()): void => {
    ended ??= error
    request.signal.removeEventListener('abort', onAbort)
    close()
    const broken = running
    running = null
    if (broken === null) return
    clearTimeout(broken.timer)
    broken.reject(error)
  }
  const onAbort = (): void => end(gone('it was ended'))

  const overflow = (what: string): CairnError =>
    new CairnError('limit_exceeded', `the answer to a query of the gateway itself has too ${what}`)

  const onRow = (piece: BackendPiece, at: Running): void => {
    at.bytes += piece.end - piece.start
    if (at.bytes > limits.answer_bytes_max) {
      end(overflow(`many bytes (over ${limits.answer_bytes_max})`))
      return
    }
    if (piece.first) row = []
    // A chunk's memory is used again by nobody: pieces may be kept.
    row.push(piece.buffer.subarray(piece.start, piece.end))
    if (!piece.last) return
    const whole = row.length === 1 ? row[0]! : Buffer.concat(row)
    const values = readRow(whole.subarray(header_bytes))
    if (values === null) end(gone('it does not speak PostgreSQL'))
    else if (at.rows.length >= limits.rows_max) end(overflow(`many rows (over ${limits.rows_max})`))
    else at.rows.push(values)
  }

  const onReady = (): void => {
    const done = running
    running = null
    if (done === null) return
    clearTimeout(done.timer)
    if (done.failure === null) done.resolve(done.rows)
    else done.reject(done.failure)
  }

  const take = (piece: BackendPiece): void => {
    if (piece.type === backend.data_row) {
      if (running !== null) onRow(piece, running)
    } else if (piece.type === backend.error) {
      const { code, severity } = readErrorFields(
        piece.buffer,
        piece.start + header_bytes,
        piece.end,
      )
      if (running !== null) running.failure ??= refused(code)
      if (severity === 'FATAL' || severity === 'PANIC') end(refused(code))
    } else if (piece.type === backend.ready) onReady()
    else if (piece.type === backend.copy_in || piece.type === backend.copy_both)
      end(gone('it asks for COPY data'))
  }

  stream.on('data', (chunk: Buffer) => {
    walker.push(chunk)
    for (;;) {
      const piece = ended === null ? walker.next() : null
      if (piece === null) return
      if (piece === 'invalid') end(gone('it does not speak PostgreSQL'))
      else take(piece)
    }
  })
  stream.on('error', () => undefined)
  stream.on('close', () => end(gone('the target closed it')))
  request.signal.addEventListener('abort', onAbort, { once: true })
  if (request.signal.aborted) onAbort()

  const run = (text: string, values: readonly (string | null)[]): Promise<SideRows> =>
    new Promise((resolve, reject) => {
      if (ended !== null) {
        reject(ended)
        return
      }
      const timer = setTimeout(
        () => end(gone('no answer in time')),
        limits.statement_timeout_ms + answer_grace_ms,
      )
      running = { rows: [], bytes: 0, failure: null, resolve, reject, timer }
      stream.write(
        Buffer.concat([
          serialize.parse({ text }),
          serialize.bind({ values: [...values] }),
          serialize.execute(),
          serialize.sync(),
        ]),
      )
    })

  const query: SideQueries['query'] = async (text, values = []) => {
    if (ended !== null) throw ended
    if (waiting >= limits.waiting_max)
      throw new CairnError('limit_exceeded', 'too many queries of the gateway itself wait')
    waiting++
    const before = last
    const { promise, resolve: done } = Promise.withResolvers<void>()
    last = promise
    try {
      await before
      return await run(text, values)
    } finally {
      waiting--
      done()
    }
  }

  try {
    // By statements, not by startup parameters: a pooler in between may not take those.
    await query(
      `select pg_catalog.set_config('search_path', '', false), pg_catalog.set_config('statement_timeout', $1, false)`,
      [String(limits.statement_timeout_ms)],
    )
  } catch (error) {
    end(gone('it was given up'))
    const detail = error instanceof CairnError ? error.message : 'the connection failed'
    return { ok: false, reason: 'target_refused', detail, native: null }
  }
  return {
    ok: true,
    queries: {
      query,
      get open() {
        return ended === null
      },
      [Symbol.asyncDispose]: async () => {
        if (ended !== null) return
        const closed = new Promise<void>((resolve) => void stream.once('close', () => resolve()))
        const timer = setTimeout(() => stream.destroy(), answer_grace_ms)
        end(gone('it was closed'), () => stream.end(terminateMessage))
        await closed
        clearTimeout(timer)
      },
    },
  }
}
