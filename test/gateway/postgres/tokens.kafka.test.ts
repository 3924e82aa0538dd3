import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { startBroker, type Broker } from '../../kafka/broker.ts'
import { rig_role, rig_target, startRig, type Rig } from '../../support/rig.ts'
import { fieldsOf, openSecure, wire } from '../../support/wire-client.ts'

let broker: Broker
let rig: Rig

beforeAll(async () => {
  broker = await startBroker()
  rig = await startRig({
    role: { sessions_per_token: 1 },
    config: {
      gateway: { durability: 'broker', processes: 2 },
      log: { kind: 'kafka', kafka: { brokers: [broker.bootstrap] }, partitions: 3 },
    },
  })
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

/** The SQLSTATE of the refusal; empty when the session is open. */
const show = async (token: string): Promise<string> => {
  await using client = await openSecure(rig.cairn.ports['postgres'] ?? 0)
  client.send(wire.startup({ user: rig_role, database: rig_target }))
  await client.take(({ type }) => type === 'R')
  client.send(wire.password(token))
  const last = (await client.take(({ type }) => type === 'Z' || type === 'E')).at(-1)
  return last?.type === 'E' ? (fieldsOf(last)['C'] ?? '') : ''
}

describe('tokens at two gateway processes on Kafka, durability: broker', () => {
  it('a token shown many times at once opens one session', async () => {
    for (let round = 0; round < 5; round++) {
      const token = await rig.token()
      const outcomes = await Promise.all(Array.from({ length: 8 }, () => show(token)))
      expect(outcomes.toSorted()).toEqual(['', ...Array.from({ length: 7 }, () => '28P01')])
    }
  })

  it('a used token stays used when the gateways were killed and are back', async () => {
    const token = await rig.token()
    expect(await show(token)).toBe('')
    const before = await rig.cairn.processes()
    const gateways = [...before].filter(([name]) => name.startsWith('gateway'))
    expect(gateways).toHaveLength(2)
    for (const [, pid] of gateways) process.kill(pid, 'SIGKILL')
    await eventually('other gateways', async () => {
      const now = await rig.cairn.processes()
      return gateways.every(([name, pid]) => now.has(name) && now.get(name) !== pid)
    })
    // They may refuse until they know the log again; a fresh token tells when they do.
    await eventually('a session', async () =>
      rig
        .token()
        .then(show)
        .then(
          (code) => code === '',
          () => false,
        ),
    )
    expect(await show(token)).toBe('28P01')
  })
})
