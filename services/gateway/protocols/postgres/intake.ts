import type { SessionRecorder } from '../../recorder/port.ts'
import type { Command } from './command.ts'
import { sqlstate, type NativeError } from './errors.ts'
import { isFrameError, openFrontendFramer, type Frame, type FrameError } from './frontend-frames.ts'
import {
  messageNames,
  readBind,
  readExecute,
  readFunctionCall,
  readNamed,
  readOnlyString,
  readParse,
  type Span,
} from './frontend-messages.ts'
import { executeMessage, flushMessage, queryMessage } from './frontend-writes.ts'
import { settle, type EntryKind, type PendingChange } from './in-flight.ts'
import { readParameters } from './bound-parameters.ts'
import { nameChanges } from './sql-names.ts'
import type { Portal, Prepared } from './prepared.ts'
import type { Received, ReceivedCommand, Refusal } from './receive.ts'
import type { SessionState } from './state.ts'
import { unknownStatement, type StatementReader, type StatementText } from './statement.ts'
import { frontend } from './wire.ts'

/**
 * From the client to the target. A chunk goes through three steps before a byte of it is forwarded:
 *
 * 1. `take`    messages are cut and read; each joins the command it belongs to (Parse and Bind wait for their Execute);
 * 2. `receive` each command is recorded and decided;
 * 3. `emit`    what is allowed is gathered for one write; in the place of a refused command stands a message that fails at the server,
 *              so that the server's own rules about transactions and skipping hold.
 *
 * When a message's meaning depends on answers that are still due, the intake parks it and goes on once they are here.
 */

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

export type IntakeResult =
  | { readonly kind: 'batch'; readonly batch: Batch }
  /** The stream cannot be understood; what was before it is in the batch. */
  | { readonly kind: 'violation'; readonly batch: Batch; readonly error: FrameError }

export interface Intake {
  /** Adds bytes from the client. */
  push(chunk: Buffer): void
  /** Takes what can be taken now. */
  run(): IntakeResult
  /** A message waits for answers: call run() again when nothing is in flight. */
  readonly parked: boolean
}

/** One message between `take` and `emit`. */
type Item = {
  readonly type: number
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
  /** Null for Sync, Flush, CopyData and the like. */
  command: Command | null
  refusal: NativeError | null
  readonly change: PendingChange | null
  readonly statements: readonly (readonly PendingChange[])[] | null
  readonly prepared: Prepared | null
  readonly portal: Portal | null
  /** Describe and Close: of a statement (not of a portal), and its name. */
  readonly ofStatement: boolean
  readonly name: string
  /** Sync: the command before it, which its ReadyForQuery belongs to. */
  readonly answered: Command | null
}

const no_parameters: readonly never[] = []

/** A message no server accepts, and shorter than any name a log would be searched for. */
const failing_query = queryMessage('cairn_refused')

const refusalOf = (reason: string, code: string, message: string): Refusal => ({
  reason,
  native: { severity: 'ERROR', code, message },
})

/** Close runs nothing. */
const closing = { verb: 'deallocate', pure_read: true, unsettling: false, names: null } as const

const violation = (what: string): FrameError => ({ violation: what, too_large: false })

