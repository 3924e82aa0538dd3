import { hash } from 'node:crypto'
import type { RecordedEvent } from '../../support/trail-reader.ts'
import type { LoggedStatement } from '../../support/statement-log.ts'
import type { Forwarded } from './tap.ts'

/**
 * Holds three accounts of one session against each other: what the gateway recorded, what was sent to the target (the tap), and what
 * the target says it executed (its statement log). Nothing may stand in the second or third that does not stand in the first.
 */
export type Accounts = {
  /** Events of the session, in order. */
  readonly recorded: readonly RecordedEvent[]
  readonly forwarded: Forwarded
  readonly executed: readonly LoggedStatement[]
}

type Of<Type extends RecordedEvent['type']> = Extract<RecordedEvent, { type: Type }>

const ofType = <Type extends RecordedEvent['type']>(
  recorded: readonly RecordedEvent[],
  type: Type,
): Of<Type>[] => recorded.filter((event): event is Of<Type> => event.type === type)

/** SHA-256 of what stands in the place of a refused simple query. */
const refused_digest = hash('sha256', 'cairn_refused', 'hex')

type Parameter = Of<'command.received'>['parameters'][number]

type Command = Of<'command.received'> & {
  /** Place in the session, as the other records name it. */
  readonly id: number
  readonly refused: boolean
  readonly status: string
}

const commandsOf = (recorded: readonly RecordedEvent[]): Command[] => {
  const refused = new Set(ofType(recorded, 'command.refused').map(({ command }) => command))
  const status = new Map(
    ofType(recorded, 'command.completed').map(({ command, status }) => [command, status]),
  )
  return recorded.flatMap((event, id) =>
    event.type === 'command.received'
      ? [{ ...event, id, refused: refused.has(id), status: status.get(id) ?? 'none' }]
      : [],
  )
}

type Alignment<Part, Whole> = { readonly extra: readonly Part[]; readonly missed: readonly Whole[] }

/** Takes out of `whole`, in order, what `part` holds; what is left of `part` was never in it. */
const greedily = <Part, Whole>(
  part: readonly Part[],
  whole: readonly Whole[],
  same: (part: Part, whole: Whole) => boolean,
): Alignment<Part, Whole> => {
  let at = 0
  const missed: Whole[] = []
  for (const entry of whole) {
    if (at < part.length && same(part[at]!, entry)) at++
    else missed.push(entry)
  }
  return { extra: part.slice(at), missed }
}

/**
 * Aligns `part` with `whole`, in order: everything of `part` must be in `whole`, and everything of `whole` that is `due` in `part`; the
 * rest may be missing, and may look like what is not. Null when it can be done, else what a plain comparison says.
 */
const misaligned = <Part, Whole>(
  part: readonly Part[],
  whole: readonly Whole[],
  same: (part: Part, whole: Whole) => boolean,
  due: (whole: Whole) => boolean,
): Alignment<Part, Whole> | null => {
  // reachable[i]: the first i of `part` can be aligned with what was seen of `whole`.
  let reachable = Array.from({ length: part.length + 1 }, (_, i) => i === 0)
  for (const entry of whole) {
    const optional = !due(entry)
    reachable = reachable.map(
      (here, i) => (here && optional) || (i > 0 && reachable[i - 1]! && same(part[i - 1]!, entry)),
    )
  }
  return reachable[part.length] === true ? null : greedily(part, whole, same)
}

const hex = (bytes: Buffer): string => bytes.toString('hex')

/** The server logs the text of the PREPARE for what it runs; the record has the statement that was prepared. */
const prepared_by_sql = /^prepare \w+(?: \(int\))? as /

/** A binary value of a type that nobody told is recorded as its bytes. */
const sameValue = (logged: string | null, { value, format, type_oid }: Parameter): boolean =>
  logged === value || (format === 'binary' && type_oid === 0 && value?.startsWith('\\x') === true)

/** A portal that failed has no text any more when it is executed again in a failed transaction: the server logs an empty one. */
const sameText = ({ kind, text }: LoggedStatement, command: Command): boolean =>
  command.text === text ||
  command.text === text.replace(prepared_by_sql, '') ||
  (kind === 'execute' && text === '' && command.status === 'error')

