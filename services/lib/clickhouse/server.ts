import { Readable } from 'node:stream'
import { ClickHouseLogLevel, createClient, type ClickHouseClient } from '@clickhouse/client'
import { clientQueries } from './client-queries.ts'
import { clickHouseError } from './failure.ts'
import { identifier } from './identifier.ts'
import { insertStatement } from './insert-statement.ts'
import type { ClickHouse, ClickHouseReader, QueryParams } from './port.ts'

/** How a server is reached. */
export type ServerOptions = {
  /** http:// or https:// URL, without credentials. */
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database: string
  /** Bound of one request, milliseconds. */
  readonly request_timeout_ms?: number
  readonly connections_max?: number
}

const request_timeout_default_ms = 60_000
const connections_default = 10

const open = (options: ServerOptions, database: string): ClickHouseClient =>
  createClient({
    url: options.url,
    username: options.user,
    password: options.password,
    database,
    request_timeout: options.request_timeout_ms ?? request_timeout_default_ms,
    max_open_connections: options.connections_max ?? connections_default,
    application: 'cairn',
    // Errors are thrown to the caller, who says them once.
    log: { level: ClickHouseLogLevel.OFF },
    clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
  })

const readerOf = (client: ClickHouseClient, database: string): ClickHouseReader => ({
  database,
  query: clientQueries(client).query,
  stream: async function* <Row>(sql: string, params: QueryParams = {}): AsyncGenerator<Row> {
    try {
      const result = await client.query({
        query: sql,
        query_params: { ...params },
        format: 'JSONEachRow',
      })
      for await (const rows of result.stream()) for (const row of rows) yield row.json<Row>()
    } catch (error) {
      throw clickHouseError(error)
    }
  },
  [Symbol.asyncDispose]: () => client.close(),
})

/** Reads a ClickHouse server, or the HTTP interface of another process's embedded engine. Connects with the first query. */
export const openServerReader = (options: ServerOptions): ClickHouseReader =>
  readerOf(open(options, options.database), options.database)

/** A ClickHouse server over HTTP. Connects with the first call, which also makes the database where it is missing. */
export const openServerClickHouse = (options: ServerOptions): ClickHouse => {
  const client = open(options, options.database)
  const reader = readerOf(client, options.database)
  const queries = clientQueries(client)
  let prepared: Promise<void> | undefined

  const prepare = (): Promise<void> => {
    prepared ??= (async () => {
      // A request is refused when its default database does not exist: this one is made from the database that always does.
      const first = open(options, 'default')
      try {
        const name = identifier(options.database)
        await clientQueries(first).command(`CREATE DATABASE IF NOT EXISTS ${name}`)
      } finally {
        await first.close()
      }
    })().catch((error: unknown) => {
      prepared = undefined
      throw error
    })
    return prepared
  }

  return {
    ...reader,
    query: async (sql, params) => {
      await prepare()
      return queries.query(sql, params)
    },
    command: async (sql, params) => {
      await prepare()
      await queries.command(sql, params)
    },
    insert: async (insert) => {
      const query = insertStatement(options.database, insert)
      await prepare()
      try {
        const { stream } = await client.exec({ query, values: Readable.from([insert.data]) })
        // The connection goes back to the pool when its answer has been read.
        for await (const part of stream) void part
      } catch (error) {
        throw clickHouseError(error, true)
      }
    },
  }
}
