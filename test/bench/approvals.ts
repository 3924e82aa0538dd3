import { startApprovalRig, type ApprovalRig, type HeldClient } from '../support/approval-rig.ts'
import type { Bench, Row } from './row.ts'

/**
 * From the approver's click to the command's answer: a decision posted to the api, signed, durable in the embedded log, followed and verified by the gateway, consumed
 * durably, run at the target, answered to the client. Beside it the same command without a hold. All services run.
 */
const samples = 100
const together = 8
const held = 'delete from bench where false'
const free = 'update bench set id = id where false'

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN

/** `per_second`: of one who waits for each before the next. */
const rowOf = (name: string, taken_ms: readonly number[]): Row => {
  const sorted = taken_ms.toSorted((a, b) => a - b)
  return {
    case: name,
    per_second: (taken_ms.length * 1_000) / taken_ms.reduce((sum, one) => sum + one, 0),
    figures: {
      p50_ms: percentile(sorted, 0.5),
      p95_ms: percentile(sorted, 0.95),
      p99_ms: percentile(sorted, 0.99),
      max_ms: sorted.at(-1) ?? Number.NaN,
    },
  }
}

/** Holds a command, approves it once the api knows it, and gives the time from the click to the answer, milliseconds. */
const clickOnce = async (
  rig: ApprovalRig,
  client: HeldClient,
  approver: string,
): Promise<number> => {
  const before = client.notices.length
  const running = client.pg.query(held)
  while (client.notices.length === before) await new Promise((resolve) => setTimeout(resolve, 5))
  const id = /Approval ([0-9a-f]{64})/.exec(client.notices.at(-1)?.detail ?? '')?.[1] ?? ''
  // The api has to know it too: people take longer than that to click.
  while ((await rig.ask(`/v1/approvals/${id}`, approver)).status !== 200)
    await new Promise((resolve) => setTimeout(resolve, 20))
  const begun = performance.now()
  const { status } = await rig.decide(id, approver)
  if (status !== 202) throw new Error(`the decision was answered ${status}`)
  await running
  return performance.now() - begun
}

const clicks = async (
  rig: ApprovalRig,
  clients: readonly HeldClient[],
  approver: string,
): Promise<readonly number[]> => {
  const taken: number[] = []
  await Promise.all(
    clients.map(async (client) => {
      for (let i = 0; i < samples / clients.length; i++)
        taken.push(await clickOnce(rig, client, approver))
    }),
  )
  return taken
}

const unheld = async (client: HeldClient): Promise<readonly number[]> => {
  const taken: number[] = []
  for (let i = 0; i < samples; i++) {
    const begun = performance.now()
    await client.pg.query(free)
    taken.push(performance.now() - begun)
  }
  return taken
}

export const bench: Bench = {
  name: 'approvals: click to answer',
  run: async () => {
    await using rig = await startApprovalRig()
    const approver = await rig.person('grace')
    await using stack = new AsyncDisposableStack()
    const clients: HeldClient[] = []
    for (let i = 0; i < together; i++) clients.push(stack.use(await rig.client()))
    const [first] = clients
    if (first === undefined) throw new TypeError('no client')
    await first.pg.query('create table bench (id int)')
    for (let i = 0; i < 5; i++) await clickOnce(rig, first, approver)
    return [
      rowOf('the command without a hold', await unheld(first)),
      rowOf('one at a time', await clicks(rig, [first], approver)),
      rowOf(`${together} at a time`, await clicks(rig, clients, approver)),
    ]
  },
}
