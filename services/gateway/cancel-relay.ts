/** A cancel request that reached another gateway process than the one that holds its session. The supervisor passes it on. */
export type CancelMessage = {
  readonly kind: 'cancel'
  /** Index of the process that holds the session. */
  readonly to: number
  readonly pid: number
  /** Hex. */
  readonly secret: string
}

const isCancelMessage = (payload: unknown): payload is CancelMessage => {
  if (typeof payload !== 'object' || payload === null) return false
  const { kind, pid, secret } = payload as Partial<CancelMessage>
  return (
    kind === 'cancel' &&
    Number.isInteger(pid) &&
    typeof secret === 'string' &&
    /^([0-9a-f]{2}){4,256}$/.test(secret)
  )
}

/** Where messages between the processes of a service go through: the channel to the supervisor. */
export type RelayChannel = {
  readonly connected?: boolean
  readonly send?: (message: object) => unknown
  on(event: 'message', listener: (message: unknown) => void): unknown
  off(event: 'message', listener: (message: unknown) => void): unknown
}

export interface CancelRelay extends Disposable {
  /** Hands a request to the process it is for. */
  readonly send: (message: CancelMessage) => void
}

/** Opens the way to the other processes of this gateway. */
export const openCancelRelay = (
  channel: RelayChannel,
  onCancel: (message: CancelMessage) => void,
): CancelRelay => {
  const listener = (message: unknown): void => {
    const { type, payload } = message as { type?: unknown; payload?: unknown }
    if (type === 'relayed' && isCancelMessage(payload)) onCancel(payload)
  }
  channel.on('message', listener)
  return {
    send: (message) => {
      if (channel.connected === true)
        channel.send?.({ type: 'relay', to: message.to, payload: message })
    },
    [Symbol.dispose]: () => {
      channel.off('message', listener)
    },
  }
}
