import { errorCode } from '#lib/clickhouse/failure.ts'
import type { ClickHouseReader } from '#lib/clickhouse/port.ts'
import { CairnError } from '#lib/error.ts'

/** What the queries need of ClickHouse. */
export type QueryReader = Pick<ClickHouseReader, 'query'>

/** ClickHouse's codes for a table or a database that is not there: the replay service is still making them. */
const not_there: ReadonlySet<number | null> = new Set([60, 81])

/**
 * A reader whose errors may be shown: ClickHouse's own words stay inside (they quote the query and its values). A query that it refuses
 * is a fault of ours and becomes a plain Error, which the API answers as a bare 500.
 */
export const guardedReader = (reader: ClickHouseReader): QueryReader => ({
  query: async (sql, params) => {
    try {
      return await reader.query(sql, params)
    } catch (error) {
      if (!(error instanceof CairnError)) throw error
      if (not_there.has(errorCode(error.cause)))
        throw new CairnError(
          'store_unavailable',
          'the tables are not there yet; the replay service makes them',
          { cause: error },
        )
      if (error.code === 'store_unavailable')
        throw new CairnError(
          'store_unavailable',
          'ClickHouse does not answer; try again in a moment',
          {
            cause: error,
          },
        )
      throw new Error('ClickHouse refused a query of the api', { cause: error })
    }
  },
})
