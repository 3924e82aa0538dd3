import type { Command } from './command.ts'
import type { NativeError } from './errors.ts'
import type { Frame } from './frontend-frames.ts'
import type { PendingChange } from './in-flight.ts'
import type { Portal, Prepared } from './prepared.ts'
import type { Received, ReceivedCommand } from './receive.ts'
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
}

export const newBatch = (number: number): Batch => ({
  number,
  pieces: [],
  bytes: 0,
  recorded: false,
  pure: true,
  commands: [],
  terminated: false,
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
}

export type IntakeOptions = {
  readonly state: SessionState
  readonly recorder: SessionRecorder
  readonly receive: (received: ReceivedCommand) => Received
  readonly statements: StatementReader
  readonly message_bytes_max: number
  readonly statements_max: number
  readonly portals_max: number
  /** Bound of a command's recorded parameter values, bytes. */
  readonly parameters_bytes_max: number
  /** Bound of one recorded piece of COPY data, bytes. */
  readonly chunk_bytes_max: number
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
    ...more,
  }
  run.items.push(item)
  return item
}

/** Records and decides a command; its messages learn whose they are. */
export const recordCommand = (
  run: Run,
  received: ReceivedCommand,
  members: readonly Item[],
): Command => {
  const { batch, state } = run
  const { command, refusal } = run.options.receive(received)
  for (const item of members) {
    item.command = command
    item.refusal = refusal
  }
  batch.recorded = true
  if (!received.statement.pure_read || refusal !== null) batch.pure = false
  if (received.statement.unsettling) state.proofs = false
  if (!received.statement.pure_read && refusal === null) {
    state.disturbances++
    state.unreported = batch.number
  }
  batch.commands.push(command)
  state.segmentCommand = command
  return command
}
