/**
 * The fields of a record that a replay shows, read from the API's JSON. Read with care, not trusted: a missing or odd field is
 * shown as nothing, so that a record of another version, or one that somebody tampered with, cannot end the replay.
 */

type Fields = Readonly<Record<string, unknown>>

const text = (fields: Fields, name: string): string => {
  const value = fields[name]
  return typeof value === 'string' ? value : ''
}
const number = (fields: Fields, name: string, otherwise = 0): number => {
  const value = fields[name]
  return typeof value === 'number' ? value : otherwise
}
const list = (fields: Fields, name: string): readonly unknown[] => {
  const value = fields[name]
  return Array.isArray(value) ? value : []
}
const object = (value: unknown): Fields =>
  value !== null && typeof value === 'object' ? (value as Fields) : {}

export type CommandReceived = {
  readonly text: string
  readonly text_bytes: number
  readonly kind: string
  readonly statement_name: string
  readonly parameters: readonly { readonly value: string | null; readonly masked: boolean }[]
}

/** Readers by event. */
export const readers = {
  received: (fields: Fields): CommandReceived => ({
    text: text(fields, 'text'),
    text_bytes: number(fields, 'text_bytes'),
    kind: text(fields, 'kind'),
    statement_name: text(fields, 'statement_name'),
    parameters: list(fields, 'parameters').map((parameter) => {
      const given = object(parameter)
      return {
        value: typeof given['value'] === 'string' ? given['value'] : null,
        masked: given['masked'] === true,
      }
    }),
  }),
  decision: (fields: Fields) => ({
    command: number(fields, 'command', -1),
    outcome: text(fields, 'outcome'),
    rules: list(fields, 'rules').map(String),
    reason: text(fields, 'reason'),
    dry_run: fields['dry_run'] === true,
  }),
  refused: (fields: Fields) => ({
    command: number(fields, 'command', -1),
    native_code: text(fields, 'native_code'),
    message: text(fields, 'message'),
  }),
  completed: (fields: Fields) => ({
    command: number(fields, 'command', -1),
    status: text(fields, 'status'),
    rows: number(fields, 'rows', -1),
    response_bytes: number(fields, 'response_bytes'),
    duration_us: number(fields, 'duration_us'),
  }),
  chunk: (fields: Fields) => ({
    command: number(fields, 'command', -1),
    stream: text(fields, 'stream'),
    format: text(fields, 'format'),
    bytes: Buffer.from(text(fields, 'bytes'), 'base64'),
  }),
  ended: (fields: Fields) => ({
    reason: text(fields, 'reason'),
    detail: text(fields, 'detail'),
    commands: number(fields, 'commands'),
    refused: number(fields, 'refused'),
    records: number(fields, 'records'),
    duration_us: number(fields, 'duration_us'),
  }),
} as const
