import { wire } from '../../support/wire-client.ts'
import type { Attack } from '../attack.ts'
import { ofType, packet, queries, sqlAttack, verdict } from '../sql-attack.ts'

/** What runs made to look like something else in the record. */

const MiB = 1024 * 1024

export const hiding: readonly Attack[] = [
  sqlAttack({
    attack: 'a DROP behind 9 MB of padding',
    role: 'writer',
    say: queries(`select 1; ${' '.repeat(9 * MiB)} drop table orders`),
    must_not_run: /drop/,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'a DROP behind 3 MB of comment, past the recorded text',
    role: 'writer',
    say: queries(`/* ${'harmless '.repeat(350_000)} */ drop table orders`),
    must_not_run: /drop/,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'several statements of which the first is harmless',
    role: 'writer',
    say: queries('select 1; select 2; drop table orders'),
    must_not_run: /drop/,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'a statement that only another encoding shows (SJIS)',
    role: 'writer',
    say: async (client) => {
      const text = Buffer.from("select E'\x83\x5c'; drop table orders --'\0", 'latin1')
      client.send(wire.query("set client_encoding to 'SJIS'"), wire.message('Q', text))
      return client.closed()
    },
    must_not_run: /drop/,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'a statement that backslashes hide (standard_conforming_strings off)',
    role: 'writer',
    say: packet(
      2,
      wire.query('set standard_conforming_strings = off'),
      wire.query("select '\\'; drop table orders; --'"),
    ),
    must_not_run: /drop/,
    expect: ['refused'],
  }),
  sqlAttack({
    attack: 'SQL with line ends and control characters, to forge lines of a log',
    role: 'writer',
    say: queries('select \'x\r\n{"event":"session.ended"}\u001b[2J\''),
    expect: ['recorded'],
  }),
  {
    attack: 'fifty executions of one prepared statement, recorded once',
    expect: ['recorded'],
    how: async (ground) => {
      const session = await ground.open('writer')
      session.client.send(wire.parse('select $1::int', 's'))
      for (let i = 0; i < 50; i++) session.client.send(wire.bind([String(i)], 's'), wire.execute())
      session.client.send(wire.sync())
      await session.client.ready()
      const events = await session.end()
      const values = ofType(events, 'command.received')
        .filter(({ kind }) => kind === 'execute')
        .map(({ parameters }) => parameters[0]?.value)
      const whole = values.length === 50 && values.every((value, i) => value === String(i))
      return whole
        ? { outcome: 'recorded', where: '50 × command.received execute' }
        : { outcome: 'succeeded', where: `${values.length} executions recorded` }
    },
  },
  {
    attack: 'more than the record would hold, then something else',
    expect: ['refused'],
    how: async (ground) => {
      const session = await ground.open('writer')
      await queries("select repeat('x', 1000) from generate_series(1, 20000)")(session.client)
      for (let i = 0; i < 10; i++) {
        session.client.send(...Array.from({ length: 100 }, () => wire.query('select 1')))
        await session.client.ready(100)
      }
      await queries('drop table orders')(session.client)
      const events = await session.end()
      const count = ofType(events, 'command.received').length
      const found = verdict(events)
      return count === 1002 ? found : { outcome: 'succeeded', where: `${count} of 1002 recorded` }
    },
  },
  sqlAttack({
    attack: 'two statement names that the server cuts to one',
    role: 'writer',
    say: async (client) => {
      const long = 'n'.repeat(63)
      client.send(wire.parse('select 1', `${long}A`), wire.sync())
      await client.ready()
      client.send(wire.close('S', `${long}B`), wire.parse('drop table orders', `${long}B`))
      client.send(wire.bind([], `${long}A`), wire.execute(), wire.sync())
      return client.ready()
    },
    must_not_run: /drop/,
    expect: ['refused'],
  }),
]
