import type { Recorder, SessionRecorder } from '../../recorder/port.ts'
import { sqlstate } from './errors.ts'
import { unknownStatement } from './statement.ts'
import type { PostgresTarget } from './target.ts'
import { cancelUpstream, type CancelKey } from './upstream.ts'

export type SessionCancelOptions = {
  readonly recorder: Recorder
  readonly session: SessionRecorder
  readonly target: PostgresTarget
  /** The key at the target; null when it gave none: then nothing can be cancelled. */
  readonly key: CancelKey | null
  /** Whether the session is under way. */
  readonly open: () => boolean
  /** Takes back a command that waits for people; false when none does. */
  readonly withdraw: () => boolean
  readonly now_ms: () => number
  readonly signal: AbortSignal
}

export interface SessionCancel {
  /** Cancels what runs now. */
  request(): Promise<void>
  /** The session is over: a request under way is recorded as aborted. */
  close(): void
}

/**
 * Cancels what a session runs: a command of kind `cancel` in that session, durable before the target hears of it. One at a time;
 * more while one is under way change nothing.
 */
export const openSessionCancel = (options: SessionCancelOptions): SessionCancel => {
  const { recorder, session, target, key, open, now_ms } = options
  let running: { readonly command: number; readonly started_ms: number } | null = null

  const record = (): number => {
    const nothing = unknownStatement('')
    const command = session.append('command.received', {
      text: '',
      text_bytes: 0,
      text_sha256: nothing.text_sha256,
      kind: 'cancel',
      native: ['CancelRequest'],
      verb: 'cancel',
      fingerprint: '',
      statements: [],
      statement_name: '',
      portal_name: '',
      parameters: [],
      row_limit: 0,
      parse_error: '',
      pure_read: false,
      masked: [],
    })
    session.append('decision.made', {
      command,
      outcome: 'allow',
      rules: [],
      reason: "the session's own cancel key was shown",
      policy_digest: '',
      risk: 0,
      dry_run: false,
    })
    return command
  }

  const complete = (
    command: number,
    started_ms: number,
    status: 'ok' | 'error' | 'aborted',
  ): void => {
    const failed = status === 'error'
    session.append('command.completed', {
      command,
      status,
      tag: '',
      rows: -1,
      response_bytes: 0,
      input_bytes: 0,
      duration_us: Math.round((now_ms() - started_ms) * 1000),
      error_code: failed ? sqlstate.connection_failure : '',
      error_message: failed ? 'the target did not take the cancel request' : '',
    })
  }

  const cancel = async (cancelKey: CancelKey | null): Promise<void> => {
    const started_ms = now_ms()
    const command = record()
    running = { command, started_ms }
    if (options.withdraw()) {
      // What waits has not reached the target: there is nothing to cancel there.
      complete(command, started_ms, 'ok')
      return
    }
    if (cancelKey === null) {
      complete(command, started_ms, 'error')
      return
    }
    await recorder.durable()
    const { host, port, connect_timeout_ms: timeout_ms } = target.config
    const where = { host, port, tls: target.tls, timeout_ms, signal: options.signal }
    const done = await cancelUpstream(where, cancelKey)
    if (running !== null) complete(command, started_ms, done ? 'ok' : 'error')
  }

  return {
    request: async () => {
      if (running !== null || !open()) return
      try {
        await cancel(key)
      } finally {
        running = null
      }
    },
    close: () => {
      if (running !== null) complete(running.command, running.started_ms, 'aborted')
      running = null
    },
  }
}
