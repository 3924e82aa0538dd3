import { verify, type KeyObject } from 'node:crypto'
import { decide } from '#core/approval/approval.ts'
import {
  openApprovalFold,
  readApprovalRecord,
  type ApprovalRecord,
  type FoldedApproval,
} from '#core/approval/fold.ts'
import { decisionBytes } from '#core/approval/signature.ts'
import { zero_hash } from '#core/events/header.ts'
import type { ApprovalDecided, ApprovalRejected, Context } from '#core/events/types.ts'
import type { Logger } from '#lib/logger.ts'
import type { Recorder } from '../recorder/port.ts'
import type { FollowedRecord } from '../topic-follower-messages.ts'
import { rejection, type Holds } from './holds.ts'

const limits = { approvals_max: 10_000, text_bytes_max: 0, early_max: 1_000 } as const
/** Decisions about approvals that nobody knows (yet), kept. */
const unknown_max = 1_000
/** Decisions remembered, so that one which the log holds twice (appended again after trouble) is taken once. */
const seen_max = 10_000
/** How often what is left over is looked for, milliseconds. */
const look_ms = 5_000

export type ApprovalWatchOptions = {
  readonly deployment: string
  /** Name of this process; and of every process whose left-over holds it ends. */
  readonly gateway: string
  readonly owns: (gateway: string) => boolean
  /** Records decisions about approvals that nobody knows: one process of a gateway does. */
  readonly judges_unknown: boolean
  readonly recorder: Recorder
  readonly holds: Holds
  readonly key: KeyObject
  /** Resolves when everything that is in the log now has been taken. */
  readonly reached: () => Promise<void>
  /** Milliseconds since 1970. */
  readonly now_ms: () => number
  readonly logger: Logger
}

/**
 * What the log says about approvals, as far as it concerns this process: decisions go to its holds; a decision that is about none of them and
 * changes nothing is an incident; a hold of an earlier epoch has nobody any more who could release it, and ends.
 */
export interface ApprovalWatch extends AsyncDisposable {
  take(records: readonly FollowedRecord[]): void
}

export const openApprovalWatch = (options: ApprovalWatchOptions): ApprovalWatch => {
  const { recorder, holds, logger, now_ms } = options
  const authentic = ({ signature, ...decision }: ApprovalDecided): boolean =>
    verify(null, decisionBytes(options.deployment, decision), options.key, signature)
  const fold = openApprovalFold({ ...limits, authentic, now_ms })
  /** Decisions without an approval, and how many looks they have seen. */
  let unknown: { readonly decision: ApprovalDecided; readonly looks: number }[] = []
  /** Ended by this process, and not yet told by the log. */
  const ended = new Set<string>()
  const seen = new Set<string>()
  const stop = new AbortController()

  /** Whether the very same record came before. */
  const again = (leaf: string): boolean => {
    if (seen.has(leaf)) return true
    seen.add(leaf)
    const [oldest] = seen
    if (seen.size > seen_max && oldest !== undefined) seen.delete(oldest)
    return false
  }

  const own = (context: Partial<Context>): Context => ({
    deployment: options.deployment,
    session: zero_hash,
    actor: null,
    pipeline: null,
    peer: null,
    target: null,
    ...context,
    gateway: options.gateway,
  })

  const reject = (
    decision: ApprovalDecided,
    reason: ApprovalRejected['reason'],
    detail: string,
    context: Partial<Context>,
  ): void => recorder.append('approval.rejected', own(context), rejection(decision, reason, detail))

  /** A decision about an approval that waits no more, or whose process is gone. */
  const judge = ({ approval, context }: FoldedApproval, decided: ApprovalDecided): void => {
    const { signature: _signature, ...decision } = decided
    if (!authentic(decided)) {
      reject(decided, 'bad_signature', 'the signature is not the one of this api', context)
      return
    }
    const verdict = decide(approval, decision, now_ms() * 1000)
    if (verdict.kind === 'rejected') reject(decided, verdict.reason, verdict.detail, context)
  }

  const onDecided = (decided: ApprovalDecided, id: string, history: boolean): void => {
    // What was in the log before its thread (a new one, after one that died) was judged then; a hold may wait for it all the same.
    if (holds.take(decided) || history) return
    const entry = fold.get(id)
    if (entry === undefined) {
      if (options.judges_unknown && unknown.length < unknown_max)
        unknown.push({ decision: decided, looks: 0 })
    } else if (options.owns(entry.context.gateway)) judge(entry, decided)
  }

  const onRecord = (record: ApprovalRecord, history: boolean): void => {
    const { decoded, id, leaf } = record
    if (decoded.type === 'approval.decided' && again(leaf)) return
    // Judged by what was before it.
    if (decoded.type === 'approval.decided') onDecided(decoded.event, id, history)
    fold.take(record)
  }

  /** Holds that nobody has ended, and that do not wait here: of earlier lives, of processes that are not started any more, or whose end could not be recorded. */
  const orphans = (): FoldedApproval[] =>
    [...fold.values()].filter(
      ({ id, approval, context }) =>
        (approval.state === 'waiting' || approval.state === 'approved') &&
        options.owns(context.gateway) &&
        !holds.has(id) &&
        !ended.has(id),
    )

  const look = async (): Promise<void> => {
    const before = new Set(orphans().map(({ id }) => id))
    if (before.size === 0 && unknown.length === 0) return
    // What ended them may be on its way.
    await recorder.shipped()
    await options.reached()
    if (stop.signal.aborted) return
    for (const { id, approval, context } of orphans()) {
      if (!before.has(id)) continue
      ended.add(id)
      const body = { approval: approval.request.approval, reason: 'session_ended' as const }
      recorder.append('approval.expired', own(context), body)
      logger.warn({ approval: id }, 'a held command ended with its gateway: it does not run')
    }
    const late = unknown.filter(({ looks }) => looks > 0)
    unknown = unknown
      .filter(({ looks }) => looks === 0)
      .map(({ decision }) => ({ decision, looks: 1 }))
    for (const { decision } of late) {
      const entry = fold.get(decision.approval.toString('hex'))
      if (entry === undefined)
        reject(decision, 'unknown_approval', 'nobody has asked for this approval', {})
      else if (options.owns(entry.context.gateway)) judge(entry, decision)
    }
  }

  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, look_ms)
      timer.unref()
      stop.signal.addEventListener('abort', () => resolve(), { once: true })
    })

  const run = async (): Promise<void> => {
    // Everything that earlier lives left has to be here before anything is missing.
    await recorder.shipped()
    await options.reached()
    while (!stop.signal.aborted) {
      await look().catch((error: unknown) =>
        logger.warn({ err: error }, 'what is left of approvals cannot be looked after now'),
      )
      await pause()
    }
  }
  void run()

  return {
    take: (records) => {
      for (const { value, header, history } of records) {
        const record = readApprovalRecord(Buffer.from(value), Buffer.from(header))
        if (record === null) continue
        try {
          onRecord(record, history)
        } catch (error) {
          logger.warn({ err: error }, 'an approval event could not be taken')
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
    },
  }
}
