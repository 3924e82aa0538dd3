import { generateKeyPairSync, sign } from 'node:crypto'
import { decisionBytes } from '#core/approval/signature.ts'
import type { EventBodies } from '#core/events/types.ts'
import { forgedRecord } from '../../support/forged-record.ts'
import { fieldsOf, wire } from '../../support/wire-client.ts'
import type { Attack, Found, Outcome } from '../attack.ts'
import type { AttackSession, Ground } from '../ground.ts'
import { ofType, verdict } from '../sql-attack.ts'

/** Getting a held command to run without the people whose word it takes. */

type Held = {
  readonly session: AttackSession
  /** Id of the approval, hex. */
  readonly approval: string
  readonly command_hash: Buffer
  readonly text: string
}

let columns = 0

/** Sends a command that is held, as somebody, and waits until it asks. */
const hold = async (ground: Ground, role: 'owner' | 'pair', token?: string): Promise<Held> => {
  const text = `alter table orders add attacked_${++columns} int`
  const session = await ground.open(role, token === undefined ? {} : { token })
  session.client.send(wire.query(text))
  const requested = await ground.until('an approval is asked for', (events) =>
    ofType(events, 'approval.requested').find((event) => event.text === text),
  )
  const listed = await ground.until('the api knows it', () => requested)
  const approval = await approvalId(ground, text)
  return { session, approval, command_hash: listed.command_hash, text }
}

const dba = (
  ground: Ground,
  subject: string,
  groups: readonly string[] = ['dba'],
): Promise<string> =>
  ground.people.token({ sub: subject, name: subject, email: `${subject}@acme.example`, groups })

type Listed = { readonly items: readonly { readonly id: string; readonly text: string }[] }

const approvalId = async (ground: Ground, text: string): Promise<string> => {
  const token = await dba(ground, 'reader')
  return ground.until('the api lists it', async () => {
    const { body } = await ground.api('/v1/approvals', token)
    return (body as Listed).items.find((one) => one.text === text)?.id
  })
}

const decide = async (
  ground: Ground,
  { approval }: Held,
  token: string,
  decision = 'approve',
): Promise<string> => {
  const { status, body } = await ground.api(`/v1/approvals/${approval}/decision`, token, {
    method: 'POST',
    body: new URLSearchParams({ decision }),
  })
  const detail = (body as { detail?: string } | null)?.detail ?? ''
  return `api ${status} ${/not_entitled|same_run|requester|duplicate_approver|expired|already_decided|only persons/.exec(detail)?.[0] ?? ''}`.trim()
}

/** Whether the target ran it, now that its session is over one way or the other. */
const settled = async (ground: Ground, held: Held, where: string): Promise<Found> => {
  held.session.client.socket.destroy()
  const events = await held.session.ended()
  const ran = (await ground.heard(held.session.application)).includes(held.text)
  const { where: refused } = verdict(events)
  return ran || where.startsWith('api 202')
    ? { outcome: 'succeeded', where: `it counted: ${where}` }
    : { outcome: 'refused', where: `${where}; ${refused}` }
}

/** A decision that must not count. */
const useless = (
  attack: string,
  how: (ground: Ground, held: Held) => Promise<string>,
  role: 'owner' | 'pair' = 'owner',
  asker?: (ground: Ground) => Promise<string>,
): Attack => ({
  attack,
  expect: ['refused'],
  how: async (ground) => {
    const held = await hold(ground, role, await asker?.(ground))
    const where = await how(ground, held)
    return settled(ground, held, where)
  },
})

const rejected = async (ground: Ground, { approval }: Held): Promise<string> => {
  const event = await ground.until('an incident', (events) =>
    ofType(events, 'approval.rejected').find((one) => one.approval.toString('hex') === approval),
  )
  return `approval.rejected ${event.reason}`
}

