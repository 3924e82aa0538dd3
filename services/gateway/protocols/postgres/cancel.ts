import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import type { CancelMessage } from '../../cancel-relay.ts'

/**
 * Cancel keys (section "Canceling Requests in Progress"). The client gets a key minted here, never the target's: whoever knows a key
 * can only reach the session it was given to, through the gateway, which records it.
 *
 * The process id in a key is `index << 24 | random`: it says which gateway process holds the session, so that a request that another
 * process accepted can be handed on. It is no process id of the target.
 */

/** Key bytes for protocol 3.0 and 3.2. */
const secret_bytes = { 0: 4, 2: 32 } as const

export type MintedKey = { readonly pid: number; readonly secret: Buffer }

export interface CancelKeys {
  /** Mints a key. `cancel` is called when it is shown. */
  mint(minor: number, cancel: () => void): MintedKey
  /** The session is over. */
  forget(key: MintedKey): void
  /** A key was shown by a client: calls its session's `cancel`, or hands the request on. False: nobody's key. */
  request(pid: number, secret: Buffer): boolean
  /** A request from another process. */
  relayed(message: CancelMessage): boolean
}

/** Highest process index that a key can name. */
export const process_index_max = 127

/** Opens the keys of one gateway process; `relay` hands a request to another one, absent when there is none. */
export const openCancelKeys = (options: {
  readonly index: number
  readonly relay: ((message: CancelMessage) => void) | null
}): CancelKeys => {
  const keys = new Map<number, { readonly secret: Buffer; readonly cancel: () => void }>()
  // Compared against when there is no such session, so that both answers take the same time.
  const nobody = { secret: randomBytes(secret_bytes[2]), cancel: (): void => undefined }

  const found = (pid: number, secret: Buffer): boolean => {
    const key = keys.get(pid)
    const expected = (key ?? nobody).secret
    const given = secret.length === expected.length ? secret : Buffer.alloc(expected.length)
    const same = timingSafeEqual(given, expected) && secret.length === expected.length
    if (key === undefined || !same) return false
    key.cancel()
    return true
  }

  return {
    mint: (minor, cancel) => {
      const secret = randomBytes(minor >= 2 ? secret_bytes[2] : secret_bytes[0])
      for (;;) {
        const pid = options.index * 0x100_0000 + randomInt(1, 0x100_0000)
        if (keys.has(pid)) continue
        keys.set(pid, { secret, cancel })
        return { pid, secret }
      }
    },
    forget: ({ pid }) => {
      keys.delete(pid)
    },
    request: (pid, secret) => {
      const to = pid >>> 24
      if (to === options.index) return found(pid, secret)
      if (options.relay === null || to > process_index_max) return false
      options.relay({ kind: 'cancel', to, pid, secret: secret.toString('hex') })
      return true
    },
    relayed: ({ pid, secret }) => found(pid, Buffer.from(secret, 'hex')),
  }
}
