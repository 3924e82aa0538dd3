import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { decisionBytes } from '#core/approval/signature.ts'
import type { ApprovalDecided, EventBodies, EventType } from '#core/events/types.ts'
import type { HoldTerms } from '#core/policy/decision.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets } from '#core/sql/redaction.ts'
import { CairnError } from '#lib/error.ts'
import { openLogger } from '#lib/logger.ts'
import { openHolds } from '../../../services/gateway/approvals/holds.ts'
import type { Recorder, SessionRecorder } from '../../../services/gateway/recorder/port.ts'
import { runSession, type Session } from '../../../services/gateway/protocols/postgres/session.ts'
import { newSessionState } from '../../../services/gateway/protocols/postgres/state.ts'
import { openStatementReader } from '../../../services/gateway/protocols/postgres/statement.ts'
import { eventually } from '../../support/eventually.ts'
import { wire } from '../../support/wire-client.ts'

/**
 * A session whose commands wait for people, where time can be stopped: records are durable when the test says so, decisions come when it signs
 * them. Both legs are real sockets; the target end is the test's.
 */
type Minted = { readonly [T in EventType]: { type: T; body: EventBodies[T] } }[EventType]

const socketPair = async (): Promise<[Socket, Socket]> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const far = await accepted
  server.close()
  for (const socket of [near, far]) socket.on('error', () => undefined)
  return [near, far]
}

const collected = (socket: Socket): (() => Buffer) => {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  return () => Buffer.concat(chunks)
}

const analyzer = createSqlAnalyzer(await loadSqlParser())
const statements = openStatementReader({
  analyze: (text) => analyzer.analyze(text),
  redact: redactSecrets,
  text_bytes_max: 1024,
})
const keys = generateKeyPairSync('ed25519')
const forger = generateKeyPairSync('ed25519')

const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

const dba: HoldTerms = { groups: ['dba'], quorum: 1, expires_s: 60, rules: ['migrations'] }

type Settings = {
  readonly terms?: HoldTerms
  readonly holds_max?: number
  readonly estimate?: () => Promise<number>
}

