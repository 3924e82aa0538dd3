import type { Attack, AttackGroup, Row } from './attack.ts'
import type { Ground } from './ground.ts'
import { afterwards } from './rows/afterwards.ts'
import { approval_attacks } from './rows/approvals.ts'
import { durability } from './rows/durability.ts'
import { hiding } from './rows/hiding.ts'
import { identity_attacks } from './rows/identity.ts'
import { masking_expressions } from './rows/masking-expressions.ts'
import { masking_flows } from './rows/masking-flows.ts'
import { masking_ways } from './rows/masking-ways.ts'
import { policy } from './rows/policy.ts'
import { reading } from './rows/reading.ts'
import { wire_attacks } from './rows/wire.ts'

/** The attack list of Cairn, PostgreSQL's part, row by row; `npm run attacks` runs and prints it. */
export const attack_table: readonly AttackGroup[] = [
  { group: 'wire', attacks: wire_attacks },
  { group: 'hiding', attacks: hiding },
  { group: 'identity', attacks: identity_attacks },
  { group: 'policy', attacks: policy },
  { group: 'masking', attacks: [...masking_expressions, ...masking_ways, ...masking_flows] },
  { group: 'approvals', attacks: approval_attacks },
  { group: 'durability', attacks: durability },
  { group: 'reading', attacks: reading },
  { group: 'afterwards', attacks: afterwards },
]

/** Tries one. What throws has not gone as it must. */
export const tryAttack = async (ground: Ground, group: string, attack: Attack): Promise<Row> => {
  const { attack: words, expect } = attack
  try {
    const found = await attack.how(ground)
    return { group, attack: words, expect, ...found, good: expect.includes(found.outcome) }
  } catch (error) {
    const where = error instanceof Error ? error.message : String(error)
    return { group, attack: words, expect, outcome: 'succeeded', where, good: false }
  }
}
