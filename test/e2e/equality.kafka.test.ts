import { describe, expect, it } from 'vitest'
import { startBroker } from '../kafka/broker.ts'
import { compareEventually, createItems, runMixedLoad } from '../support/mixed-load.ts'
import { startRig } from '../support/rig.ts'

const clients = 16
const commands = 10_000

describe('what the target executed and what cairn.commands holds, on Kafka', () => {
  it('are equal after gateway, replay service and broker were killed in the middle, with durability: broker', async () => {
    await using broker = await startBroker()
    await using rig = await startRig({
      postgres: { log: true },
      config: {
        gateway: { durability: 'broker' },
        log: { kind: 'kafka', kafka: { brokers: [broker.bootstrap] }, partitions: 3 },
      },
    })
    await createItems(rig)
    const kill = async (name: string): Promise<void> => {
      const pid = (await rig.cairn.processes()).get(name)
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    }
    const plan = new Map<number, () => Promise<void>>([
      [1_500, () => kill('gateway')],
      [2_500, () => kill('replay')],
      [3_500, () => broker.kill().then(() => broker.start())],
      [5_500, () => kill('gateway')],
    ])
    const done: Promise<void>[] = []
    await runMixedLoad({
      rig,
      clients,
      commands,
      seed: 4,
      onProgress: (steps_done) => {
        const act = plan.get(steps_done)
        if (act !== undefined) done.push(act())
      },
    })
    await Promise.all(done)
    expect(done).toHaveLength(plan.size)
    const { equal, unrecorded, invented } = await compareEventually(rig)
    expect(unrecorded.slice(0, 3)).toEqual([])
    expect(invented.slice(0, 3)).toEqual([])
    expect(equal).toBeGreaterThan(commands * 0.4)
  })
})