const open = async ({ terms = dba, holds_max = 10, estimate }: Settings = {}) => {
  const minted: Minted[] = []
  let waits: { resolve: () => void; reject: (error: Error) => void }[] = []
  /** Commits are made at once, as long as nobody stops them. */
  const disk = { stopped: false, failing: false, now_ms: Date.now() }
  const leaf = randomBytes(32)
  const policy = { denies: false }
  const sessionRecorder: SessionRecorder = {
    id: Buffer.alloc(32, 7),
    append: (type, body) => {
      if (disk.failing) throw new CairnError('audit_unavailable', 'full')
      return minted.push({ type, body } as Minted) - 1
    },
    get records() {
      return minted.length
    },
    leaf,
  }
  const recorder: Recorder = {
    openSession: () => sessionRecorder,
    append: () => undefined,
    durable: () =>
      disk.stopped
        ? new Promise((resolve, reject) => waits.push({ resolve, reject }))
        : Promise.resolve(),
    drained: () => Promise.resolve(),
    shipped: () => Promise.resolve(),
    available: true,
    congested: false,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  const holds = openHolds({
    deployment: 'test',
    recorder,
    key: keys.publicKey,
    link_base: 'https://cairn.example/',
    holds_max,
    now_ms: () => disk.now_ms,
    logger: openLogger('gateway', 'silent'),
    counted: () => undefined,
  })
  const [client, clientEnd] = await socketPair()
  const [target, targetEnd] = await socketPair()
  opened.push(client, clientEnd, target, targetEnd)
  const session: Session = runSession({
    client: clientEnd,
    upstream: { stream: targetEnd, greeting: Buffer.alloc(0), parameters: new Map(), key: null },
    state: newSessionState(new Map([['search_path', '"$user", public']]), true),
    recorder,
    session: sessionRecorder,
    decide: ({ statement }) => ({
      outcome: !statement.text.includes('alter') ? 'allow' : policy.denies ? 'deny' : 'hold',
      rules: ['migrations'],
      reason: 'migrations are approved by dba',
      policy_digest: '',
      risk: 0,
      dry_run: false,
      hold: statement.text.includes('alter') && !policy.denies ? terms : null,
    }),
    approvals: {
      holds,
      requester: {
        actor: {
          kind: 'workload',
          issuer: 'https://ci.example',
          subject: 'repo:acme/shop',
          display_name: 'acme/shop',
          groups: [],
          credential_fingerprint: '',
          token_id: '',
        },
        pipeline: null,
        target: null,
      },
      estimate: estimate ?? (() => Promise.resolve(-1)),
    },
    statements,
    masks: null,
    reads: 'wait',
    message_bytes_max: 64 * 1024,
    text_bytes_max: 1024,
    idle_timeout_ms: 0,
    linger_ms: 5_000,
    now_ms: () => performance.now(),
    counted: () => undefined,
    onFault: (error) => {
      throw error
    },
  })
  const bodies = <T extends EventType>(type: T): EventBodies[T][] =>
    minted.filter((one) => one.type === type).map(({ body }) => body as EventBodies[T])
  const decide = (more: Partial<ApprovalDecided> = {}, key = keys.privateKey): boolean => {
    const request = bodies('approval.requested').at(-1)
    const decision = {
      approval: leaf,
      command_hash: request?.command_hash ?? Buffer.alloc(32),
      decision: 'approve' as const,
      reason: '',
      approver_issuer: 'https://login.example',
      approver_subject: 'grace',
      approver_groups: ['dba'],
      approver_names: ['grace@example.com'],
      channel: 'api' as const,
      ...more,
    }
    const signature = sign(null, decisionBytes('test', decision), key)
    return holds.take({ ...decision, signature })
  }
  return {
    minted,
    types: () => minted.map(({ type }) => type),
    bodies,
    disk,
    policy,
    commit: (error?: Error) => {
      const settled = waits
      waits = []
      for (const { resolve, reject } of settled) {
        if (error === undefined) resolve()
        else reject(error)
      }
    },
    waiting: () => waits.length,
    session,
    client,
    target,
    decide,
    holds,
    atClient: collected(client),
    atTarget: collected(target),
  }
}

/** Turns of the loop in which everything that is on its way over loopback arrives. */
const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const alter = wire.query('alter table t add c int')
const answer = (tag: string): Buffer =>
  Buffer.concat([wire.message('C', Buffer.from(`${tag}\0`)), wire.message('Z', Buffer.from('I'))])

type Open = Awaited<ReturnType<typeof open>>
const requested = ({ atClient }: Open): Promise<unknown> =>
  eventually('the client knows', () => atClient().includes('waits for approval'))

describe('a command that waits for people', () => {
  it('reaches the target when they have approved it and that is durable, byte for byte', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    await quiet()
    expect(rig.atTarget()).toHaveLength(0)
    expect(rig.types()).toEqual([
      'command.received',
      'decision.made',
      'approval.requested',
      'response.chunk',
    ])
    rig.disk.stopped = true
    expect(rig.decide()).toBe(true)
    await eventually('consumed', () => rig.types().includes('approval.consumed'))
    await quiet()
    expect(rig.atTarget()).toHaveLength(0)
    rig.disk.stopped = false
    rig.commit()
    await eventually('forwarded', () => rig.atTarget().equals(alter))
    rig.target.write(answer('ALTER TABLE'))
    await eventually('completed', () => rig.types().includes('command.completed'))
    expect(rig.bodies('approval.consumed')).toEqual([
      expect.objectContaining({ command: 0, approvers: ['grace'] }),
    ])
  })

  it('is told to the client as a notice with the approval, until when, and the link', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    const text = rig.atClient().toString()
    expect(text).toContain('somebody of dba')
    expect(text).toMatch(/Approval [0-9a-f]{64}, until \d{4}-/)
    expect(text).toContain('https://cairn.example/approvals/')
    const [chunk] = rig.bodies('response.chunk')
    expect(chunk?.bytes.equals(rig.atClient())).toBe(true)
  })

  it('is shown to people with text, reason, rules, estimate and the hash of its bytes', async () => {
    const rig = await open({ estimate: () => Promise.resolve(42) })
    rig.client.write(alter)
    await requested(rig)
    expect(rig.bodies('approval.requested')).toEqual([
      expect.objectContaining({
        command: 0,
        text: 'alter table t add c int',
        reason: 'migrations are approved by dba',
        rules: ['migrations'],
        approver_groups: ['dba'],
        quorum: 1,
        estimated_rows: 42,
        link: `https://cairn.example/approvals?session=${'07'.repeat(32)}&command=0`,
      }),
    ])
  })

  it('has another hash when a bound value differs', async () => {
    const hashes = await Promise.all(
      ['1', '2'].map(async (value) => {
        const rig = await open()
        rig.client.write(
          Buffer.concat([
            wire.parse('alter table t $1'),
            wire.bind([value]),
            wire.execute(),
            wire.sync(),
          ]),
        )
        await eventually('refused or requested', () => rig.minted.length > 1)
        await eventually('asked', () => rig.types().includes('approval.requested'))
        return rig.bodies('approval.requested')[0]!.command_hash.toString('hex')
      }),
    )
    expect(hashes[0]).not.toBe(hashes[1])
  })

  it('is refused with the words of who denies it', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.decide({ decision: 'deny', reason: 'not on a\u001b[2J Friday' })
    await eventually('the target gets what fails', () => rig.atTarget().includes('cairn_refused'))
    rig.target.write(wire.message('E', Buffer.from('SERROR\0VERROR\0C42601\0Mx\0\0')))
    rig.target.write(wire.message('Z', Buffer.from('I')))
    await eventually('refused', () => rig.atClient().includes('its approval was denied'))
    const text = rig.atClient().toString()
    expect(text).toContain('Denied by grace: not on a [2J Friday.')
    expect(text).not.toContain('\u001b')
    expect(text).toContain('42501')
    expect(rig.bodies('command.refused')).toEqual([
      expect.objectContaining({ command: 0, reason: 'approval_denied' }),
    ])
    expect(rig.types()).not.toContain('command.completed')
  })

  it('is refused when nobody decides in time', async () => {
    const rig = await open({ terms: { ...dba, expires_s: 1 } })
    rig.client.write(alter)
    await requested(rig)
    rig.disk.now_ms += 2_000
    await eventually('expired', () => rig.types().includes('approval.expired'))
    expect(rig.bodies('approval.expired')[0]?.reason).toBe('timeout')
    await eventually('refused', () => rig.atTarget().includes('cairn_refused'))
    expect(rig.decide()).toBe(false)
    expect(rig.atTarget().includes('alter')).toBe(false)
  })

  it('cannot be approved after its time, also while the timer is late', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.disk.now_ms += 60_001
    rig.decide()
    expect(rig.bodies('approval.rejected')).toEqual([
      expect.objectContaining({ reason: 'expired', approver_subject: 'grace' }),
    ])
    expect(rig.types()).not.toContain('approval.consumed')
  })
})

