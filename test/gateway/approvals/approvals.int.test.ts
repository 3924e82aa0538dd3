import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { catalogue } from '#core/events/catalogue.ts'
import { decodeValue, encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, valueHash } from '#core/events/header.ts'
import type { Context, EventBodies, EventOf, EventType } from '#core/events/types.ts'
import { startApprovalRig, type ApprovalRig } from '../../support/approval-rig.ts'
import { eventually } from '../../support/eventually.ts'
import { openSecure, wire } from '../../support/wire-client.ts'
import { readStatementLog } from '../../support/statement-log.ts'

/** Held commands in the whole system: a real client, gateway, api, command line and tables. */
let rig: ApprovalRig
let dba: string

const apiContext: Context = {
  deployment: 'test',
  gateway: 'api',
  session: Buffer.alloc(32),
  actor: null,
  pipeline: null,
  peer: null,
  target: null,
}

beforeAll(async () => {
  rig = await startApprovalRig({
    config: {
      masking: { rules: [{ name: 'mail', columns: ['public.people.email'], method: 'redact' }] },
    },
  })
  dba = await rig.person('grace')
}, 180_000)
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
})

describe('a migration that a policy holds', () => {
  it('runs after a person of the group approved it by the command line, and the tables link all of it', async () => {
    await using client = await rig.client()
    await client.pg.query('create table migrated (id int)')
    const running = client.pg.query('alter table migrated add note text')
    const { id, session, command } = await rig.waiting(dba, 'alter table migrated')
    await eventually('the client knows', () => client.notices.length > 0)
    expect(client.notices[0]?.message).toContain('waits for approval by somebody of dba')
    expect(client.notices[0]?.hint).toContain(`cairn approve ${id.slice(0, 12)}`)
    const logged = await readStatementLog(rig.postgres.logFile)
    expect(logged.map(({ text }) => text)).toContainEqual('create table migrated (id int)')
    expect(logged.filter(({ text }) => text.includes('alter table migrated'))).toEqual([])

    const { code, stdout, stderr } = await rig.cli(dba, 'approve', id.slice(0, 12), '-m', 'CHG-1')
    expect(stderr).toContain('alter table migrated add note text')
    expect(stdout).toContain('approved; its command has been released')
    expect(code).toBe(0)
    expect((await running).command).toBe('ALTER')

    const rows = await eventually('all of it is in the tables', async () => {
      const found = await rig.query<{ event: string; session: string; command: number }>(
        `SELECT event, session, command FROM approval_events WHERE approval = '${id}' ORDER BY time`,
      )
      return found.length === 3 && found
    })
    expect(rows.map(({ event }) => event)).toEqual([
      'approval.requested',
      'approval.decided',
      'approval.consumed',
    ])
    expect(rows[0]).toMatchObject({ session, command })
    const [state] = await rig.query<{ state: string; approved_by: string[] }>(
      `SELECT state, approved_by FROM approvals WHERE approval = '${id}'`,
    )
    expect(state).toEqual({ state: 'consumed', approved_by: ['grace'] })
    const ended = await eventually('its end is in the tables', async () => {
      const [row] = await rig.query<{ status: string }>(
        `SELECT status FROM command_ended WHERE session = '${session}' AND command = ${command}`,
      )
      return row
    })
    expect(ended.status).toBe('ok')
  })
})

/** The error of a query that is to fail later than it is looked at. */
const outcome = (query: Promise<unknown>): Promise<unknown> =>
  query.catch((error: unknown) => error)

/** Everything of one type in the log, about an approval. */
const eventsOf = async <T extends EventType>(
  type: T,
  approval: string,
): Promise<readonly EventOf<T>[]> => {
  const found: EventOf<T>[] = []
  for (const { partition, low, high } of await rig.log.lag('test', ['cairn.approvals']))
    for await (const record of rig.log.read('cairn.approvals', partition, low, high)) {
      const decoded = decodeValue(record.value)
      if (!decoded.ok || decoded.type !== type) continue
      const event = decoded.event as unknown as EventOf<T> & { readonly approval: Buffer }
      if (event.approval.toString('hex') === approval) found.push(event)
    }
  return found
}

