import type { EventBodies, EventType, Context } from '#core/events/types.ts'

/**
 * The recorder: mints every record of a gateway process. Appending assigns `gseq`, `sseq` and `sprev`, encodes, hashes and
 * queues the record in one synchronous step; durability comes later, in groups (one commit for all sessions).
 */
export interface Recorder extends AsyncDisposable {
  /** Mints session.started and returns the session's recorder. The session id is that record's leaf hash. */
  openSession(context: Context, body: EventBodies['session.started']): SessionRecorder
  /** Mints a record that belongs to no session (key: gateway id). */
  append<T extends EventType>(type: T, context: Context, body: EventBodies[T]): void
  /**
   * Resolves when everything appended so far, by any session, is durable as configured (disk: fsynced in the journal; broker:
   * acknowledged by the log). Rejects with CairnError('audit_unavailable') when it cannot be, within a deadline.
   */
  durable(): Promise<void>
  /** False as soon as records cannot be made durable or the journal is full: refuse new commands and sessions. */
  readonly available: boolean
  /** True while the unwritten queue is over its high-water mark: stop reading from targets and clients. */
  readonly congested: boolean
  /** Resolves when no longer congested (at once if it is not). */
  drained(): Promise<void>
  /** Resolves when the log has everything appended so far, also what an earlier process left in the journal; waits for as long as the log is down. */
  shipped(): Promise<void>
}

export interface SessionRecorder {
  /** Session id, 32 bytes. */
  readonly id: Buffer
  /** Mints a record of the session and returns its sseq. `bytes` fields are copied before it returns: the caller may reuse its buffers. */
  append<T extends EventType>(type: T, body: EventBodies[T]): number
  /** Records minted in the session so far. */
  readonly records: number
  /** Leaf hash of the latest of them, a copy; an approval.requested record's leaf is the approval's id. */
  readonly leaf: Buffer
}