/** Opens the client's half of a session. */
export const openIntake = (options: IntakeOptions): Intake => {
  const { state, receive, recorder } = options
  const framer = openFrontendFramer(options.message_bytes_max)
  const failingExecute = executeMessage(state.refusedPortal)
  let parkedFrame: Frame | null = null
  /** Messages of this run. */
  let items: Item[] = []
  /** Those of them that belong to no command yet. */
  let loose: Item[] = []
  let batch: Batch = newBatch(0)
  /** COPY data of this run that is not recorded yet: a range of one buffer. */
  let copyBuffer: Buffer | null = null
  let copyStart = 0
  let copyEnd = 0
  let copyOwner: Command | null = null

  function newBatch(number: number): Batch {
    return {
      number,
      pieces: [],
      bytes: 0,
      recorded: false,
      pure: true,
      commands: [],
      terminated: false,
    }
  }

  const add = (frame: Frame, more: Partial<Item>): Item => {
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
    items.push(item)
    return item
  }

  const record = (received: ReceivedCommand, members: readonly Item[]): Command => {
    const { command, refusal } = receive(received)
    for (const item of members) {
      item.command = command
      item.refusal = refusal
    }
    batch.recorded = true
    if (!received.statement.pure_read || refusal !== null) batch.pure = false
    if (received.statement.unsettling) state.proofs = false
    batch.commands.push(command)
    state.segmentCommand = command
    return command
  }

  /** Whether something under way may change how the next text is read. */
  const settingsInDoubt = (): boolean => {
    for (let i = 0; i < state.inFlight.length; i++) {
      const command = state.inFlight.at(i)?.command
      if (command != null && command.statement?.pure_read !== true) return true
    }
    return items.some((item) => item.command !== null && item.command.statement?.pure_read !== true)
  }

  type Text = { readonly statement: StatementText; readonly refusal: Refusal | null }

  /** Reads a statement's text; null when it must wait. */
  const readText = (frame: Frame, span: Span): Text | null => {
    const bytes = frame.buffer.subarray(span.start, span.end)
    const valid = state.encoding.valid(bytes)
    const text = state.encoding.read(frame.buffer, span.start, span.end)
    const statement = options.statements.read(text, bytes, state.plainBackslashes)
    if (statement.delicate && settingsInDoubt()) return null
    if (valid && (state.plainBackslashes || !statement.delicate))
      return { statement, refusal: null }
    if (valid)
      return {
        statement,
        refusal: refusalOf('ambiguous_text', sqlstate.feature_not_supported, statement.parse_error),
      }
    return {
      statement: { ...statement, pure_read: false },
      refusal: refusalOf(
        'bad_encoding',
        sqlstate.bad_encoding,
        `invalid byte sequence for encoding "${state.encoding.name}"`,
      ),
    }
  }

  const border = (): void => {
    state.segment++
    state.unsynced = false
  }

  /** False: wait. */
  const takeQuery = (frame: Frame): boolean | FrameError => {
    const span = readOnlyString(frame)
    if (span === null) return violation('malformed Query')
    const text = readText(frame, span)
    if (text === null) return false
    const resolved = nameChanges(state, text.statement)
    if (resolved === 'doubt') return false
    orphans()
    const { table, change } = {
      table: state.statements,
      change: state.statements.change('', null, state.segment),
    }
    const item = add(frame, { change: { table, change }, statements: resolved.changes })
    record(
      {
        kind: 'query',
        statement: resolved.statement,
        parameters: no_parameters,
        native: [messageNames[frontend.query]!],
        statement_name: resolved.name,
        portal_name: '',
        row_limit: 0,
        refusal: text.refusal,
      },
      [item],
    )
    state.inputOwner = item.command
    border()
    return true
  }

  const takeParse = (frame: Frame): boolean | FrameError => {
    const message = readParse(frame)
    if (message === null) return violation('malformed Parse')
    const text = readText(frame, message.text)
    if (text === null) return false
    const prepared: Prepared = {
      name: message.name,
      statement: text.statement,
      oids: message.oids,
    }
    const full = message.name !== '' && state.statements.size >= options.statements_max
    const refusal =
      text.refusal ??
      (full
        ? refusalOf(
            'statements_max',
            sqlstate.program_limit_exceeded,
            `too many prepared statements (${options.statements_max})`,
          )
        : null)
    const table = state.statements
    const change = table.change(message.name, prepared, state.segment)
    const item = add(frame, { change: { table, change }, prepared, name: message.name })
    state.unsynced = true
    if (refusal === null) loose.push(item)
    else recordPrepare([item], prepared, refusal)
    return true
  }

  const recordPrepare = (
    members: readonly Item[],
    prepared: Prepared,
    refusal: Refusal | null,
  ): void => {
    record(
      {
        kind: 'prepare',
        statement: prepared.statement,
        parameters: no_parameters,
        native: members.map((item) => messageNames[item.type]!),
        statement_name: prepared.name,
        portal_name: '',
        row_limit: 0,
        refusal,
      },
      members,
    )
  }

  const takeBind = (frame: Frame): boolean | FrameError => {
    const message = readBind(frame)
    if (message === null) return violation('malformed Bind')
    const found = state.statements.lookup(message.statement, state.segment)
    if (!found.found && found.doubt) return false
    const known = found.found
    const prepared: Prepared = known
      ? found.value
      : {
          name: message.statement,
          statement: unknownStatement('prepared statement does not exist'),
          oids: [],
        }
    const parameters = readParameters(
      frame.buffer,
      message.parameters,
      prepared.oids,
      state.encoding.read,
      options.parameters_bytes_max,
    )
    const portal: Portal = { name: message.portal, prepared, parameters }
    const table = state.portals
    const change = table.change(message.portal, portal, state.segment)
    const item = add(frame, { change: { table, change }, prepared, portal, name: message.portal })
    state.unsynced = true
    const full = message.portal !== '' && table.size > options.portals_max
    if (known && !full) loose.push(item)
    else recordBind([item], portal, known ? tooManyPortals() : unknownName(message.statement))
    return true
  }

  const tooManyPortals = (): Refusal =>
    refusalOf(
      'portals_max',
      sqlstate.program_limit_exceeded,
      `too many portals (${options.portals_max})`,
    )

  const unknownName = (name: string): Refusal =>
    refusalOf(
      'unknown_statement',
      sqlstate.unknown_statement,
      name === ''
        ? 'unnamed prepared statement does not exist'
        : `prepared statement "${Buffer.from(name, 'latin1').toString('utf8')}" does not exist`,
    )

  const recordBind = (members: readonly Item[], portal: Portal, refusal: Refusal | null): void => {
    record(
      {
        kind: 'bind',
        statement: portal.prepared.statement,
        parameters: portal.parameters,
        native: members.map((item) => messageNames[item.type]!),
        statement_name: portal.prepared.name,
        portal_name: portal.name,
        row_limit: 0,
        refusal,
      },
      members,
    )
  }

  const takeExecute = (frame: Frame): boolean | FrameError => {
    const message = readExecute(frame)
    if (message === null) return violation('malformed Execute')
    const found = state.portals.lookup(message.portal, state.segment)
    if (!found.found && found.doubt) return false
    const statement = found.found
      ? found.value.prepared.statement
      : unknownStatement('portal does not exist')
    const resolved = nameChanges(state, statement)
    if (resolved === 'doubt') return false
    const item = add(frame, { statements: resolved.changes, name: message.portal })
    state.unsynced = true
    const members = found.found ? membersOf(found.value) : []
    members.push(item)
    loose = loose.filter((other) => !members.includes(other))
    record(
      {
        kind: 'execute',
        statement: resolved.statement,
        parameters: found.found ? found.value.parameters : no_parameters,
        native: members.map((member) => messageNames[member.type]!),
        statement_name:
          resolved.name === '' && found.found ? found.value.prepared.name : resolved.name,
        portal_name: message.portal,
        row_limit: Math.max(0, message.row_limit),
        refusal: found.found
          ? null
          : refusalOf(
              'unknown_portal',
              sqlstate.unknown_portal,
              `portal "${Buffer.from(message.portal, 'latin1').toString('utf8')}" does not exist`,
            ),
      },
      members,
    )
    state.inputOwner = item.command
    return true
  }

  /** The loose messages that led to this portal, in their order: its Parse, Bind and Describes, and any Close before. */
  const membersOf = (portal: Portal): Item[] =>
    loose.filter(
      (item) =>
        item.portal === portal ||
        (item.portal === null && item.prepared === portal.prepared) ||
        item.type === frontend.close,
    )

  const takeDescribe = (frame: Frame): boolean | FrameError => {
    const message = readNamed(frame)
    if (message === null) return violation('malformed Describe')
    const { name } = message
    state.unsynced = true
    if (message.statement) {
      const found = state.statements.lookup(name, state.segment)
      if (!found.found && found.doubt) return false
      loose.push(
        add(frame, { ofStatement: true, name, prepared: found.found ? found.value : null }),
      )
    } else {
      const found = state.portals.lookup(name, state.segment)
      if (!found.found && found.doubt) return false
      const portal = found.found ? found.value : null
      loose.push(add(frame, { name, portal, prepared: portal?.prepared ?? null }))
    }
    return true
  }

  const takeClose = (frame: Frame): boolean | FrameError => {
    const message = readNamed(frame)
    if (message === null) return violation('malformed Close')
    const { name } = message
    const change: PendingChange = message.statement
      ? { table: state.statements, change: state.statements.change(name, null, state.segment) }
      : { table: state.portals, change: state.portals.change(name, null, state.segment) }
    state.unsynced = true
    loose.push(add(frame, { change, ofStatement: message.statement, name }))
    return true
  }

  const takeFunctionCall = (frame: Frame): boolean | FrameError => {
    const message = readFunctionCall(frame)
    if (message === null) return violation('malformed FunctionCall')
    orphans()
    const item = add(frame, {})
    record(
      {
        kind: 'function_call',
        statement: {
          ...unknownStatement(''),
          unsettling: false,
          verb: 'function_call',
          statements: [
            {
              verb: 'function_call',
              offset: 0,
              length: 0,
              effects: [{ action: `call:${message.oid >>> 0}`, object: '' }],
            },
          ],
        },
        parameters: readParameters(
          frame.buffer,
          message.parameters,
          [],
          state.encoding.read,
          options.parameters_bytes_max,
        ),
        native: [messageNames[frontend.function_call]!],
        statement_name: '',
        portal_name: '',
        row_limit: 0,
        refusal: refusalOf(
          'function_call_refused',
          sqlstate.insufficient_privilege,
          'function calls by the fast-path interface are not allowed: use SELECT',
        ),
      },
      [item],
    )
    border()
    return true
  }

  const recordCopy = (): void => {
    const owner = copyOwner
    const buffer = copyBuffer
    if (owner === null || buffer === null) return
    for (let at = copyStart; at < copyEnd; at += options.chunk_bytes_max) {
      const end = Math.min(copyEnd, at + options.chunk_bytes_max)
      recorder.append('input.chunk', {
        command: owner.id,
        stream: 'copy',
        format: 'pg3',
        offset: owner.input_bytes,
        bytes: buffer.subarray(at, end),
      })
      owner.input_bytes += end - at
    }
    copyBuffer = null
    copyOwner = null
  }

  /** CopyData, CopyDone and CopyFail belong to the latest Query or Execute; after its end the server ignores them, so they stop here. */
  const takeCopy = (frame: Frame): boolean => {
    const owner = state.inputOwner
    if (owner === null || owner.refused || owner.completed || owner.ended_ms > 0) return true
    if (copyBuffer === frame.buffer && copyEnd === frame.start && copyOwner === owner)
      copyEnd = frame.end
    else {
      recordCopy()
      copyBuffer = frame.buffer
      copyStart = frame.start
      copyEnd = frame.end
      copyOwner = owner
    }
    add(frame, {})
    if (frame.type !== frontend.copy_data) {
      recordCopy()
      state.copyOpen = false
      batch.recorded = true
      batch.pure = false
    }
    return true
  }

  const take = (frame: Frame): boolean | FrameError => {
    const { type } = frame
    if (state.copyOpen && !duringCopy(type))
      return violation(`unexpected message ${messageNames[type] ?? type} during COPY from stdin`)
    switch (type) {
      case frontend.query:
        return takeQuery(frame)
      case frontend.parse:
        return takeParse(frame)
      case frontend.bind:
        return takeBind(frame)
      case frontend.describe:
        return takeDescribe(frame)
      case frontend.execute:
        return takeExecute(frame)
      case frontend.close:
        return takeClose(frame)
      case frontend.function_call:
        return takeFunctionCall(frame)
      case frontend.sync:
        // While it reads COPY data the server ignores Sync and Flush; dropping them here keeps the count of answers certain.
        if (!state.copyOpen) {
          orphans()
          add(frame, { answered: state.segmentCommand })
          state.segmentCommand = null
          border()
        }
        return true
      case frontend.flush:
        if (!state.copyOpen) add(frame, {})
        return true
      case frontend.copy_fail:
        if (readOnlyString(frame) === null) return violation('malformed CopyFail')
        return takeCopy(frame)
      case frontend.copy_data:
      case frontend.copy_done:
        return takeCopy(frame)
      case frontend.terminate:
        batch.terminated = true
        return true
      default:
        return violation('unexpected message')
    }
  }

  /** Messages whose Execute is not in this run reach the target on their own: each is a command. */
  const orphans = (): void => {
    while (loose.length > 0) {
      const [first, ...rest] = loose
      if (first === undefined) return
      const { prepared, portal } = first
      const bound = rest.find((item) => item.portal !== null && item.prepared === prepared)?.portal
      const subject = portal ?? (first.type === frontend.parse ? bound : undefined) ?? null
      const members = loose.filter(
        (item) =>
          item === first ||
          (item.type !== frontend.close &&
            ((subject !== null && item.portal === subject) ||
              (prepared !== null && item.portal === null && item.prepared === prepared))),
      )
      loose = loose.filter((item) => !members.includes(item))
      if (members.some((item) => item.type === frontend.bind) && subject !== null)
        recordBind(members, subject, null)
      else if (first.type === frontend.parse && prepared !== null)
        recordPrepare(members, prepared, null)
      else recordBare(members, first)
    }
  }

  /** Describe or Close without anything else: nothing runs, but it reaches the target. */
  const recordBare = (members: readonly Item[], first: Item): void => {
    const statement = first.prepared?.statement ?? unknownStatement('')
    const close = first.type === frontend.close
    record(
      {
        kind: close ? 'prepare' : 'describe',
        statement: close ? { ...statement, ...closing } : statement,
        parameters: no_parameters,
        native: members.map((item) => messageNames[item.type]!),
        statement_name: first.ofStatement ? first.name : '',
        portal_name: first.ofStatement ? '' : first.name,
        row_limit: 0,
        refusal: null,
      },
      members,
    )
  }

  /** Range of one buffer that is forwarded as it is. */
  let runBuffer: Buffer | null = null
  let runStart = 0
  let runEnd = 0

  const flushRun = (): void => {
    if (runBuffer === null) return
    const whole = runStart === 0 && runEnd === runBuffer.length
    batch.pieces.push(whole ? runBuffer : runBuffer.subarray(runStart, runEnd))
    batch.bytes += runEnd - runStart
    runBuffer = null
  }

  const pass = (item: Item): void => {
    if (runBuffer === item.buffer && runEnd === item.start) runEnd = item.end
    else {
      flushRun()
      runBuffer = item.buffer
      runStart = item.start
      runEnd = item.end
    }
  }

  const inject = (bytes: Buffer): void => {
    flushRun()
    batch.pieces.push(bytes)
    batch.bytes += bytes.length
  }

  const expect = (item: Item, kind: EntryKind, refusal: NativeError | null): void => {
    const { command, change, statements } = item
    if (state.skipping) {
      // The server ignores it: no answer will come.
      if (change !== null) settle(change, false)
      for (const changes of statements ?? []) for (const one of changes) settle(one, false)
      if (command !== null && !command.refused) {
        command.status = 'aborted'
        command.due = 0
      }
      return
    }
    if (command !== null) command.due++
    state.inFlight.push({
      kind,
      command: item.answered ?? command,
      change,
      described: kind === 'describe' && item.ofStatement ? item.prepared : null,
      refusal,
      batch: batch.number,
      statements,
    })
  }

  /** The first message of a refused command becomes one that fails; the others go away. */
  const emitRefused = (item: Item, injected: Set<Command>): void => {
    const { command, refusal } = item
    if (item.change !== null && item.type !== frontend.query) settle(item.change, false)
    for (const changes of item.statements ?? []) for (const one of changes) settle(one, false)
    if (command === null || injected.has(command)) return
    injected.add(command)
    const simple = item.type === frontend.query || item.type === frontend.function_call
    inject(simple ? failing_query : failingExecute)
    const change = simple && item.type === frontend.query ? item.change : null
    expect({ ...item, change, statements: null }, simple ? 'query' : 'execute', refusal)
  }

  const kinds: Readonly<Record<number, EntryKind>> = {
    [frontend.query]: 'query',
    [frontend.parse]: 'parse',
    [frontend.bind]: 'bind',
    [frontend.describe]: 'describe',
    [frontend.execute]: 'execute',
    [frontend.close]: 'close',
    [frontend.function_call]: 'function_call',
    [frontend.copy_done]: 'copy_end',
    [frontend.copy_fail]: 'copy_end',
  }

  const emit = (): void => {
    let injected: Set<Command> | null = null
    for (const item of items) {
      if (item.refusal !== null) {
        emitRefused(item, (injected ??= new Set()))
        continue
      }
      pass(item)
      if (item.type === frontend.sync) {
        state.skipping = false
        expect(item, 'sync', null)
      } else {
        const kind = kinds[item.type]
        if (kind !== undefined) expect(item, kind, null)
      }
    }
    flushRun()
    items = []
  }

  return {
    push: (chunk) => framer.push(chunk),
    run: () => {
      batch = newBatch(++state.batch)
      let error: FrameError | null = null
      while (!batch.terminated) {
        const frame = parkedFrame ?? framer.next()
        parkedFrame = null
        if (frame === null) break
        const taken = isFrameError(frame) ? frame : take(frame)
        if (taken === true) continue
        if (taken === false) parkedFrame = frame as Frame
        else error = taken
        break
      }
      recordCopy()
      orphans()
      emit()
      // Without it the server could keep the answers that the parked message waits for.
      if (parkedFrame !== null && state.unsynced) inject(flushMessage)
      return error === null ? { kind: 'batch', batch } : { kind: 'violation', batch, error }
    },
    get parked() {
      return parkedFrame !== null
    },
  }
}

const duringCopy = (type: number): boolean =>
  type === frontend.copy_data ||
  type === frontend.copy_done ||
  type === frontend.copy_fail ||
  type === frontend.sync ||
  type === frontend.flush ||
  type === frontend.terminate
