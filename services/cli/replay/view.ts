import type { ApiRecord } from '../api-data.ts'
import type { Style } from '../terminal/style.ts'
import { safeLine, safeLines } from '../terminal/safe-text.ts'
import { clockOfMicros, duration, size } from '../terminal/time.ts'
import { readers, type CommandReceived } from './events.ts'
import { openPostgresReplay, type ResponseDecoder } from './postgres.ts'
import { openResponseView, type ResponseView } from './response.ts'

export type ReplayOptions = {
  readonly style: Style
  readonly columns: number | null
  /** Rows of a result that are shown. */
  readonly rows_max: number
}

/** Commands that wait for their end at most; a client with more in its pipeline has the oldest shown without an answer. */
const open_commands_max = 1000
/** Parameters of a command that are shown, and characters of each. */
const parameters_max = 50
const parameter_chars_max = 500

type OpenCommand = {
  readonly received: CommandReceived
  readonly time_us: number
  readonly response: ResponseView
  readonly decode: ResponseDecoder
  input_bytes: number
}

/** Replays a session: a fold over its records that gives the lines to show for each. */
export interface ReplayView {
  add(record: ApiRecord): readonly string[]
}

const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`)

const parameterLines = ({ parameters }: CommandReceived, style: Style): readonly string[] => [
  ...parameters.slice(0, parameters_max).map((parameter, index) => {
    const value = parameter.masked
      ? '(masked)'
      : parameter.value === null
        ? 'NULL'
        : `'${safeLine(parameter.value.slice(0, parameter_chars_max))}'${parameter.value.length > parameter_chars_max ? '…' : ''}`
    return style.dim(`$${index + 1} = ${value}`)
  }),
  ...(parameters.length > parameters_max
    ? [style.dim(`… ${parameters.length - parameters_max} more parameters`)]
    : []),
]

const commandText = (received: CommandReceived, style: Style): readonly string[] => {
  const shown = Buffer.byteLength(received.text)
  return [
    ...(received.text === ''
      ? [style.dim(`(${safeLine(received.kind)})`)]
      : safeLines(received.text)),
    ...(received.text_bytes > shown
      ? [
          style.warn(
            `… the text goes on: ${size(received.text_bytes)}, ${size(shown)} of it recorded`,
          ),
        ]
      : []),
  ]
}

const outcomes: Readonly<Record<string, string>> = {
  allow: 'allowed',
  deny: 'REFUSED',
  hold: 'held for approval',
  mask: 'allowed, masked',
}

/** Opens a replay at the session's first record. */
export const openReplayView = (options: ReplayOptions): ReplayView => {
  const { style } = options
  const session = openPostgresReplay()
  const commands = new Map<number, OpenCommand>()
  let last_command = -1
  let next_sseq = 0

  const headline = (id: number, time_us: number, words: string): string =>
    `${style.dim(clockOfMicros(time_us))}  ${style.bold(`#${id}`)}  ${words}`

  const received = (record: ApiRecord): readonly string[] => {
    const event = readers.received(record.event)
    commands.set(record.sseq, {
      received: event,
      time_us: record.time_us,
      response: openResponseView(options),
      decode: session.decoder(event),
      input_bytes: 0,
    })
    if (commands.size <= open_commands_max) return []
    const [oldest] = commands.keys()
    return oldest === undefined
      ? []
      : ended(oldest, record.time_us, style.warn('no end seen so far'))
  }

  const decided = (record: ApiRecord): readonly string[] => {
    const decision = readers.decision(record.event)
    const command = commands.get(decision.command)
    if (command === undefined) return []
    const words = outcomes[decision.outcome] ?? decision.outcome
    const by = decision.rules.length === 0 ? decision.reason : `by ${decision.rules.join(', ')}`
    const paint = decision.outcome === 'deny' ? style.bad : style.good
    last_command = decision.command
    return [
      '',
      headline(
        decision.command,
        command.time_us,
        `${paint(safeLine(words))} ${style.dim(safeLine(by))}${decision.dry_run ? style.warn(' (dry run: not enforced)') : ''}`,
      ),
      ...indent(commandText(command.received, style)),
      ...indent(parameterLines(command.received, style)),
    ]
  }

  /** The response of a command and how it ended; says which command when another one was shown in between. */
  const ended = (id: number, time_us: number, words: string): readonly string[] => {
    const command = commands.get(id)
    commands.delete(id)
    const copied =
      command === undefined || command.input_bytes === 0
        ? []
        : [style.dim(`COPY input: ${size(command.input_bytes)}`)]
    const head = last_command === id ? [] : ['', headline(id, time_us, style.dim('goes on'))]
    last_command = id
    return [...head, ...indent([...(command?.response.lines() ?? []), ...copied, words])]
  }

  const completed = (record: ApiRecord): readonly string[] => {
    const event = readers.completed(record.event)
    const paint = event.status === 'ok' || event.status === 'suspended' ? style.good : style.bad
    const parts = [
      paint(safeLine(event.status)),
      ...(event.rows < 0 ? [] : [`${event.rows} ${event.rows === 1 ? 'row' : 'rows'}`]),
      size(event.response_bytes),
      duration(event.duration_us),
    ]
    return ended(event.command, record.time_us, parts.join(style.dim(' · ')))
  }

  const chunk = (record: ApiRecord): readonly string[] => {
    const { command: id, stream, bytes } = readers.chunk(record.event)
    const command = commands.get(id)
    if (command === undefined)
      return [
        '',
        `${style.dim(clockOfMicros(record.time_us))}  ${style.dim(safeLine(`${stream}: ${size(bytes.length)} outside a command`))}`,
      ]
    for (const part of command.decode(bytes)) command.response.add(part)
    return []
  }

  const input = (record: ApiRecord): readonly string[] => {
    const { command: id, bytes } = readers.chunk(record.event)
    const command = commands.get(id)
    if (command !== undefined) command.input_bytes += bytes.length
    return []
  }

  const refused = (record: ApiRecord): readonly string[] => {
    const event = readers.refused(record.event)
    return ended(
      event.command,
      record.time_us,
      style.bad(safeLine(`refused: ${event.native_code} ${event.message}`)),
    )
  }

  const over = (record: ApiRecord): readonly string[] => {
    const event = readers.ended(record.event)
    const unfinished = [...commands.keys()].flatMap((id) =>
      ended(id, record.time_us, style.warn('no end recorded')),
    )
    return [
      ...unfinished,
      '',
      `${style.dim(clockOfMicros(record.time_us))}  session ended: ${safeLine(event.reason)}${event.detail === '' ? '' : ` (${safeLine(event.detail)})`}`,
      style.dim(
        `  ${event.commands} commands, ${event.refused} refused, ${event.records} records, ${duration(event.duration_us)}`,
      ),
    ]
  }

  const handlers: Readonly<Record<string, (record: ApiRecord) => readonly string[]>> = {
    'session.started': () => [],
    'command.received': received,
    'decision.made': decided,
    'command.refused': refused,
    'command.completed': completed,
    'response.chunk': chunk,
    'input.chunk': input,
    'session.ended': over,
  }

  /** A hole in the sequence is a record that was lost or taken away: the one thing that a trail must never hide. */
  const hole = ({ sseq }: ApiRecord): readonly string[] => {
    const missing = sseq - next_sseq
    next_sseq = sseq + 1
    if (missing === 0) return []
    return [
      '',
      style.bad(
        missing > 0
          ? `MISSING: ${missing} ${missing === 1 ? 'record' : 'records'} before #${sseq}`
          : `TWICE: there is more than one record #${sseq}`,
      ),
    ]
  }

  const unknown = (record: ApiRecord): readonly string[] => [
    '',
    style.dim(
      `${clockOfMicros(record.time_us)}  ${safeLine(record.type === '' ? record.code : record.type)}`,
    ),
  ]

  return {
    add: (record) => [
      ...hole(record),
      ...(record.problem === null
        ? (handlers[record.type] ?? unknown)(record)
        : ['', style.bad(`#${record.sseq} cannot be read: ${safeLine(record.problem)}`)]),
    ],
  }
}
