import type { SearchPath } from '#core/policy/object-pattern.ts'
import type { Command } from './command.ts'
import type { NativeError } from './errors.ts'
import type { Frame } from './frontend-frames.ts'
import type { PendingChange } from './in-flight.ts'
import type { MaskSession } from './masking/mask-session.ts'
import type { Portal, Prepared } from './prepared.ts'
import type { CommandFacts, HeldTerms, Received, ReceivedCommand } from './receive.ts'
import type { SessionState } from './state.ts'
import type { SessionRecorder } from '../../recorder/port.ts'
import type { StatementReader } from './statement.ts'

/** What goes to the target in one write. */
export type Batch = {
  readonly number: number
  readonly pieces: Buffer[]
  bytes: number
  /** Holds records that must be durable first. */
  recorded: boolean
  /** Every command of it is a proven pure read. */
  pure: boolean
  readonly commands: Command[]
  /** The client said goodbye. */
  terminated: boolean
  /** It ends inside of a message: CopyData whose rest has not come. */
  cut: boolean
}

export const newBatch = (number: number): Batch => ({
  number,
  pieces: [],
  bytes: 0,
  recorded: false,
  pure: true,
  commands: [],
  terminated: false,
  cut: false,
})

/** One message of a client, between being read and being forwarded. */
export type Item = {
  readonly type: number
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
  /** Whose message it is; null for Sync, Flush and COPY data. */
  command: Command | null
  /** Set when that command is refused. */
  refusal: NativeError | null
  readonly change: PendingChange | null
  readonly statements: readonly (readonly PendingChange[])[] | null
  readonly prepared: Prepared | null
  readonly portal: Portal | null
  /** Describe and Close: of a statement, not of a portal. */
  readonly ofStatement: boolean
  readonly name: string
  /** Sync: the command before it, which its ReadyForQuery belongs to. */
  readonly answered: Command | null
  /** CopyDone and CopyFail: ends a COPY that the server is known to have begun, so no answer waits for it. */
  readonly ends_copy: boolean
  /** The gateway's own, which the client did not send. */
  readonly hidden: boolean
}

export type IntakeOptions = {
  readonly state: SessionState
  readonly recorder: SessionRecorder
  readonly receive: (received: ReceivedCommand, path: SearchPath) => Received
  /** Whether people would be asked about it. */
  readonly wouldHold: (command: CommandFacts, path: SearchPath) => boolean
  readonly statements: StatementReader
  readonly message_bytes_max: number
  readonly statements_max: number
  readonly portals_max: number
  /** Bound of a command's recorded parameter values, bytes. */
  readonly parameters_bytes_max: number
  /** Bound of one recorded piece of COPY data, bytes. */
  readonly chunk_bytes_max: number
  /** Null: nothing is masked. */
  readonly masks: MaskSession | null
}

/** A command that waits for people, and what waits behind it. */
export type Holding = HeldTerms & {
  readonly command: Command
  readonly received: ReceivedCommand
  /** Its messages. */
  readonly members: readonly Item[]
  /** Its messages and those that were read with them and stand behind its first one, in order; null until the run is over. */
  items: readonly Item[] | null
  /** Other commands among them. */
  commands: readonly Command[]
}

/** Everything that one run of the intake works on. */
export type Run = {
  readonly options: IntakeOptions
  readonly state: SessionState
  batch: Batch
  /** Messages, in order. */
  items: Item[]
  /** Those of them that belong to no command yet. */
  loose: Item[]
  /** A command that has to wait: nothing more is taken. */
  holding: Holding | null
}

/** Adds a message to the run. */
export const addItem = (run: Run, frame: Frame, more: Partial<Item> | null): Item => {
  const item: Item = {
    type: frame.type,
    buffer: frame.buffer,
    start: frame.start,
    end: frame.end,
    command: null,
    refusal: null,
    change: null,
    statements: null,
    prepared: null,
    portal: null,
    ofStatement: false,
    name: '',
    answered: null,
    ends_copy: false,
    hidden: false,
    ...more,
  }
  run.items.push(item)
  return item
}

/** A command takes its place in the batch. */
export const enterBatch = (
  { batch, state }: Run,
  command: Command,
  { pure_read, unsettling, moves }: ReceivedCommand['statement'],
): void => {
  batch.recorded = true
  if (!pure_read || command.refused) batch.pure = false
  if (unsettling) state.proofs = false
  if (!pure_read && !command.refused) {
    state.disturbances++
    state.unreported = batch.number
  }
  const runs = command.kind === 'query' || command.kind === 'execute'
  if (moves !== null && runs && !command.refused) state.naming.sent(moves, batch.number)
  batch.commands.push(command)
}

/** Records and decides a command; its messages learn whose they are. */
export const recordCommand = (
  run: Run,
  received: ReceivedCommand,
  members: readonly Item[],
): Command => {
  const path = received.statement.naming.search_path ?? null
  const { command, refusal, held } = run.options.receive(received, path)
  for (const item of members) {
    item.command = command
    item.refusal = refusal
  }
  run.batch.recorded = true
  if (held === null) enterBatch(run, command, received.statement)
  else run.holding = { ...held, command, received, members, items: null, commands: [] }
  run.state.segmentCommand = command
  return command
}