describe('who approves', () => {
  const cases: readonly [string, Partial<ApprovalDecided>, string][] = [
    ['somebody of another group', { approver_groups: ['dev'] }, 'not_entitled'],
    [
      'who asked',
      { approver_issuer: 'https://ci.example', approver_subject: 'repo:acme/shop' },
      'requester',
    ],
    ['somebody about another command', { command_hash: Buffer.alloc(32) }, 'wrong_command'],
  ]
  it.each(cases)('%s changes nothing', async (_who, more, reason) => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.decide(more)
    expect(rig.bodies('approval.rejected')).toEqual([expect.objectContaining({ reason })])
    await quiet()
    expect(rig.atTarget()).toHaveLength(0)
    rig.decide()
    await eventually('forwarded', () => rig.atTarget().equals(alter))
  })

  it('with a forged signature changes nothing', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.decide({}, forger.privateKey)
    expect(rig.bodies('approval.rejected')[0]?.reason).toBe('bad_signature')
    await quiet()
    expect(rig.atTarget()).toHaveLength(0)
  })

  it('twice counts once where two are needed', async () => {
    const rig = await open({ terms: { ...dba, quorum: 2 } })
    rig.client.write(alter)
    await requested(rig)
    rig.decide()
    rig.decide()
    expect(rig.bodies('approval.rejected')[0]?.reason).toBe('duplicate_approver')
    expect(rig.types()).not.toContain('approval.consumed')
    rig.decide({ approver_subject: 'ada', approver_names: ['ada@example.com'] })
    await eventually('forwarded', () => rig.atTarget().equals(alter))
    expect(rig.bodies('approval.consumed')[0]?.approvers).toEqual(['grace', 'ada'])
  })
})

