import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { metricsText } from '#lib/metrics.ts'
import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'
import { eventually } from '../../support/eventually.ts'
import {
  byEpoch,
  bySession,
  chainOf,
  commandReceived,
  context,
  decisionMade,
  firstHole,
  readLog,
  recorderOptions,
  responseChunk,
  session_started,
  sessionEnded,
  temporaryFolder,
  troubles,
  withGatedLog,
  withoutDuplicates,
  type LoggedRecord,
} from './recorder-support.ts'

const codes = (records: readonly LoggedRecord[]): string[] => records.map(({ code }) => code)

test('what is recorded arrives in the log: whole chains, dense numbers, keys and codes', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path))
  const sessions = [0, 1].map(() => recorder.openSession(context, session_started))
  for (let turn = 0; turn < 20; turn++)
    for (const session of sessions) {
      const command = session.append('command.received', commandReceived(`select ${turn}`))
      session.append('decision.made', decisionMade(command))
      await recorder.durable()
    }
  for (const session of sessions) session.append('session.ended', sessionEnded(session.records + 1))
  await recorder[Symbol.asyncDispose]()

  const { unique, duplicates } = withoutDuplicates(await readLog(folder.path))
  expect(duplicates).toBe(0)
  const epochs = [...byEpoch(unique).values()]
  expect(epochs.length).toBe(1)
  expect(firstHole(epochs[0]!)).toBeNull()
  expect(codes(epochs[0]!).at(0)).toBe('CRN1000I')
  expect(codes(epochs[0]!).at(-1)).toBe('CRN1002I')
  const chains = bySession(unique)
  expect([...chains.keys()].sort()).toEqual(sessions.map(({ id }) => id.toString('hex')).sort())
  for (const records of chains.values()) {
    expect(chainOf(records)).toMatchObject({ ok: true, records: 42, ended: true })
    expect(records.every(({ decoded }) => decoded.ok)).toBe(true)
    for (const { decoded, key, header } of records.slice(1))
      expect(
        decoded.ok && decoded.event.context.session.equals(key) && header.session.equals(key),
      ).toBe(true)
  }
  for (const { code, header, decoded } of unique) {
    expect(code).toBe(header.code)
    expect(decoded.ok && decoded.event.time).toBe(header.wall_us)
  }
})

test('a caller may use its buffers again as soon as append returns', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path))
  const session = recorder.openSession(context, session_started)
  const buffer = Buffer.alloc(1000, 'a')
  session.append('response.chunk', responseChunk(1, buffer))
  buffer.fill('b')
  session.append('response.chunk', responseChunk(1, buffer))
  await recorder[Symbol.asyncDispose]()
  const chunks = [...bySession(await readLog(folder.path)).values()][0]!.slice(1)
  const texts = chunks.map(({ decoded }) =>
    decoded.ok && decoded.type === 'response.chunk' ? decoded.event.bytes.toString() : '',
  )
  expect(texts).toEqual(['a'.repeat(1000), 'b'.repeat(1000)])
})

test('values of a megabyte and more cross segments of any size', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path, { segment_bytes: 64 * 1024 }))
  const session = recorder.openSession(context, session_started)
  for (const [index, bytes] of [1, 70_000, 1_048_576, 3_000_000, 10, 65_536].entries())
    session.append('response.chunk', responseChunk(1, Buffer.alloc(bytes, index)))
  await recorder.durable()
  session.append('session.ended', sessionEnded(session.records + 1))
  await recorder[Symbol.asyncDispose]()
  const chain = [...bySession(await readLog(folder.path)).values()][0]!
  expect(chainOf(chain)).toMatchObject({ ok: true, records: 8, ended: true })
})

test('ten thousand sessions stay apart', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path))
  const sessions = Array.from({ length: 10_000 }, () =>
    recorder.openSession(context, session_started),
  )
  for (const session of sessions) session.append('command.received', commandReceived('select 1'))
  for (const session of sessions.toReversed()) session.append('session.ended', sessionEnded(3))
  await recorder.durable()
  await recorder[Symbol.asyncDispose]()
  const records = await readLog(folder.path)
  expect(firstHole([...byEpoch(records).values()][0]!)).toBeNull()
  const chains = bySession(records)
  expect(chains.size).toBe(10_000)
  for (const chain of chains.values())
    expect(chainOf(chain)).toMatchObject({ ok: true, records: 3, ended: true })
})

test('an epoch names the one before it, and how that ended', async () => {
  await using folder = await temporaryFolder()
  const options = recorderOptions(folder.path)
  for (let start = 0; start < 3; start++) {
    const recorder = await openRecorder(options)
    recorder.openSession(context, session_started)
    await recorder[Symbol.asyncDispose]()
  }
  const epochs = [...byEpoch(await readLog(folder.path)).values()].sort(
    (a, b) => a[0]!.header.wall_us - b[0]!.header.wall_us,
  )
  expect(epochs.length).toBe(3)
  const predecessors = epochs.map(([first]) =>
    first?.decoded.ok === true && first.decoded.type === 'gateway.started'
      ? first.decoded.event.predecessor
      : undefined,
  )
  expect(predecessors[0]).toBeNull()
  for (const index of [1, 2]) {
    const last = epochs[index - 1]!.at(-1)!
    expect(predecessors[index]).toMatchObject({ gseq: last.header.gseq, clean: true })
    expect(predecessors[index]?.epoch.equals(last.header.epoch)).toBe(true)
    expect(predecessors[index]?.leaf.toString('hex')).toBe(last.leaf)
  }
})

