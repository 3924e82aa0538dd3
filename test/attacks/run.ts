import { parseArgs } from 'node:util'
import type { Row } from './attack.ts'
import { startGround } from './ground.ts'
import { attack_table, tryAttack } from './table.ts'

/**
 * `npm run attacks [-- --match TEXT] [GROUP...]`: runs the attack list against a whole Cairn and prints the table: attack, what became of it, where
 * that shows. Ends with 1 when a row is not as it must be.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    match: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const groups = attack_table.map(({ group }) => group)
const unknown = positionals.filter((name) => !groups.includes(name))

const print = (rows: readonly Row[]): void => {
  const lines = rows.map(({ group, attack, outcome, where, good }) => [
    good ? '' : 'NOT AS IT MUST BE',
    group,
    attack,
    outcome,
    where,
  ])
  const titles = ['', 'group', 'attack', 'became', 'where']
  const widths = titles.map((title, column) =>
    Math.max(...[titles, ...lines].map((cells) => cells[column]!.length), title.length),
  )
  for (const cells of [titles, ...lines])
    console.log(
      cells
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trim(),
    )
  const bad = rows.filter(({ good }) => !good).length
  console.log(`\n${rows.length} attacks, ${bad} not as they must be`)
}

const main = async (): Promise<number> => {
  await using ground = await startGround()
  const rows: Row[] = []
  for (const { group, attacks } of attack_table) {
    if (positionals.length > 0 && !positionals.includes(group)) continue
    for (const attack of attacks.filter((one) => one.attack.includes(values.match))) {
      const row = await tryAttack(ground, group, attack)
      if (!row.good && !values.json) console.error(`not as it must be: ${row.attack}: ${row.where}`)
      rows.push(row)
    }
  }
  if (values.json) console.log(JSON.stringify(rows))
  else print(rows)
  return rows.every(({ good }) => good) ? 0 : 1
}

if (values.help || unknown.length > 0) {
  console.log(`npm run attacks -- [--match TEXT] [--json] [${groups.join(' | ')}]...`)
  process.exitCode = values.help ? 0 : 2
} else process.exitCode = await main()
