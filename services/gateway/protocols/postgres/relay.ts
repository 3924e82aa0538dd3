import type { SessionRecorder } from '../../recorder/port.ts'
import { openBackendWalker, type BackendPiece } from './backend-frames.ts'
import { addTag, completion, tagFits, type Command } from './command.ts'
import { clientEncoding } from './encoding.ts'
import { errorResponse, readErrorFields } from './errors.ts'
import { settle, type Entry } from './in-flight.ts'
import type { MaskSession } from './masking/mask-session.ts'
import { openMaskedAnswers, type MaskedAnswers } from './masking/masked-answers.ts'
import { openMaskedRows, type MaskedRows } from './masking/masked-rows.ts'
import { openRelayOutput } from './relay-output.ts'
import { maskText, openSecretMask } from './secret-bytes.ts'
import { encodingIsSafe } from './startup-parameters.ts'
import type { SessionState } from './state.ts'
import { backend, header_bytes } from './wire.ts'

/**
 * From the target to the client. Bytes go on as they came, but for the error in the place of a refused command, which becomes the
 * refusal, and for what is masked (masking/). What a command answered is recorded from the same buffers: one record per chunk and command.
 */

/** What one chunk of the target became. */
export type Relayed = {
  /** For the client, in order. */
  readonly pieces: readonly Buffer[]
  readonly bytes: number
  /** The latest batch that any of these bytes answer. */
  readonly batch: number
  /** The target broke the protocol, or does something the gateway does not allow: end the session. */
  readonly fault: string | null
  /** A ReadyForQuery was among them. */
  readonly ready: boolean
}

export type RelayOptions = {
  readonly state: SessionState
  readonly recorder: SessionRecorder
  readonly now_ms: () => number
  /** Bound of one response.chunk record, bytes. */
  readonly chunk_bytes_max: number
  /** Null: nothing is masked. */
  readonly masks: MaskSession | null
}

export interface Relay {
  relay(chunk: Buffer): Relayed
  /** Gives the client a message of the gateway's own about a command: now, or when the target's message that is under way is over. */
  say(command: Command, message: Buffer): Relayed
  /** Records a command's end that no answer tells (skipped, session over). */
  finish(command: Command, status: Command['status']): void
  /** Records the end of everything that is still in flight. */
  abort(): void
}

/** The fault of a session in which another statement ran than the one recorded. */
export const replaced_statement =
  'a prepared statement was replaced behind the gateway: what ran is not what was recorded'

/** Severities after which the server closes the connection. */
const fatal = new Set(['FATAL', 'PANIC'])

/** The target's half of a session in which something is masked. */
type MaskedHalf = { readonly rows: MaskedRows; readonly answers: MaskedAnswers }

