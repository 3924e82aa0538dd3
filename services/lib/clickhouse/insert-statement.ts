import { CairnError } from '#lib/error.ts'
import { identifier, stringLiteral } from './identifier.ts'
import { insert_bytes_max, insert_rows_max, type Insert } from './port.ts'

/** Settings of every insert. They stand in the statement: what a client sends beside it would stay on an embedded connection. */
export const insertSettings = (insert: Insert): Readonly<Record<string, string | number>> => ({
  insert_deduplication_token: insert.token,
  insert_deduplicate: 1,
  async_insert: 0,
  // One block, so that it lands whole.
  max_insert_block_size: 1_048_449,
  max_partitions_per_insert_block: 0,
  input_format_parallel_parsing: 0,
})

/**
 * Throws CairnError('limit_exceeded') for an insert that would not stay one block, TypeError for data with an empty line: the embedded engine
 * would take what stands behind it for a statement.
 */
export const checkInsert = ({ columns, rows, data }: Insert): void => {
  if (rows > insert_rows_max || data.length > insert_bytes_max)
    throw new CairnError(
      'limit_exceeded',
      `an insert of ${rows} rows, ${data.length} bytes; limits ${insert_rows_max}, ${insert_bytes_max}`,
    )
  if (columns.length < 2 || data[0] === 10 || data.includes('\n\n'))
    throw new TypeError('an insert with an empty line')
}

/** The statement in front of the rows. Throws as `checkInsert`. */
export const insertStatement = (database: string, insert: Insert): string => {
  checkInsert(insert)
  const columns = insert.columns.map(identifier).join(', ')
  const settings = Object.entries(insertSettings(insert)).map(
    ([name, value]) => `${name} = ${typeof value === 'number' ? value : stringLiteral(value)}`,
  )
  return `INSERT INTO ${identifier(database)}.${identifier(insert.table)} (${columns}) SETTINGS ${settings.join(', ')} FORMAT TabSeparated`
}
