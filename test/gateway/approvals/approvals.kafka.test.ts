import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBroker, type Broker } from '../../kafka/broker.ts'
import { startApprovalRig, type ApprovalRig } from '../../support/approval-rig.ts'
import { eventually } from '../../support/eventually.ts'
import { readStatementLog } from '../../support/statement-log.ts'

/** Held commands where the log is Kafka, a record counts when the broker has it, and two gateway processes share the port. */
let broker: Broker
let rig: ApprovalRig
let dba: string

beforeAll(async () => {
  broker = await startBroker()
  rig = await startApprovalRig({
    services: ['gateway', 'api'],
    config: {
      gateway: { id: 'gw-test', durability: 'broker', processes: 2 },
      log: { kind: 'kafka', kafka: { brokers: [broker.bootstrap] }, partitions: 3 },
    },
  })
  dba = await rig.person('grace')
}, 240_000)
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await broker?.[Symbol.asyncDispose]()
})

const ran = async (text: string): Promise<boolean> =>
  (await readStatementLog(rig.postgres.logFile)).some((one) => one.text.includes(text))

describe('on Kafka with durability: broker', () => {
  it('whichever process holds a command releases it, after as many persons as it needs', async () => {
    await using stack = new AsyncDisposableStack()
    const first = stack.use(await rig.client())
    await first.pg.query('create table kept (id int)')
    const clients = [first]
    for (let i = 0; i < 5; i++) clients.push(stack.use(await rig.client()))
    const running = clients.map((client, at) => client.pg.query(`alter table kept add c${at} int`))
    for (const at of clients.keys()) {
      const { id } = await rig.waiting(dba, `add c${at} `)
      expect(await ran(`add c${at} `)).toBe(false)
      expect((await rig.decide(id, dba)).status).toBe(202)
      expect((await running[at])?.command).toBe('ALTER')
    }
    const dropping = first.pg.query('drop table kept')
    const { id } = await rig.waiting(dba, 'drop table kept')
    expect((await rig.decide(id, dba)).json).toMatchObject({ missing: 1 })
    await eventually('the first counts', async () => {
      const { json } = await rig.ask(`/v1/approvals/${id}`, dba)
      return json.approved_by.length === 1
    })
    expect(await ran('drop table kept')).toBe(false)
    await rig.decide(id, await rig.person('ada'))
    expect((await dropping).command).toBe('DROP')
  })

  it('the hold of a process that was killed never runs, and ends', async () => {
    const client = await rig.client()
    const running = client.pg.query('alter table lost add c int').catch(() => undefined)
    const { id } = await rig.waiting(dba, 'alter table lost')
    for (const [name, pid] of await rig.cairn.processes())
      if (name.startsWith('gateway')) process.kill(pid, 'SIGKILL')
    await running
    await rig.decide(id, dba)
    await eventually(
      'the next life ends it',
      async () => (await rig.ask(`/v1/approvals/${id}`, dba)).json.state === 'expired',
      60_000,
    )
    expect(await ran('alter table lost')).toBe(false)
  })
})
