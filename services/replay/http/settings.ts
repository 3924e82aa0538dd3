import { CairnError } from '#lib/error.ts'

/** What one query of a reader may cost. */
export const query_limits = {
  seconds_max: 60,
  memory_bytes_max: 256 * 1024 * 1024,
  /** Threads of one query: the machine has other things to do. */
  threads_max: 2,
  result_bytes_max: 1024 * 1024 * 1024,
} as const

/** Settings that a request may name: the look of the answer, and lower limits. Everything else is refused. */
const open: readonly RegExp[] = [
  /^output_format_(json|csv|tsv|pretty|decimal|markdown|arrow_compression|parquet_compression)[a-z0-9_]*$/,
  /^(date_time_output_format|session_timezone|bool_(true|false)_representation)$/,
  /^(max_result_rows|result_overflow_mode|max_rows_to_read|limit|offset|extremes|max_block_size)$/,
  /^(group_by_overflow_mode|max_rows_to_group_by|count_distinct_implementation)$/,
]

/** Parameters of a request that are not settings, or that mean nothing here. */
const other: ReadonlySet<string> = new Set([
  'add_http_cors_header',
  'buffer_size',
  'cancel_http_readonly_queries_on_client_close',
  'client_protocol_version',
  'database',
  'default_format',
  'enable_http_compression',
  'http_headers_progress_interval_ms',
  'http_write_exception_in_output_format',
  'log_comment',
  'password',
  'query',
  'query_id',
  'quota_key',
  'readonly',
  'role',
  'send_progress_in_http_headers',
  'session_check',
  'session_id',
  'session_timeout',
  'stacktrace',
  'user',
  'wait_end_of_query',
])

const lowered = (stated: string, max: number): number => {
  const value = Number(stated)
  // 0 means "no limit" to ClickHouse.
  return Number.isFinite(value) && value > 0 && value < max ? value : max
}

/**
 * Settings of a query: our limits, and what the request's parameters ask for within them.
 * Throws CairnError('forbidden') for a setting that readers may not name.
 */
export const querySettings = (params: URLSearchParams): Record<string, string | number> => {
  const settings: Record<string, string | number> = {
    max_execution_time: lowered(params.get('max_execution_time') ?? '', query_limits.seconds_max),
    max_memory_usage: lowered(params.get('max_memory_usage') ?? '', query_limits.memory_bytes_max),
    max_threads: lowered(params.get('max_threads') ?? '', query_limits.threads_max),
    timeout_overflow_mode: 'throw',
    max_ast_elements: 10_000,
    max_expanded_ast_elements: 100_000,
    max_subquery_depth: 50,
  }
  for (const [name, value] of params) {
    if (name in settings || other.has(name) || name.startsWith('param_')) continue
    if (!open.some((pattern) => pattern.test(name)))
      throw new CairnError('forbidden', `setting ${name.slice(0, 100)} is not open to readers`)
    settings[name] = value
  }
  return settings
}

/** Values of `{name:Type}` placeholders. Throws CairnError('unusable_input') for a name that is none. */
export const queryParams = (params: URLSearchParams): Record<string, string> => {
  const values: Record<string, string> = {}
  for (const [name, value] of params) {
    if (!name.startsWith('param_')) continue
    const bare = name.slice('param_'.length)
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,99}$/.test(bare))
      throw new CairnError('unusable_input', 'a query parameter with a name that is none')
    values[bare] = value
  }
  return values
}
