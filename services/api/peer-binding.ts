import type { Config } from '#lib/config/schema.ts'
import { isLoopbackHost } from '#lib/loopback.ts'

/**
 * The address that a Cairn token is bound to: the one that the API sees. Whoever comes from the API's own machine (or through a proxy on it)
 * shows another address at a gateway that listens on the network, so such a token is bound only where the gateway is on loopback, too.
 *
 * @returns a function from the client's address to the one to bind to; empty: bind to none
 */
export const openPeerBinding = ({
  api,
  listeners,
}: Pick<Config, 'api' | 'listeners'>): ((address: string) => string) => {
  const local_gateway = isLoopbackHost(listeners.postgres.host)
  return (address) => {
    if (!api.tokens.bind_peer) return ''
    return isLoopbackHost(address) && !local_gateway ? '' : address
  }
}
