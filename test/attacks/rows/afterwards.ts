import { eventually } from '../../support/eventually.ts'
import { filesBelow } from '../../support/files-below.ts'
import type { Attack } from '../attack.ts'
import { planted } from '../ground-config.ts'
import type { Ground } from '../ground.ts'
import { ofType } from '../sql-attack.ts'

/** What stands after all of that: what was masked nowhere, what was refused everywhere. Run last. */

const values = [planted.email, planted.ssn, planted.salary, planted.note]

/** Looks for the planted values in something that was read. */
const searching = (
  attack: string,
  read: (ground: Ground) => Promise<ReadonlyMap<string, Buffer>>,
) => ({
  attack: `a masked value in ${attack}`,
  expect: ['masked'] as const,
  how: async (ground: Ground) => {
    const places = await read(ground)
    let bytes = 0
    for (const [place, content] of places) {
      bytes += content.length
      const found = values.find((value) => content.includes(value))
      if (found !== undefined)
        return { outcome: 'succeeded' as const, where: `${place} has ${found}` }
    }
    if (bytes === 0) throw new Error('there was nothing to search')
    return { outcome: 'masked' as const, where: `not in ${places.size} of them, ${bytes} bytes` }
  },
})

const tables = async (ground: Ground): Promise<ReadonlyMap<string, Buffer>> => {
  const names = await ground.query<{ name: string }>(
    "select name from system.tables where database = 'cairn'",
  )
  const found = new Map<string, Buffer>()
  for (const { name } of names)
    found.set(
      name,
      Buffer.from(JSON.stringify(await ground.query(`select * from cairn.\`${name}\``))),
    )
  return found
}

const files = ({ cairn }: Ground): Promise<ReadonlyMap<string, Buffer>> =>
  filesBelow(cairn.data_dir)

/** Refused commands, by the log and by the tables. */
const everyRefusal = async (ground: Ground): Promise<number> => {
  const refused = ofType(await ground.events(), 'command.refused').length
  await eventually('the tables hold every refusal', async () => {
    const [row] = await ground.query<{ n: string }>(
      "select count() as n from cairn.commands where status = 'refused'",
    )
    return Number(row?.n) === refused
  })
  return refused
}

export const afterwards: readonly Attack[] = [
  {
    attack: 'a refusal that the tables do not show',
    expect: ['recorded'],
    how: async (ground) => {
      const refused = await everyRefusal(ground)
      return { outcome: 'recorded', where: `${refused} refused, in cairn.commands each` }
    },
  },
  {
    attack: 'a refusal that the SIEM is not told of',
    expect: ['recorded'],
    how: async (ground) => {
      const refused = ofType(await ground.events(), 'command.refused').length
      const told = await eventually('syslog has every refusal', () => {
        const count = ground.syslog().toString('latin1').split('CRN1202W').length - 1
        return count >= refused ? count : undefined
      })
      return { outcome: 'recorded', where: `${refused} refused, ${told} lines of syslog` }
    },
  },
  searching('the tables', tables),
  searching('syslog', async (ground) => new Map([['syslog', ground.syslog()]])),
  searching('a file of Cairn (journal, log, tables, keys)', files),
  searching('a log line', async ({ cairn }) => new Map([['stderr', Buffer.from(cairn.stderr())]])),
  searching('a metric', async ({ cairn }) => {
    const response = await fetch(`http://127.0.0.1:${cairn.ports['api']}/metrics`)
    return new Map([['metrics', Buffer.from(await response.text())]])
  }),
]
