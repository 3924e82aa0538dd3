import {
  addItem,
  newBatch,
  type Batch,
  type Holding,
  type IntakeOptions,
  type Item,
  type Run,
} from './batch.ts'
import { openCopyInput, type CopyInput } from './copy-input.ts'
import { emit } from './emit.ts'
import { isFrameError, openFrontendFramer, type Frame, type FrameError } from './frontend-frames.ts'
import { messageNames, readOnlyString } from './frontend-messages.ts'
import { recordMalformed } from './malformed.ts'
import type { NativeError } from './errors.ts'
import { flushMessage } from './frontend-writes.ts'
import { keepBack, putBack, setAside } from './keep-back.ts'
import { recordLoose } from './loose.ts'
import { takeBind, takeClose, takeDescribe, takeExecute, takeParse } from './take-extended.ts'
import { border, takeFunctionCall, takeQuery, violation, type Taken } from './take-query.ts'
import type { SessionState } from './state.ts'
import { frontend } from './wire.ts'

/**
 * From the client to the target. What has arrived goes through three steps before a byte of it is forwarded:
 *
 * 1. take      messages are cut and read; each joins the command it belongs to (Parse and Bind wait for their Execute);
 * 2. record    each command is recorded and decided (batch.ts, receive.ts);
 * 3. emit      what is allowed is gathered for one write (emit.ts).
 *
 * When a message's meaning depends on answers that are still due, the intake parks it and goes on once they are here. When a command
 * has to wait for people, what came before it is sent, and the intake takes nothing more until it is told how the wait ended.
 */

export type IntakeResult =
  | {
      readonly kind: 'batch'
      readonly batch: Batch
      /** A command that has begun to wait in this run. */
      readonly held: Holding | null
    }
  /** The stream cannot be understood; what came before it in this run is in the batch and must not be sent. */
  | { readonly kind: 'violation'; readonly batch: Batch; readonly error: FrameError }

export interface Intake {
  /** Adds bytes from the client. */
  push(chunk: Buffer): void
  /** Takes what can be taken now. */
  run(): IntakeResult
  /** A message waits for answers: call run() again when nothing is in flight. */
  readonly parked: boolean
  /** A command waits for people: call resume(), then run() again. */
  readonly holding: boolean
  /** Ends the wait: the command goes, or it is refused with this. */
  resume(refusal: NativeError | null): void
}

/** While it reads COPY data, the server takes these and nothing else. */
const duringCopy = new Set<number>([
  frontend.copy_data,
  frontend.copy_done,
  frontend.copy_fail,
  frontend.sync,
  frontend.flush,
  frontend.terminate,
])

/** Whether the server may come to read COPY data for the latest command, or still does. */
const copyInDoubt = ({ inputOwner }: SessionState): boolean =>
  inputOwner !== null &&
  !inputOwner.refused &&
  inputOwner.ended_ms === 0 &&
  inputOwner.inputs_ended < inputOwner.inputs

/**
 * Sync and Flush. While it reads COPY data the server ignores both, and answers a Sync that it reads after the COPY failed: how many
 * answers come would be a guess, and with it whose they are. So none is forwarded before it is known that a COPY began or failed,
 * and none while one is open.
 */
const takeSync = (run: Run, frame: Frame): Taken => {
  const { state } = run
  if (state.copyOpen) {
    if (frame.type === frontend.sync && state.inputOwner?.input_bytes === 0) state.copySync = true
    return 'taken'
  }
  if (frame.type === frontend.flush) {
    addItem(run, frame, null)
    return 'taken'
  }
  if (copyInDoubt(state)) return 'wait'
  recordLoose(run)
  if (run.holding !== null) return 'wait'
  addItem(run, frame, { answered: state.segmentCommand })
  state.segmentCommand = null
  border(run)
  return 'taken'
}

const take = (run: Run, copy: CopyInput, frame: Frame): Taken => {
  const { type } = frame
  if (run.state.copyOpen && !duringCopy.has(type))
    return violation(`unexpected message ${messageNames[type] ?? type} during COPY from stdin`)
  switch (type) {
    case frontend.query:
      return takeQuery(run, frame)
    case frontend.parse:
      return takeParse(run, frame)
    case frontend.bind:
      return takeBind(run, frame)
    case frontend.describe:
      return takeDescribe(run, frame)
    case frontend.execute:
      return takeExecute(run, frame)
    case frontend.close:
      return takeClose(run, frame)
    case frontend.function_call:
      return takeFunctionCall(run, frame)
    case frontend.sync:
    case frontend.flush:
      return takeSync(run, frame)
    case frontend.copy_fail:
      if (readOnlyString(frame) === null) return violation('malformed CopyFail')
      copy.take(run, frame)
      return 'taken'
    case frontend.copy_data:
    case frontend.copy_done:
      copy.take(run, frame)
      return 'taken'
    case frontend.terminate:
      run.batch.terminated = true
      return 'taken'
    default:
      return violation('unexpected message')
  }
}

/** Opens the client's half of a session. */
export const openIntake = (options: IntakeOptions): Intake => {
  const { state } = options
  const framer = openFrontendFramer(options.message_bytes_max)
  const copy = openCopyInput(options.recorder, options.chunk_bytes_max, options.masks)
  const run: Run = {
    options,
    state,
    batch: newBatch(0),
    items: [],
    loose: [],
    holding: null,
  }
  let parked: Frame | null = null
  /** Waited, and may go on. */
  let resumed: Holding | null = null
  /** The beginning of a command that would wait. */
  let aside: readonly Item[] = []

  /** Takes messages until there are no more, one must wait, or one makes no sense. */
  const takeAll = (): FrameError | null => {
    while (!run.batch.terminated && run.holding === null) {
      const frame = parked ?? framer.next()
      parked = null
      if (frame === null) return null
      if (isFrameError(frame)) return frame
      const taken = take(run, copy, frame)
      if (taken === 'taken') continue
      if (taken !== 'wait') {
        recordMalformed(run, frame, taken)
        return taken
      }
      parked = frame
      return null
    }
    return null
  }

  return {
    push: (chunk) => framer.push(chunk),
    run: () => {
      const batch = newBatch(++state.batch)
      run.batch = batch
      run.items = [...aside]
      if (resumed !== null) putBack(run, resumed)
      resumed = null
      const error = takeAll()
      copy.flush()
      const more = error === null && parked === null && !batch.terminated
      aside = more ? setAside(run) : []
      if (aside.length === 0) recordLoose(run)
      const held = keepBack(run)
      emit(run)
      if (error !== null) {
        // Nobody is asked any more.
        if (held !== null) batch.commands.push(held.command)
        return { kind: 'violation', batch, error }
      }
      if (state.unsynced && (held === null ? parked !== null : batch.pieces.length > 0)) {
        // Without it the server could keep the answers that the parked message waits for.
        batch.pieces.push(flushMessage)
        batch.bytes += flushMessage.length
      }
      return { kind: 'batch', batch, held }
    },
    get parked() {
      return parked !== null && run.holding === null
    },
    get holding() {
      return run.holding !== null
    },
    resume: (refusal) => {
      const { holding } = run
      if (holding === null) return
      for (const item of holding.members) item.refusal = refusal
      holding.command.refused = refusal !== null
      resumed = holding
      run.holding = null
    },
  }
}