test('a heartbeat tells sizes each second', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path))
  const session = recorder.openSession(context, session_started)
  session.append('command.received', commandReceived('select 1'))
  const beats = await eventually('a heartbeat in the log', async () => {
    const records = await readLog(folder.path)
    const found = records.filter(({ code }) => code === 'CRN1001I')
    return found.length > 0 && found
  })
  expect(beats[0]!.decoded).toMatchObject({ event: { open_sessions: 1, commands: 1, refused: 0 } })
  await recorder[Symbol.asyncDispose]()
})

test('a second process is refused the journal, and the first goes on', async () => {
  await using folder = await temporaryFolder()
  const options = recorderOptions(folder.path)
  const recorder = await openRecorder(options)
  await expect(openRecorder(options)).rejects.toMatchObject({ code: 'audit_unavailable' })
  recorder.openSession(context, session_started)
  await recorder.durable()
  await recorder[Symbol.asyncDispose]()
  await (await openRecorder(options))[Symbol.asyncDispose]()
})

test('while the log is down recording goes on, and the log gets everything once it is back', async () => {
  await using folder = await temporaryFolder()
  const down = join(folder.path, 'log-down')
  const recorder = await openRecorder(withGatedLog(recorderOptions(folder.path)))
  await writeFile(down, '')
  const session = recorder.openSession(context, session_started)
  for (let i = 0; i < 200; i++) {
    session.append('command.received', commandReceived(`select ${i}`))
    await recorder.durable()
  }
  await eventually('the shipper in trouble', async () =>
    /cairn_recorder_troubles_total\{part="log"\} [1-9]/.test(await metricsText()),
  )
  expect(recorder.available).toBe(true)
  await rm(down)
  session.append('session.ended', sessionEnded(202))
  await eventually('trouble and its end in the log', async () => {
    const trouble = troubles(await readLog(folder.path))
    return trouble.join() === 'log begin,log end'
  })
  await recorder[Symbol.asyncDispose]()
  const records = await readLog(folder.path)
  expect(firstHole([...byEpoch(records).values()][0]!)).toBeNull()
  expect(chainOf([...bySession(records).values()][0]!)).toMatchObject({ records: 202, ended: true })
})

test('what a stopped gateway could not ship goes to the log at the next start, as it was', async () => {
  await using folder = await temporaryFolder()
  const down = join(folder.path, 'log-down')
  await writeFile(down, '')
  const options = withGatedLog(recorderOptions(folder.path, { segment_bytes: 64 * 1024 }))
  const first = await openRecorder(options)
  const session = first.openSession(context, session_started)
  for (let i = 0; i < 1_000; i++) session.append('command.received', commandReceived(`select ${i}`))
  await first[Symbol.asyncDispose]()
  expect(await readLog(folder.path)).toEqual([])
  await rm(down)
  const second = await openRecorder(options)
  await second[Symbol.asyncDispose]()
  const { unique } = withoutDuplicates(await readLog(folder.path))
  const epochs = byEpoch(unique)
  expect(epochs.size).toBe(2)
  for (const epoch of epochs.values()) expect(firstHole(epoch)).toBeNull()
  expect(chainOf([...bySession(unique).values()][0]!)).toMatchObject({ ok: true, records: 1_001 })
  const started = [...epochs.values()].flatMap(([first]) =>
    first?.decoded.ok === true && first.decoded.type === 'gateway.started'
      ? [first.decoded.event.recovered_records]
      : [],
  )
  expect(Math.max(...started)).toBeGreaterThanOrEqual(1_003)
})

test('what a process left that is not started any more is shipped by the first one', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'log-down'), '')
  const options = withGatedLog(recorderOptions(folder.path, { segment_bytes: 64 * 1024 }))
  const gone = await openRecorder({ ...options, gateway: { name: 'gw-test/1' } })
  const session = gone.openSession(context, session_started)
  for (let i = 0; i < 300; i++) session.append('command.received', commandReceived(`select ${i}`))
  await gone[Symbol.asyncDispose]()
  const busy = await openRecorder({ ...options, gateway: { name: 'gw-old/0' } })
  await rm(join(folder.path, 'log-down'))

  const first = await openRecorder(options)
  await eventually('the records of the process that is gone', async () =>
    bySession(await readLog(folder.path)).has(session.id.toString('hex')),
  )
  await first[Symbol.asyncDispose]()
  // The journal of a living process is its own.
  busy.openSession(context, session_started)
  await busy.durable()
  await busy[Symbol.asyncDispose]()
  const { unique, duplicates } = withoutDuplicates(await readLog(folder.path))
  expect(duplicates).toBe(0)
  expect(byEpoch(unique).size).toBe(3)
  for (const epoch of byEpoch(unique).values()) expect(firstHole(epoch)).toBeNull()
  expect(chainOf(bySession(unique).get(session.id.toString('hex'))!)).toMatchObject({
    ok: true,
    records: 301,
  })
})
