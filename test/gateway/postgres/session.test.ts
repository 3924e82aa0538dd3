import { createServer, connect, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { EventBodies, EventType } from '#core/events/types.ts'
import { createSqlAnalyzer } from '#core/sql/analyzer.ts'
import { loadSqlParser } from '#core/sql/parser.ts'
import { redactSecrets } from '#core/sql/redaction.ts'
import { CairnError } from '#lib/error.ts'
import type { Recorder, SessionRecorder } from '../../../services/gateway/recorder/port.ts'
import { runSession, type Session } from '../../../services/gateway/protocols/postgres/session.ts'
import { newSessionState } from '../../../services/gateway/protocols/postgres/state.ts'
import { openStatementReader } from '../../../services/gateway/protocols/postgres/statement.ts'
import { eventually } from '../../support/eventually.ts'
import { wire } from '../../support/wire-client.ts'

/**
 * The rule that nothing reaches the target before it is durable, at the one place where time can be stopped: the recorder here
 * says when. Both legs are real sockets; the target end is the test's.
 */
type Minted = { readonly [T in EventType]: { type: T; body: EventBodies[T] } }[EventType]

type Hand = {
  readonly minted: Minted[]
  readonly recorder: Recorder
  readonly session: SessionRecorder
  /** Settles the commits that are asked for so far. */
  commit(error?: Error): void
  waiting(): number
  available: boolean
  congested: boolean
  drain(): void
}

const newHand = (): Hand => {
  const minted: Minted[] = []
  let waits: { resolve: () => void; reject: (error: Error) => void }[] = []
  let drains: (() => void)[] = []
  const hand: Hand = {
    minted,
    available: true,
    congested: false,
    waiting: () => waits.length,
    commit: (error) => {
      const settled = waits
      waits = []
      for (const { resolve, reject } of settled) {
        if (error === undefined) resolve()
        else reject(error)
      }
    },
    drain: () => {
      hand.congested = false
      for (const resolve of drains) resolve()
      drains = []
    },
    session: {
      id: Buffer.alloc(32),
      append: (type, body) => minted.push({ type, body } as Minted) - 1,
      get records() {
        return minted.length
      },
      leaf: Buffer.alloc(32),
    },
    recorder: {
      openSession: () => hand.session,
      append: () => undefined,
      durable: () => new Promise((resolve, reject) => waits.push({ resolve, reject })),
      shipped: () => Promise.resolve(),
      drained: () => new Promise((resolve) => drains.push(resolve)),
      get available() {
        return hand.available
      },
      get congested() {
        return hand.congested
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    },
  }
  return hand
}

/** Two connected sockets. */
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

/** Nothing is held here: see session-hold.test.ts. */
const no_approvals = {
  holds: { open: () => null },
  requester: { actor: null, pipeline: null, target: null },
  estimate: () => Promise.resolve(-1),
}

const opened: Socket[] = []
afterEach(() => {
  for (const socket of opened.splice(0)) socket.destroy()
})

/** What a server reports at the start, from PostgreSQL 18 on. */
const usual = { search_path: '"$user", public' }

const open = async (
  reads: 'wait' | 'overlap' = 'wait',
  linger_ms = 5_000,
  reported: Readonly<Record<string, string>> = usual,
) => {
  const hand = newHand()
  const [client, clientEnd] = await socketPair()
  const [target, targetEnd] = await socketPair()
  opened.push(client, clientEnd, target, targetEnd)
  const session: Session = runSession({
    client: clientEnd,
    upstream: { stream: targetEnd, greeting: Buffer.alloc(0), parameters: new Map(), key: null },
    state: newSessionState(new Map(Object.entries(reported)), true),
    recorder: hand.recorder,
    session: hand.session,
    decide: () => ({
      outcome: 'allow',
      rules: ['all'],
      reason: '',
      policy_digest: '',
      risk: 0,
      dry_run: false,
      hold: null,
    }),
    approvals: no_approvals,
    statements,
    reads,
    masks: null,
    message_bytes_max: 64 * 1024,
    text_bytes_max: 1024,
    idle_timeout_ms: 0,
    linger_ms,
    now_ms: () => performance.now(),
    counted: () => undefined,
    onFault: (error) => {
      throw error
    },
  })
  return { hand, session, client, target, atClient: collected(client), atTarget: collected(target) }
}

/** Turns of the loop in which everything that is on its way over loopback arrives. */
const quiet = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const answer = Buffer.concat([
  wire.message('C', Buffer.from('SELECT 1\0')),
  wire.message('Z', Buffer.from('I')),
])

const types = (hand: Hand): string[] => hand.minted.map(({ type }) => type)

describe('a command and its record', () => {
  it('nothing reaches the target before the record is durable, then exactly the bytes do', async () => {
    const { hand, client, atTarget } = await open()
    const query = wire.query('delete from t')
    client.write(query)
    await eventually('recorded', () => hand.waiting() === 1)
    expect(types(hand)).toEqual(['command.received', 'decision.made'])
    await quiet()
    expect(atTarget()).toHaveLength(0)
    hand.commit()
    await eventually('forwarded', () => atTarget().equals(query))
  })

  it('what comes while one waits is recorded for the same commit and goes in order', async () => {
    const { hand, client, atTarget } = await open()
    client.write(wire.query('insert into t values (1)'))
    await eventually('recorded', () => hand.waiting() === 1)
    client.write(wire.query('insert into t values (2)'))
    await eventually('recorded', () => hand.waiting() === 2)
    expect(atTarget()).toHaveLength(0)
    hand.commit()
    await eventually('forwarded', () =>
      atTarget().equals(
        Buffer.concat([
          wire.query('insert into t values (1)'),
          wire.query('insert into t values (2)'),
        ]),
      ),
    )
  })

  it('that cannot be durable is refused, never reaches the target, and ends the session', async () => {
    const { hand, client, session, atTarget, atClient } = await open()
    client.write(wire.query('delete from t'))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit(new CairnError('audit_unavailable', 'disk full'))
    expect(await session.ended).toMatchObject({ reason: 'audit_unavailable', commands: 1 })
    await eventually('refused', () => atClient().includes('58030'))
    await quiet()
    expect(atTarget().includes('delete')).toBe(false)
  })

  it('is refused without being recorded when nothing can be', async () => {
    const { hand, client, session, atTarget } = await open()
    hand.available = false
    client.write(wire.query('delete from t'))
    expect(await session.ended).toMatchObject({ reason: 'audit_unavailable', commands: 0 })
    expect(atTarget().includes('delete')).toBe(false)
  })

  it('COPY data and its end wait for their records', async () => {
    const { hand, client, target, atTarget } = await open()
    client.write(wire.query('copy t from stdin'))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().includes('copy t'))
    target.write(wire.message('G', Buffer.from([0, 0, 0])))
    client.write(wire.copyData('1\tone\n'))
    await eventually('recorded', () => hand.waiting() === 1)
    expect(types(hand)).toContain('input.chunk')
    await quiet()
    expect(atTarget().includes('one')).toBe(false)
    hand.commit()
    await eventually('data is forwarded', () => atTarget().includes('one'))
    client.write(wire.copyDone())
    await eventually('the end waits', () => hand.waiting() > 0)
    await quiet()
    expect(atTarget().includes(wire.copyDone())).toBe(false)
    hand.commit()
    await eventually('the end is forwarded', () => atTarget().includes(wire.copyDone()))
  })
})

describe('reads: overlap', () => {
  it('a pure read runs at once, its answer waits for the record', async () => {
    const { hand, client, target, atTarget, atClient } = await open('overlap')
    client.write(wire.query('select 1'))
    await eventually('forwarded', () => atTarget().includes('select 1'))
    expect(hand.waiting()).toBe(1)
    target.write(answer)
    await eventually('recorded', () => types(hand).includes('command.completed'))
    await quiet()
    expect(atClient()).toHaveLength(0)
    hand.commit()
    await eventually('answered', () => atClient().equals(answer))
  })

  it('the answer is thrown away when the record cannot be made durable', async () => {
    const { hand, client, session, target, atTarget, atClient } = await open('overlap')
    client.write(wire.query('select 1'))
    await eventually('forwarded', () => atTarget().includes('select 1'))
    target.write(answer)
    await eventually('recorded', () => types(hand).includes('command.completed'))
    hand.commit(new CairnError('audit_unavailable', 'disk full'))
    expect(await session.ended).toMatchObject({ reason: 'audit_unavailable' })
    await eventually('refused', () => atClient().includes('58030'))
    expect(atClient().includes('SELECT 1')).toBe(false)
    expect(atClient().toString()).toContain('the answer is withheld: it could not be recorded')
    expect(atClient().toString()).toContain('may have run')
    expect(atClient().includes('was not run')).toBe(false)
  })

  it.each([
    ['a write', wire.query('delete from t')],
    ['a read that locks', wire.query('select * from t for update')],
    ['a function that is not on the list', wire.query('select anything()')],
    ['a read and a write in one text', wire.query('select 1; delete from t')],
    [
      'a read with a parameter of a type that somebody made',
      Buffer.concat([
        wire.parse('select $1', '', [16_385]),
        wire.bind(['x']),
        wire.execute(),
        wire.sync(),
      ]),
    ],
    [
      'a prepared write',
      Buffer.concat([wire.parse('delete from t'), wire.bind(), wire.execute(), wire.sync()]),
    ],
  ])('%s waits', async (_, bytes) => {
    const { hand, client, atTarget } = await open('overlap')
    client.write(bytes)
    await eventually('recorded', () => hand.waiting() === 1)
    await quiet()
    expect(atTarget()).toHaveLength(0)
  })

  it.each([
    ['a search path', 'set search_path to mine'],
    ['a role', 'set role other'],
    ['a function', 'create function lower(text) returns text language sql as $$ select 1 $$'],
    ['a DO block', 'do $$ begin end $$'],
    ['a configuration parameter by function', "select set_config('search_path', 'mine', false)"],
  ])('after %s was set or made in the session every read waits', async (_, text) => {
    const { hand, client, target, atTarget } = await open('overlap')
    client.write(wire.query(text))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().length > 0)
    target.write(answer)
    client.write(wire.query('select 1'))
    await eventually('recorded', () => hand.waiting() === 1)
    await quiet()
    expect(atTarget().includes('select 1')).toBe(text.includes('select 1'))
  })

  it.each([
    ['does not report its search path, as before PostgreSQL 18,', {}],
    ['has another search path for this role', { search_path: 'evil, pg_catalog, public' }],
  ])('when the server %s every read waits', async (_, reported) => {
    const { hand, client, atTarget } = await open('overlap', 5_000, reported)
    client.write(wire.query('select 1'))
    await eventually('recorded', () => hand.waiting() === 1)
    await quiet()
    expect(atTarget()).toHaveLength(0)
  })

  const named = (text: string) => Buffer.concat([wire.parse(text, 's'), wire.sync()])
  const use = Buffer.concat([wire.bind([], 's'), wire.execute(), wire.sync()])
  const parsed = Buffer.concat([wire.message('1'), wire.message('Z', Buffer.from('I'))])

  it('a named statement from before a write waits, until it is parsed again; a new text does not', async () => {
    const { hand, client, target, atTarget } = await open('overlap')
    const parseNamed = async (text: string): Promise<void> => {
      client.write(named(text))
      await eventually('parsed', () => atTarget().includes(text))
      target.write(parsed)
      hand.commit()
    }
    await parseNamed('select 1')
    await quiet()
    client.write(wire.query('insert into t values (1)'))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().includes('insert'))
    const inserted = wire.message('C', Buffer.from('INSERT 0 1\0'))
    target.write(Buffer.concat([inserted, wire.message('Z', Buffer.from('I'))]))
    await quiet()
    const before = atTarget().length
    client.write(use)
    await eventually('recorded', () => hand.waiting() === 1)
    await quiet()
    expect(atTarget()).toHaveLength(before)
    hand.commit()
    await eventually('forwarded', () => atTarget().length > before)
    target.write(Buffer.concat([wire.message('2'), answer]))
    await quiet()
    client.write(wire.query('select 2'))
    await eventually('forwarded', () => atTarget().includes('select 2'))
    target.write(answer)
    hand.commit()
    await quiet()
    client.write(Buffer.concat([wire.close('S', 's'), wire.sync()]))
    await eventually('closed', () => hand.waiting() === 1)
    target.write(Buffer.concat([wire.message('3'), wire.message('Z', Buffer.from('I'))]))
    hand.commit()
    await quiet()
    await parseNamed('select 3')
    await quiet()
    const then = atTarget().length
    client.write(use)
    await eventually('forwarded', () => atTarget().length === then + use.length)
    expect(hand.waiting()).toBe(1)
  })

  it('a name whose Parse is not answered waits in the next segment: it may exist already', async () => {
    const { hand, client, atTarget } = await open('overlap')
    client.write(Buffer.concat([named('select 1'), use]))
    await eventually('recorded', () => hand.waiting() === 1)
    await quiet()
    expect(atTarget()).toHaveLength(0)
  })

  it('a read waits while a write has no ReadyForQuery: settings it changed are not reported yet', async () => {
    const { hand, client, target, atTarget } = await open('overlap')
    client.write(
      Buffer.concat([wire.parse('delete from t'), wire.bind(), wire.execute(), wire.flush()]),
    )
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().length > 0)
    const done = wire.message('C', Buffer.from('DELETE 0\0'))
    target.write(Buffer.concat([wire.message('1'), wire.message('2'), done]))
    await quiet()
    client.write(Buffer.concat([wire.parse('select 1'), wire.bind(), wire.execute(), wire.flush()]))
    await eventually('recorded', () => hand.waiting() === 1)
    await quiet()
    expect(atTarget().includes('select 1')).toBe(false)
  })

  it('a read behind a write waits for it', async () => {
    const { hand, client, atTarget } = await open('overlap')
    client.write(wire.query('delete from t'))
    await eventually('recorded', () => hand.waiting() === 1)
    client.write(wire.query('select 1'))
    await eventually('recorded', () => hand.waiting() === 2)
    await quiet()
    expect(atTarget()).toHaveLength(0)
    hand.commit()
    await eventually('both', () => atTarget().includes('select 1'))
  })
})

