import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { projections } from '../../services/replay/projections/index.ts'
import { eventually } from '../support/eventually.ts'
import { openGatewayLog, type Produced } from './gateway-log.ts'
import { openReplayRig, type ReplayProcess, type ReplayRig } from './rig.ts'

type Tables = Record<string, { readonly rows: number; readonly sum: string }>

/** Rows of each table, and a checksum over every column of every row, whatever their order. */
const tablesOf = async (replay: ReplayProcess): Promise<Tables> => {
  const tables: Tables = {}
  for (const { table } of projections) {
    const [found] = await replay.rows<{ rows: number; sum: string }>(
      `SELECT count() AS rows, toString(groupBitXor(sipHash64(tuple(*)))) AS sum FROM ${table}`,
    )
    tables[table] = found!
  }
  return tables
}

const countBy = (produced: readonly Produced[]): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const { record } of produced) {
    const code = record.headers['cairn-code']!.toString()
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  return counts
}

const expectExact = async (replay: ReplayProcess, produced: readonly Produced[]): Promise<void> => {
  const codes = await replay.rows<{ code: string; n: number; places: number }>(
    `SELECT code, count() AS n, uniqExact(topic, partition, offset) AS places FROM records GROUP BY code`,
  )
  const expected = countBy(produced)
  expect(new Map(codes.map(({ code, n }) => [code, n]))).toEqual(expected)
  for (const { n, places } of codes) expect(places).toBe(n)
  for (const [table, code] of [
    ['session_started', 'CRN1100I'],
    ['session_ended', 'CRN1102I'],
    ['command_received', 'CRN1200I'],
    ['decisions', 'CRN1201I'],
    ['command_ended', 'CRN1203I'],
    ['sessions', 'CRN1100I'],
    ['commands', 'CRN1200I'],
    ['responses', 'CRN1300I'],
  ] as const)
    expect([table, Number(await replay.query(`SELECT count() FROM ${table}`))]).toEqual([
      table,
      expected.get(code) ?? 0,
    ])
}

