import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { functionEffect } from '#core/sql/functions.ts'
import { pure_functions, pure_operators, pure_types } from '#core/sql/pure-lists.ts'
import { startPostgres, type TestPostgres } from '../../support/postgres.ts'

/** Spelled as grammar, not as functions or types: PostgreSQL has no entry of the name. */
const grammar = {
  types: ['bigint', 'boolean', 'decimal', 'int', 'integer', 'smallint'],
  operators: ['!=', 'BETWEEN', 'NOT BETWEEN', 'BETWEEN SYMMETRIC', 'NOT BETWEEN SYMMETRIC'],
}

describe('the lists of pure reads, by a real PostgreSQL 18', () => {
  let server: TestPostgres
  let client: Client
  const column = async (
    text: string,
    values: readonly unknown[] = [],
  ): Promise<readonly string[]> => {
    const { rows } = await client.query<[string]>({ text, values: [...values], rowMode: 'array' })
    return rows.map(([value]) => value)
  }

  beforeAll(async () => {
    server = await startPostgres()
    client = new Client(server)
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await server.stop()
  })

  it('hold functions that are not volatile in any variant', async () => {
    const found = await column(
      `select distinct proname from pg_proc where proname = any ($1) and pronamespace = 'pg_catalog'::regnamespace
        and provolatile = 'v'`,
      [[...pure_functions]],
    )
    expect(found).toEqual([])
  })

  it('hold functions that exist', async () => {
    const found = await column(
      `select distinct proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace`,
    )
    const known = new Set(found)
    expect([...pure_functions].filter((name) => !known.has(name))).toEqual([])
  })

  it('hold no function with an effect of its own', () => {
    expect([...pure_functions].filter((name) => functionEffect(name) !== undefined)).toEqual([])
  })

  it('hold operators that exist and run functions that are not volatile', async () => {
    const found = await column('select distinct oprname from pg_operator')
    const known = new Set([...found, ...grammar.operators])
    expect([...pure_operators].filter((name) => !known.has(name))).toEqual([])
    const volatile = await column(
      `select distinct oprname from pg_operator join pg_proc p on p.oid = oprcode where provolatile = 'v' and oprname = any ($1)`,
      [[...pure_operators]],
    )
    expect(volatile).toEqual([])
  })

  it('hold types whose input and output functions are not volatile', async () => {
    const found = await column(
      `select typname from pg_type t join pg_proc i on i.oid = typinput join pg_proc o on o.oid = typoutput
        where typnamespace = 'pg_catalog'::regnamespace and i.provolatile <> 'v' and o.provolatile <> 'v'`,
    )
    const known = new Set([...found, ...grammar.types])
    expect([...pure_types].filter((name) => !known.has(name))).toEqual([])
  })
})
