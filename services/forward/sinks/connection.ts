import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
import { CairnError } from '#lib/error.ts'

/**
 * One connection to a receiver that sends nothing back. Its read side is always watched: an end or
 * error there is how a dead receiver shows.
 *
 * Proof of reading without an acknowledgement: after our end (FIN, in TLS close_notify first) a
 * receiver reads everything before it sees that end and closes its side. If it dies or closes with
 * bytes unread, its kernel answers with a reset instead (RFC 1122 section 4.2.2.13, RFC 2525
 * section 2.17). A clean end after ours therefore says that every byte was read.
 */
export interface Connection {
  /** Why it is over; null while it lives. Set at once when the receiver closes, resets or ends. */
  readonly lost: Error | null
  /** Called once, when it is over other than by `finish`. */
  onLost(listener: () => void): void
  /** Writes; false when the caller should wait for `drained`. */
  write(bytes: Buffer): boolean
  /** Resolves when more may be written, or when it is over. */
  drained(): Promise<void>
  /**
   * Ends our side and waits for the receiver's; true when it has proven to have read everything.
   */
  finish(timeout_ms: number): Promise<boolean>
  destroy(): void
}

export type Address = {
  readonly host: string
  readonly port: number
  /** Options for TLS; null for plain TCP. */
  readonly tls: ConnectionOptions | null
}

/** How long until the kernel asks an idle receiver whether it is still there. */
const keepalive_ms = 10_000

const ready = (socket: Socket, event: string, timeout_ms: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      clearTimeout(timer)
      socket.off('error', settle)
      socket.off('close', closed)
      socket.off(event, opened)
      if (error === null) resolve()
      else reject(error)
    }
    const opened = (): void => settle(null)
    const closed = (): void => settle(new CairnError('sink_unavailable', 'closed while connecting'))
    const timer = setTimeout(
      () => settle(new CairnError('sink_unavailable', `no connection in ${timeout_ms} ms`)),
      timeout_ms,
    )
    socket.once('error', settle).once('close', closed).once(event, opened)
  })

const watch = (socket: Socket): Connection => {
  let lost: Error | null = null
  let finishing: ((proven: boolean) => void) | null = null
  let listener: (() => void) | null = null
  let waiting: (() => void) | null = null

  const wake = (): void => {
    waiting?.()
    waiting = null
  }
  const over = (error: Error, proven: boolean): void => {
    if (lost !== null) return
    lost = error
    socket.destroy()
    wake()
    if (finishing === null) listener?.()
    else finishing(proven)
  }
  socket.on('error', (error) => over(error, false))
  socket.on('end', () => {
    // After our own end this is the proof; before it the receiver went away and nothing is proven.
    const proven = finishing !== null && socket.writableFinished
    over(new CairnError('sink_unavailable', 'the receiver closed the connection'), proven)
  })
  socket.on('close', () =>
    over(new CairnError('sink_unavailable', 'the connection is closed'), false),
  )
  socket.on('drain', wake)
  // Whatever a receiver says is read and dropped: unread bytes would hide its end.
  socket.on('data', () => undefined)
  socket.setKeepAlive(true, keepalive_ms)
  socket.setNoDelay(true)

  return {
    get lost() {
      return lost
    },
    onLost: (called) => {
      listener = called
      if (lost !== null) called()
    },
    write: (bytes) => socket.write(bytes),
    drained: () =>
      lost !== null || !socket.writableNeedDrain
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting = resolve
          }),
    finish: (timeout_ms) =>
      new Promise((resolve) => {
        if (lost !== null) {
          resolve(false)
          return
        }
        const timer = setTimeout(
          () => over(new CairnError('sink_unavailable', `no end in ${timeout_ms} ms`), false),
          timeout_ms,
        )
        finishing = (proven) => {
          clearTimeout(timer)
          resolve(proven)
        }
        socket.end()
      }),
    destroy: () => over(new CairnError('sink_unavailable', 'given up'), false),
  }
}

/**
 * Connects to a receiver. Throws what the socket says, or CairnError('sink_unavailable') after
 * `timeout_ms`.
 */
export const openConnection = async (
  { host, port, tls }: Address,
  timeout_ms: number,
): Promise<Connection> => {
  // allowHalfOpen: our end must not be sent by itself when the receiver ends first.
  const socket =
    tls === null
      ? connectTcp({ host, port, allowHalfOpen: true })
      : connectTls({ ...tls, host, port, allowHalfOpen: true } as ConnectionOptions)
  try {
    await ready(socket, tls === null ? 'connect' : 'secureConnect', timeout_ms)
  } catch (error) {
    socket.on('error', () => undefined).destroy()
    throw error
  }
  return watch(socket)
}
