import { join } from 'node:path'
import { CairnError } from '#lib/error.ts'
import type { ClickHouseConfig } from '#lib/config/schema.ts'
import type { EmbeddedClickHouse } from './embedded.ts'
import type { ClickHouse, ClickHouseReader } from './port.ts'
import { openServerClickHouse, openServerReader, type ServerOptions } from './server.ts'

const serverOptions = (config: ClickHouseConfig): ServerOptions => {
  if (config.url === undefined)
    throw new CairnError('config_invalid', 'clickhouse.kind server needs clickhouse.url')
  return {
    url: config.url,
    user: config.user,
    password: config.password?.reveal() ?? '',
    database: config.database,
  }
}

/** Name of the read-only account of the embedded engine's HTTP interface. */
export const reader_user = 'cairn_reader'

/** Starts the engine in this process; `data_dir/clickhouse` is its folder. Throws as `openEmbeddedClickHouse`. */
export const openEmbedded = async (
  config: ClickHouseConfig,
  data_dir: string,
): Promise<EmbeddedClickHouse> => {
  // Half a gigabyte of engine is loaded by those who run it, nobody else.
  const { openEmbeddedClickHouse } = await import('./embedded.ts')
  return openEmbeddedClickHouse({
    folder: join(data_dir, 'clickhouse'),
    database: config.database,
    memory_bytes_max: config.memory_bytes_max,
  })
}

/**
 * ClickHouse as the configuration names it, for the process that writes the tables. The embedded engine starts in this process; a server is
 * reached with the first call.
 * Throws CairnError('store_unavailable' | 'config_invalid').
 */
export const openClickHouse = (
  config: ClickHouseConfig,
  deps: { readonly data_dir: string },
): Promise<ClickHouse> =>
  config.kind === 'embedded'
    ? openEmbedded(config, deps.data_dir)
    : Promise.resolve(openServerClickHouse(serverOptions(config)))

/**
 * ClickHouse for a process that only reads (the api): the server, or the embedded engine through the HTTP interface that the replay process
 * answers on `http_host`:`http_port` (set by CAIRN_CLICKHOUSE_PORT where it was chosen at start). Connects with the first query.
 */
export const openClickHouseReader = (config: ClickHouseConfig): ClickHouseReader =>
  openServerReader(
    config.kind === 'server'
      ? serverOptions(config)
      : {
          url: `http://${config.http_host.includes(':') ? `[${config.http_host}]` : config.http_host}:${config.http_port}`,
          user: reader_user,
          password: config.password?.reveal() ?? '',
          database: config.database,
        },
  )
