import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secretOf } from '#lib/config/secret.ts'
import {
  openSideQueries,
  sqlstateOf,
  type SideLimits,
  type SideQueries,
} from '../../../services/gateway/protocols/postgres/side-queries.ts'
import type { UpstreamRequest } from '../../../services/gateway/protocols/postgres/upstream.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

let postgres: TestPostgres

beforeAll(async () => {
  postgres = await startPostgres()
})

afterAll(() => postgres?.stop())

const request = (more: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  host: postgres.host,
  port: postgres.port,
  tls: null,
  user: postgres.user,
  password: secretOf(postgres.password),
  database: postgres.database,
  parameters: new Map(),
  timeout_ms: 5000,
  signal: new AbortController().signal,
  ...more,
})

const open = async (
  limits: Partial<SideLimits> = {},
  more: Partial<UpstreamRequest> = {},
): Promise<SideQueries> => {
  const opened = await openSideQueries(request(more), limits)
  if (!opened.ok) throw new Error(opened.detail)
  return opened.queries
}

const failure = async (run: Promise<unknown>): Promise<unknown> => {
  try {
    await run
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

describe('side queries', () => {
  it('bind values and give rows as text, NULL as null', async () => {
    await using queries = await open()
    const quoted = `it's "so" \\ $1`
    expect(await queries.query('select $1::text, $2::int + 1, null, true', [quoted, '41'])).toEqual(
      [[quoted, '42', null, 't']],
    )
    expect(await queries.query(`select '' || $1`, [null])).toEqual([[null]])
    expect(await queries.query('create temp table made (x int)')).toEqual([])
  })

  it('begin with an empty search path, so that names mean what pg_catalog says', async () => {
    await using queries = await open()
    expect(await queries.query('show search_path')).toEqual([['']])
    expect(await queries.query('show statement_timeout')).toEqual([['5s']])
  })

  it('run one after the other in the order they were asked', async () => {
    await using queries = await open()
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => queries.query('select $1::int', [String(index)])),
    )
    expect(answers.map(([row]) => row?.[0])).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
  })

  it('rows larger than a chunk of the network come whole', async () => {
    await using queries = await open()
    const rows = await queries.query(
      `select repeat(i::text, 300000) from generate_series(1, 5) i union all select ''`,
    )
    expect(rows.map(([text]) => text?.length)).toEqual([300000, 300000, 300000, 300000, 300000, 0])
  })

  it('a refusal tells the SQLSTATE and no value, and the connection goes on', async () => {
    await using queries = await open()
    const error = await failure(queries.query(`select $1::int`, ['planted-value']))
    expect(sqlstateOf(error)).toBe('22P02')
    expect(String(error)).not.toContain('planted')
    expect(await queries.query('select 1')).toEqual([['1']])
    expect(sqlstateOf(new Error('another'))).toBe('')
  })

  it('a statement that takes too long is ended by the target', async () => {
    await using queries = await open({ statement_timeout_ms: 50 })
    expect(sqlstateOf(await failure(queries.query('select pg_sleep(60)')))).toBe('57014')
  })

  it('too many rows, too many bytes and too many waiting are errors, never a longer list', async () => {
    const rows = await open({ rows_max: 10 })
    expect(await rows.query('select generate_series(1, 10)')).toHaveLength(10)
    expect(await failure(rows.query('select generate_series(1, 11)'))).toMatchObject({
      code: 'limit_exceeded',
    })
    expect(rows.open).toBe(false)
    const bytes = await open({ answer_bytes_max: 1000 })
    expect(await failure(bytes.query(`select repeat('x', 2000)`))).toMatchObject({
      code: 'limit_exceeded',
    })
    await using waiting = await open({ waiting_max: 1 })
    const first = waiting.query('select 1')
    expect(await failure(waiting.query('select 2'))).toMatchObject({ code: 'limit_exceeded' })
    expect(await first).toEqual([['1']])
  })

  it('fail when the target ends the connection or the request is aborted', async () => {
    const queries = await open()
    await using other = await open()
    const [[pid] = []] = await queries.query('select pg_backend_pid()')
    await other.query('select pg_terminate_backend($1::int)', [pid ?? null])
    expect(await failure(queries.query('select 1'))).toMatchObject({ code: 'target_unavailable' })
    expect(queries.open).toBe(false)
    const abort = new AbortController()
    const aborted = await open({}, { signal: abort.signal })
    const running = failure(aborted.query('select pg_sleep(60)'))
    abort.abort()
    expect(await running).toMatchObject({ code: 'target_unavailable' })
  })

  it('a target that does not let the gateway in is told as for a session', async () => {
    expect(await openSideQueries(request({ password: secretOf('wrong') }))).toMatchObject({
      ok: false,
      reason: 'target_authentication_failed',
    })
  })
})