/** Opens the target's half of a session. */
export const openRelay = (options: RelayOptions): Relay => {
  const { state, recorder, now_ms, masks } = options
  const { inFlight } = state
  const walker = openBackendWalker(masks?.row_bytes_max)
  let batch = 0
  let ready = false
  let fault: string | null = null
  const secretMask = openSecretMask()
  /** Whose the message in hand is, for its later pieces. */
  let owner: Command | null = null
  /** The message in hand answers what the client did not ask. */
  let hidden = false
  /** What the gateway itself has to say. */
  let sayings: { readonly command: Command; readonly message: Buffer }[] = []

  const complete = (command: Command): void => {
    if (command.completed || command.refused) return
    command.completed = true
    recorder.append('command.completed', completion(command))
  }
  const output = openRelayOutput({
    recorder,
    chunk_bytes_max: options.chunk_bytes_max,
    complete,
    counts: masks?.counts ?? null,
  })
  const openMaskedHalf = (session: MaskSession): MaskedHalf => {
    const rows = openMaskedRows(output, secretMask)
    return { rows, answers: openMaskedAnswers(session, rows, () => state.naming.current()) }
  }
  const masked = masks === null ? null : openMaskedHalf(masks)

  const end = (command: Command, status: Command['status'] | null): void => {
    if (command.completed || command.ended_ms > 0) return
    if (status !== null && command.status === 'ok') command.status = status
    command.ended_ms = Math.max(now_ms(), Number.MIN_VALUE)
    output.over(command)
  }

  /** An answer is complete: the entry leaves the queue. */
  const answered = (entry: Entry): void => {
    inFlight.shift()
    if (entry.change !== null) settle(entry.change, true)
    const { command } = entry
    if (command !== null && entry.kind !== 'sync' && --command.due === 0) end(command, null)
    while (inFlight.head()?.kind === 'copy_end') inFlight.shift()
  }

  const drop = (entry: Entry, status: 'aborted' | 'unknown' = 'aborted'): void => {
    if (entry.change !== null) settle(entry.change, false)
    settleStatements(entry, 0, false)
    const { command } = entry
    if (command !== null && entry.kind !== 'sync') {
      command.due--
      end(command, status)
    }
  }

  /** Settles what the statements of a query do to names, from one on. */
  const settleStatements = (entry: Entry, from: number, done: boolean): void => {
    const { statements } = entry
    if (statements === null) return
    for (let i = from; i < statements.length; i++)
      for (const change of statements[i]!) settle(change, done)
  }

  /** The server skips to the next Sync: so does the queue. */
  const skipToSync = (): void => {
    for (;;) {
      const next = inFlight.head()
      if (next === null) {
        state.skipping = true
        return
      }
      if (next.kind === 'sync') return
      inFlight.shift()
      drop(next)
    }
  }

  const onError = (piece: BackendPiece, head: Entry | null): Buffer | null => {
    const fields = readErrorFields(piece.buffer, piece.start + header_bytes, piece.end)
    const command = head?.command ?? null
    // It failed before it read the Sync, which it would have answered.
    if (!state.copyOpen || command?.input_bytes !== 0) state.copySync = false
    state.copyOpen = false
    if (command !== null && !command.completed) {
      command.copying = false
      command.status = fields.code === '57014' ? 'cancelled' : 'error'
      command.error_code = fields.code
      command.error_message =
        command.secrets === null ? fields.message : maskText(fields.message, command.secrets)
    }
    const isFatal = fatal.has(fields.severity)
    if (head === null || isFatal) return null
    const refusal = head.refusal
    if (head.kind === 'query' || head.kind === 'function_call') {
      settleStatements(head, command?.statements_done ?? 0, false)
    } else if (head.kind !== 'sync') {
      // A failed Parse of the unnamed statement has dropped the one before it.
      inFlight.shift()
      drop(head)
      if (head.kind === 'parse' && head.change?.change.name === '') state.statements.forget('')
      skipToSync()
    }
    return refusal === null ? null : errorResponse(refusal)
  }

  const onCommandComplete = (piece: BackendPiece, head: Entry): void => {
    const { command } = head
    if (command === null) return
    command.copying = false
    if (piece.type === backend.command_complete) {
      const tag = piece.buffer.toString('latin1', piece.start + header_bytes, piece.end - 1)
      addTag(command, tag)
      if (!tagFits(command, tag)) {
        fault = replaced_statement
        // It ran: its record has the tag that tells what did.
        end(command, null)
      }
    }
    if (head.statements !== null) {
      for (const change of head.statements[command.statements_done] ?? []) settle(change, true)
    }
    command.statements_done++
    if (head.kind === 'execute') answered(head)
  }

  const onReady = (piece: BackendPiece): void => {
    state.transaction = piece.buffer[piece.start + header_bytes] ?? 0
    ready = true
    for (;;) {
      const head = inFlight.head()
      if (head === null) break
      if (head.kind === 'query' || head.kind === 'function_call' || head.kind === 'sync') {
        settleStatements(head, head.command?.statements_done ?? 0, false)
        answered(head)
        break
      }
      // Not expected from a server that keeps the protocol: what was due before will not come any more.
      inFlight.shift()
      drop(head)
    }
    if (state.transaction === 0x49) state.portals.clear()
    const next = inFlight.head()
    state.naming.ready(state.transaction, next === null ? Number.POSITIVE_INFINITY : next.batch)
    if (state.unreported > 0 && (next === null || next.batch > state.unreported)) {
      state.unreported = 0
      // What was deferred to the end of the transaction ran after names that were made behind the command.
      state.disturbances++
    }
  }

  /** The server reads COPY data now, up to the client's CopyDone or CopyFail: which is on its way, or not sent yet. */
  const onCopyIn = (command: Command | null): void => {
    state.copySync = false
    if (command === null || command.inputs === 0) fault = 'the target reads data that nobody sends'
    if (inFlight.at(1)?.kind === 'copy_end') inFlight.remove(1)
    else state.copyOpen = true
  }

  const onParameter = (piece: BackendPiece): void => {
    const from = piece.start + header_bytes
    const [name, value] = piece.buffer.toString('utf8', from, piece.end - 1).split('\0')
    if (name === 'client_encoding' && value !== undefined) {
      state.encoding = clientEncoding(value)
      if (!encodingIsSafe(value)) fault = `client encoding ${value} is not supported`
    } else if (name === 'standard_conforming_strings') state.plainBackslashes = value !== 'off'
    if (value !== undefined && name === 'search_path') state.naming.reportedPath(value)
    if (value !== undefined && name === 'session_authorization') state.naming.reportedUser(value)
    if (name === 'search_path' || name === 'session_authorization' || name === 'is_superuser')
      state.proofs = false
  }

  const onDescription = (piece: BackendPiece, head: Entry | null): void => {
    const described = head?.described ?? null
    if (described === null) return
    const at = piece.start + header_bytes
    const count = piece.buffer.readUInt16BE(at)
    if (at + 2 + count * 4 > piece.end) return
    const oids: number[] = []
    for (let i = 0; i < count; i++) oids.push(piece.buffer.readInt32BE(at + 2 + i * 4))
    described.oids = oids
  }

  /** Looks at the beginning of a message (all of it where it decides something); returns what takes its place, if anything. */
  const meet = (piece: BackendPiece): Buffer | null => {
    const head = inFlight.head()
    const command = head?.command ?? null
    if (head !== null && head.batch > batch) batch = head.batch
    owner = command !== null && !(head?.kind === 'sync' && command.completed) ? command : null
    switch (piece.type) {
      case backend.data_row:
      case backend.notice:
      case backend.copy_data:
        return null
      case backend.notification:
        owner = null
        return null
      case backend.parameter_status:
        onParameter(piece)
        return null
      case backend.parse_complete:
        return settleIf(head, 'parse')
      case backend.bind_complete:
        return settleIf(head, 'bind')
      case backend.close_complete:
        return settleIf(head, 'close')
      case backend.row_description:
      case backend.no_data:
        if (head?.kind === 'describe') {
          hidden = head.hidden
          answered(head)
        }
        return null
      case backend.parameter_description:
        onDescription(piece, head)
        return null
      case backend.command_complete:
      case backend.empty_query:
        if (head?.kind === 'query' || head?.kind === 'execute') onCommandComplete(piece, head)
        else fault = 'the target answered what was not asked'
        return null
      case backend.portal_suspended:
        if (command !== null) command.status = 'suspended'
        return settleIf(head, 'execute')
      case backend.error:
        return onError(piece, head)
      case backend.ready:
        onReady(piece)
        return null
      case backend.copy_in:
        onCopyIn(command)
        return null
      case backend.copy_out:
        if (command !== null) command.copying = true
        return null
      case backend.copy_done:
      case backend.function_result:
        return null
      default:
        // Authentication, key data, CopyBoth: not in a session that is under way.
        fault = 'the target sent a message that does not belong here'
        return null
    }
  }

  const settleIf = (head: Entry | null, kind: Entry['kind']): null => {
    if (head?.kind === kind) answered(head)
    else fault = 'the target answered what was not asked'
    return null
  }

  /** Sends a piece on and records it, secrets of its command masked in the record. */
  const forward = (piece: BackendPiece): void => {
    const { buffer, start, end } = piece
    const secrets = owner?.secrets ?? null
    const copy = secrets === null ? null : secretMask.mask(secrets, piece)
    if (copy === null) output.note(buffer, start, end, owner)
    else output.note(copy.bytes, 0, copy.bytes.length, owner, copy.count)
    output.pass(buffer, start, end)
  }

  /** A message of a masked session: whole, since they are collected. */
  const takeMasked = (session: MaskedHalf, piece: BackendPiece): void => {
    const { rows, answers } = session
    const head = inFlight.head()
    switch (piece.type) {
      case backend.data_row:
      case backend.copy_data:
        owner = head?.command ?? null
        if (head !== null && head.batch > batch) batch = head.batch
        fault =
          piece.type === backend.data_row ? answers.row(piece, head) : answers.copyData(piece, head)
        return
      case backend.error:
      case backend.notice:
      case backend.notification:
        rows.settle()
        takeWhole(answers.message(piece, head))
        return
      case backend.copy_out:
        fault = answers.copyOpened(piece, head)
        break
      case backend.row_description:
      case backend.no_data:
        fault = answers.described(piece, head)
        break
      default:
        break
    }
    rows.settle()
    if (fault === null) takeWhole(piece)
  }

  const takeWhole = (piece: BackendPiece): void => {
    hidden = false
    const replacement = piece.first ? meet(piece) : null
    if (fault !== null || hidden) return
    if (replacement === null) forward(piece)
    else {
      output.note(replacement, 0, replacement.length, owner)
      output.pass(replacement, 0, replacement.length)
    }
  }

  const take = (piece: BackendPiece): void => {
    if (masked === null) takeWhole(piece)
    else takeMasked(masked, piece)
  }

  const begin = (): void => {
    output.begin()
    masked?.rows.begin()
    ready = false
  }

  /** Puts the gateway's own messages between two of the target. */
  const speak = (): void => {
    const said = sayings
    sayings = []
    for (const { command, message } of said) {
      masked?.rows.settle()
      output.note(message, 0, message.length, command)
      output.pass(message, 0, message.length)
    }
  }

  const relayed = (): Relayed => {
    masked?.rows.settle()
    output.flushNotes()
    return { ...output.finish(), batch, fault, ready }
  }

  return {
    say: (command, message) => {
      begin()
      sayings.push({ command, message })
      if (!walker.within) speak()
      return relayed()
    },
    relay: (chunk) => {
      begin()
      walker.push(chunk)
      for (;;) {
        const piece = walker.next()
        if (piece === null || fault !== null) break
        if (piece === 'invalid')
          fault = walker.oversized
            ? 'a row is larger than masking.row_bytes_max'
            : 'the target sent bytes that are no message'
        else take(piece)
        if (sayings.length > 0 && !walker.within) speak()
      }
      return relayed()
    },
    finish: (command, status) => {
      end(command, status)
      output.flushNotes()
    },
    abort: () => {
      for (;;) {
        const entry = inFlight.shift()
        if (entry === null) break
        // What was forwarded may have run, or be running still.
        drop(entry, (entry.command?.started_ms ?? 0) > 0 ? 'unknown' : 'aborted')
      }
      output.flushNotes()
    },
  }
}
