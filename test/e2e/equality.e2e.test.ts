import { describe, expect, it } from 'vitest'
import { compareEventually, createItems, runMixedLoad } from '../support/mixed-load.ts'
import { startRig, type Rig } from '../support/rig.ts'

const clients = 16
const commands = 10_000

/** Every table's rows are unique by their place in the log, and every session's sequence is dense. */
const expectExactTables = async (rig: Rig): Promise<void> => {
  const [counts] = await rig.query<{ rows: string; distinct: string }>(
    'select count() as rows, uniqExact(topic, partition, offset) as distinct from cairn.records',
  )
  expect(counts?.rows).toBe(counts?.distinct)
  const holes = await rig.query(
    "select session, count() as n, max(sseq) + 1 as expected from cairn.records where session != '' group by session having n != expected",
  )
  expect(holes).toEqual([])
}

const kill = async (rig: Rig, name: string): Promise<void> => {
  const pid = (await rig.cairn.processes()).get(name)
  if (pid !== undefined) process.kill(pid, 'SIGKILL')
}

describe('what the target executed and what cairn.commands holds', () => {
  it('are equal, statement by statement with parameters, after 10,000 commands of 16 clients', async () => {
    await using rig = await startRig({ postgres: { log: true } })
    await createItems(rig)
    await runMixedLoad({ rig, clients, commands, seed: 1 })
    const { equal, unrecorded, invented } = await compareEventually(rig)
    expect(unrecorded.slice(0, 3)).toEqual([])
    expect(invented.slice(0, 3)).toEqual([])
    expect(equal).toBeGreaterThan(commands * 0.8)
    await expectExactTables(rig)
  })

  it('are equal with reads: overlap and two gateway processes', async () => {
    await using rig = await startRig({
      postgres: { log: true },
      config: { gateway: { reads: 'overlap', processes: 2 } },
    })
    await createItems(rig)
    await runMixedLoad({ rig, clients, commands: commands / 4, seed: 2 })
    const { equal, unrecorded, invented } = await compareEventually(rig)
    expect(unrecorded.slice(0, 3)).toEqual([])
    expect(invented.slice(0, 3)).toEqual([])
    expect(equal).toBeGreaterThan((commands / 4) * 0.8)
  })

  it('are equal after the gateway and the replay service were killed in the middle: nothing ran unrecorded', async () => {
    await using rig = await startRig({ postgres: { log: true } })
    await createItems(rig)
    const kills = new Map([
      [1_500, 'gateway'],
      [2_500, 'replay'],
      [3_500, 'gateway'],
      [4_500, 'replay'],
      [5_500, 'gateway'],
    ])
    const killed: Promise<void>[] = []
    await runMixedLoad({
      rig,
      clients,
      commands,
      seed: 3,
      onProgress: (steps_done) => {
        const name = kills.get(steps_done)
        if (name === undefined) return
        killed.push(kill(rig, name))
      },
    })
    await Promise.all(killed)
    expect(killed).toHaveLength(kills.size)
    const { equal, unrecorded, invented } = await compareEventually(rig)
    expect(unrecorded.slice(0, 3)).toEqual([])
    expect(invented.slice(0, 3)).toEqual([])
    expect(equal).toBeGreaterThan(commands * 0.5)
    await expectExactTables(rig)
  })
})
