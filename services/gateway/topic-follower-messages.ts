import type { LogSource } from './recorder/shipper-messages.ts'

/** What the thread is started with. */
export type FollowerStart = {
  /** How to open the log; secrets packed. */
  readonly log: LogSource
  readonly topic: string
}

/** A record of the topic. Buffers arrive as Uint8Array. */
export type FollowedRecord = {
  readonly value: Uint8Array
  /** Bytes of the record header. */
  readonly header: Uint8Array
  readonly code: string
  /** It was in the log before the thread was started. */
  readonly history: boolean
}

/** To the thread: end; or say when everything is told that is in the log now. */
export type FollowerOrder =
  { readonly type: 'stop' } | { readonly type: 'mark'; readonly id: number }

/** From the thread. */
export type FollowerReport =
  | { readonly type: 'records'; readonly records: readonly FollowedRecord[] }
  /** Everything that was in the log when the mark came has been told. */
  | { readonly type: 'reached'; readonly id: number }
  | { readonly type: 'trouble'; readonly reason: string }
