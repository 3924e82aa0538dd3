/**
 * ClickHouse as its users see it: one port, two adapters (the engine in-process and a server by URL), one contract suite
 * (test/lib/clickhouse). SQL is ClickHouse's own; `{name:Type}` placeholders are bound from `params`, never spliced.
 */

/** Values of `{name:Type}` placeholders. */
export type QueryParams = Readonly<
  Record<string, string | number | boolean | null | readonly (string | number)[]>
>

/** Rows for one table in TabSeparated (see tab-separated.ts), inserted whole or not at all. */
export type Insert = {
  /** Table name in the port's database; an identifier. */
  readonly table: string
  /** Columns in the order of the data, two or more; identifiers. */
  readonly columns: readonly string[]
  /** How many rows `data` holds; under `insert_rows_max`. */
  readonly rows: number
  readonly data: Buffer
  /** A second insert into the same table with the same token takes no effect (the table's deduplication window is 10,000 inserts). */
  readonly token: string
}

/** One insert stays one block of the engine, so that it lands whole: rows. */
export const insert_rows_max = 1_000_000
/** And bytes: the engine's parser keeps the whole body in memory. */
export const insert_bytes_max = 64 * 1024 * 1024

/** What reads tables. Every call throws CairnError('store_unavailable') when ClickHouse cannot be reached or cannot answer, and CairnError('unusable_input') for a query that it refuses. */
export interface ClickHouseReader extends AsyncDisposable {
  /** Name of the database that unqualified tables are in. */
  readonly database: string
  /** The whole answer, one object a row; 64-bit integers come as numbers (exact up to 2^53). */
  query<Row = Readonly<Record<string, unknown>>>(
    sql: string,
    params?: QueryParams,
  ): Promise<readonly Row[]>
  /** The answer row by row, without holding all of it. */
  stream<Row = Readonly<Record<string, unknown>>>(
    sql: string,
    params?: QueryParams,
  ): AsyncIterable<Row>
}

/** What also writes tables. */
export interface ClickHouse extends ClickHouseReader {
  /** Throws CairnError('unusable_input') when the data itself is refused (nothing landed, and it never will); 'store_unavailable' when trying again may help. */
  insert(insert: Insert): Promise<void>
  /** A statement without an answer. Throws as `query`. */
  command(sql: string, params?: QueryParams): Promise<void>
}
