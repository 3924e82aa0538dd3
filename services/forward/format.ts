import type { ForwardedRecord } from './record.ts'

/** A body of a message: text of printable ASCII, and whether it had to be cut. */
export type Body = {
  readonly text: string
  /** Length of the whole body, bytes. Larger than the text's where it was cut. */
  readonly full_bytes: number
  readonly cut: boolean
}

/**
 * How events are written for a receiver: JSON now; CEF, LEEF, ECS and OCSF have their place beside
 * it.
 */
export type Format = {
  readonly name: string
  readonly doc: string
  /**
   * Writes a record within `bytes_max`, cutting its longest values where it must; empty if not even
   * the record's id fits. Only ASCII from space to tilde: nothing in an event can end a line, a
   * field or a frame.
   */
  readonly body: (record: ForwardedRecord, bytes_max: number) => Body
}

/** Declares a format; its argument is its documentation. */
export const defineFormat = (format: Format): Format => format
