import type { SessionEnded } from '#core/events/types.ts'
import { CairnError } from '#lib/error.ts'
import type { Recorder, SessionRecorder } from '../../recorder/port.ts'
import { openGate } from './gate.ts'
import { errorResponse, sqlstate, type NativeError } from './errors.ts'
import { bareSync } from './in-flight.ts'
import { flushMessage, syncMessage, terminateMessage } from './frontend-writes.ts'
import type { Batch } from './batch.ts'
import {
  answerNotRecorded,
  idleTooLong,
  internalError,
  notRecorded,
  shutdown,
} from './session-errors.ts'
import { openIntake } from './intake.ts'
import * as limits from './limits.ts'
import type { MaskSession } from './masking/mask-session.ts'
import { openReceiver, type DecideCommand } from './receive.ts'
import { openSessionHold, type SessionApprovals } from './session-hold.ts'
import { openRelay, replaced_statement, type Relayed } from './relay.ts'
import type { ClientStream } from './startup.ts'
import type { SessionState } from './state.ts'
import type { StatementReader } from './statement.ts'
import type { Upstream } from './upstream.ts'

export type EndReason = SessionEnded['reason']

export type SessionOptions = {
  readonly client: ClientStream
  readonly upstream: Upstream
  readonly state: SessionState
  readonly recorder: Recorder
  readonly session: SessionRecorder
  readonly decide: DecideCommand
  /** How commands wait for people. */
  readonly approvals: SessionApprovals
  readonly statements: StatementReader
  readonly reads: 'wait' | 'overlap'
  /** What is masked in it; null: nothing. */
  readonly masks: MaskSession | null
  readonly message_bytes_max: number
  readonly text_bytes_max: number
  /** Ends a session without traffic; 0 never. */
  readonly idle_timeout_ms: number
  /** How long what a client asked for may still run once the client is gone. */
  readonly linger_ms: number
  /** Monotonic clock, milliseconds with fractions. */
  readonly now_ms: () => number
  /** Counts a command for the process's metrics. */
  readonly counted: (refused: boolean) => void
  /** Told of an error that nobody foresaw; the session ends. */
  readonly onFault: (error: unknown) => void
}

/** How a session went, for its session.ended record. */
export type SessionSummary = Omit<SessionEnded, 'records'>

export interface Session {
  /** Resolves when the session is over and its last records are minted. */
  readonly ended: Promise<SessionSummary>
  /** Lets what runs finish, then ends; an idle session ends at once. */
  drain(): void
  /** Takes back a command that waits for people; false when none does. */
  withdraw(): boolean
  /** Ends at once. */
  terminate(reason: EndReason, detail: string): void
  /** False as soon as the session is over. */
  readonly open: boolean
}

const no_bytes = Buffer.alloc(0)

type Held = { readonly pieces: readonly Buffer[]; readonly bytes: number; readonly batch: number }

/**
 * A session under way: two streams, the state between them, and the rule that a command is durable before a byte of it reaches
 * the target. Batches wait in order; while one waits, the next are already recorded, so that they share a commit.
 */
