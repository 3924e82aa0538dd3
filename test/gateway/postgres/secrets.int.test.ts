import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { filesBelow } from '../../support/files-below.ts'
import { startTestGateway, type TestGateway } from '../../support/gateway.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { fieldsOf, login, openSecure, wire } from '../../support/wire-client.ts'

/** Every planted secret begins with it. */
const planted = 'hunter2secret'

const texts = [
  `DO $$BEGIN EXECUTE 'ALTER ROLE nosuch PASSWORD ''${planted}A'''; END$$`,
  `DO $$BEGIN EXECUTE 'ALTER ROLE nosuch PASS' || 'WORD ' || quote_literal('${planted}B'); END$$`,
  `DO $$BEGIN EXECUTE format('ALTER ROLE nosuch PASSWORD %L', '${planted}C'); END$$`,
  `select set_config('my.password', '${planted}D', false)`,
  `set my.secret = '${planted}E'`,
  `ALTER ROLE nosuch PASSWORD E'hunter2\\x73ecretF' BOGUS`,
  `ALTER ROLE nosuch PASSWORD ${planted}H`,
  `ALTER ROLE nosuch PASSWORD '${planted}I`,
  `ALTER ROLE nosuch PASWORD '${planted}J'`,
  `create server srv foreign data wrapper nosuch options (token '${planted}P', "secret_access_key" '${planted}Q', passcode '${planted}R', api_key '${planted}S')`,
  `create role z login password '${planted}T' valid until 'nonsense'`,
]

const bound: readonly (readonly [string, readonly string[]])[] = [
  [`select format('ALTER ROLE nosuch PASSWORD %L', $1::text)`, [`${planted}M`]],
  [`select dblink_connect($1)`, [`host=127.0.0.1 port=1 password=${planted}O`]],
  [`select $1::text`, [`postgres://u:${planted}U@h/d`]],
  [`select set_config($1, $2, false)`, ['my.password', `${planted}V`]],
]

describe('secrets', () => {
  let postgres: TestPostgres
  let gateway: TestGateway
  beforeAll(async () => {
    postgres = await startPostgres()
    gateway = await startTestGateway({ targets: { main: postgres } })
  }, 60_000)
  afterAll(async () => {
    await gateway[Symbol.asyncDispose]()
    await postgres.stop()
  })

  it('are in no file of the gateway, also when errors and rows repeat them', async () => {
    const client = await openSecure(gateway.port)
    await login(client, { user: 'admin', database: 'main' }, await gateway.token())
    client.send(wire.query(texts[0] ?? ''))
    const error = (await client.ready()).find(({ type }) => type === 'E')
    // The client gets the target's true words.
    expect(JSON.stringify(error === undefined ? '' : fieldsOf(error))).toContain(`${planted}A`)
    for (const text of texts.slice(1)) {
      client.send(wire.query(text))
      await client.ready()
    }
    for (const [text, values] of bound) {
      client.send(wire.parse(text), wire.bind([...values]), wire.execute(), wire.sync())
      await client.ready()
    }
    client.send(wire.query(`select 'the last'`))
    await client.ready()
    client.send(wire.terminate())
    const records = await gateway.until((all) =>
      all.some(({ type }) => type === 'session.ended') ? all : undefined,
    )
    expect(
      records.some(
        (record) =>
          record.type === 'response.chunk' && record.masked.some(({ rule }) => rule === 'secret'),
      ),
    ).toBe(true)
    expect(
      records.some(
        (record) =>
          record.type === 'command.received' && record.parameters.some(({ masked }) => masked),
      ),
    ).toBe(true)
    const leaked = new Set<string>()
    for (const content of (await filesBelow(gateway.data_dir)).values())
      for (const [found] of content
        .toString('latin1')
        .matchAll(/hunter2(?:secret|\\x73ecret)[A-Z]?/g))
        leaked.add(found)
    expect([...leaked]).toEqual([])
  })
})