/** In a failed transaction the server logs no parameters: it must not call the types' functions there. */
const sameExecution = (logged: LoggedStatement, command: Command): boolean =>
  (command.kind === 'query') === (logged.kind === 'statement') &&
  sameText(logged, command) &&
  (logged.kind === 'statement' ||
    (logged.parameters.length === 0 && command.status === 'error') ||
    (logged.parameters.length === command.parameters.length &&
      command.parameters.every((parameter, i) => sameValue(logged.parameters[i]!, parameter))))

/** A message in the middle of a COPY makes the server itself end the session. */
const ends_allowed = new Set(['client_closed', 'protocol_error', 'target_closed'])

const checkEnd = (recorded: readonly RecordedEvent[]): string[] => {
  const [ended] = ofType(recorded, 'session.ended')
  if (ended === undefined) return ['no session.ended']
  const found: string[] = []
  if (ended.records !== recorded.length)
    found.push(`session.ended counts ${ended.records} records, the log has ${recorded.length}`)
  if (!ends_allowed.has(ended.reason)) found.push(`ended by ${ended.reason}: ${ended.detail}`)
  return found
}

const ran_well = new Set(['ok', 'suspended'])

/** A text without a statement is not logged by the server. */
const isEmpty = (text: string): boolean => /^(?:\s|;|--.*|\/\*.*?\*\/)*$/.test(text)

const shown = (value: unknown): string =>
  JSON.stringify(Buffer.isBuffer(value) ? value.toString('latin1') : value)

const checkForwarded = (commands: readonly Command[], accounts: Accounts): string[] => {
  const { forwarded, recorded } = accounts
  const allowed = commands.filter(({ refused }) => !refused)
  const queries = misaligned(
    forwarded.queries.filter((digest) => digest !== refused_digest),
    allowed.filter(({ kind }) => kind === 'query'),
    (digest, { text_sha256 }) => digest === hex(text_sha256),
    ({ status }) => ran_well.has(status),
  )
  const known = new Set(allowed.map(({ text_sha256 }) => hex(text_sha256)))
  const parses = [...forwarded.parses].filter((digest) => !known.has(digest))
  const copied = Buffer.concat(forwarded.copied)
  const input = Buffer.concat(ofType(recorded, 'input.chunk').map(({ bytes }) => bytes))
  return [
    ...forwarded.strange.map((type) => `forwarded a message of type ${shown(type)}`),
    ...(queries?.extra ?? []).map((digest) => `forwarded an unrecorded Query, SHA-256 ${digest}`),
    ...(queries?.missed ?? []).map(({ text }) => `recorded a Query, not forwarded: ${shown(text)}`),
    ...parses.map((digest) => `forwarded an unrecorded Parse, SHA-256 ${digest}`),
    ...(copied.equals(input.subarray(0, copied.length))
      ? []
      : [`forwarded COPY data that is not recorded: ${shown(copied)} for ${shown(input)}`]),
  ]
}

const checkExecuted = (commands: readonly Command[], { executed }: Accounts): string[] => {
  const ran = misaligned(
    executed,
    commands.filter(({ refused, kind }) => !refused && (kind === 'query' || kind === 'execute')),
    sameExecution,
    ({ status, text }) => ran_well.has(status) && !isEmpty(text),
  )
  if (ran === null) return []
  return [
    ...ran.extra.map(
      ({ kind, text, parameters }) =>
        `executed unrecorded (${kind}): ${shown(text)} ${shown(parameters)}`,
    ),
    ...ran.missed
      .filter(({ status }) => ran_well.has(status))
      .map(({ kind, text }) => `recorded as run, never executed (${kind}): ${shown(text)}`),
  ]
}

/** Answers of these texts show whose they are. */
const question = /^select '(fuzz-[\d.]+)'$/

const checkAnswers = (commands: readonly Command[], { recorded }: Accounts): string[] =>
  commands.flatMap(({ id, text, status }) => {
    const asked = question.exec(text)?.[1]
    if (asked === undefined || status !== 'ok') return []
    const answers = ofType(recorded, 'response.chunk').filter(({ command }) => command === id)
    return Buffer.concat(answers.map(({ bytes }) => bytes)).includes(asked)
      ? []
      : [`the answer to ${shown(text)} is recorded as another command's`]
  })

/** What does not agree, in words; empty when all is well. */
export const disagreements = (accounts: Accounts): readonly string[] => {
  const commands = commandsOf(accounts.recorded)
  return [
    ...checkEnd(accounts.recorded),
    ...checkForwarded(commands, accounts),
    ...checkExecuted(commands, accounts),
    ...checkAnswers(commands, accounts),
  ]
}
