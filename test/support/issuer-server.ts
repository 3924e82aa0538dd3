import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

/** How an issuer is unreachable: connections cut, answers that are errors, answers that never come. */
export type Outage = 'none' | 'cut' | 'error' | 'hang'

export interface IssuerServer extends AsyncDisposable {
  readonly url: string
  /** Requests so far by path, also those during an outage. */
  requests(path: string): number
  setOutage(outage: Outage): void
}

const duringOutage = (outage: Outage, request: IncomingMessage, response: ServerResponse): void => {
  if (outage === 'cut') request.socket.destroy()
  else if (outage === 'error')
    response.writeHead(503, { 'content-type': 'text/plain' }).end('unavailable')
}

/** A loopback HTTP server on a free port that counts its requests and can be unreachable in several ways. */
export const startIssuerServer = async (
  handlerFor: (url: string) => RequestListener,
): Promise<IssuerServer> => {
  const counts = new Map<string, number>()
  let outage: Outage = 'none'
  let handle: RequestListener = () => undefined
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    counts.set(path, (counts.get(path) ?? 0) + 1)
    if (outage === 'none') handle(request, response)
    else duringOutage(outage, request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  handle = handlerFor(url)
  return {
    url,
    requests: (path) => counts.get(path) ?? 0,
    setOutage: (next) => {
      outage = next
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}