/** Appends a decision to the log, past the api. */
const forge = async (
  ground: Ground,
  held: Held,
  more: Partial<EventBodies['approval.decided']> = {},
  key?: ReturnType<typeof generateKeyPairSync>['privateKey'],
): Promise<string> => {
  const body: EventBodies['approval.decided'] = {
    approval: Buffer.from(held.approval, 'hex'),
    command_hash: held.command_hash,
    decision: 'approve',
    reason: '',
    approver_issuer: ground.people.url,
    approver_subject: 'grace',
    approver_groups: ['dba'],
    approver_names: ['grace'],
    channel: 'api',
    signature: Buffer.alloc(64, 1),
    ...more,
  }
  const signature =
    key === undefined ? body.signature : sign(null, decisionBytes('attacks', body), key)
  const context = { deployment: 'attacks', gateway: 'api', session: Buffer.alloc(32) }
  const nobody = { actor: null, pipeline: null, peer: null, target: null }
  await ground.log.append('cairn.approvals', [
    forgedRecord('approval.decided', { ...context, ...nobody }, { ...body, signature }),
  ])
  return rejected(ground, held)
}

/** Runs after all that is asked for: without these rows a gateway that never lets go would look good. */
const allowed = (attack: string, role: 'owner' | 'pair', approvers: readonly string[]): Attack => ({
  attack,
  expect: ['recorded'],
  how: async (ground) => {
    const held = await hold(ground, role)
    for (const name of approvers) await decide(ground, held, await dba(ground, name))
    const answers = await held.session.client.take(({ type }) => type === 'Z')
    const found = verdict(await held.session.end())
    return answers.some(({ type }) => type === 'E')
      ? { outcome: 'refused', where: 'it was refused' }
      : found
  },
})

