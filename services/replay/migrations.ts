import { hash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { CairnError } from '#lib/error.ts'
import type { ClickHouse } from '#lib/clickhouse/port.ts'
import { openTabSeparated, uint_max } from '#lib/clickhouse/tab-separated.ts'

/** One numbered file of `tables/`. */
export type Migration = {
  readonly id: number
  readonly name: string
  readonly sql: string
  /** SHA-256 of the file, hex. */
  readonly checksum: string
}

const folder = new URL('./tables/', import.meta.url)

/** Table of what was applied; made first, and not by a migration. */
const journal = `CREATE TABLE IF NOT EXISTS migrations
(
  id UInt32 COMMENT 'Number of the migration.',
  name String COMMENT 'Name of its file.',
  checksum String COMMENT 'SHA-256 of its file, hex.'
)
ENGINE = MergeTree
ORDER BY id
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'Migrations that were applied to these tables, each once.'`

/** Reads `tables/NNN-name.sql`, one statement each, by number. Throws TypeError for two of one number. */
export const readMigrations = async (): Promise<readonly Migration[]> => {
  const names = (await readdir(folder))
    .filter((name) => /^\d{3}-[a-z0-9-]+\.sql$/.test(name))
    .sort()
  const migrations = await Promise.all(
    names.map(async (name) => {
      const sql = await readFile(new URL(name, folder), 'utf8')
      return { id: Number(name.slice(0, 3)), name, sql, checksum: hash('sha256', sql) }
    }),
  )
  const numbers = new Set(migrations.map(({ id }) => id))
  if (numbers.size !== migrations.length) throw new TypeError('two migrations have one number')
  return migrations
}

const note = (clickhouse: ClickHouse, { id, name, checksum }: Migration): Promise<void> => {
  const row = openTabSeparated(256)
  row.uint(id, uint_max[32])
  row.string(name)
  row.string(checksum)
  row.end()
  return clickhouse.insert({
    table: 'migrations',
    columns: ['id', 'name', 'checksum'],
    rows: 1,
    data: row.take(),
    token: `migration:${id}:${checksum}`,
  })
}

/**
 * Applies the migrations that were not applied yet, in order. Each is written so that running it again changes nothing (IF NOT EXISTS): a
 * crash between a migration and its note is then harmless.
 *
 * Throws CairnError('schema_conflict') when an applied migration has another content now, or the tables are of a newer version;
 * 'store_unavailable' as the port.
 */
export const applyMigrations = async (
  clickhouse: ClickHouse,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> => {
  await clickhouse.command(journal)
  const rows = await clickhouse.query<{ id: number; name: string; checksum: string }>(
    'SELECT id, name, checksum FROM migrations ORDER BY id',
  )
  const known = new Map(migrations.map((migration) => [migration.id, migration]))
  for (const { id, name, checksum } of rows) {
    const ours = known.get(id)
    if (ours === undefined)
      throw new CairnError(
        'schema_conflict',
        `the tables know migration ${name}, this version does not: it is older than the tables`,
      )
    if (ours.checksum !== checksum)
      throw new CairnError(
        'schema_conflict',
        `migration ${name} was applied with another content; migrations may only be added`,
      )
  }
  const applied = new Set(rows.map(({ id }) => id))
  const missing = migrations.filter(({ id }) => !applied.has(id))
  for (const migration of missing) {
    await clickhouse.command(migration.sql)
    await note(clickhouse, migration)
  }
  return missing
}
