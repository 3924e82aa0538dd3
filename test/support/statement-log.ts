import { open, readFile, stat } from 'node:fs/promises'

/** One statement as PostgreSQL's own log has it (log_statement = all). */
export type LoggedStatement = {
  readonly application: string
  readonly session: string
  /** How it came: `statement` is a simple query, `execute` the extended protocol. */
  readonly kind: 'statement' | 'execute' | 'fastpath'
  readonly text: string
  /** Bound parameters as text, null for NULL. */
  readonly parameters: readonly (string | null)[]
}

type Line = {
  readonly application_name?: string
  readonly session_id?: string
  readonly message?: string
  readonly detail?: string
}

/** `$1 = 'it''s', $2 = NULL` as PostgreSQL prints it in a DETAIL line. */
const parseParameters = (detail: string): (string | null)[] =>
  [...detail.matchAll(/\$\d+ = (?:NULL|'((?:[^']|'')*)')/g)].map((match) =>
    match[1] === undefined ? null : match[1].replaceAll("''", "'"),
  )

const parseLine = (line: Line): LoggedStatement | null => {
  const message = line.message ?? ''
  const base = { application: line.application_name ?? '', session: line.session_id ?? '' }
  if (message.startsWith('statement: '))
    return { ...base, kind: 'statement', text: message.slice('statement: '.length), parameters: [] }
  const execute = /^execute (?:fetch from )?[^:]*: /.exec(message)
  if (execute !== null)
    return {
      ...base,
      kind: 'execute',
      text: message.slice(execute[0].length),
      parameters: /^[Pp]arameters: /.test(line.detail ?? '')
        ? parseParameters(line.detail ?? '')
        : [],
    }
  return null
}

const parseLines = (text: string): LoggedStatement[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => parseLine(JSON.parse(line) as Line))
    .filter((statement) => statement !== null)

/** Reads the statements that a server logged to its JSON log, in order. */
export const readStatementLog = async (file: string): Promise<readonly LoggedStatement[]> =>
  parseLines(await readFile(file, 'utf8'))

/** Reads what a server logs from now on, whole lines, a bit at a time. */
export const openStatementLog = async (
  file: string,
): Promise<{ readonly next: () => Promise<readonly LoggedStatement[]> }> => {
  let { size: at } = await stat(file)
  return {
    next: async () => {
      await using handle = await open(file)
      const { size } = await handle.stat()
      const bytes = Buffer.alloc(size - at)
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, at)
      const whole = bytes.subarray(0, bytes.subarray(0, bytesRead).lastIndexOf(0x0a) + 1)
      at += whole.length
      return parseLines(whole.toString('utf8'))
    },
  }
}