export const approval_attacks: readonly Attack[] = [
  allowed('(not one: approved by a person of the group)', 'owner', ['grace']),
  allowed('(not one: approved by two persons)', 'pair', ['grace', 'ada']),
  useless(
    'approval by who asks',
    async (ground, held) => decide(ground, held, await dba(ground, 'mallory')),
    'owner',
    (ground) => dba(ground, 'mallory'),
  ),
  useless(
    'approval by who asks, under another subject with the same address',
    async (ground, held) => {
      const claims = { sub: 'other-subject', email: 'MALLORY@acme.example', groups: ['dba'] }
      return decide(ground, held, await ground.people.token(claims))
    },
    'owner',
    (ground) => dba(ground, 'mallory'),
  ),
  useless('approval by who started the run', async (ground, held) =>
    decide(ground, held, await dba(ground, 'ana')),
  ),
  useless('approval by the job itself', async (ground, held) =>
    decide(ground, held, await ground.ci.token()),
  ),
  useless('approval by a person of another group', async (ground, held) =>
    decide(ground, held, await dba(ground, 'dan', ['dev'])),
  ),
  useless('approval without a token', (ground, held) => decide(ground, held, 'none')),
  useless(
    'two approvals by one person',
    async (ground, held) => {
      await decide(ground, held, await dba(ground, 'grace'))
      return decide(ground, held, await dba(ground, 'grace'))
    },
    'pair',
  ),
  useless(
    'two approvals by one person, the second in other letters',
    async (ground, held) => {
      await decide(ground, held, await dba(ground, 'grace'))
      const token = await ground.people.token({
        sub: 'GRACE-2',
        name: 'Grace',
        email: 'GRACE@acme.example',
        groups: ['dba'],
      })
      return decide(ground, held, token)
    },
    'pair',
  ),
  useless('approval after a denial', async (ground, held) => {
    await decide(ground, held, await dba(ground, 'ada'), 'deny')
    return decide(ground, held, await dba(ground, 'grace'))
  }),
  useless('approval after its time', async (ground, held) => {
    await held.session.client.take(({ type }) => type === 'Z')
    return decide(ground, held, await dba(ground, 'grace'))
  }),
  useless('approval after the client has gone', async (ground, held) => {
    held.session.client.socket.destroy()
    await held.session.ended()
    return decide(ground, held, await dba(ground, 'grace'))
  }),
  useless('a decision forged into the log', (ground, held) => forge(ground, held)),
  useless('a decision forged into the log, signed with a key of one’s own', (ground, held) =>
    forge(ground, held, {}, generateKeyPairSync('ed25519').privateKey),
  ),
  useless('a decision forged into the log, without a signature', (ground, held) =>
    forge(ground, held, { signature: Buffer.alloc(0) }),
  ),
  {
    attack: 'the decision about one command, put to another',
    expect: ['refused'],
    how: async (ground) => {
      const good = await hold(ground, 'owner')
      const held = await hold(ground, 'owner')
      await decide(ground, good, await dba(ground, 'grace'))
      const signed = await ground.until('the decision', (events) =>
        ofType(events, 'approval.decided').find(
          (one) => one.approval.toString('hex') === good.approval,
        ),
      )
      await good.session.client.take(({ type }) => type === 'Z')
      await good.session.end()
      const { type: _, session: __, context: ___, time: ____, ...body } = signed
      const where = await forge(ground, held, {
        ...body,
        approval: Buffer.from(held.approval, 'hex'),
      })
      return settled(ground, held, where)
    },
  },
  {
    attack: 'a decision read from the log and appended again, for the same text once more',
    expect: ['refused'],
    how: async (ground) => {
      const first = await hold(ground, 'owner')
      await decide(ground, first, await dba(ground, 'grace'))
      const done = await first.session.client.take(({ type }) => type === 'Z')
      if (done.some(({ type }) => type === 'E')) throw new Error('the first did not run')
      first.session.client.send(wire.query(first.text))
      const again = await ground.until('it is asked for again', (events) =>
        ofType(events, 'approval.requested').filter(({ text }) => text === first.text).length === 2
          ? 'approval.requested again'
          : undefined,
      )
      first.session.client.socket.destroy()
      await first.session.ended()
      const ran = (await ground.heard(first.session.application)).filter(
        (text) => text === first.text,
      )
      return { outcome: ran.length === 1 ? 'refused' : 'succeeded', where: again }
    },
  },
  ...(
    [
      ['behind a harmless statement', (text) => [wire.query(`select 1; ${text}`)]],
      [
        'in the extended protocol',
        (text) => [wire.parse(text), wire.bind(), wire.execute(), wire.sync()],
      ],
      ['in a DO block', (text) => [wire.query(`do $$ begin ${text}; end $$`)]],
      [
        'under EXPLAIN ANALYZE of a CREATE TABLE AS',
        (text) => [
          wire.query(
            `explain analyze create table ${text.slice(25).replace(' int', '')} as select 1`,
          ),
        ],
      ],
    ] as readonly (readonly [string, (text: string) => Buffer[]])[]
  ).map(([how, make]): Attack => ({
    attack: `a held command ${how}`,
    expect: ['refused'],
    how: async (ground) => {
      const session = await ground.open('owner')
      const text = `alter table orders add hidden_${++columns} int`
      session.client.send(...make(text))
      await session.client.take(({ type }) => type === 'N' || type === 'E')
      session.client.send(wire.query('select 1'))
      session.client.socket.destroy()
      const events = await session.ended()
      const ran = (await ground.heard(session.application)).some((one) => one.includes('hidden_'))
      const outcome: Outcome = ran ? 'succeeded' : 'refused'
      return { outcome, where: ran ? 'the target ran it' : verdict(events).where }
    },
  })),
  {
    attack: 'a message behind a held command in the same packet, to run ahead of it',
    expect: ['refused'],
    how: async (ground) => {
      const session = await ground.open('owner')
      const text = `alter table orders add ahead_${++columns} int`
      session.client.send(
        Buffer.concat([wire.query(text), wire.query("insert into orders values (900, 'ahead')")]),
      )
      await session.client.take(({ type }) => type === 'N')
      const error = (await session.client.take(({ type }) => type === 'E')).at(-1)!
      const rest = await session.client.ready(2)
      const events = await session.end()
      const order = ofType(events, 'command.received').map(({ verb }) => verb)
      return rest.some(({ type }) => type === 'C') && order[0] === 'ddl.alter'
        ? { outcome: 'refused', where: `held, ${fieldsOf(error)['C']}, and the next only then` }
        : { outcome: 'succeeded', where: order.join(' ') }
    },
  },
]
