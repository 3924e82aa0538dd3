import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBroker, type Broker } from '../kafka/broker.ts'
import { startGround, type Ground } from './ground.ts'
import { attack_table, tryAttack } from './table.ts'

/** The whole table once more, where a record counts only when every in-sync broker has it. */
let broker: Broker
let ground: Ground

beforeAll(async () => {
  broker = await startBroker()
  ground = await startGround({
    config: {
      gateway: { durability: 'broker' },
      log: { kind: 'kafka', kafka: { brokers: [broker.bootstrap] }, partitions: 3 },
    },
  })
})

afterAll(async () => {
  await ground?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

describe.each(attack_table)(
  'attacks on Kafka, durability: broker: $group',
  ({ group, attacks }) => {
    it.each(attacks)('$attack', async (attack) => {
      const { outcome, where } = await tryAttack(ground, group, attack)
      expect(attack.expect, where).toContain(outcome)
    })
  },
)
