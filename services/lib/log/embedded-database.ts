import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { CairnError } from '#lib/error.ts'

/**
 * The file of the embedded log.
 *
 * A record's id is its partition's number times `offsets_per_partition` plus its offset: the table's own key, so that an
 * append goes to the end of its partition and a batch is one range scan. Both stay under 2^53, so that ids are plain numbers.
 */
export const offsets_per_partition = 2 ** 40
export const partitions_max = 2 ** 13

const application_id = 0x4361_726e
const schema_version = 1
const open_busy_ms = 10_000
/** Pages in the WAL before a commit also checkpoints: 16 MiB; smaller makes appends stall more often. */
const wal_autocheckpoint_pages = 4_096
/** The WAL file is cut back to this after a checkpoint that emptied it. */
const wal_bytes_kept = 64 * 1024 * 1024

const schema = `
CREATE TABLE partitions (
  id INTEGER PRIMARY KEY,
  topic TEXT NOT NULL,
  partition INTEGER NOT NULL,
  low INTEGER NOT NULL DEFAULT 0,
  next INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  retention_ms INTEGER,
  retention_bytes INTEGER,
  UNIQUE (topic, partition)
) STRICT;

CREATE TABLE records (
  id INTEGER PRIMARY KEY,
  timestamp_ms INTEGER NOT NULL,
  key BLOB NOT NULL,
  headers BLOB NOT NULL,
  value BLOB NOT NULL
) STRICT;

CREATE TABLE groups (
  name TEXT PRIMARY KEY,
  generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
  id TEXT PRIMARY KEY,
  grp TEXT NOT NULL,
  process TEXT NOT NULL,
  topics TEXT NOT NULL,
  joined INTEGER NOT NULL,
  expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE consumers (
  grp TEXT NOT NULL,
  partition_id INTEGER NOT NULL REFERENCES partitions (id),
  position INTEGER,
  plan_hi INTEGER,
  owner TEXT,
  epoch INTEGER NOT NULL DEFAULT 0,
  lost INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (grp, partition_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE maintenance (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  pruned_ms INTEGER NOT NULL
) STRICT;
INSERT INTO maintenance VALUES (1, 0);

CREATE VIEW log AS
SELECT p.topic, p.partition, r.id - p.id * ${offsets_per_partition} AS "offset", r.timestamp_ms, r.key, r.headers, r.value
FROM partitions p JOIN records r ON r.id >= p.id * ${offsets_per_partition} AND r.id < (p.id + 1) * ${offsets_per_partition};
`

type SqliteError = Error & { readonly errcode: number; readonly errstr: string }

const isSqliteError = (error: unknown): error is SqliteError =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'

/** SQLite's primary result code (https://sqlite.org/rescode.html), or null for another kind of error. */
const resultCode = (error: unknown): number | null =>
  isSqliteError(error) ? error.errcode & 0xff : null

/** True when another process holds the lock that was asked for: worth trying again. */
export const isBusy = (error: unknown): boolean => {
  const code = resultCode(error)
  return code === 5 || code === 6
}

/** What SQLite could not do, as the one error of the log: the disk is full, read-only, broken, or the file is not a log. */
export const asLogError = (error: unknown, doing: string): CairnError => {
  if (error instanceof CairnError) return error
  const code = resultCode(error)
  const detail = error instanceof Error ? error.message : String(error)
  if (code === 11 || code === 26)
    return new CairnError('log_invalid', `the embedded log is damaged (${doing}): ${detail}`, {
      cause: error,
    })
  return new CairnError('log_unavailable', `the embedded log cannot ${doing}: ${detail}`, {
    cause: error,
  })
}

/** The two connections of a process: one that only writes and never waits inside SQLite, one that only reads. */
export type EmbeddedDatabase = {
  readonly writer: DatabaseSync
  readonly reader: DatabaseSync
  readonly close: () => void
}

const readNumber = (database: DatabaseSync, sql: string): number =>
  Number(Object.values(database.prepare(sql).get() ?? {})[0])

const createSchema = (database: DatabaseSync, path: string): void => {
  database.exec('BEGIN IMMEDIATE')
  try {
    const version = readNumber(database, 'PRAGMA user_version')
    const application = readNumber(database, 'PRAGMA application_id')
    const tables = readNumber(database, 'SELECT count(*) FROM sqlite_schema')
    if (tables > 0 && (application !== application_id || version !== schema_version))
      throw new CairnError(
        'log_invalid',
        `${path} is not an embedded log of this version (application ${application}, version ${version})`,
      )
    if (tables === 0) {
      database.exec(schema)
      database.exec(
        `PRAGMA application_id = ${application_id}; PRAGMA user_version = ${schema_version}`,
      )
    }
    database.exec('COMMIT')
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK')
    throw error
  }
}

/**
 * Opens the file, creating it where it is missing. Any number of processes may have it open, on one machine (WAL needs shared
 * memory: no network file system).
 * @throws CairnError('log_unavailable') cannot be opened or written; CairnError('log_invalid') not a log of this version
 */
export const openDatabase = (path: string): EmbeddedDatabase => {
  const opened: DatabaseSync[] = []
  const close = (): void => {
    for (const database of opened) if (database.isOpen) database.close()
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const writer = new DatabaseSync(path, { timeout: open_busy_ms })
    opened.push(writer)
    // Only a file without tables takes this; it lets the file shrink again after records were pruned.
    if (readNumber(writer, 'SELECT count(*) FROM sqlite_schema') === 0)
      writer.exec('PRAGMA auto_vacuum = INCREMENTAL')
    writer.exec('PRAGMA journal_mode = WAL')
    createSchema(writer, path)
    writer.exec(`
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${wal_autocheckpoint_pages};
      PRAGMA journal_size_limit = ${wal_bytes_kept};
      PRAGMA cache_size = -16384;
      PRAGMA busy_timeout = 0;
    `)
    const reader = new DatabaseSync(path, { timeout: open_busy_ms })
    opened.push(reader)
    reader.exec('PRAGMA query_only = ON; PRAGMA cache_size = -8192')
    return { writer, reader, close }
  } catch (error) {
    close()
    throw asLogError(error, `open ${path}`)
  }
}
