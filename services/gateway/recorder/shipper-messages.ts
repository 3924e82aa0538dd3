import type { JournalPosition } from './segment.ts'

/** How the shipper's thread opens the log: a module that exports `openLog`, and what to call it with. */
export type LogSource = {
  /** URL of the module; default `#lib/log/open.ts`. */
  readonly module?: string
  readonly config: unknown
  readonly data_dir: string
}

/** What the thread is started with. */
export type ShipperStart = {
  readonly folder: string
  readonly from: JournalPosition
  /** Shared memory, see `cell_*`. */
  readonly cells: SharedArrayBuffer
  /** The log's source; secrets packed. */
  readonly log: LogSource
  /** How long to gather records before they are shipped. */
  readonly linger_ms: number
  /** Give way to the gateway's own thread. */
  readonly nice: boolean
}

/** Byte 0: the durable position, packed, int64. */
export const cell_durable = 0
/** Byte 8: 1 while the thread sleeps and wants to be woken, int32. */
export const cell_sleeping = 2
export const cells_bytes = 16

/** To the thread: something is durable; finish what is durable and end. */
export type ShipperOrder = { readonly type: 'wake' } | { readonly type: 'stop' }

/** From the thread. */
export type ShipperReport =
  /** The log has everything before this position. */
  | { readonly type: 'acked'; readonly position: JournalPosition; readonly records: number }
  /** The log does not take records: why; null when it does again. */
  | { readonly type: 'trouble'; readonly reason: string | null }
  /** The journal is damaged: these records are not there any more. */
  | { readonly type: 'fault'; readonly segment: number; readonly detail: string }
  /** Something that is worth a log line. */
  | { readonly type: 'note'; readonly message: string }
  /** After `stop`: everything durable is in the log. */
  | { readonly type: 'stopped' }
