import { createServer, type AddressInfo, type Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import type { ServerTls } from '#lib/tls.ts'
import { counter, gauge } from '#lib/metrics.ts'
import { peerAddress } from '#lib/peer-address.ts'
import { serveConnection, type ConnectionDeps } from './connection.ts'
import { half_open_per_address_max } from './limits.ts'
import type { Session } from './session.ts'

export type ListenerDeps = Omit<
  ConnectionDeps,
  'tls' | 'full' | 'stopping' | 'onSession' | 'counted' | 'outcome' | 'signal'
> & {
  readonly tls: ServerTls
  /** Several processes share the port. */
  readonly shared: boolean
}

export interface PostgresListener extends AsyncDisposable {
  readonly port: number
  /** Sessions that are open. */
  readonly sessions: number
  /**
   * Stops accepting, lets what runs finish for the drain time, ends the rest. Resolves when every session is over and its end is recorded.
   * A second call waits for the first.
   */
  drain(): Promise<void>
}

/** Names of outcomes that metrics may carry: a fixed set, whatever the clients do. */
const openMetrics = () => ({
  sessions: gauge({ name: 'gateway_sessions', help: 'Open sessions.' }),
  connections: counter({
    name: 'gateway_connections_total',
    help: 'Connections by outcome: session, cancel, silent, dropped or the reason of a refusal.',
    labels: ['outcome'],
  }),
  commands: counter({
    name: 'gateway_commands_total',
    help: 'Commands received, by what became of them.',
    labels: ['outcome'],
  }),
})

/**
 * Listens for PostgreSQL clients. Port 0 takes any free one.
 * @throws the listen error of node:net (EADDRINUSE ...)
 */
export const openPostgresListener = async (deps: ListenerDeps): Promise<PostgresListener> => {
  const { config } = deps
  const metrics = openMetrics()
  const sessions = new Set<Session>()
  const connections = new Set<Promise<void>>()
  const halfOpen = new Map<string, number>()
  const sockets = new Set<Socket>()
  /** Those without a session yet. */
  const newcomers = new Set<Socket>()
  const stop = new AbortController()
  let draining: Promise<void> | null = null

  const leaveHalfOpen = (address: string): void => {
    const count = (halfOpen.get(address) ?? 1) - 1
    if (count === 0) halfOpen.delete(address)
    else halfOpen.set(address, count)
  }

  const shared: Omit<ConnectionDeps, 'onSession'> = {
    ...deps,
    tls: createSecureContext({
      cert: deps.tls.cert,
      key: deps.tls.key,
      minVersion: deps.tls.minVersion,
    }),
    full: () => sessions.size >= config.gateway.sessions_max,
    stopping: () => draining !== null,
    counted: (refused) => metrics.commands.inc({ outcome: refused ? 'refused' : 'received' }),
    outcome: (outcome) => metrics.connections.inc({ outcome }),
    signal: stop.signal,
  }

  const accept = (socket: Socket): void => {
    const address = peerAddress(socket.remoteAddress)
    const count = halfOpen.get(address) ?? 0
    if (count >= half_open_per_address_max) {
      metrics.connections.inc({ outcome: 'dropped' })
      socket.destroy()
      return
    }
    halfOpen.set(address, count + 1)
    sockets.add(socket)
    newcomers.add(socket)
    socket.once('close', () => sockets.delete(socket))
    let handshake = true
    const leave = (): void => {
      if (handshake) leaveHalfOpen(address)
      handshake = false
      newcomers.delete(socket)
    }
    const connection = serveConnection(socket, {
      ...shared,
      onSession: (session) => {
        leave()
        sessions.add(session)
        metrics.sessions.set(sessions.size)
        void (async () => {
          await session.ended
          sessions.delete(session)
          metrics.sessions.set(sessions.size)
        })()
        if (draining !== null) session.drain()
      },
    }).finally(() => {
      leave()
      connections.delete(connection)
    })
    connections.add(connection)
  }

  const server = createServer({ noDelay: true, pauseOnConnect: false }, accept)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(
      {
        host: config.listeners.postgres.host,
        port: config.listeners.postgres.port,
        reusePort: deps.shared,
      },
      () => {
        server.off('error', reject)
        resolve()
      },
    )
  })

  const drainAll = async (): Promise<void> => {
    server.close()
    for (const socket of newcomers) socket.destroy()
    for (const session of sessions) session.drain()
    const timer = setTimeout(() => {
      for (const session of sessions) session.terminate('drained', 'the drain time is over')
      stop.abort()
    }, config.gateway.drain_timeout_ms)
    await Promise.all(connections)
    clearTimeout(timer)
    stop.abort()
    for (const socket of sockets) socket.destroySoon()
  }

  const drain = (): Promise<void> => (draining ??= drainAll())

  return {
    port: (server.address() as AddressInfo).port,
    get sessions() {
      return sessions.size
    },
    drain,
    [Symbol.asyncDispose]: drain,
  }
}
