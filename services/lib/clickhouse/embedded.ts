import { join, resolve } from 'node:path'
import { createClient } from '@clickhouse/client'
import { drainPending, Session, type ChdbQueryStream } from 'chdb'
import { createChdbConnection } from 'chdb/connection'
import { CairnError } from '#lib/error.ts'
import { clientQueries } from './client-queries.ts'
import { writeEngineConfig } from './embedded-config.ts'
import { clickHouseError } from './failure.ts'
import { identifier, stringLiteral } from './identifier.ts'
import { checkInsert, insertSettings } from './insert-statement.ts'
import type { ClickHouse, QueryParams } from './port.ts'

/**
 * chDB, the ClickHouse engine in this process; nothing else imports it. One process owns a data folder and opens one folder in its life,
 * on its main thread. Statements run on libuv's threads: give the process `UV_THREADPOOL_SIZE=16`.
 */
export type EmbeddedOptions = {
  /** Folder of the engine: its configuration and its data. */
  readonly folder: string
  readonly database: string
  readonly memory_bytes_max: number
}

/** A query of somebody else: one statement that was checked before, and what it may cost. */
export type ReadOnlyQuery = {
  readonly sql: string
  /** Output format for a statement without a FORMAT clause. */
  readonly format: string
  /** Settings of the engine, by name; the caller has checked the names. */
  readonly settings: Readonly<Record<string, string | number>>
  /** Values of `{name:Type}` placeholders as ClickHouse's HTTP interface takes them. */
  readonly params: Readonly<Record<string, string>>
  /** Ends the query in the engine too. */
  readonly signal: AbortSignal
  /** Unique among the queries that run. */
  readonly id: string
}

export interface EmbeddedClickHouse extends ClickHouse {
  /**
   * Runs a query on a connection of its own that can neither write nor change a setting (`readonly = 1`), and gives the answer's bytes as
   * they come. Nothing of the connection outlives the query. Throws CairnError as `query`.
   */
  readOnly(query: ReadOnlyQuery): AsyncIterable<Uint8Array>
}

type ClientConnection = NonNullable<Parameters<typeof createClient>[0]>['connection'] & {}

/** Connections that insert side by side. */
const writers_max = 2

/** The engine's own pools are made for large servers; on one machine it shares two cores with everything else. */
const engineArguments = (config: string, memory_bytes_max: number): readonly string[] => [
  `--config-file=${config}`,
  `--max_server_memory_usage=${memory_bytes_max}`,
  '--mark_cache_size=67108864',
  '--async_load_databases=0',
  '--background_pool_size=2',
  '--background_schedule_pool_size=4',
]

type Pool = {
  readonly run: <T>(work: (session: Session) => Promise<T>) => Promise<T>
  readonly close: () => Promise<void>
}

/** Gives each session to one piece of work at a time, first come, first served. */
const openPool = (sessions: readonly Session[]): Pool => {
  const idle = [...sessions]
  const waiting: ((session: Session) => void)[] = []
  const running = new Set<Promise<unknown>>()
  const run = async <T>(work: (session: Session) => Promise<T>): Promise<T> => {
    const session =
      idle.pop() ?? (await new Promise<Session>((resolve) => void waiting.push(resolve)))
    try {
      return await work(session)
    } finally {
      const next = waiting.shift()
      if (next === undefined) idle.push(session)
      else next(session)
    }
  }
  return {
    run: (work) => {
      const running_work = run(work)
      const settled = running_work.then(
        () => undefined,
        () => undefined,
      )
      running.add(settled)
      void settled.then(() => running.delete(settled))
      return running_work
    },
    close: async () => {
      await Promise.all(running)
      for (const session of sessions) session.close()
    },
  }
}

const rawChunks = async function* (stream: ChdbQueryStream): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield chunk.raw()
}

/** The engine streams selects only; what describes tables is small and comes whole. */
const answerOf = async function* (
  session: Session,
  { sql, format }: ReadOnlyQuery,
): AsyncGenerator<Uint8Array> {
  if (/^(SELECT|WITH)\b/.test(sql)) yield* rawChunks(session.queryStream(sql, { format }))
  else yield (await session.queryAsync(sql, { format })).bytes()
}

