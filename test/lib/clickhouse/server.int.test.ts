import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, test } from 'vitest'
import { openServerClickHouse } from '#lib/clickhouse/server.ts'
import { clickHouseContract } from './contract.ts'

const child_file = new URL('./server-child.ts', import.meta.url).pathname

clickHouseContract('HTTP', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-clickhouse-'))
  const child = spawn(process.execPath, [child_file, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
  })
  const port = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve)
    child.once('exit', () => reject(new Error('the server did not start')))
  })
  const clickhouse = openServerClickHouse({
    url: `http://127.0.0.1:${port}`,
    user: 'default',
    password: '',
    database: 'cairn',
  })
  return {
    clickhouse,
    async [Symbol.asyncDispose]() {
      await clickhouse[Symbol.asyncDispose]()
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGKILL')
      await ended
      await rm(folder, { recursive: true, force: true })
    },
  }
})

// A server of one's own: CAIRN_TEST_CLICKHOUSE_URL=http://user:password@host:8123
const own = process.env['CAIRN_TEST_CLICKHOUSE_URL']
if (own !== undefined)
  clickHouseContract('a server', async () => {
    const { username, password, origin } = new URL(own)
    const database = `cairn_test_${process.pid}`
    const clickhouse = openServerClickHouse({ url: origin, user: username, password, database })
    return {
      clickhouse,
      async [Symbol.asyncDispose]() {
        await clickhouse.command(`DROP DATABASE ${database}`)
        await clickhouse[Symbol.asyncDispose]()
      },
    }
  })

describe('a server that is not there', () => {
  test('is unavailable, which may pass', async () => {
    await using clickhouse = openServerClickHouse({
      url: 'http://127.0.0.1:1',
      user: 'default',
      password: '',
      database: 'cairn',
    })
    await expect(clickhouse.query('SELECT 1')).rejects.toMatchObject({ code: 'store_unavailable' })
    await expect(clickhouse.command('SELECT 1')).rejects.toMatchObject({
      code: 'store_unavailable',
    })
  })
})
