import { CairnError } from '#lib/error.ts'

/**
 * ClickHouse's error codes that speak of the statement or its data, so that trying again cannot help: syntax and names, parsing, types and
 * ranges, constraints, access, size of the answer. (src/Common/ErrorCodes.cpp of ClickHouse.)
 */
const input_codes: ReadonlySet<number> = new Set([
  6, 20, 25, 26, 27, 32, 33, 34, 36, 38, 41, 42, 43, 44, 46, 47, 48, 50, 53, 62, 63, 69, 70, 72, 80,
  115, 117, 131, 158, 164, 307, 321, 344, 349, 386, 395, 396, 452, 456, 457, 469, 497, 516, 691,
])

/** Codes of tables and databases that are not there: a migration may still be on its way, but a reader has asked for a wrong name. */
const name_codes: ReadonlySet<number> = new Set([60, 81])

/** The code in an error of either client, or null: `code` of @clickhouse/client is a string, chDB keeps it in the message. */
export const errorCode = (error: unknown): number | null => {
  if (!(error instanceof Error)) return null
  const stated = Number((error as { code?: unknown }).code)
  if (Number.isInteger(stated) && stated > 0) return stated
  const found = /Code: (\d+)\. DB::Exception/.exec(error.message)
  return found === null ? null : Number(found[1])
}

const message_chars_max = 2_000

/** Turns what a client threw into the port's errors. `writing`: a missing table may appear later, so trying again may help. */
export const clickHouseError = (error: unknown, writing = false): CairnError => {
  if (error instanceof CairnError) return error
  const code = errorCode(error)
  const text = (error instanceof Error ? error.message : String(error)).slice(0, message_chars_max)
  const final = code !== null && (input_codes.has(code) || (!writing && name_codes.has(code)))
  return new CairnError(final ? 'unusable_input' : 'store_unavailable', `ClickHouse: ${text}`, {
    cause: error,
  })
}
