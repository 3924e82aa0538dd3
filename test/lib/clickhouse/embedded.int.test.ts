import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openEmbeddedClickHouse, type EmbeddedClickHouse } from '#lib/clickhouse/embedded.ts'
import { clickHouseContract } from './contract.ts'

const memory_bytes_max = 512 * 1024 * 1024

const openIn = (folder: string): Promise<EmbeddedClickHouse> =>
  openEmbeddedClickHouse({ folder, database: 'cairn', memory_bytes_max })

clickHouseContract('the embedded engine', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-clickhouse-'))
  const clickhouse = await openIn(folder)
  return {
    clickhouse,
    async [Symbol.asyncDispose]() {
      await clickhouse[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
})

describe('the embedded engine', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-clickhouse-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('keeps what was written when it is closed and opened again', async () => {
    {
      await using clickhouse = await openIn(folder)
      await clickhouse.command('CREATE TABLE kept (a UInt8, b UInt8) ENGINE = MergeTree ORDER BY a')
      await clickhouse.insert({
        table: 'kept',
        columns: ['a', 'b'],
        rows: 1,
        data: Buffer.from('1\t2\n'),
        token: 'kept',
      })
    }
    await using clickhouse = await openIn(folder)
    expect(await clickhouse.query('SELECT * FROM kept')).toEqual([{ a: 1, b: 2 }])
  })

  test('its user reaches nothing outside the database, though it may write in it', async () => {
    await using clickhouse = await openIn(folder)
    for (const source of [
      "file('/etc/passwd', 'LineAsString')",
      "url('http://127.0.0.1:1/', 'LineAsString')",
      "s3('http://127.0.0.1:1/bucket/key', 'LineAsString')",
      "remote('127.0.0.1:1', 'system.one')",
      "filesystem('/etc')",
      "sqlite('/tmp/a', 'b')",
    ])
      await expect(clickhouse.query(`SELECT * FROM ${source}`)).rejects.toThrow(
        /Not enough privileges|UNKNOWN_FUNCTION|Unknown table function/,
      )
    // Programs are looked for in a folder of the engine's own, where nobody puts any.
    await expect(
      clickhouse.query("SELECT * FROM executable('/bin/true', 'TSV', 'a String')"),
    ).rejects.toThrow(/does not exist inside user scripts folder|Not enough privileges/)
    await expect(
      clickhouse.command('CREATE TABLE default.x (a UInt8) ENGINE = Memory'),
    ).rejects.toThrow(/Not enough privileges/)
    await expect(clickhouse.query('SELECT * FROM default.`/etc/passwd`')).rejects.toThrow()
  })

  test('a second process that opens the folder is told so', async () => {
    await using clickhouse = await openIn(folder)
    expect(await clickhouse.query('SELECT 1 AS one')).toEqual([{ one: 1 }])
    const program = `
      const { openEmbeddedClickHouse } = await import('${new URL('../../../services/lib/clickhouse/embedded.ts', import.meta.url).href}')
      try {
        await openEmbeddedClickHouse({ folder: '${folder}', database: 'cairn', memory_bytes_max: ${memory_bytes_max} })
        console.log('opened')
      } catch (error) { console.log(error.code) }
      process.exit(0)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    await new Promise((resolve) => child.once('exit', resolve))
    expect(said.trim()).toBe('store_unavailable')
  })
})
