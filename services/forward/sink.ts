import type { SinkConfig } from '#lib/config/schema.ts'
import type { Logger } from '#lib/logger.ts'
import type { SinkMetrics } from './metrics.ts'
import type { ForwardedRecord } from './record.ts'

/** What delivers to one receiver. */
export interface Sink extends AsyncDisposable {
  /**
   * Takes a record; the order of calls is the order of delivery. Null when it was taken at once;
   * else resolves when there was room (back-pressure).
   * @param delivered called once, in order, when the record counts as delivered by this sink's
   * guarantee
   */
  send(record: ForwardedRecord, delivered: () => void): Promise<void> | null
  /**
   * Delivers what was taken, as far as that goes within `timeout_ms`; nothing more is sent
   * afterwards.
   */
  finish(timeout_ms: number): Promise<void>
}

export type SinkDeps = {
  readonly logger: Logger
  readonly metrics: SinkMetrics
  readonly now_ms: () => number
  /** 0 to 1, for jitter. */
  readonly random: () => number
  /**
   * Random name of this run, by which receivers tell the numbering of messages of two runs apart.
   */
  readonly instance: string
  readonly hostname: string
}

/** A kind of sink. */
export type SinkKind = {
  readonly kind: SinkConfig['kind']
  readonly doc: string
  /** What a receiver can rely on, in words. */
  readonly guarantee: string
  readonly open: (config: SinkConfig, deps: SinkDeps) => Promise<Sink>
}

/** Declares a kind of sink; its argument is its documentation. */
export const defineSink = (kind: SinkKind): SinkKind => kind