describe('a wait that ends otherwise', () => {
  it('a cancel request takes it back: 57014, and nothing of it reaches the target', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    expect(rig.session.withdraw()).toBe(true)
    expect(rig.bodies('approval.expired')[0]?.reason).toBe('withdrawn')
    expect(rig.bodies('command.refused')[0]).toMatchObject({
      reason: 'approval_withdrawn',
      native_code: '57014',
    })
    await eventually('in its place', () => rig.atTarget().includes('cairn_refused'))
    expect(rig.decide()).toBe(false)
    expect(rig.session.withdraw()).toBe(false)
  })

  it('a client that goes takes it back', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.client.destroy()
    expect(await rig.session.ended).toMatchObject({ commands: 1, refused: 1 })
    expect(rig.bodies('approval.expired')[0]?.reason).toBe('withdrawn')
    expect(rig.bodies('command.refused')[0]?.reason).toBe('approval_withdrawn')
    rig.decide()
    await quiet()
    expect(rig.atTarget().includes('alter')).toBe(false)
    expect(rig.types()).not.toContain('approval.consumed')
  })

  it('a client that goes before the estimate is there was never asked for', async () => {
    const gate = Promise.withResolvers<number>()
    const rig = await open({ estimate: () => gate.promise })
    rig.client.write(alter)
    await eventually('received', () => rig.types().includes('decision.made'))
    rig.client.destroy()
    await rig.session.ended
    gate.resolve(1)
    await quiet()
    expect(rig.types()).toEqual(['command.received', 'decision.made', 'command.refused'])
  })

  it('a target that goes ends it', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.target.destroy()
    expect(await rig.session.ended).toMatchObject({ reason: 'target_closed', refused: 1 })
    expect(rig.bodies('approval.expired')[0]?.reason).toBe('session_ended')
  })

  it('a gateway that drains does not wait for people', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.session.drain()
    expect(rig.bodies('command.refused')[0]?.native_code).toBe('57P01')
    await eventually('in its place', () => rig.atTarget().includes('cairn_refused'))
    rig.target.write(wire.message('E', Buffer.from('SERROR\0VERROR\0C42601\0Mx\0\0')))
    rig.target.write(wire.message('Z', Buffer.from('I')))
    expect(await rig.session.ended).toMatchObject({ reason: 'drained' })
  })

  it('approved but not durable ends the session, and the command never goes', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.disk.stopped = true
    rig.decide()
    await eventually('consumed', () => rig.waiting() > 0)
    rig.commit(new CairnError('audit_unavailable', 'disk full'))
    expect(await rig.session.ended).toMatchObject({ reason: 'audit_unavailable' })
    await quiet()
    expect(rig.atTarget().includes('alter')).toBe(false)
  })

  it('released as the client goes: the record says that it was not run', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.disk.stopped = true
    rig.decide()
    await eventually('consumed', () => rig.waiting() > 0)
    rig.client.destroy()
    await rig.session.ended
    rig.commit()
    await quiet()
    expect(rig.atTarget().includes('alter')).toBe(false)
    expect(rig.bodies('command.completed')).toEqual([
      expect.objectContaining({ command: 0, status: 'aborted' }),
    ])
  })

  it('approved, and denied by a policy that came meanwhile: refused', async () => {
    const rig = await open()
    rig.client.write(alter)
    await requested(rig)
    rig.policy.denies = true
    rig.decide()
    expect(rig.types()).not.toContain('approval.consumed')
    expect(rig.bodies('command.refused')[0]?.reason).toBe('policy_denied')
    await eventually('in its place', () => rig.atTarget().includes('cairn_refused'))
    expect(rig.atTarget().includes('alter')).toBe(false)
  })

  it('one more than may wait is refused at once', async () => {
    const rig = await open({ holds_max: 0 })
    rig.client.write(alter)
    await eventually('refused', () => rig.types().includes('command.refused'))
    expect(rig.bodies('command.refused')[0]).toMatchObject({
      reason: 'holds_max',
      native_code: '54000',
    })
    await eventually('in its place', () => rig.atTarget().includes('cairn_refused'))
  })

  it('a command that people cannot be shown whole is refused', async () => {
    const rig = await open()
    rig.client.write(wire.query(`alter table t add c int --${'x'.repeat(2000)}`))
    await eventually('refused', () => rig.types().includes('command.refused'))
    expect(rig.bodies('command.refused')[0]?.reason).toBe('too_long_to_approve')
  })
})

