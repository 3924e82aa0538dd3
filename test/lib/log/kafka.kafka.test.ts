import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { promisify } from 'node:util'
import { afterAll, describe, expect, test } from 'vitest'
import { openKafkaLog, type KafkaSettings } from '#lib/log/kafka.ts'
import type { Log } from '#lib/log/port.ts'
import { logContract } from '../../contracts/log.ts'
import { openPlace } from '../../contracts/log-open.ts'
import { readAll, record, texts, until } from '../../contracts/log-support.ts'
import { sasl_user, startBroker } from '../../kafka/broker.ts'
import { systemTool } from '../../support/tools.ts'

const run = promisify(execFile)
// A broker of its own: these tests kill it.
const broker = await startBroker({ secure: true })
afterAll(() => broker[Symbol.asyncDispose]())

for (const compression of ['none', 'zstd'] as const)
  logContract(`the log on Kafka, compression ${compression}`, {
    place: () => ({ kind: 'kafka', bootstrap: broker.bootstrap, compression }),
    // The broker does it by itself.
    applyRetention: () => Promise.resolve(),
    interrupt: async () => {
      await broker.kill()
      return { recover: broker.start }
    },
  })

/** Stands between clients and a broker: forwards, keeps the broker's answers for itself, or cuts and refuses. */
const openLine = async () => {
  const state = { mode: 'forward' as 'forward' | 'swallow' | 'cut', to: 0, swallowed_bytes: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (state.mode === 'cut') {
      client.destroy()
      return
    }
    const upstream = connect(state.to, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      if (state.mode === 'forward') client.write(chunk)
      else state.swallowed_bytes += chunk.length
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    state.mode = 'cut'
    for (const socket of sockets) socket.destroy()
  }
  const close = async (): Promise<void> => {
    cut()
    server.close()
    await once(server, 'close')
  }
  const { port } = server.address() as AddressInfo
  return { state, port, cut, [Symbol.asyncDispose]: close }
}

describe('the log on Kafka', () => {
  const open = (compression: 'none' | 'gzip' | 'zstd' = 'none', troubles: Error[] = []) =>
    openPlace({ kind: 'kafka', bootstrap: broker.bootstrap, compression }, (error) =>
      troubles.push(error),
    )
  const newTopic = async (log: Log, partitions = 1): Promise<string> => {
    const topic = `test.${randomUUID()}`
    await log.ensureTopics([{ name: topic, partitions }])
    return topic
  }

  test('a subscription and its group survive a broker that is killed and comes back', async () => {
    await using log = await open()
    const topic = await newTopic(log)
    const got: string[] = []
    await using subscription = await log.subscribe({
      group: randomUUID(),
      topics: [topic],
      onBatch: async ({ records }, ctx) => {
        await ctx.done()
        got.push(...texts(records))
      },
    })
    void subscription
    await log.append(topic, [record('a', 'before')])
    await until(() => got.includes('before'), 'the first record')
    await broker.kill()
    await broker.start()
    await until(
      () =>
        log.append(topic, [record('a', 'after')]).then(
          () => true,
          () => false,
        ),
      'an append',
    )
    await until(() => got.includes('after'), 'the record after the restart')
    expect(got[0]).toBe('before')
  })

  test('an append to a broker that hangs fails at its deadline, not later', async () => {
    await using log = await open()
    const topic = await newTopic(log)
    await log.append(topic, [record('a', 'before')])
    broker.pause()
    const begun = Date.now()
    try {
      await expect(log.append(topic, [record('a', 'during')])).rejects.toMatchObject({
        code: 'log_unavailable',
      })
    } finally {
      broker.resume()
    }
    expect(Date.now() - begun).toBeLessThan(12_000)
    await until(
      () =>
        log.append(topic, [record('a', 'after')]).then(
          () => true,
          () => false,
        ),
      'an append',
    )
    // Whether the one without an answer was taken nobody can say; the one after it was, behind it.
    expect(texts(await readAll(log, topic)).at(-1)).toBe('after')
  })

  test('what is appended after one whose answer was lost is not taken for its duplicate', async () => {
    await using line = await openLine()
    await using behind = await startBroker({
      advertise: (port) => {
        line.state.to = port
        return line.port
      },
    })
    void behind
    await using log = await openPlace({ kind: 'kafka', bootstrap: `127.0.0.1:${line.port}` })
    const topic = await newTopic(log)
    await log.append(topic, [record('a', 'first')])
    line.state.mode = 'swallow'
    const lost = log.append(topic, [record('a', 'answer lost')])
    await until(() => line.state.swallowed_bytes > 0, 'the answer')
    line.cut()
    await expect(lost).rejects.toMatchObject({ code: 'log_unavailable' })
    line.state.mode = 'forward'
    await until(
      () =>
        log.append(topic, [record('a', 'next')]).then(
          () => true,
          () => false,
        ),
      'an append',
    )
    expect(texts(await readAll(log, topic))).toEqual(['first', 'answer lost', 'next'])
  })

  test('an idle client and consumer sleep instead of polling their queues', async () => {
    await using log = await open()
    const topic = await newTopic(log)
    const got: string[] = []
    await using subscription = await log.subscribe({
      group: randomUUID(),
      topics: [topic],
      onBatch: async ({ records }, ctx) => {
        got.push(...texts(records))
        await ctx.done()
      },
    })
    void subscription
    await log.append(topic, [record('a', '1')])
    await until(() => got.length === 1, 'consuming')
    const original = globalThis.setTimeout
    let timers = 0
    const counted = (...args: Parameters<typeof setTimeout>): NodeJS.Timeout => {
      timers++
      return original(...args)
    }
    globalThis.setTimeout = Object.assign(counted, original)
    try {
      await new Promise((resolve) => original(resolve, 2_000))
    } finally {
      globalThis.setTimeout = original
    }
    expect(timers).toBeLessThan(100)
  })

  const secure = (settings: Partial<KafkaSettings>, troubles: Error[] = []): Promise<Log> =>
    openKafkaLog({
      kafka: {
        brokers: [broker.secure!.bootstrap],
        client_id: 'cairn-secure',
        compression: 'none',
        tls: { ca_file: broker.secure!.ca_file },
        ...settings,
      },
      now_ms: Date.now,
      id: randomUUID,
      onTrouble: (error) => troubles.push(error),
    })

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'] as const)(
    'speaks TLS and authenticates with %s',
    async (mechanism) => {
      const { password } = broker.secure!
      const sasl = { mechanism, username: sasl_user, password: { reveal: () => password } }
      await using log = await secure({ sasl })
      const topic = await newTopic(log)
      await log.append(topic, [record('a', mechanism)])
      expect(texts(await readAll(log, topic))).toEqual([mechanism])
    },
  )

  test('says that it cannot authenticate, without the password', async () => {
    const troubles: Error[] = []
    const password = { reveal: () => 'wrong-and-secret' }
    await using log = await secure(
      { sasl: { mechanism: 'plain', username: sasl_user, password } },
      troubles,
    )
    const error: unknown = await log.append('any', [record('a')]).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'log_unavailable' })
    expect(JSON.stringify([String(error), troubles.map(String)])).not.toContain('wrong-and-secret')
  })

  test('refuses a broker whose certificate it does not trust, or whose name differs', async () => {
    const { password } = broker.secure!
    const sasl = { mechanism: 'plain', username: sasl_user, password: { reveal: () => password } }
    for (const tls of [{}, { ca_file: broker.secure!.ca_file, server_name: 'other.example' }]) {
      await using log = await secure({ sasl: { ...sasl, mechanism: 'plain' }, tls })
      await expect(log.append('any', [record('a')])).rejects.toMatchObject({
        code: 'log_unavailable',
      })
    }
  })

  const kcat = systemTool('kcat')
  const format = '%p %o %k %h %S %s\n'
  const listed = async (topic: string): Promise<string[]> => {
    const args = ['-b', broker.bootstrap, '-C', '-t', topic, '-e', '-q', '-f', format]
    const { stdout } = await run(kcat ?? '', args)
    return stdout.trimEnd().split('\n')
  }

  test.skipIf(kcat === null).each(['none', 'gzip', 'zstd'] as const)(
    'kcat reads what we write: keys, headers, order, compression %s',
    async (compression) => {
      await using log = await open(compression)
      const topic = await newTopic(log)
      const values = Array.from({ length: 200 }, (_, at) => `value ${at}`)
      await log.append(
        topic,
        values.map((value, at) => ({
          key: Buffer.from(`key-${at}`),
          value: Buffer.from(value),
          headers: { 'cairn-code': Buffer.from(`${at}`), second: Buffer.from('x') },
        })),
      )
      expect(await listed(topic)).toEqual(
        values.map(
          (value, at) => `0 ${at} key-${at} cairn-code=${at},second=x ${value.length} ${value}`,
        ),
      )
    },
  )

  test.skipIf(kcat === null)(
    'kcat puts a key into the partition in which we look for it',
    async () => {
      await using log = await open()
      const topic = await newTopic(log, 7)
      const keys = Array.from({ length: 100 }, (_, at) => `session ${at * at}`)
      const positions = await log.append(
        topic,
        keys.map((key) => record(key, 'ours')),
      )
      const where = ['-b', broker.bootstrap, '-P', '-t', topic, '-K', '\t']
      const how = ['-X', 'partitioner=murmur2_random', '-z', 'zstd', '-H', 'from=kcat']
      const child = run(kcat ?? '', [...where, ...how])
      child.child.stdin?.end(keys.map((key) => `${key}\ttheirs\n`).join(''))
      await child
      const theirs = new Map<string, number>()
      for (let partition = 0; partition < 7; partition++)
        for (const each of await readAll(log, topic, partition))
          if (each.value.toString() === 'theirs') {
            expect(each.headers).toEqual({ from: Buffer.from('kcat') })
            theirs.set(each.key.toString(), each.partition)
          }
      expect(keys.map((key) => theirs.get(key))).toEqual(
        positions.map(({ partition }) => partition),
      )
    },
  )
})
