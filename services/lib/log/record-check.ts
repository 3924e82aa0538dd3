import { CairnError } from '#lib/error.ts'
import { header_name_bytes_max, headers_max, record_bytes_max } from './limits.ts'
import type { LogRecord } from './port.ts'

/** Bytes of a record as the limits count them: key, value, header names and header values. */
export const recordBytes = (record: LogRecord): number => {
  let bytes = record.key.length + record.value.length
  for (const name in record.headers)
    bytes += Buffer.byteLength(name) + (record.headers[name]?.length ?? 0)
  return bytes
}

/**
 * Bytes of all records, once each is known to fit.
 * @throws CairnError('log_record_too_large') naming the first record that is over a limit
 */
export const checkRecords = (topic: string, records: readonly LogRecord[]): number => {
  let total = 0
  for (const [at, record] of records.entries()) {
    const bytes = recordBytes(record)
    if (bytes > record_bytes_max)
      throw new CairnError(
        'log_record_too_large',
        `record ${at} for ${topic} has ${bytes} bytes; a record has at most ${record_bytes_max}`,
      )
    const names = Object.keys(record.headers)
    if (
      names.length > headers_max ||
      names.some((name) => Buffer.byteLength(name) > header_name_bytes_max)
    )
      throw new CairnError(
        'log_record_too_large',
        `record ${at} for ${topic} has more than ${headers_max} headers, or a name over ${header_name_bytes_max} bytes`,
      )
    total += bytes
  }
  return total
}
