import type { ClickHouse } from '#lib/clickhouse/port.ts'

/**
 * Drops every table and view of the database, migrations included. What was dropped comes back from the log: apply the migrations and `refill`.
 * Nothing may insert meanwhile.
 */
export const dropTables = async (clickhouse: ClickHouse): Promise<void> => {
  const tables = await clickhouse.query<{ name: string; engine: string }>(
    `SELECT name, engine FROM system.tables WHERE database = {database:String} ORDER BY engine = 'View' DESC, name`,
    { database: clickhouse.database },
  )
  for (const { name, engine } of tables)
    await clickhouse.command(
      `DROP ${engine === 'View' ? 'VIEW' : 'TABLE'} IF EXISTS {name:Identifier} SYNC`,
      { name },
    )
}
