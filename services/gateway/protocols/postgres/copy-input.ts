import type { SessionRecorder } from '../../recorder/port.ts'
import { addItem, type Run } from './batch.ts'
import type { Command } from './command.ts'
import type { Frame } from './frontend-frames.ts'
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
export const openCopyInput = (recorder: SessionRecorder, chunk_bytes_max: number): CopyInput => {
  let buffer: Buffer | null = null
  let start = 0
  let end = 0
  let owner: Command | null = null

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
        masked: [],
      })
      owner.input_bytes += bytes.length
    }
    buffer = null
    owner = null
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
      if (buffer === frame.buffer && end === frame.start && owner === command) end = frame.end
      else {
        flush()
        buffer = frame.buffer
        ;({ start, end } = frame)
        owner = command
      }
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
