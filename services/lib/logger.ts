import { pino, type Logger } from 'pino'

export type { Logger } from 'pino'

/** Keys whose values never reach a log line, wherever they stand, should one slip into a log object. */
const secret_keys = [
  'password',
  'token',
  'secret',
  'authorization',
  'assertion',
  'subject_token',
  'sasl',
  'privateKey',
]

/**
 * Opens the process's logger: one JSON object a line on standard error (standard output belongs to the ready line and to
 * command output).
 * @param service name of the service, in every line
 * @param level   pino level; `silent` for tests
 */
export const openLogger = (
  service: string,
  level = process.env['CAIRN_LOG_LEVEL'] ?? 'info',
): Logger =>
  pino(
    {
      level,
      base: { service },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secret_keys.flatMap((key) => [key, `*.${key}`]), censor: '[redacted]' },
    },
    pino.destination({ dest: 2, sync: false }),
  )
