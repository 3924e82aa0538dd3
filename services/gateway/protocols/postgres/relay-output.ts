import type { SessionRecorder } from '../../recorder/port.ts'
import type { Command } from './command.ts'
import { joinCounts, no_masks, type MaskCounts } from './masking/mask-counts.ts'

/**
 * What a chunk of the target becomes: ranges for the client, as few as can be, and the same ranges as records, one for each run of bytes of
 * one command. A command that has ended keeps its place among them: its end is recorded behind its last bytes.
 */
export interface RelayOutput {
  /** Begins a chunk. */
  begin(): void
  /** Bytes for the client. */
  pass(buffer: Buffer, start: number, end: number): void
  /** Bytes for the record; what was counted since the last ones was masked in them, and so many secrets. */
  note(buffer: Buffer, start: number, end: number, owner: Command | null, secrets?: number): void
  /** A command is over; its last bytes may not be recorded yet. */
  over(command: Command): void
  /** Records what is noted, and the ends behind it. */
  flushNotes(): void
  /** Gives away the pieces of this chunk. */
  finish(): { readonly pieces: readonly Buffer[]; readonly bytes: number }
}

export type RelayOutputOptions = {
  readonly recorder: SessionRecorder
  /** Bound of one response.chunk record, bytes. */
  readonly chunk_bytes_max: number
  /** Records the end of a command. */
  readonly complete: (command: Command) => void
  /** What is masked; null: nothing is. */
  readonly counts: MaskCounts | null
}

export const openRelayOutput = (options: RelayOutputOptions): RelayOutput => {
  const { recorder, chunk_bytes_max, complete, counts } = options
  let pieces: Buffer[] = []
  let bytes = 0
  /** Range of one buffer that goes to the client. */
  let runBuffer: Buffer | null = null
  let runStart = 0
  let runEnd = 0
  /** Range of one buffer that is not recorded yet, and whose it is. */
  let noteBuffer: Buffer | null = null
  let noteStart = 0
  let noteEnd = 0
  let noteOwner: Command | null = null
  let noteCopy = false
  let noteSecrets = 0
  /** Commands that ended and whose last bytes may not be recorded yet. */
  let ended: Command[] = []
  /** Bytes outside any command, so far. */
  let asynchronous_bytes = 0

  const flushRange = (): void => {
    const buffer = noteBuffer
    if (buffer === null) return
    noteBuffer = null
    const command = noteOwner
    const counted = counts?.take() ?? no_masks
    const masked =
      noteSecrets === 0 ? counted : joinCounts(counted, [{ rule: 'secret', count: noteSecrets }])
    for (let at = noteStart; at < noteEnd; at += chunk_bytes_max) {
      const end = Math.min(noteEnd, at + chunk_bytes_max)
      recorder.append('response.chunk', {
        command: command?.id ?? -1,
        stream: command === null ? 'asynchronous' : noteCopy ? 'copy' : 'rows',
        format: 'pg3',
        offset: command?.response_bytes ?? asynchronous_bytes,
        bytes: at === 0 && end === buffer.length ? buffer : buffer.subarray(at, end),
        // Counted once, with the first of several records.
        masked: at === noteStart ? masked : no_masks,
      })
      if (command === null) asynchronous_bytes += end - at
      else command.response_bytes += end - at
    }
  }

  /** Records the end of what is over, but for a command that has more bytes coming in this chunk. */
  const flushEnded = (but: Command | null): void => {
    if (ended.length === 0) return
    const commands = ended
    ended = []
    for (const command of commands) {
      if (command === but) ended.push(command)
      else complete(command)
    }
  }

  const flushRun = (): void => {
    if (runBuffer === null) return
    const whole = runStart === 0 && runEnd === runBuffer.length
    pieces.push(whole ? runBuffer : runBuffer.subarray(runStart, runEnd))
    bytes += runEnd - runStart
    runBuffer = null
  }

  return {
    begin: () => {
      pieces = []
      bytes = 0
    },
    pass: (buffer, start, end) => {
      if (runBuffer === buffer && runEnd === start) runEnd = end
      else {
        flushRun()
        runBuffer = buffer
        runStart = start
        runEnd = end
      }
    },
    note: (buffer, start, end, owner, secrets = 0) => {
      const copy = owner?.copying === true
      if (noteBuffer === buffer && noteEnd === start && noteOwner === owner && noteCopy === copy) {
        noteEnd = end
        noteSecrets += secrets
        counts?.commit()
        return
      }
      flushRange()
      // What ended keeps its place before the next command's bytes.
      flushEnded(owner)
      noteBuffer = buffer
      noteStart = start
      noteEnd = end
      noteOwner = owner
      noteCopy = copy
      noteSecrets = secrets
      counts?.commit()
    },
    over: (command) => {
      ended.push(command)
    },
    flushNotes: () => {
      flushRange()
      flushEnded(null)
    },
    finish: () => {
      flushRun()
      return { pieces, bytes }
    },
  }
}
