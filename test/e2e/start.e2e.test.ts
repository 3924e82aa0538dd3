import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startCairn, type RunningCairn } from '../support/cairn.ts'
import { eventually } from '../support/eventually.ts'
import { clickhouseQuery } from '../support/rig.ts'
import { runOk } from '../support/run-program.ts'
import { systemTool } from '../support/tools.ts'

const psql = systemTool('psql')
const root = new URL('../..', import.meta.url).pathname

type Session = {
  readonly id: string
  readonly state: string
  readonly peer: { readonly client_software: string }
}

let cairn: RunningCairn
/** The `psql` line that was printed, in one line. */
let line: string

beforeAll(async () => {
  cairn = await startCairn()
  await eventually('the demonstration says how to go on', () =>
    cairn.stderr().includes('Stop: Ctrl-C'),
  )
  line =
    /^ {2}(PGPASSWORD=\$\(npx cairn token.*?sslmode=require')$/ms
      .exec(cairn.stderr())?.[1]
      ?.replaceAll('\\\n', ' ') ?? ''
})

afterAll(async () => {
  await cairn?.[Symbol.asyncDispose]()
})

const sessions = async (): Promise<readonly Session[]> => {
  const { code, stdout, stderr } = await cairn.cli('sessions', '--json')
  if (code !== 0) throw new Error(stderr)
  return stdout
    .trim()
    .split('\n')
    .map((text) => JSON.parse(text) as Session)
}

const count = async (): Promise<number> => {
  const [row] = await clickhouseQuery<{ n: string }>(
    cairn.ports['clickhouse']!,
    'select toString(count()) as n from cairn.commands',
  )
  return Number(row?.n)
}

describe('npm start', () => {
  it('runs the sessions of the demonstration and refuses its attack', async () => {
    expect(cairn.stderr()).toMatch(
      /attack: .*: refused: no access to target "shop" as role "migrator"/,
    )
    await eventually(
      'three sessions are in the tables',
      async () => (await sessions()).length === 3,
    )
    const refused = await clickhouseQuery<{ reason: string; pipeline_user: string }>(
      cairn.ports['clickhouse']!,
      'select reason, pipeline_user from cairn.session_refused order by time',
    )
    expect(refused).toEqual([
      { reason: 'token_replayed', pipeline_user: 'ben' },
      { reason: 'policy_denied', pipeline_user: 'mallory' },
    ])
  })

  it('holds its schema change for a person, and masks emails', async () => {
    expect(cairn.stderr()).toMatch(/approved: alter table orders add column/)
    const approvals = await eventually('the approval is in the tables', async () => {
      const rows = await clickhouseQuery<{ state: string; approved_by: string[] }>(
        cairn.ports['clickhouse']!,
        'select state, approved_by from cairn.approvals',
      )
      return rows[0]?.state === 'consumed' && rows
    })
    expect(approvals).toEqual([{ state: 'consumed', approved_by: ['u-1002'] }])
    const [clear] = await clickhouseQuery<{ n: string }>(
      cairn.ports['clickhouse']!,
      "select toString(countIf(position(value, '1@example.com') > 0)) as n from cairn.records",
    )
    expect(clear?.n).toBe('0')
  })

  it.skipIf(psql === null)('prints a psql line that works, and shows its session', async () => {
    const before = await count()
    const env = { ...process.env, CAIRN_DATA_DIR: cairn.data_dir, PGAPPNAME: 'by hand' }
    const out = await runOk(
      'bash',
      ['-c', `${line} -X -At -c 'select status from orders where id = 42'`],
      { env, cwd: root },
    )
    expect(out).toBe('shipped\n')
    await eventually('the command can be counted', async () => (await count()) === before + 1)
    const session = (await sessions()).find(({ peer }) => peer.client_software === 'by hand')
    const replay = await cairn.cli('replay', session!.id)
    expect(replay.stdout).toContain('select status from orders where id = 42')
    expect(replay.stdout).toContain('shipped')
    expect(replay.stdout).toContain('Ana Lima')
  })

  it('holds no token and no password of the target in its log, tables or output', async () => {
    const { stdout } = await cairn.cli('token', '--target', 'shop', '--role', 'reader')
    expect(stdout.trim()).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
    const { readFile } = await import('node:fs/promises')
    const config = await readFile(`${cairn.data_dir}/demo/cairn.yaml`, 'utf8')
    const secrets = [...config.matchAll(/password: (\S+)/g)].map(([, password]) => password!)
    expect(secrets).toHaveLength(2)
    const haystacks = [
      cairn.stderr(),
      (await readFile(`${cairn.data_dir}/log/cairn.sqlite`)).toString('latin1'),
    ]
    for (const secret of [...secrets, stdout.trim()])
      for (const haystack of haystacks) expect(haystack.includes(secret)).toBe(false)
    const [hit] = await clickhouseQuery<{ n: string }>(
      cairn.ports['clickhouse']!,
      `select toString(countIf(${secrets.map((secret) => `position(value, '${secret}') > 0`).join(' or ')})) as n from cairn.records`,
    )
    expect(hit?.n).toBe('0')
  })

  it('stops in order at SIGTERM and leaves nothing running', async () => {
    const pids = [...(await cairn.processes()).values()]
    expect(pids.length).toBe(4)
    expect(await cairn.stop()).toBe(0)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    expect(cairn.stderr()).toContain('stopping: sessions are drained, records are shipped')
  })
})