describe('what stands before and behind', () => {
  it('what came before in the same read is sent, what comes behind waits', async () => {
    const rig = await open()
    const before = wire.query('select 1')
    const behind = wire.query('select 2')
    rig.client.write(Buffer.concat([before, alter, behind]))
    await requested(rig)
    await eventually('sent', () => rig.atTarget().equals(before))
    rig.client.write(wire.query('select 3'))
    await quiet()
    expect(rig.atTarget().equals(before)).toBe(true)
    expect(rig.bodies('command.received').map(({ text }) => text)).toEqual([
      'select 1',
      'alter table t add c int',
    ])
    rig.target.write(answer('SELECT 1'))
    await quiet()
    expect(rig.atTarget().equals(before)).toBe(true)
    rig.decide()
    await eventually('all of it, in order', () =>
      rig.atTarget().equals(Buffer.concat([before, alter, behind, wire.query('select 3')])),
    )
  })

  it('two that wait, wait one after the other', async () => {
    const rig = await open()
    rig.client.write(Buffer.concat([alter, wire.query('alter table u add c int')]))
    await requested(rig)
    rig.decide()
    await eventually('the first goes', () => rig.atTarget().equals(alter))
    await eventually('the second is asked for', () => rig.bodies('approval.requested').length === 2)
    await quiet()
    expect(rig.atTarget().equals(alter)).toBe(true)
    rig.decide()
    await eventually('the second goes', () => rig.atTarget().includes('table u'))
  })

  it('nothing of a held command of the extended protocol is sent before', async () => {
    const rig = await open()
    const first = Buffer.concat([wire.parse('select 1'), wire.bind(), wire.execute()])
    const held = Buffer.concat([
      wire.parse('alter table t add c int', 'h'),
      wire.bind([], 'h'),
      wire.describe('P'),
      wire.execute(),
    ])
    rig.client.write(Buffer.concat([first, held, wire.sync()]))
    await requested(rig)
    await eventually('sent', () => rig.atTarget().equals(Buffer.concat([first, wire.flush()])))
    rig.decide()
    await eventually('released', () =>
      rig.atTarget().equals(Buffer.concat([first, wire.flush(), held, wire.sync()])),
    )
  })

  it('a denied one of the extended protocol fails in its place', async () => {
    const rig = await open()
    rig.client.write(
      Buffer.concat([
        wire.parse('alter table t add c int'),
        wire.bind(),
        wire.execute(),
        wire.sync(),
      ]),
    )
    await requested(rig)
    rig.decide({ decision: 'deny' })
    await eventually('in its place', () => rig.atTarget().includes('cairn refused'))
    expect(rig.atTarget().includes('alter')).toBe(false)
    rig.target.write(wire.message('E', Buffer.from('SERROR\0VERROR\0C34000\0Mx\0\0')))
    rig.target.write(wire.message('Z', Buffer.from('I')))
    await eventually('refused', () => rig.atClient().includes('its approval was denied'))
  })

  it('preparing a held statement is no execution: it is held when it runs', async () => {
    const rig = await open()
    const parse = Buffer.concat([wire.parse('alter table t add c int', 'h'), wire.sync()])
    rig.client.write(parse)
    await eventually('prepared', () => rig.atTarget().equals(parse))
    expect(rig.bodies('decision.made')[0]?.reason).toContain('held when it runs')
    rig.target.write(wire.message('1', Buffer.alloc(0)))
    rig.target.write(wire.message('Z', Buffer.from('I')))
    await eventually('answered', () => rig.atClient().length > 0)
    rig.client.write(Buffer.concat([wire.bind([], 'h'), wire.execute(), wire.sync()]))
    await requested(rig)
    expect(rig.atTarget().equals(parse)).toBe(true)
    rig.decide()
    await eventually('released', () => rig.atTarget().length > parse.length)
  })

  it('one whose bytes come in parts is asked about once, as a whole', async () => {
    const rig = await open()
    const bytes = Buffer.concat([
      wire.parse('alter table t add c int', 'h'),
      wire.bind([], 'h'),
      wire.execute(),
      wire.sync(),
    ])
    const cut = bytes.length - wire.sync().length - wire.execute().length
    rig.client.write(bytes.subarray(0, cut))
    await quiet()
    rig.client.write(bytes.subarray(cut))
    await requested(rig)
    expect(rig.bodies('command.received').map(({ kind }) => kind)).toEqual(['execute'])
    expect(rig.atTarget()).toHaveLength(0)
    rig.decide()
    await eventually('released', () => rig.atTarget().equals(bytes))
  })

  it('a Bind alone, with a client that waits for its answer, is asked about itself', async () => {
    const rig = await open()
    rig.client.write(
      Buffer.concat([wire.parse('alter table t add c int'), wire.bind(), wire.flush()]),
    )
    await requested(rig)
    expect(rig.bodies('command.received').map(({ kind }) => kind)).toEqual(['bind'])
    expect(rig.atTarget()).toHaveLength(0)
  })

  it('a notice does not break into a message that comes in parts', async () => {
    const gate = Promise.withResolvers<number>()
    const rig = await open({ estimate: () => gate.promise })
    rig.client.write(Buffer.concat([wire.query('select 1'), alter]))
    await eventually('sent', () => rig.atTarget().includes('select 1'))
    const row = wire.message(
      'D',
      Buffer.concat([Buffer.from([0, 1, 0, 0, 0, 100]), Buffer.alloc(100, 97)]),
    )
    rig.target.write(row.subarray(0, 50))
    await eventually('half a row', () => rig.atClient().length === 50)
    gate.resolve(-1)
    await eventually('asked', () => rig.types().includes('approval.requested'))
    await quiet()
    expect(rig.atClient()).toHaveLength(50)
    rig.target.write(row.subarray(50))
    await requested(rig)
    expect(rig.atClient().subarray(0, row.length).equals(row)).toBe(true)
    expect(rig.atClient()[row.length]).toBe(0x4e)
  })
})
