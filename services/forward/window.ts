/**
 * The resend window of a sink that acknowledges nothing: messages in the order of sending, until
 * they count as delivered. Pure.
 *
 *     leave ◀── confirmed ──┬── sent ──┬── unsent ◀── push
 *
 * Sent ones become confirmed when the receiver has proven that it read them. Confirmed ones stay
 * for a while, in case that the receiver dies with what it read still in its memory: they leave
 * when newer confirmed ones push them out, or after a time on a healthy connection. Whenever a
 * connection is lost everything in the window is sent again.
 */
export type WindowLimits = {
  /** Messages in the window; half of them may be sent and not confirmed. */
  readonly events_max: number
  /** Bytes of messages in the window, likewise; one larger message still fits alone. */
  readonly bytes_max: number
}

export type WindowEntry = {
  readonly bytes: Buffer
  /** Called once, in order, when the message counts as delivered. */
  readonly delivered: () => void
}

type Held = WindowEntry & { confirmed_ms: number }

export interface ResendWindow {
  /** No more messages until some have left. */
  readonly full: boolean
  /** Sent and not confirmed: a message more would be over half of the window. */
  readonly due: boolean
  readonly size: number
  readonly unconfirmed: number
  readonly unsent: number
  push(entry: WindowEntry): void
  /** The next message to send, which counts as sent from now on; null if there is none. */
  next(): Buffer | null
  /** The receiver has read everything that was sent. */
  confirm(now_ms: number): void
  /** Lets go of messages that were confirmed before `until_ms`. */
  settle(until_ms: number): void
  /**
   * The connection is lost: everything is unsent again. Returns how many messages will be sent
   * again.
   */
  rewind(): number
}

/** Entries are removed at the front in strides, as shifting an array moves the rest of it. */
const stride = 1_024

/** Stands where a message has left, so that its bytes are let go. */
const left: Held = { bytes: Buffer.alloc(0), delivered: () => undefined, confirmed_ms: 0 }

export const openWindow = ({ events_max, bytes_max }: WindowLimits): ResendWindow => {
  const held: Held[] = []
  const half = { events: Math.max(1, events_max >> 1), bytes: bytes_max >> 1 }
  const keep = { events: events_max - half.events, bytes: bytes_max - half.bytes }
  // Places in `held`: first that has not left, first not confirmed, first not sent.
  const at = { first: 0, confirmed: 0, sent: 0 }
  const bytes = { confirmed: 0, sent: 0, unsent: 0 }

  const leave = (): void => {
    const entry = held[at.first]
    if (entry === undefined) return
    held[at.first++] = left
    bytes.confirmed -= entry.bytes.length
    entry.delivered()
    if (at.first < stride) return
    held.splice(0, at.first)
    at.confirmed -= at.first
    at.sent -= at.first
    at.first = 0
  }

  return {
    get full() {
      const total = bytes.confirmed + bytes.sent + bytes.unsent
      return held.length - at.first >= events_max || total >= bytes_max
    },
    get due() {
      return at.sent - at.confirmed >= half.events || bytes.sent >= half.bytes
    },
    get size() {
      return held.length - at.first
    },
    get unconfirmed() {
      return at.sent - at.confirmed
    },
    get unsent() {
      return held.length - at.sent
    },
    push: (entry) => {
      held.push({ ...entry, confirmed_ms: 0 })
      bytes.unsent += entry.bytes.length
    },
    next: () => {
      const entry = held[at.sent]
      if (entry === undefined) return null
      at.sent++
      bytes.unsent -= entry.bytes.length
      bytes.sent += entry.bytes.length
      return entry.bytes
    },
    confirm: (now_ms) => {
      for (; at.confirmed < at.sent; at.confirmed++) held[at.confirmed]!.confirmed_ms = now_ms
      bytes.confirmed += bytes.sent
      bytes.sent = 0
      while (
        at.confirmed - at.first > keep.events ||
        (bytes.confirmed > keep.bytes && at.confirmed > at.first)
      )
        leave()
    },
    settle: (until_ms) => {
      while (at.first < at.confirmed && held[at.first]!.confirmed_ms <= until_ms) leave()
    },
    rewind: () => {
      const again = at.sent - at.first
      at.confirmed = at.first
      at.sent = at.first
      bytes.unsent += bytes.confirmed + bytes.sent
      bytes.confirmed = 0
      bytes.sent = 0
      return again
    },
  }
}
