import type { Requester } from '#core/approval/approval.ts'
import { CairnError } from '#lib/error.ts'
import type { Hold, HoldEnd, Holds } from '../../approvals/holds.ts'
import type { SessionRecorder } from '../../recorder/port.ts'
import type { Holding } from './batch.ts'
import type { Command } from './command.ts'
import { noticeResponse, type NativeError } from './errors.ts'
import {
  commandHash,
  deniedRefusal,
  hold_refusals,
  isShownWhole,
  shownCommand,
  waitingNotice,
} from './held-command.ts'
import { recordRefused, type ReceivedCommand, type Refusal } from './receive.ts'

/** What a session needs to let a command wait. */
export type SessionApprovals = {
  readonly holds: Pick<Holds, 'open'>
  readonly requester: Requester
  /** Rows that it would read or change, as far as that can be said without running anything; -1 else. Never rejects. */
  readonly estimate: (received: ReceivedCommand) => Promise<number>
}

export type SessionHoldOptions = SessionApprovals & {
  readonly session: SessionRecorder
  readonly text_bytes_max: number
  /** Whether the policy of now does not deny it. */
  readonly permitted: (received: ReceivedCommand) => boolean
  readonly counted: (refused: boolean) => void
  /** Gives the client a notice about the command. */
  readonly say: (command: Command, notice: Buffer) => void
  /** The command goes, or is refused with this; then what waits behind it. */
  readonly resume: (refusal: NativeError | null) => void
  /** It can neither run nor be recorded: the session ends. */
  readonly failed: (error: unknown) => void
  /** Records the end of a command that was released and is not sent any more. */
  readonly abandoned: (command: Command) => void
}

/** The one command of a session that waits for people, if any. */
export interface SessionHold {
  readonly pending: boolean
  begin(holding: Holding): void
  /** The client cancels what waits. False when nothing does. */
  cancel(): boolean
  /** The client is gone, or the session is over: nothing is sent any more. */
  end(why: 'gone' | 'session_over'): void
  /** The gateway shuts down: what waits is refused. */
  shutDown(): void
}

type Waiting = { readonly command: Command; hold: Hold | null }

export const openSessionHold = (options: SessionHoldOptions): SessionHold => {
  const { session } = options
  let waiting: Waiting | null = null

  const refuse = (command: Command, refused: Refusal): void => {
    waiting = null
    command.refused = true
    options.counted(true)
    recordRefused(session, command.id, refused)
  }

  const refuseAndResume = (command: Command, refused: Refusal): void => {
    try {
      refuse(command, refused)
    } catch (error) {
      options.failed(error)
      return
    }
    options.resume(refused.native)
  }

  const settle = (command: Command, end: HoldEnd): void => {
    // The session has ended meanwhile.
    if (waiting?.command !== command) return
    switch (end.kind) {
      case 'released':
        waiting = null
        options.counted(false)
        options.resume(null)
        return
      case 'denied':
        refuseAndResume(command, deniedRefusal(end.by, end.words))
        return
      case 'expired':
        refuseAndResume(command, hold_refusals.expired)
        return
      case 'forbidden':
        refuseAndResume(command, hold_refusals.forbidden)
        return
      case 'failed':
        waiting = null
        options.counted(true)
        options.failed(end.error)
    }
  }

  /** True when it was withdrawn; false when it is released already, and its end is on the way. */
  const withdraw = (hold: Hold | null, reason: 'withdrawn' | 'session_ended'): boolean => {
    try {
      return hold === null || hold.withdraw(reason)
    } catch (error) {
      // It cannot be recorded: the wait is over all the same, and the session ends for that by itself.
      if (error instanceof CairnError) return true
      throw error
    }
  }

  const stop = (refused: Refusal, reason: 'withdrawn' | 'session_ended'): boolean => {
    if (waiting === null) return false
    const { command, hold } = waiting
    if (!withdraw(hold, reason)) return false
    refuseAndResume(command, refused)
    return true
  }

  return {
    get pending() {
      return waiting !== null
    },
    begin: (holding) => {
      const { command, received, terms, reason } = holding
      const own: Waiting = { command, hold: null }
      waiting = own
      const whole = isShownWhole(holding, options.text_bytes_max)
      if (whole)
        own.hold = options.holds.open({
          session,
          requester: options.requester,
          command: command.id,
          command_hash: commandHash(holding),
          text: shownCommand(holding),
          reason,
          terms,
          permitted: () => options.permitted(received),
          estimate: () => options.estimate(received),
          announce: (at) => {
            if (waiting === own) options.say(command, noticeResponse(waitingNotice(at)))
          },
          settle: (end) => settle(command, end),
        })
      if (own.hold !== null) return
      const refused = whole ? hold_refusals.full : hold_refusals.too_long
      // What led here is not over: the refusal takes its turn behind it.
      queueMicrotask(() => {
        if (waiting === own) refuseAndResume(command, refused)
      })
    },
    cancel: () => stop(hold_refusals.cancelled, 'withdrawn'),
    shutDown: () => void stop(hold_refusals.session_over, 'session_ended'),
    end: (why) => {
      if (waiting === null) return
      const { command, hold } = waiting
      const withdrawn = withdraw(hold, why === 'gone' ? 'withdrawn' : 'session_ended')
      waiting = null
      if (withdrawn)
        refuse(command, why === 'gone' ? hold_refusals.gone : hold_refusals.session_over)
      else {
        options.counted(false)
        options.abandoned(command)
      }
    },
  }
}