describe('back-pressure', () => {
  it('a congested recorder stops both legs until it has drained', async () => {
    const { hand, client, atTarget } = await open()
    hand.congested = true
    client.write(wire.query('select 1'))
    await eventually('recorded', () => hand.waiting() === 1)
    client.write(wire.query('select 2'))
    await quiet()
    expect(hand.waiting()).toBe(1)
    hand.drain()
    await eventually('recorded', () => hand.waiting() === 2)
    hand.commit()
    await eventually('forwarded', () => atTarget().includes('select 2'))
  })
})

describe('a session ends', () => {
  it('when the recorder takes no more in the middle of an answer', async () => {
    const { hand, client, target, session, atClient, atTarget } = await open()
    client.write(wire.query('select 1'))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().length > 0)
    hand.session.append = () => {
      throw new CairnError('audit_unavailable', 'the queue is full')
    }
    target.write(answer)
    expect(await session.ended).toMatchObject({ reason: 'audit_unavailable' })
    await eventually('told', () => atClient().includes('58030'))
    expect(atClient().includes('SELECT 1')).toBe(false)
  })

  it('a bounded time after the client, and what still runs is recorded as unknown', async () => {
    const { hand, client, session, atTarget } = await open('wait', 50)
    client.write(wire.query('select pg_sleep(10)'))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().length > 0)
    client.destroy()
    expect(await session.ended).toMatchObject({ reason: 'client_closed', commands: 1 })
    expect(hand.minted.at(-1)).toMatchObject({
      type: 'command.completed',
      body: { status: 'unknown' },
    })
  })

  it('without the client when what it asked for is over, with its true end', async () => {
    const { hand, client, target, session, atTarget } = await open()
    client.write(Buffer.concat([wire.query('delete from t'), wire.terminate()]))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().includes(wire.terminate()))
    expect(session.open).toBe(true)
    target.write(Buffer.from(answer.toString('latin1').replace('SELECT', 'DELETE'), 'latin1'))
    expect(await session.ended).toMatchObject({ reason: 'client_closed', commands: 1 })
    expect(hand.minted.at(-1)).toMatchObject({ type: 'command.completed', body: { status: 'ok' } })
  })

  it('when it is killed, and only what was forwarded is unknown', async () => {
    const { hand, client, session, atTarget } = await open()
    client.write(wire.query('delete from t'))
    await eventually('recorded', () => hand.waiting() === 1)
    hand.commit()
    await eventually('forwarded', () => atTarget().length > 0)
    client.write(wire.query('delete from u'))
    await eventually('recorded', () => hand.waiting() === 1)
    session.terminate('drained', 'the drain time is over')
    await session.ended
    expect(
      hand.minted.flatMap(({ type, body }) => (type === 'command.completed' ? body.status : [])),
    ).toEqual(['unknown', 'aborted'])
  })

  it('with the target', async () => {
    const { target, session } = await open()
    target.destroy()
    expect(await session.ended).toMatchObject({ reason: 'target_closed' })
  })

  it('at bytes that are no message; what came with them does not run', async () => {
    const { client, session, atClient, atTarget } = await open()
    client.write(Buffer.concat([wire.query('delete from t'), Buffer.from('zzzzzzzz')]))
    expect(await session.ended).toMatchObject({ reason: 'protocol_error' })
    await eventually('told', () => atClient().includes('08P01'))
    await quiet()
    expect(atTarget().includes('delete')).toBe(false)
  })

  it('when the target sends what is no message', async () => {
    const { target, session, atClient } = await open()
    target.write(Buffer.from('HTTP/1.1 400 Bad Request'))
    expect(await session.ended).toMatchObject({ reason: 'gateway_error' })
    expect(atClient().includes('HTTP')).toBe(false)
  })

  it('when the target answers what was not asked', async () => {
    const { target, session, atClient } = await open()
    target.write(wire.message('1'))
    expect(await session.ended).toMatchObject({ reason: 'gateway_error' })
    await eventually('told', () => atClient()[0] === 0x45)
  })

  it('by draining: at once when idle, after the answer when something runs', async () => {
    const idle = await open()
    idle.session.drain()
    expect(await idle.session.ended).toMatchObject({ reason: 'drained' })
    await eventually('told', () => idle.atClient().includes('57P01'))

    const busy = await open()
    busy.client.write(wire.query('select 1'))
    await eventually('recorded', () => busy.hand.waiting() === 1)
    busy.session.drain()
    await quiet()
    expect(busy.session.open).toBe(true)
    busy.hand.commit()
    busy.target.write(answer)
    expect(await busy.session.ended).toMatchObject({ reason: 'drained', commands: 1 })
    await eventually('answered and told', () => busy.atClient().includes('57P01'))
    expect(busy.atClient().includes('SELECT 1')).toBe(true)
  })
})
