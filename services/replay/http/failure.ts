import { CairnError } from '#lib/error.ts'
import { errorCode } from '#lib/clickhouse/failure.ts'

/** An error in the form of ClickHouse's HTTP interface. */
export type HttpFailure = {
  readonly status: number
  /** ClickHouse's error code, for X-ClickHouse-Exception-Code. */
  readonly code: number
  /** `Code: N. DB::Exception: ... (NAME)` */
  readonly text: string
}

const failure = (status: number, code: number, name: string, why: string): HttpFailure => ({
  status,
  code,
  text: `Code: ${code}. DB::Exception: ${why}. (${name})\n`,
})

export const authenticationFailed = (): HttpFailure =>
  failure(
    403,
    516,
    'AUTHENTICATION_FAILED',
    'cairn_reader: Authentication failed: password is incorrect, or there is no user with such name',
  )

export const tooManyQueries = (): HttpFailure =>
  failure(503, 202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'Too many simultaneous queries')

/** Statuses of codes that are not 500, as ClickHouse answers them. */
const statuses: ReadonlyMap<number, number> = new Map([
  [26, 400],
  [27, 400],
  [43, 400],
  [46, 404],
  [47, 404],
  [48, 501],
  [53, 400],
  [60, 404],
  [62, 400],
  [81, 404],
  [115, 404],
  [164, 403],
  [456, 400],
  [457, 400],
  [497, 403],
])

/** Turns what a query threw into an answer. */
export const failureOf = (error: unknown): HttpFailure => {
  if (error instanceof CairnError) {
    if (error.code === 'forbidden') return failure(403, 497, 'ACCESS_DENIED', error.message)
    if (error.code === 'limit_exceeded') return failure(413, 307, 'TOO_MANY_BYTES', error.message)
    const cause = error.cause instanceof Error ? error.cause : error
    const code = errorCode(cause)
    if (code !== null)
      return {
        status: statuses.get(code) ?? 500,
        code,
        text: `${cause.message.replace(/^.*?(?=Code: \d+\. DB::Exception)/s, '')}\n`,
      }
    if (error.code === 'unusable_input') return failure(400, 36, 'BAD_ARGUMENTS', error.message)
  }
  return failure(500, 1002, 'UNKNOWN_EXCEPTION', 'The query failed')
}