const ranAtTarget = async (text: string): Promise<boolean> =>
  (await readStatementLog(rig.postgres.logFile)).some((one) => one.text.includes(text))

describe('who may decide', () => {
  it('the client of a denied command gets the words of who denied it', async () => {
    await using client = await rig.client()
    const running = outcome(client.pg.query('alter table nothing add denied int'))
    const { id } = await rig.waiting(dba, 'add denied')
    const { code, stdout } = await rig.cli(dba, 'deny', id, '--reason', 'not today')
    expect(stdout).toContain('denied; its command is refused')
    expect(code).toBe(0)
    expect(await running).toMatchObject({
      code: '42501',
      message: 'command refused: its approval was denied',
      detail: 'Denied by grace: not today.',
    })
    expect((await client.pg.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(await ranAtTarget('add denied')).toBe(false)
  })

  it('somebody of another group, and the person behind the run, are refused and recorded', async () => {
    await using client = await rig.client({ actor: 'Pushkar' })
    const running = client.pg.query('alter table migrated add refused int')
    const { id } = await rig.waiting(dba, 'add refused')
    const other = await rig.decide(id, await rig.person('dan', ['dev']))
    expect(other).toMatchObject({ status: 403, json: { code: 'forbidden' } })
    expect(other.json.detail).toContain('not_entitled')
    const behind = await rig.decide(id, await rig.person('pushkar'))
    expect(behind.json.detail).toContain('same_run')
    const unseen = await rig.decide(id, dba, { decision: 'approve', command_hash: '0'.repeat(64) })
    expect(unseen).toMatchObject({ status: 409, json: { code: 'conflict' } })
    expect(
      (await eventsOf('approval.rejected', id)).map(({ reason }) => reason).toSorted(),
    ).toEqual(['not_entitled', 'same_run', 'wrong_command'])
    expect((await rig.decide(id, dba)).status).toBe(202)
    await running
    expect((await rig.decide(id, await rig.person('ada'))).json.detail).toContain('already_decided')
    const [row] = await eventually('all of it is in the tables', async () => {
      const found = await rig.query<{ state: string; approved_by: string[]; rejected: number }>(
        `SELECT state, approved_by, rejected FROM approvals WHERE approval = '${id}' AND rejected = 4 AND state <> 'approved'`,
      )
      return found.length === 1 && found
    })
    expect(row).toMatchObject({ state: 'consumed', approved_by: ['grace'] })
  })

  it('a command that needs two runs after two persons, not after one of them twice', async () => {
    await using client = await rig.client()
    await client.pg.query('create table dropped (id int)')
    const running = client.pg.query('drop table dropped')
    const { id } = await rig.waiting(dba, 'drop table dropped')
    expect((await rig.decide(id, dba)).json).toMatchObject({ missing: 1 })
    await eventually('the first counts', async () => {
      const { json } = await rig.ask(`/v1/approvals/${id}`, dba)
      return json.approved_by.length === 1
    })
    expect((await rig.decide(id, dba)).json.detail).toContain('duplicate_approver')
    expect(await ranAtTarget('drop table dropped')).toBe(false)
    expect((await rig.decide(id, await rig.person('ada'))).json).toMatchObject({ missing: 0 })
    expect((await running).command).toBe('DROP')
    const consumed = await eventually('it is recorded', async () => {
      const [event] = await eventsOf('approval.consumed', id)
      return event
    })
    expect(consumed.approvers).toEqual(['grace', 'ada'])
  })
})

describe('a decision that nobody of the api made', () => {
  const forge = async (approval: string, more: Partial<EventBodies['approval.decided']>) => {
    const [request] = await eventsOf('approval.requested', '0'.repeat(64))
    const value = encodeValue('approval.decided', Date.now() * 1000, encodeContext(apiContext), {
      approval: Buffer.from(approval, 'hex'),
      command_hash: request?.command_hash ?? Buffer.alloc(32),
      decision: 'approve',
      reason: '',
      approver_issuer: rig.people.url,
      approver_subject: 'mallory',
      approver_groups: ['dba'],
      approver_names: [],
      channel: 'api',
      signature: Buffer.alloc(64, 1),
      ...more,
    })
    const { code, schemaHash } = catalogue['approval.decided']
    const header = encodeHeader({
      gateway: Buffer.alloc(16, 1),
      epoch: randomBytes(16),
      gseq: 0,
      session: Buffer.alloc(32),
      sseq: 0,
      sprev: Buffer.alloc(32),
      code,
      wall_us: Date.now() * 1000,
      mono_ns: 0,
      schema: schemaHash,
      value: valueHash(value),
      value_bytes: value.length,
    })
    await rig.log.append('cairn.approvals', [
      {
        key: Buffer.alloc(16, 1),
        value,
        headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(code) },
      },
    ])
  }

  it('written into the log with the right hash and a false signature: an incident, and nothing runs', async () => {
    await using client = await rig.client()
    const running = client.pg.query('alter table migrated add forged int')
    const { id } = await rig.waiting(dba, 'add forged')
    const { json } = await rig.ask(`/v1/approvals/${id}`, dba)
    await forge(id, { command_hash: Buffer.from(json.command_hash, 'hex') })
    const incident = await eventually('it is recorded', async () => {
      const [event] = await eventsOf('approval.rejected', id)
      return event
    })
    expect(incident).toMatchObject({ reason: 'bad_signature', approver_subject: 'mallory' })
    expect(await ranAtTarget('add forged')).toBe(false)
    const seen = await eventually('the tables have the incident', async () => {
      const [row] = await rig.query<{ state: string; rejected: number; approved_by: string[] }>(
        `SELECT state, rejected, approved_by FROM approvals WHERE approval = '${id}'`,
      )
      return Number(row?.rejected) === 1 && row
    })
    expect(seen).toMatchObject({ state: 'waiting', approved_by: [] })
    await rig.decide(id, dba)
    await running
  })

  it('about an approval that nobody asked for: an incident', async () => {
    const id = randomBytes(32).toString('hex')
    await forge(id, {})
    const incident = await eventually('it is recorded', async () => {
      const [event] = await eventsOf('approval.rejected', id)
      return event
    })
    expect(incident.reason).toBe('unknown_approval')
  })
})

describe('a wait that ends', () => {
  it('by a cancel request: 57014, while other sessions go on', async () => {
    await using client = await rig.client()
    await using other = await rig.client()
    const running = outcome(client.pg.query('alter table migrated add cancelled int'))
    const { id } = await rig.waiting(dba, 'add cancelled')
    expect((await other.pg.query('select 2 as two')).rows).toEqual([{ two: 2 }])
    const key = client.pg as unknown as { processID: number; secretKey: number }
    const secret = Buffer.alloc(4)
    secret.writeInt32BE(key.secretKey)
    await using raw = await openSecure(rig.cairn.ports['postgres']!)
    raw.send(wire.cancel(key.processID, secret))
    expect(await running).toMatchObject({ code: '57014' })
    await eventually('withdrawn', async () => {
      const [event] = await eventsOf('approval.expired', id)
      return event?.reason === 'withdrawn'
    })
    expect((await rig.decide(id, dba)).status).toBe(409)
    expect((await client.pg.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('by the client going away', async () => {
    const client = await rig.client()
    const running = client.pg.query('alter table migrated add gone int').catch(() => undefined)
    const { id } = await rig.waiting(dba, 'add gone')
    ;(client.pg as unknown as { connection: { stream: Socket } }).connection.stream.destroy()
    await running
    await eventually('withdrawn', async () => {
      const [event] = await eventsOf('approval.expired', id)
      return event?.reason === 'withdrawn'
    })
    expect(await ranAtTarget('add gone')).toBe(false)
  })

  it('by kill -9 of the gateway: approved meanwhile or not, it never runs, and the next life says so', async () => {
    const client = await rig.client()
    const running = client.pg.query('alter table migrated add crashed int').catch(() => undefined)
    const { id } = await rig.waiting(dba, 'add crashed')
    process.kill((await rig.cairn.processes()).get('gateway')!, 'SIGKILL')
    await running
    expect((await rig.decide(id, dba)).status).toBe(202)
    const [event] = await eventually('the next life ends it', async () => {
      const found = await eventsOf('approval.expired', id)
      return found.length > 0 && found
    })
    expect(event).toMatchObject({ reason: 'session_ended', context: { gateway: 'gw-test/0' } })
    await using next = await eventually('it serves again', () => rig.client())
    expect((await next.pg.query('select 1 as one')).rows).toEqual([{ one: 1 }])
    expect(await ranAtTarget('add crashed')).toBe(false)
    expect(await eventsOf('approval.consumed', id)).toEqual([])
    expect(await eventsOf('approval.expired', id)).toHaveLength(1)
  })
})

describe('what people are shown', () => {
  it('bound values stand under the text, and the record of the command beside it', async () => {
    await using client = await rig.client()
    await client.pg.query('create table bound (id int, note text)')
    const running = client.pg.query('delete from bound where id = $1 and note = $2', [7, 'a\nb'])
    const { id, text } = await rig.waiting(dba, 'delete from bound')
    expect(text).toBe(
      'delete from bound where id = $1 and note = $2\n\n-- bound values: 2\n-- $1 = "7"\n-- $2 = "a\\nb"',
    )
    const { json } = await eventually('the tables have the command', async () => {
      const asked = await rig.ask(`/v1/approvals/${id}`, dba)
      return asked.json.received !== null && asked
    })
    expect(json.received.statements[0].effects).toContainEqual(
      expect.objectContaining({ action: 'delete' }),
    )
    await rig.decide(id, dba)
    expect((await running).rowCount).toBe(0)
  })

  it('a plain statement comes with the rows that the target expects', async () => {
    await using client = await rig.client()
    await client.pg.query('create table counted as select g as id from generate_series(1, 10000) g')
    await client.pg.query('analyze counted')
    const running = client.pg.query('delete from counted where id <= $1', [100])
    const generic = await rig.waiting(dba, 'delete from counted')
    // One plan for any value: a third of the rows.
    expect(generic.estimated_rows).toBeGreaterThan(3_000)
    expect(generic.estimated_rows).toBeLessThan(4_000)
    await rig.decide(generic.id, dba)
    await running
    const plain = client.pg.query('delete from counted where id between 5000 and 6000')
    const { id, estimated_rows } = await rig.waiting(dba, 'between 5000')
    expect(estimated_rows).toBeGreaterThan(800)
    expect(estimated_rows).toBeLessThan(1_200)
    await rig.decide(id, dba)
    await plain
    expect(await ranAtTarget('explain (format json) delete from counted')).toBe(true)
  })

  it('what is masked in the record is masked for people, and the target gets it as it is', async () => {
    await using client = await rig.client()
    await client.pg.query('create table people (id int, email text)')
    await client.pg.query("insert into people values (1, 'planted@acme.example')")
    const held = client.pg.query("delete from people where email = 'planted@acme.example'")
    const { id, text } = await rig.waiting(dba, 'delete from people')
    expect(text).not.toContain('planted')
    const { json } = await rig.ask(`/v1/approvals/${id}`, dba)
    expect(JSON.stringify(json)).not.toContain('planted')
    await rig.decide(id, dba)
    expect((await held).rowCount).toBe(1)
  })

  it('where planning could run a function of somebody’s own, no plan is asked for', async () => {
    await using client = await rig.client()
    await client.pg.query('create table planned (id int)')
    const running = client.pg.query('delete from planned where id = 1')
    const before = await rig.waiting(dba, 'delete from planned')
    expect(before.estimated_rows).toBeGreaterThanOrEqual(0)
    await rig.decide(before.id, dba)
    await running
    await client.pg.query(`create function five() returns int language sql immutable as 'select 5'`)
    const again = client.pg.query('delete from planned where id = 2')
    const after = await rig.waiting(dba, 'id = 2')
    expect(after.estimated_rows).toBe(-1)
    await rig.decide(after.id, dba)
    await again
    const logged = await readStatementLog(rig.postgres.logFile)
    const about = logged.map(({ text }) => text).filter((text) => text.includes('id = 2'))
    expect(about).toEqual(['delete from planned where id = 2'])
  })
})
