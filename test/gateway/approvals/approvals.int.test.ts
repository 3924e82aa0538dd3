import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApprovalRig, type ApprovalRig } from '../../support/approval-rig.ts'
import { eventually } from '../../support/eventually.ts'
import { readStatementLog } from '../../support/statement-log.ts'

/** Held commands in the whole system: a real client, gateway, api, command line and tables. */
let rig: ApprovalRig
let dba: string

beforeAll(async () => {
  rig = await startApprovalRig()
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