const settingsStatement = (query: ReadOnlyQuery): string => {
  const assignments = Object.entries(query.settings).map(
    ([name, value]) => `${identifier(name)} = ${stringLiteral(String(value))}`,
  )
  for (const [name, value] of Object.entries(query.params))
    assignments.push(`param_${identifier(name)} = ${stringLiteral(value)}`)
  // Last, because nothing can be set behind it: not here, not by the query.
  return `SET ${[...assignments, `log_comment = ${stringLiteral(query.id)}`, 'readonly = 1'].join(', ')}`
}

/**
 * Opens the engine and makes the database where it is missing.
 * Throws CairnError('store_unavailable') when another process has the folder, or the engine cannot start.
 */
export const openEmbeddedClickHouse = async (
  options: EmbeddedOptions,
): Promise<EmbeddedClickHouse> => {
  const folder = resolve(options.folder)
  const database = identifier(options.database)
  const config = await writeEngineConfig(folder, database)
  const path = join(folder, 'data')
  const connect = async (): Promise<Session> => {
    const session = new Session(path)
    await session.queryAsync(`USE ${database}`)
    return session
  }

  let root: Session
  try {
    // The first session starts the engine: memory and grants are settled here for all that follow.
    root = new Session(path, {
      connectionArgs: [...engineArguments(config, options.memory_bytes_max)],
    })
  } catch (error) {
    throw new CairnError(
      'store_unavailable',
      `the ClickHouse engine cannot open ${path}: another process may have it open`,
      { cause: error },
    )
  }
  await root.queryAsync(`CREATE DATABASE IF NOT EXISTS ${database} ENGINE = Atomic`)
  const client = createClient({
    // chDB's types were made without exactOptionalPropertyTypes; the values agree.
    connection: createChdbConnection({ path }) as unknown as ClientConnection,
  })
  const queries = clientQueries(client)
  await queries.command(`USE ${database}`)
  const writers = openPool(await Promise.all(Array.from({ length: writers_max }, connect)))
  const streams = new Set<Promise<void>>()

  const kill = async (id: string): Promise<void> => {
    await root.queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${stringLiteral(id)} ASYNC`)
  }

  /** Runs `begin` on a session of its own, which is closed behind the last chunk. */
  const streamed = async function* (
    session: Session,
    begin: () => AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const ended = Promise.withResolvers<void>()
    streams.add(ended.promise)
    try {
      yield* begin()
    } catch (error) {
      throw clickHouseError(error)
    } finally {
      session.close()
      streams.delete(ended.promise)
      ended.resolve()
    }
  }

  return {
    database,
    query: queries.query,
    command: queries.command,
    insert: (insert) =>
      writers.run(async (session) => {
        checkInsert(insert)
        try {
          await session.insert({
            table: `${database}.${identifier(insert.table)}`,
            columns: insert.columns,
            values: insert.data,
            format: 'TabSeparated',
            settings: { ...insertSettings(insert) },
          })
        } catch (error) {
          throw clickHouseError(error, true)
        }
      }),
    stream: async function* <Row>(sql: string, params: QueryParams = {}): AsyncGenerator<Row> {
      const session = await connect()
      const decoder = new TextDecoder()
      const chunks = streamed(session, () =>
        rawChunks(
          Object.keys(params).length === 0
            ? session.queryStream(sql, { format: 'JSONEachRow' })
            : session.queryStreamBind(sql, params, { format: 'JSONEachRow' }),
        ),
      )
      for await (const chunk of chunks)
        for (const line of decoder.decode(chunk).split('\n'))
          if (line !== '') yield JSON.parse(line) as Row
    },
    readOnly: async function* (query: ReadOnlyQuery): AsyncGenerator<Uint8Array> {
      query.signal.throwIfAborted()
      const session = await connect()
      const end = (): void => void kill(query.id).catch(() => undefined)
      try {
        await session.queryAsync(settingsStatement(query))
      } catch (error) {
        session.close()
        throw clickHouseError(error)
      }
      query.signal.addEventListener('abort', end, { once: true })
      try {
        yield* streamed(session, () => answerOf(session, query))
      } finally {
        query.signal.removeEventListener('abort', end)
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(streams)
      await writers.close()
      await client.close()
      root.close()
      await drainPending()
    },
  }
}
