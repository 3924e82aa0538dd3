import type { ClickHouseClient } from '@clickhouse/client'
import { clickHouseError } from './failure.ts'
import type { QueryParams } from './port.ts'

/** The part of the port that both adapters share: @clickhouse/client, over HTTP or over chDB's connection. */
export const clientQueries = (client: ClickHouseClient) => ({
  query: async <Row>(sql: string, params: QueryParams = {}): Promise<readonly Row[]> => {
    try {
      const result = await client.query({
        query: sql,
        query_params: { ...params },
        format: 'JSONEachRow',
      })
      return await result.json<Row>()
    } catch (error) {
      throw clickHouseError(error)
    }
  },
  command: async (sql: string, params: QueryParams = {}): Promise<void> => {
    try {
      await client.command({ query: sql, query_params: { ...params } })
    } catch (error) {
      throw clickHouseError(error, true)
    }
  },
})
