import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { openLogger } from '#lib/logger.ts'
import { openDelivery, type Delivery } from '../../services/forward/delivery.ts'
import type { LossReason, SinkMetrics } from '../../services/forward/metrics.ts'
import { openConnection } from '../../services/forward/sinks/connection.ts'
import { openWindow } from '../../services/forward/window.ts'
import { times } from './forwarding.ts'
import { until } from './rsyslog.ts'

/** Receivers that behave as no receiver should, on real sockets. Messages are numbers on a line. */

type Receiver = AsyncDisposable & {
  readonly port: number
  readonly connections: () => number
  /** Numbers of whole messages read so far, in the order of reading. */
  readonly numbers: readonly number[]
}

type Behaviour = (socket: Socket, connection: number, read: (bytes: Buffer) => void) => void

const openReceiver = async (behave: Behaviour): Promise<Receiver> => {
  const numbers: number[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let rest = ''
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
    behave(socket, ++connections, (bytes) => {
      const lines = (rest + bytes.toString()).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== 'alive') numbers.push(Number(line))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    numbers,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Reads all and ends after the sender. */
const well: Behaviour = (socket, _, read) => {
  socket.on('data', read).on('end', () => socket.end())
}

type Sender = Delivery & {
  readonly delivered: readonly number[]
  readonly losses: readonly LossReason[]
}

const openSender = (
  port: number,
  changes: Partial<typeof times> = {},
): Sender & { send(count: number): Promise<void> } => {
  const delivered: number[] = []
  const losses: LossReason[] = []
  const nothing = (): void => undefined
  const metrics: SinkMetrics = {
    delivered: nothing,
    sent: nothing,
    resent: nothing,
    connected: nothing,
    lost: (reason) => losses.push(reason),
    cut: nothing,
    raw: nothing,
    window: nothing,
  }
  const delivery = openDelivery({
    window: openWindow({ events_max: 100, bytes_max: 1_000_000 }),
    times: { ...times, ...changes },
    connect: (timeout_ms) => openConnection({ host: '127.0.0.1', port, tls: null }, timeout_ms),
    heartbeat: () => Buffer.from('alive\n'),
    logger: openLogger('forward', 'silent'),
    metrics,
    now_ms: Date.now,
    random: Math.random,
  })
  let next = 0
  return {
    ...delivery,
    [Symbol.asyncDispose]: () => delivery[Symbol.asyncDispose](),
    delivered,
    losses,
    send: async (count) => {
      for (let sent = 0; sent < count; sent++) {
        const number = next++
        const bytes = Buffer.from(`${number}\n`)
        await delivery.push({ bytes, delivered: () => delivered.push(number) })
      }
    },
  }
}

const upTo = (count: number): readonly number[] =>
  Array.from({ length: count }, (_, number) => number)

describe('delivery', () => {
  it('to a receiver that resets connections in the middle of messages loses nothing', async () => {
    await using receiver = await openReceiver((socket, connection, read) => {
      let budget = connection <= 12 ? 40 + connection * 7 : Number.POSITIVE_INFINITY
      socket.on('data', (bytes: Buffer) => {
        read(bytes.subarray(0, budget))
        budget -= bytes.length
        if (budget < 0) socket.resetAndDestroy()
      })
      socket.on('end', () => socket.end())
    })
    await using sender = openSender(receiver.port)
    await sender.send(2_000)
    await until(() => new Set(receiver.numbers).size === 2_000, 'every message')
    await until(() => sender.delivered.length === 2_000, 'all delivered')
    expect(sender.delivered).toEqual(upTo(2_000))
    expect(sender.losses.length).toBeGreaterThan(3)
    // Each loss sends the window again at most.
    expect(receiver.numbers.length).toBeLessThanOrEqual(2_000 + sender.losses.length * 100)
  })

  it('counts nothing as delivered that the receiver took and did not read', async () => {
    const released = Promise.withResolvers<void>()
    await using receiver = await openReceiver((socket, connection, read) => {
      if (connection <= 2) {
        // Bytes are in this end's kernel, nobody reads them, and then they are gone.
        socket.pause()
        void released.promise.then(() => socket.resetAndDestroy())
      } else well(socket, connection, read)
    })
    await using sender = openSender(receiver.port)
    await sender.send(60)
    await until(() => receiver.connections() === 2, 'the connection is turned over')
    expect(sender.delivered).toEqual([])
    released.resolve()
    await until(() => sender.delivered.length === 60, 'all delivered')
    expect(receiver.numbers.slice(0, 60)).toEqual(upTo(60))
  })

  it('counts nothing as delivered when the receiver closes first', async () => {
    await using receiver = await openReceiver((socket, connection, read) => {
      if (connection === 1) socket.once('data', () => socket.end())
      else well(socket, connection, read)
    })
    await using sender = openSender(receiver.port)
    await sender.send(10)
    await until(() => sender.delivered.length === 10, 'all delivered')
    expect(sender.losses[0]).toBe('closed')
    expect(receiver.numbers).toEqual(upTo(10))
  })

  it('gives up a receiver that never ends its side, and sends again', async () => {
    await using receiver = await openReceiver((socket, connection, read) => {
      if (connection <= 2) socket.on('data', () => undefined)
      else well(socket, connection, read)
    })
    await using sender = openSender(receiver.port, { confirm_timeout_ms: 300 })
    await sender.send(10)
    await until(() => sender.delivered.length === 10, 'all delivered')
    expect(sender.losses).toContain('no_proof')
    expect(receiver.numbers).toEqual(upTo(10))
  })

  it('sends again what a receiver had read when it is gone right after', async () => {
    const opened: Socket[] = []
    await using receiver = await openReceiver((socket, connection, read) => {
      opened.push(socket)
      socket.on('data', read).on('end', () => {
        socket.end()
        // The process dies with what it read in its memory, and takes the connection with it that
        // is to be the next.
        if (connection === 1) for (const other of opened.slice(1)) other.resetAndDestroy()
      })
    })
    await using sender = openSender(receiver.port, { settle_ms: 60_000, confirm_interval_ms: 100 })
    await sender.send(5)
    await until(() => receiver.numbers.length >= 10, 'sent again')
    expect(sender.delivered).toEqual([])
    expect(receiver.numbers.slice(0, 10)).toEqual([...upTo(5), ...upTo(5)])
  })

  it('holds its caller back when the window is full, and lets it go on when it stops', async () => {
    await using receiver = await openReceiver((socket) => void socket.pause())
    await using sender = openSender(receiver.port)
    let sent = false
    const sending = sender.send(500).then(() => (sent = true))
    await until(() => receiver.connections() > 1, 'half a window is sent')
    expect(sent).toBe(false)
    await sender.finish(200)
    await sending
    expect(sender.delivered).toEqual([])
  })

  it('finishes with the proof of everything it took', async () => {
    await using receiver = await openReceiver(well)
    await using sender = openSender(receiver.port, {
      settle_ms: 60_000,
      confirm_interval_ms: 60_000,
    })
    await sender.send(30)
    await sender.finish(10_000)
    expect(sender.delivered).toEqual(upTo(30))
    expect(receiver.numbers).toEqual(upTo(30))
    expect(sender.losses).toEqual([])
  })
})
