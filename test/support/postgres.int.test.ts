import { readFile } from 'node:fs/promises'
import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { startPostgres } from './postgres.ts'

describe('a PostgreSQL for tests', () => {
  it('answers with a password over TLS and logs statements as JSON', async () => {
    await using server = await startPostgres({ tls: true, log: true })
    const ca = await readFile(server.ca_file ?? '', 'utf8')
    const client = new Client({ ...server, ssl: { ca } })
    await client.connect()
    const { rows } = await client.query(
      'select ssl, $1::int as n from pg_stat_ssl where pid = pg_backend_pid()',
      [7],
    )
    expect(rows).toEqual([{ ssl: true, n: 7 }])
    await client.end()
    await expect
      .poll(async () => (await readFile(server.logFile, 'utf8')).includes('pg_stat_ssl'))
      .toBe(true)
    const lines = (await readFile(server.logFile, 'utf8')).trim().split('\n')
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ detail: "Parameters: $1 = '7'" }),
    )
  })

  it('refuses a wrong password', async () => {
    await using server = await startPostgres()
    const client = new Client({ ...server, password: 'wrong' })
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
  })
})
