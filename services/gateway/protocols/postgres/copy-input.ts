import type { SessionRecorder } from '../../recorder/port.ts'
import { addItem, type Run } from './batch.ts'
import type { Command } from './command.ts'
import type { Frame } from './frontend-frames.ts'
import type { CopyInputMask } from './masking/copy-input-mask.ts'
import { no_masks, type MaskedCounts } from './masking/mask-counts.ts'
import type { MaskSession } from './masking/mask-session.ts'
import { frontend } from './wire.ts'

/** COPY data of one run that is not recorded yet: a range of one buffer, so that many small messages make one record. */
export interface CopyInput {
  /** Takes CopyData, CopyDone or CopyFail. */
  take(run: Run, frame: Frame): void
  /** Records what is gathered. */
  flush(): void
}

const isEnd = (type: number): boolean => type !== frontend.copy_data

/** Whether the server still takes input for this command. After its end it ignores what comes, and so it stops here. */
const takesInput = (command: Command | null): command is Command =>
  command !== null && !command.refused && command.ended_ms === 0

/**
 * CopyData belongs to the latest Query or Execute. Like everything else it is durable before it is forwarded: triggers, foreign tables
 * and sequences act on its rows long before CopyDone.
 */
export const openCopyInput = (
  recorder: SessionRecorder,
  chunk_bytes_max: number,
  masks: MaskSession | null,
): CopyInput => {
  let buffer: Buffer | null = null
  let start = 0
  let end = 0
  let owner: Command | null = null
  let masked = no_masks
  /** The masking of the data under way, and whose it is. */
  let inputMask: CopyInputMask | null = null
  let maskedCommand: Command | null = null
  let maskedInputs = 0

  const flush = (): void => {
    if (buffer === null || owner === null) return
    for (let at = start; at < end; at += chunk_bytes_max) {
      const bytes = buffer.subarray(at, Math.min(end, at + chunk_bytes_max))
      recorder.append('input.chunk', {
        command: owner.id,
        stream: 'copy',
        format: 'pg3',
        offset: owner.input_bytes,
        bytes,
        masked: at === start ? masked : no_masks,
      })
      owner.input_bytes += bytes.length
    }
    buffer = null
    owner = null
    masked = no_masks
  }

  const gather = (
    bytes: Buffer,
    from: number,
    to: number,
    command: Command,
    counts: MaskedCounts,
  ): void => {
    if (buffer === bytes && end === from && owner === command) {
      end = to
      return
    }
    flush()
    buffer = bytes
    start = from
    end = to
    owner = command
    masked = counts
  }

  /** A piece of CopyData as it is recorded, when something in it is masked. */
  const hide = (session: MaskSession, command: Command, frame: Frame) => {
    if (maskedCommand !== command || command.inputs_ended !== maskedInputs) {
      const rules = command.mask?.inputs[command.inputs_ended] ?? null
      maskedCommand = command
      maskedInputs = command.inputs_ended
      inputMask = rules === null ? null : session.copyIn(rules)
    }
    // The header stays; of a message in pieces only the first has one.
    const body = frame.first ? frame.body : frame.start
    if (frame.type === frontend.copy_fail) {
      // Words of the client's own, which may quote its data.
      const reason = Buffer.alloc(frame.end - body - 1, '*')
      const ends = frame.buffer.subarray(frame.end - 1, frame.end)
      return {
        bytes: Buffer.concat([frame.buffer.subarray(frame.start, body), reason, ends]),
        masked: no_masks,
      }
    }
    const data = inputMask?.mask(frame.buffer, body, frame.end) ?? null
    if (data === null) return null
    const header = frame.buffer.subarray(frame.start, body)
    return {
      bytes: Buffer.concat([header, data]),
      masked: inputMask?.take() ?? no_masks,
    }
  }

  /** Whose the message under way is; null: it is dropped. */
  let current: Command | null = null

  return {
    take: (run, frame) => {
      // Decided once a message: half of one would make the server take the beginning of the next for its rest.
      if (frame.first) {
        const { inputOwner } = run.state
        current = takesInput(inputOwner) ? inputOwner : null
      }
      const command = current
      if (command === null) return
      const silent = masks === null || frame.type === frontend.copy_done
      const hidden = silent ? null : hide(masks, command, frame)
      if (hidden !== null) gather(hidden.bytes, 0, hidden.bytes.length, command, hidden.masked)
      else gather(frame.buffer, frame.start, frame.end, command, no_masks)
      addItem(run, frame, run.state.copyOpen && isEnd(frame.type) ? { ends_copy: true } : null)
      run.batch.cut = !frame.last
      run.batch.recorded = true
      run.batch.pure = false
      if (!isEnd(frame.type)) return
      flush()
      command.inputs_ended++
      run.state.copyOpen = false
    },
    flush,
  }
}
