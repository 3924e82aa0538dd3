import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

/** A receiver on loopback that keeps what it is sent, as a SIEM would. */
export interface Collector extends AsyncDisposable {
  readonly port: number
  received(): Buffer
}

export const startCollector = async (): Promise<Collector> => {
  const chunks: Buffer[] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    received: () => Buffer.concat(chunks),
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of open) socket.destroy()
      if (server.listening) await once(server, 'close')
    },
  }
}
