import { openDirectTls, openRaw, wire, type WireClient } from '../../support/wire-client.ts'
import type { Attack, Found } from '../attack.ts'
import type { Ground } from '../ground.ts'
import { ofType, packet, queries, sqlAttack, verdict } from '../sql-attack.ts'

/** Bytes that no driver sends. */

const malformed = (attack: string, bytes: Buffer): Attack => ({
  attack,
  expect: ['refused'],
  how: async (ground) => {
    const session = await ground.open('analyst')
    session.client.send(
      Buffer.concat([wire.query("insert into orders values (9, 'hostile')"), bytes]),
    )
    const events = await session.ended()
    const ran = await ground.heard(session.application)
    if (ran.length > 0) return { outcome: 'succeeded', where: `the target ran ${ran.join()}` }
    return verdict(events)
  },
})

/** A connection that is refused before anybody logged in. */
const refusedConnection = async (
  ground: Ground,
  attempt: (client: WireClient) => Promise<unknown>,
): Promise<Found> => {
  await using client = await openRaw(ground.port)
  const port = client.socket.localPort
  await attempt(client)
  await client.closed()
  const refused = await ground.until('a refusal', (events) =>
    ofType(events, 'session.refused').find(({ context }) => context.peer?.port === port),
  )
  return { outcome: 'refused', where: `session.refused ${refused.reason}` }
}

const smuggled = wire.query('create table smuggled (a int)')
const outer = Buffer.concat([
  wire.parse('select $1::bytea'),
  wire.bind([Buffer.concat([smuggled, Buffer.alloc(64)])]),
  wire.execute(),
  wire.sync(),
])
const announced = wire.copyData(Buffer.alloc(outer.indexOf(smuggled)))

export const wire_attacks: readonly Attack[] = [
  malformed('a Query of 5 bytes', Buffer.from([0x51, 0, 0, 0, 4])),
  malformed('an empty Parse', Buffer.from([0x50, 0, 0, 0, 4])),
  malformed('a length of zero', Buffer.from([0x51, 0, 0, 0, 0])),
  malformed('a negative length', Buffer.from([0x51, 255, 255, 255, 255])),
  malformed('a length of 2 GB', Buffer.from([0x51, 127, 255, 255, 255])),
  malformed('a message type that does not exist', Buffer.from([0x7a, 0, 0, 0, 4])),
  malformed('a password in the middle of a session', wire.password('x')),
  malformed(
    'a Query with a zero byte and more text behind it',
    wire.message('Q', Buffer.from('select 1\0drop table orders\0')),
  ),
  malformed('a Bind whose counts do not fit', wire.message('B', Buffer.from('no end'))),
  {
    attack: 'idle half-open connections that keep others out',
    expect: ['recorded'],
    how: async (ground) => {
      const idle = await Promise.all(Array.from({ length: 40 }, () => openRaw(ground.port)))
      const session = await ground.open('writer')
      await queries('select 1')(session.client)
      const found = verdict(await session.end())
      for (const client of idle) client.socket.destroy()
      return found
    },
  },
  {
    attack: 'bytes sent ahead of the TLS handshake',
    expect: ['refused'],
    how: (ground) =>
      refusedConnection(ground, async (client) => {
        const early = wire.startup({ user: 'writer', database: 'main' })
        client.send(Buffer.concat([wire.sslRequest(), early]))
      }),
  },
  {
    attack: 'a password without TLS',
    expect: ['refused'],
    how: (ground) =>
      refusedConnection(ground, async (client) => {
        client.send(wire.startup({ user: 'writer', database: 'main' }))
        client.send(wire.password(await ground.ci.token()))
      }),
  },
  {
    attack: 'TLS from the first byte for another protocol',
    expect: ['refused'],
    how: async (ground) => {
      const client = await openDirectTls(ground.port, ['http/1.1']).catch(() => undefined)
      await client?.closed()
      const { reason } = await ground.until('a refusal', (events) =>
        ofType(events, 'session.refused').find((one) => one.reason === 'handshake_failed'),
      )
      return { outcome: 'refused', where: `session.refused ${reason}` }
    },
  },
  sqlAttack({
    attack: 'a replication connection',
    role: 'writer',
    parameters: {},
    say: queries('create_replication_slot s physical', 'START_REPLICATION 0/0'),
    must_not_run: /replication/i,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'a function called by its OID (FunctionCall)',
    role: 'analyst',
    say: packet(1, wire.functionCall(1598, [])),
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'Sync and Query in one packet',
    role: 'writer',
    say: packet(
      2,
      wire.parse('select 1'),
      wire.bind(),
      wire.execute(),
      wire.sync(),
      wire.query('drop table orders'),
    ),
    must_not_run: /drop/,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'half of a CopyData, so that a bound value is read as a message',
    role: 'analyst',
    say: async (client) => {
      client.send(Buffer.concat([wire.query('select 1'), announced.subarray(0, 5)]))
      await client.ready()
      client.send(announced.subarray(5), outer)
      return client.ready()
    },
    must_not_run: /smuggled/,
    expect: ['recorded'],
  }),
  {
    attack: 'cancel of somebody else’s query by a guessed key',
    expect: ['refused'],
    how: async (ground) => {
      const victim = await ground.open('analyst')
      victim.client.send(wire.query("select pg_sleep(0.5), 'unharmed'"))
      const found = await refusedConnection(ground, async (attacker) => {
        attacker.send(wire.cancel(victim.client.key().pid, Buffer.alloc(4, 7)))
      })
      const answers = await victim.client.ready()
      await victim.end()
      return answers.some(({ type }) => type === 'E')
        ? { outcome: 'succeeded', where: 'the victim was cancelled' }
        : found
    },
  },
]