export const runSession = (options: SessionOptions): Session => {
  const { client, state, recorder, session, now_ms } = options
  const upstream = options.upstream.stream
  const started_ms = now_ms()
  const clientGate = openGate(client)
  const upstreamGate = openGate(upstream)
  const { promise: ended, resolve: resolveEnded } = Promise.withResolvers<SessionSummary>()
  let over = false
  let draining = false
  let targetClosed = false
  /** Set once the client is gone: why. What it asked for runs to its end, as it would without a gateway. */
  let leaving: string | null = null
  /** The target was told that nothing more comes. */
  let farewell = false
  let commands = 0
  let refused = 0
  let client_bytes = 0
  let target_bytes = 0
  /** Batches that are not sent yet. */
  let queue: (Batch & { durable: boolean })[] = []
  let queued_bytes = 0
  /** The latest batch that was sent ahead of its record. */
  let overlapped = 0
  /** Every batch up to this one is durable. */
  let durableBatch = 0
  /** Answers that wait for their batch to be durable. */
  let held: Held[] = []
  let held_bytes = 0
  let awaitingDrained = false
  let awaitingNaming = false
  /** Bytes that came behind a command that waits for people. */
  let behind_hold_bytes = 0

  const counted = (wasRefused: boolean): void => {
    commands++
    if (wasRefused) refused++
    options.counted(wasRefused)
  }

  const relay = openRelay({
    state,
    recorder: session,
    now_ms,
    chunk_bytes_max: limits.chunk_bytes_max,
    masks: options.masks,
  })
  const intake = openIntake({
    state,
    recorder: session,
    receive: openReceiver({
      recorder: session,
      decide: options.decide,
      counted,
    }),
    wouldHold: (command, path) => {
      const decision = options.decide(command, path)
      return decision.hold !== null && !decision.dry_run
    },
    statements: options.statements,
    message_bytes_max: options.message_bytes_max,
    statements_max: limits.statements_max,
    portals_max: limits.portals_max,
    parameters_bytes_max: options.text_bytes_max,
    chunk_bytes_max: limits.chunk_bytes_max,
    masks: options.masks,
  })

  const hold = openSessionHold({
    ...options.approvals,
    session,
    text_bytes_max: options.text_bytes_max,
    permitted: (received) => {
      const path = state.naming.current().search_path ?? null
      const { outcome, dry_run } = options.decide(received, path)
      return outcome !== 'deny' || dry_run
    },
    counted,
    say: (command, notice) => {
      if (!over) deliver(relay.say(command, notice))
    },
    resume: (refusal) => {
      if (over) return
      intake.resume(refusal)
      behind_hold_bytes = 0
      clientGate.open('hold')
      guardedInput()
    },
    failed: (error) => auditFailed(error),
    abandoned: (command) => relay.finish(command, 'aborted'),
  })

  const end = (reason: EndReason, detail: string, native: NativeError | null): void => {
    if (over) return
    over = true
    held = []
    queue = []
    state.naming.close()
    for (const last of [
      () => hold.end(reason === 'client_closed' ? 'gone' : 'session_over'),
      () => relay.abort(),
    ])
      try {
        last()
      } catch (error) {
        // The recorder takes no more: that is what ends the session, or comes on top of it.
        if (!(error instanceof CairnError)) options.onFault(error)
      }
    if (native === null) client.end()
    else client.end(errorResponse(native))
    if (farewell || state.copyCut) upstream.end()
    else upstream.end(terminateMessage)
    clientGate.release()
    upstreamGate.release()
    const timer = setTimeout(() => {
      client.destroy()
      upstream.destroy()
    }, limits.close_timeout_ms)
    timer.unref()
    resolveEnded({
      reason,
      detail,
      commands,
      refused,
      client_bytes,
      target_bytes,
      duration_us: Math.round((now_ms() - started_ms) * 1000),
    })
  }

  const auditFailed = (error: unknown, answering = false): void => {
    const detail = error instanceof CairnError ? error.code : 'audit_unavailable'
    const ahead = overlapped > durableBatch
    end('audit_unavailable', detail, ahead || answering ? answerNotRecorded(ahead) : notRecorded)
  }

  /** Slows both legs while the recorder's queue is over its mark. */
  const watchCongestion = (): void => {
    if (!recorder.congested || awaitingDrained) return
    awaitingDrained = true
    clientGate.close('congested')
    upstreamGate.close('congested')
    void (async () => {
      await recorder.drained()
      awaitingDrained = false
      clientGate.open('congested')
      upstreamGate.open('congested')
    })()
  }

  const watchQueue = (): void => {
    if (queued_bytes > limits.queued_bytes_max || state.inFlight.length > limits.in_flight_max)
      clientGate.close('queue')
    else clientGate.open('queue')
    if (intake.parked) clientGate.close('parked')
    else clientGate.open('parked')
  }

  const idle = (): boolean =>
    state.inFlight.length === 0 && queue.length === 0 && !awaitingNaming && !hold.pending

  const finishDrain = (): void => {
    if (draining && idle() && held.length === 0 && state.transaction === 0x49)
      end('drained', 'the gateway shuts down', shutdown)
  }

  /** Ends the session of a client that is gone when everything it asked for is answered; tells the target that no more comes. */
  const finishLeave = (): void => {
    if (leaving === null || over || queue.length > 0 || held.length > 0) return
    if (intake.parked && !state.copyOpen) return
    if (state.inFlight.length === 0) {
      end('client_closed', leaving, null)
      return
    }
    if (farewell) return
    farewell = true
    // Only the end of the stream ends a part of a message, and a COPY.
    if (state.copyCut) upstream.end()
    else if (state.copyOpen) upstream.end(terminateMessage)
    else {
      if (state.unsynced) upstream.write(flushMessage)
      upstream.write(terminateMessage)
    }
  }

  const leave = (detail: string): void => {
    if (over) return
    if (!client.writable) upstreamGate.open('client')
    if (leaving !== null) return
    leaving = detail
    try {
      hold.end('gone')
    } catch (error) {
      auditFailed(error)
      return
    }
    const timer = setTimeout(() => end('client_closed', detail, null), options.linger_ms)
    timer.unref()
    finishLeave()
  }

  const send = (batch: Batch): void => {
    const now = now_ms()
    for (const command of batch.commands) command.started_ms = now
    const { pieces } = batch
    state.copyCut = batch.cut
    if (pieces.length > 1) upstream.cork()
    let room = true
    for (const piece of pieces) room = upstream.write(piece)
    if (pieces.length > 1) upstream.uncork()
    if (!room) clientGate.close('target')
    if (batch.terminated) leave('')
  }

  const sendQueued = (): void => {
    // Sending the last batch of a session empties the queue.
    while (queue[0]?.durable === true) {
      const batch = queue.shift()!
      queued_bytes -= batch.bytes
      send(batch)
    }
    watchQueue()
    finishLeave()
  }

  /** Marks a batch durable once its records are. Commits complete in the order they were asked for. */
  const whenDurable = async (batch: Batch, next: () => void): Promise<void> => {
    try {
      await recorder.durable()
    } catch (error) {
      auditFailed(error)
      return
    }
    durableBatch = batch.number
    if (!over) next()
  }

  const submit = (batch: Batch): void => {
    const behind = durableBatch < batch.number - 1
    if (batch.pieces.length === 0 && !batch.terminated && !batch.recorded) {
      if (!behind) durableBatch = batch.number
      return
    }
    const overlap =
      options.reads === 'overlap' && batch.pure && state.proofs && state.unreported === 0
    const mustWait = batch.recorded && !overlap
    if (queue.length === 0 && !mustWait) {
      if (!batch.recorded && !behind) durableBatch = batch.number
      else {
        if (batch.recorded) overlapped = batch.number
        void whenDurable(batch, release)
      }
      send(batch)
      return
    }
    const queued = { ...batch, durable: !batch.recorded && !behind }
    queue.push(queued)
    queued_bytes += batch.bytes
    if (queued.durable) {
      durableBatch = batch.number
      sendQueued()
      return
    }
    void whenDurable(batch, () => {
      queued.durable = true
      sendQueued()
      release()
    })
  }

  const writeClient = (pieces: readonly Buffer[]): void => {
    if (!client.writable) return
    if (pieces.length > 1) client.cork()
    let room = true
    for (const piece of pieces) room = client.write(piece)
    if (pieces.length > 1) client.uncork()
    if (!room) upstreamGate.close('client')
  }

  const endWithTarget = (): void => {
    if (leaving === null) end('target_closed', '', null)
    else end('client_closed', leaving, null)
  }

  /** Gives the client what waited for durability. */
  const release = (): void => {
    let count = 0
    for (const answer of held) {
      if (answer.batch > durableBatch) break
      held_bytes -= answer.bytes
      writeClient(answer.pieces)
      count++
    }
    if (count > 0) held = held.slice(count)
    if (held_bytes <= limits.held_bytes_max) upstreamGate.open('held')
    if (held.length > 0) return
    if (targetClosed) endWithTarget()
    finishLeave()
    finishDrain()
  }

  const deliver = (relayed: Relayed): void => {
    if (relayed.bytes === 0) return
    if (held.length === 0 && relayed.batch <= durableBatch) {
      writeClient(relayed.pieces)
      return
    }
    held.push(relayed)
    held_bytes += relayed.bytes
    if (held_bytes > limits.held_bytes_max) upstreamGate.close('held')
  }

  /** Goes on with the parked message once what names mean is known. */
  const afterNaming = async (pending: Promise<void>): Promise<void> => {
    await pending
    awaitingNaming = false
    resume(Buffer.alloc(0))
  }

  /** Whether the parked message waits for the catalog. */
  const awaitNaming = (): boolean => {
    const pending = state.naming.pending()
    if (pending !== null && !awaitingNaming) {
      awaitingNaming = true
      void afterNaming(pending)
    }
    return pending !== null
  }

  const takeInput = (): void => {
    for (;;) {
      const result = intake.run()
      if (result.kind === 'violation') {
        for (const command of result.batch.commands) relay.finish(command, 'aborted')
        end('protocol_error', result.error.violation, {
          severity: 'FATAL',
          code: result.error.too_large
            ? sqlstate.program_limit_exceeded
            : sqlstate.protocol_violation,
          message: result.error.violation,
        })
        return
      }
      for (const command of result.batch.commands)
        if (command.due === 0 && !command.refused) relay.finish(command, 'aborted')
      submit(result.batch)
      if (result.held !== null) {
        hold.begin(result.held)
        if (draining) queueMicrotask(() => hold.shutDown())
      }
      watchCongestion()
      if (over) return
      if (!(intake.parked && state.inFlight.length === 0)) break
      if (awaitNaming()) break
    }
    watchQueue()
  }

  /** The Sync that was kept from a COPY that then failed. */
  const sendCopySync = (): void => {
    state.copySync = false
    state.skipping = false
    state.segment++
    state.inFlight.push(bareSync(state.inputOwner))
    upstream.write(syncMessage)
  }

  const onClientData = (chunk: Buffer): void => {
    if (over || leaving !== null) return
    client_bytes += chunk.length
    intake.push(chunk)
    if (!recorder.available) {
      auditFailed(new CairnError('audit_unavailable', 'not available'))
      return
    }
    if (intake.holding) {
      behind_hold_bytes += chunk.length
      if (behind_hold_bytes > limits.behind_hold_bytes_max) clientGate.close('hold')
    } else if (!intake.parked) takeInput()
  }

  const onTargetData = (chunk: Buffer): void => {
    if (over) return
    target_bytes += chunk.length
    const relayed = relay.relay(chunk)
    deliver(relayed)
    watchCongestion()
    if (relayed.fault !== null) {
      end(
        relayed.fault === replaced_statement ? 'protocol_error' : 'gateway_error',
        relayed.fault,
        {
          severity: 'FATAL',
          code: sqlstate.protocol_violation,
          message: relayed.fault,
        },
      )
      return
    }
    if (state.copySync && !state.copyOpen) sendCopySync()
    if (intake.parked) {
      if (state.copyOpen || state.inFlight.length === 0) takeInput()
    } else watchQueue()
    finishLeave()
    if (relayed.ready) finishDrain()
  }

  const onTargetClosed = (): void => {
    targetClosed = true
    if (held.length === 0) endWithTarget()
  }

  /** No error of one session may reach another: it ends this one. */
  const guarded =
    (handle: (chunk: Buffer) => void, answering: boolean) =>
    (chunk: Buffer): void => {
      try {
        handle(chunk)
      } catch (error) {
        if (error instanceof CairnError) {
          auditFailed(error, answering)
          return
        }
        options.onFault(error)
        end('gateway_error', 'internal error', internalError)
      }
    }

  /** What waited goes on, outside of any event of the two streams. */
  const guardedInput = (): void => guarded(takeInput, false)(no_bytes)

  const resume = guarded(() => {
    if (!over && intake.parked && state.inFlight.length === 0) takeInput()
    finishLeave()
  }, false)

  client.on('data', guarded(onClientData, false))
  client.on('drain', () => upstreamGate.open('client'))
  client.on('error', (error) => leave(error.name))
  client.on('end', () => leave(''))
  client.on('close', () => leave(''))
  upstream.on('data', guarded(onTargetData, true))
  upstream.on('drain', () => clientGate.open('target'))
  upstream.on('error', () => undefined)
  upstream.on('end', onTargetClosed)
  upstream.on('close', onTargetClosed)
  client.setTimeout(options.idle_timeout_ms)
  client.on('timeout', () => {
    // A command that runs for long is no idle client; its answer starts the time again.
    if (idle()) end('idle_timeout', '', idleTooLong)
  })
  clientGate.start()
  upstreamGate.start()

  return {
    ended,
    drain: () => {
      draining = true
      hold.shutDown()
      finishDrain()
    },
    withdraw: () => hold.cancel(),
    terminate: (reason, detail) => end(reason, detail, shutdown),
    get open() {
      return !over
    },
  }
}