describe('replay', () => {
  let rig: ReplayRig
  beforeEach(async () => {
    rig = await openReplayRig({ clickhouse: { insert: { rows_max: 700, linger_ms: 20 } } })
  })
  afterEach(() => rig[Symbol.asyncDispose]())

  test('killed at random moments while 20,000 events come in, has every row once', async () => {
    const gateway = openGatewayLog()
    const produced: Produced[] = []
    while (produced.length < 20_000)
      produced.push(...gateway.session({ commands: 5 + (produced.length % 90) }).records)
    const appending = (async () => {
      for (let at = 0; at < produced.length; at += 500) {
        await rig.append(produced.slice(at, at + 500))
        await delay(20)
      }
    })()
    const committed = async (): Promise<number> => {
      const lags = await rig.log.lag('replay', ['cairn.audit'])
      return lags.reduce((sum, { committed }) => sum + Number(committed ?? 0n), 0)
    }
    let midway = 0
    for (let kills = 0; kills < 8; kills++) {
      const before = await committed()
      const replay = await rig.start()
      // Every second one has begun, however slow the machine is.
      if (kills % 2 === 1 && before < produced.length)
        await eventually('it gets on', async () => (await committed()) > before)
      else await delay(50 + Math.random() * 700)
      await replay.kill()
      const done = await committed()
      if (done > 0 && done < produced.length) midway++
    }
    // Otherwise nothing was tried.
    expect(midway).toBeGreaterThan(0)
    await appending
    const replay = await rig.start()
    await rig.caughtUp()
    await expectExact(replay, produced)
  })

  test('records that a gateway ships again are left out, in the same batch and much later', async () => {
    const gateway = openGatewayLog()
    const first = gateway.session({ commands: 200 }).records
    const second = gateway.session({ commands: 3 }).records
    await rig.append([...first.slice(0, 300), ...first.slice(250)])
    {
      await using replay = await rig.start()
      await rig.caughtUp()
      await rig.append(first.slice(100, 400))
      await rig.caughtUp()
      await expectExact(replay, first)
    }
    // A process that has seen none of it.
    const replay = await rig.start()
    await rig.append([...first.slice(500), ...second, ...second])
    await rig.caughtUp()
    await expectExact(replay, [...first, ...second])
  })

  test('two records with one sequence number are both kept and reported', async () => {
    const epoch = Buffer.alloc(16, 7)
    const [one, other] = [openGatewayLog('gw-1/0', epoch), openGatewayLog('gw-1/0', epoch)]
    const record = (gateway: typeof one, reason: string): Produced =>
      gateway.event('gateway.stopped', { reason, records: 1, sessions: 0 })
    const replay = await rig.start()
    await rig.append([record(one, 'truth')])
    await rig.caughtUp()
    await rig.append([record(other, 'lie')])
    await rig.caughtUp()
    expect(await replay.query('SELECT count(), uniqExact(leaf) FROM records')).toBe('2\t2\n')
    expect(replay.stderr()).toContain('two records with one sequence number')
  })

  test('tables that were lost are filled from the log with the same rows, byte for byte', async () => {
    const gateway = openGatewayLog()
    const produced = Array.from(
      { length: 20 },
      () => gateway.session({ commands: 50, text: (at) => `select ${at}; -- '\\\t\n\n` }).records,
    ).flat()
    await rig.append([...produced, ...produced.slice(30, 90)])
    await rig.append([
      {
        topic: 'cairn.audit',
        record: { key: Buffer.from('k'), value: Buffer.from('junk\n\n'), headers: {} },
      },
    ])
    let before: Tables
    {
      await using replay = await rig.start()
      await rig.caughtUp()
      before = await tablesOf(replay)
      expect(before['records']?.rows).toBe(produced.length + 1)
    }
    await rm(join(rig.folder, 'clickhouse'), { recursive: true })
    {
      // Broken off in the middle, it goes on where it was.
      const replay = await rig.start()
      await delay(150)
      await replay.kill()
    }
    const replay = await rig.start()
    await rig.append([])
    const again = async (): Promise<Tables> => tablesOf(replay)
    await expect.poll(again, { timeout: 30_000 }).toEqual(before)
  })

  test('what cannot be read goes to the dead letters with its reason, and is kept raw', async () => {
    const gateway = openGatewayLog()
    const [good] = gateway.session().records
    const { record } = good!
    const broken: readonly [string, Produced['record']][] = [
      ['no_header', { ...record, headers: {} }],
      ['bad_header', { ...record, headers: { 'cairn-leaf': Buffer.from('no leaf') } }],
      ['value_mismatch', { ...record, value: Buffer.concat([record.value, Buffer.from('x')]) }],
    ]
    await rig.append(broken.map(([, one]) => ({ topic: 'cairn.audit', record: one })))
    const replay = await rig.start()
    await rig.caughtUp()
    const kept = await replay.rows<{ problem: string; value: string; n: number }>(
      `SELECT problem, hex(value) AS value FROM records ORDER BY problem`,
    )
    expect(kept).toEqual(
      broken
        .map(([problem, { value }]) => ({ problem, value: value.toString('hex').toUpperCase() }))
        .sort((a, b) => (a.problem < b.problem ? -1 : 1)),
    )
    const letters: [string, string][] = []
    for (const { partition } of await rig.log.lag('none', ['cairn.deadletter']))
      for await (const letter of rig.log.read('cairn.deadletter', partition, 0n))
        letters.push([
          letter.headers['cairn-reason']!.toString(),
          letter.value.toString('hex').toUpperCase(),
        ])
    expect(letters.sort((a, b) => (a[0] < b[0] ? -1 : 1))).toEqual(
      kept.map(({ problem, value }) => [problem, value]),
    )
  })
})
