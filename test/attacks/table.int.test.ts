import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGround, type Ground } from './ground.ts'
import { attack_table, tryAttack } from './table.ts'

let ground: Ground

beforeAll(async () => {
  ground = await startGround()
})

afterAll(async () => {
  await ground?.[Symbol.asyncDispose]()
})

describe.each(attack_table)('attacks: $group', ({ group, attacks }) => {
  it.each(attacks)('$attack', async (attack) => {
    const { outcome, where } = await tryAttack(ground, group, attack)
    expect(attack.expect, where).toContain(outcome)
  })
})
