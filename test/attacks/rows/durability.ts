import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { readStatementLog } from '../../support/statement-log.ts'
import { systemTool } from '../../support/tools.ts'
import { fieldsOf, login, openSecure, wire } from '../../support/wire-client.ts'
import type { Attack, Found } from '../attack.ts'
import type { Ground } from '../ground.ts'

/** Making the record impossible: then nothing may run. Each has a gateway of its own, in front of the same target. */

const statements_max = 400

/** Sends statements until one is refused; nothing that was refused may have run. */
const until_refused = async (
  ground: Ground,
  gateway: TestGateway,
  application: string,
  harm: () => void,
): Promise<Found> => {
  await using client = await openSecure(gateway.port)
  const startup = { user: 'admin', database: 'main', application_name: application }
  await login(client, startup, await gateway.token())
  harm()
  let ran = 0
  for (; ran < statements_max; ran++) {
    client.send(wire.query(`select ${ran}, repeat('x', 20000)`))
    const last = (await client.take(({ type }) => type === 'Z' || type === 'E')).at(-1)!
    if (last.type === 'Z') continue
    const { S, C } = fieldsOf(last)
    const executed = (await readStatementLog(ground.postgres.logFile)).filter(
      (statement) => statement.application === application,
    ).length
    return executed === ran
      ? { outcome: 'refused', where: `${S} ${C} to the client, after ${ran} commands` }
      : { outcome: 'succeeded', where: `${executed} ran, ${ran} were answered` }
  }
  return { outcome: 'succeeded', where: `${ran} ran, none was refused` }
}

const small = { gateway: { journal: { bytes_max: '1MiB', durable_timeout_ms: 1000 } } }

const prlimit = systemTool('prlimit')

/** No file of this process may grow past so many bytes; null lifts it. */
const limitFiles = (bytes: number | null): void => {
  execFileSync(prlimit!, [`--pid=${process.pid}`, `--fsize=${bytes ?? 'unlimited'}:`])
}

export const durability: readonly Attack[] = [
  {
    attack: 'the log is down until the journal is full',
    expect: ['refused'],
    how: async (ground) => {
      await using gateway = await startTestGateway({
        targets: { main: ground.postgres },
        config: small,
      })
      using log = new DatabaseSync(join(gateway.data_dir, 'log', 'cairn.sqlite'))
      const found = await until_refused(ground, gateway, 'full', () => log.exec('begin immediate'))
      log.exec('rollback')
      return found
    },
  },
  ...(prlimit === null
    ? []
    : [
        {
          attack: 'the disk takes no more',
          expect: ['refused'],
          how: async (ground) => {
            await using gateway = await startTestGateway({
              targets: { main: ground.postgres },
              config: small,
            })
            try {
              return await until_refused(ground, gateway, 'disk', () => limitFiles(4096))
            } finally {
              limitFiles(null)
            }
          },
        } satisfies Attack,
      ]),
  {
    attack: 'with durability: broker, the log does not acknowledge',
    expect: ['refused'],
    how: async (ground) => {
      await using gateway = await startTestGateway({
        targets: { main: ground.postgres },
        config: { gateway: { durability: 'broker', journal: { durable_timeout_ms: 1000 } } },
      })
      using log = new DatabaseSync(join(gateway.data_dir, 'log', 'cairn.sqlite'))
      const found = await until_refused(ground, gateway, 'broker', () =>
        log.exec('begin immediate'),
      )
      log.exec('rollback')
      return found
    },
  },
]
