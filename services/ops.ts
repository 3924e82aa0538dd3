import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type OpsOptions = {
  /** TCP port, all interfaces (a container's own network); 0 means any free one. */
  readonly port: number
  readonly healthy: () => boolean
  /** Prometheus text. */
  readonly metrics: () => Promise<string>
}

/**
 * Health and metrics of services that run apart from the api, for container health checks and Prometheus:
 * `GET /healthz` (200 or 503) and `GET /metrics`. Nothing else, no content.
 */
export const openOps = async ({
  port,
  healthy,
  metrics,
}: OpsOptions): Promise<AsyncDisposable & { readonly port: number }> => {
  const server = createServer(
    { requestTimeout: 5_000, headersTimeout: 5_000 },
    (request, response) => {
      if (request.method === 'GET' && request.url === '/healthz') {
        const ok = healthy()
        response.writeHead(ok ? 200 : 503, { 'content-type': 'application/json' })
        response.end(`{"status":"${ok ? 'ok' : 'starting'}"}\n`)
      } else if (request.method === 'GET' && request.url === '/metrics') {
        void metrics().then((text) =>
          response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8').end(text),
        )
      } else response.writeHead(404).end()
    },
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => resolve())
  })
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
