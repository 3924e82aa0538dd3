import type { CommandCompleted, CommandReceived } from '#core/events/types.ts'
import type { CommandMask } from './masking/command-mask.ts'
import { secretBytes, type SecretBytes } from './secret-bytes.ts'
import type { StatementText } from './statement.ts'

/** A command between its command.received and its command.completed record. */
export type Command = {
  /** sseq of its command.received record. */
  readonly id: number
  readonly kind: CommandReceived['kind']
  readonly statement: StatementText | null
  /** Set when it was refused, at once or after a wait: nothing of it reaches the target. */
  refused: boolean
  /** What must not be recorded of its answers; null for nearly every command. */
  readonly secrets: SecretBytes | null
  /** What column rules say of its answers; null without such rules, and for what has no text. */
  readonly mask: CommandMask | null
  /** Answers that are still due. */
  due: number
  /** When it was forwarded, milliseconds of the monotonic clock. */
  started_ms: number
  ended_ms: number
  response_bytes: number
  input_bytes: number
  /** How often it reads COPY data, by its text, and how many ends of that the client has sent. */
  readonly inputs: number
  inputs_ended: number
  rows: number
  tag: string
  status: CommandCompleted['status']
  error_code: string
  error_message: string
  /** COPY OUT data is under way. */
  copying: boolean
  /** Statements of a simple query that are done. */
  statements_done: number
  /** command.completed was recorded. */
  completed: boolean
}

/** How many of the statements read COPY data from the client. */
const copiesIn = (statement: StatementText | null): number =>
  statement?.statements.filter(({ verb }) => verb === 'copy.in').length ?? 0

export const newCommand = (
  id: number,
  kind: Command['kind'],
  statement: StatementText | null,
  refused: boolean,
  secrets: readonly string[],
  mask: CommandMask | null = null,
): Command => ({
  id,
  kind,
  statement,
  refused,
  secrets: secretBytes(secrets),
  mask,
  due: 0,
  started_ms: 0,
  ended_ms: 0,
  response_bytes: 0,
  input_bytes: 0,
  inputs: copiesIn(statement),
  inputs_ended: 0,
  rows: -1,
  tag: '',
  status: 'ok',
  error_code: '',
  error_message: '',
  copying: false,
  statements_done: 0,
  completed: false,
})

/** Longest recorded completion tag; a query of many statements has many. */
const tag_chars_max = 1024

/** Adds a completion tag: the rows it counts, and the tag itself after those of earlier statements of the same query. */
export const addTag = (command: Command, tag: string): void => {
  const space = tag.lastIndexOf(' ')
  const count = space === -1 ? Number.NaN : Number(tag.slice(space + 1))
  if (Number.isSafeInteger(count)) command.rows = Math.max(command.rows, 0) + count
  if (command.tag === '') command.tag = tag
  else if (command.tag.length < tag_chars_max) command.tag += `; ${tag}`
}

/** Verbs whose completion tag begins with the same word, in every server. */
const data_verbs = new Set(['select', 'insert', 'update', 'delete', 'merge'])

const fits = (verb: string, word: string): boolean => {
  if (verb === 'unknown' || verb === word) return true
  // CREATE TABLE AS and its like answer SELECT.
  return !data_verbs.has(verb) && (word === 'select' || !data_verbs.has(word))
}

/**
 * Whether a completion tag can be the answer to the statement that is due, as it was read: if not, something else ran. An EXECUTE
 * answers with the tag of what it runs, whose statements stand behind those of the text.
 */
export const tagFits = ({ statement, statements_done }: Command, tag: string): boolean => {
  if (statement === null || !statement.analysis.ok) return true
  const { statements, analysis } = statement
  const word = tag.split(' ', 1)[0]!.toLowerCase()
  const verb = statements[statements_done]?.verb ?? 'unknown'
  if (verb !== 'execute') return fits(verb, word)
  const run = statements.slice(analysis.statements.length)
  return run.length === 0 || run.some((inner) => inner.verb === 'execute' || fits(inner.verb, word))
}

/** What its command.completed record says. */
export const completion = (command: Command): CommandCompleted => ({
  command: command.id,
  status: command.status,
  tag: command.tag,
  rows: command.rows,
  response_bytes: command.response_bytes,
  input_bytes: command.input_bytes,
  duration_us: Math.max(0, Math.round((command.ended_ms - command.started_ms) * 1000)),
  error_code: command.error_code,
  error_message: command.error_message.toWellFormed(),
})
