import { spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { journalFolder } from '../../../services/gateway/recorder/recorder-parts.ts'
import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'
import { eventually } from '../../support/eventually.ts'
import { runOk } from '../../support/run-program.ts'
import { systemTool } from '../../support/tools.ts'
import {
  byEpoch,
  bySession,
  chainOf,
  commandReceived,
  context,
  firstHole,
  gateway_name,
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

const MiB = 1024 * 1024
const prlimit = systemTool('prlimit') ?? ''
const mount = systemTool('mount') ?? ''
const umount = systemTool('umount') ?? ''

const expectWhole = (records: readonly LoggedRecord[], count: number): void => {
  for (const epoch of byEpoch(records).values()) expect(firstHole(epoch)).toBeNull()
  expect(chainOf([...bySession(records).values()][0]!)).toMatchObject({
    ok: true,
    records: count,
    ended: true,
  })
}

test('a full journal refuses, keeps every record, and takes commands again when the log is back', async () => {
  await using folder = await temporaryFolder()
  const down = join(folder.path, 'log-down')
  await writeFile(down, '')
  const limits = {
    bytes_max: MiB,
    segment_bytes: 64 * 1024,
    queue_bytes_max: 256 * 1024,
    durable_timeout_ms: 3_000,
  }
  const recorder = await openRecorder(withGatedLog(recorderOptions(folder.path, limits)))
  const session = recorder.openSession(context, session_started)
  let count = 1
  while (recorder.available && count < 10_000) {
    session.append('response.chunk', responseChunk(1, Buffer.alloc(8_000, count++)))
    await recorder.durable()
  }
  expect(count).toBeGreaterThan(50)
  expect(count).toBeLessThan(131)

  // What belongs to a running command still finds room, until the limit; then nothing becomes durable any more.
  const refusal = await eventually('the refusal', async () => {
    session.append('response.chunk', responseChunk(1, Buffer.alloc(8_000, count++)))
    return recorder.durable().then(
      () => false as const,
      (error: unknown) => error,
    )
  })
  expect(refusal).toMatchObject({ code: 'audit_unavailable' })
  expect(recorder.available).toBe(false)

  await rm(down)
  await eventually('the end of the trouble', () => recorder.available)
  session.append('session.ended', sessionEnded(++count))
  await recorder.durable()
  await recorder[Symbol.asyncDispose]()
  const records = await readLog(folder.path)
  expectWhole(records, count)
  expect(troubles(records).filter((each) => each.startsWith('journal'))).toEqual([
    'journal begin',
    'journal begin',
    'journal end',
    'journal end',
  ])
})

test('more than the queue holds is refused before it gets a number, and memory stays bounded', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path, { queue_bytes_max: 8 * MiB }))
  const session = recorder.openSession(context, session_started)
  const chunk = responseChunk(1, Buffer.alloc(64 * 1024, 7))
  let appended = 1
  let pauses = 0
  const before = process.memoryUsage().arrayBuffers
  let most = before
  for (let i = 0; i < 4_000; i++) {
    if (recorder.congested) {
      pauses++
      await recorder.drained()
      expect(recorder.congested).toBe(false)
    }
    session.append('response.chunk', chunk)
    appended++
    most = Math.max(most, process.memoryUsage().arrayBuffers)
  }
  expect(pauses).toBeGreaterThan(10)
  expect(most - before).toBeLessThan(64 * MiB)

  // Who does not stop when told is refused.
  expect(() => {
    for (let i = 0; i < 200; i++) {
      session.append('response.chunk', chunk)
      appended++
    }
  }).toThrow(expect.objectContaining({ code: 'audit_unavailable' }))
  expect(session.records).toBe(appended)
  await recorder.drained()
  session.append('session.ended', sessionEnded(++appended))
  await recorder.durable()
  await recorder[Symbol.asyncDispose]()
  expectWhole(await readLog(folder.path), appended)
})

test('a value over the limit is refused and changes nothing', async () => {
  await using folder = await temporaryFolder()
  const recorder = await openRecorder(recorderOptions(folder.path))
  const session = recorder.openSession(context, session_started)
  expect(() => session.append('response.chunk', responseChunk(1, Buffer.alloc(17 * MiB)))).toThrow(
    expect.objectContaining({ code: 'limit_exceeded' }),
  )
  expect(() => session.append('command.received', {} as never)).toThrow()
  session.append('session.ended', sessionEnded(2))
  expect(() => session.append('command.received', commandReceived('x'))).toThrow(TypeError)
  await recorder[Symbol.asyncDispose]()
  expectWhole(await readLog(folder.path), 2)
})

test('durability: broker resolves only when the log has it, and refuses after the deadline', async () => {
  await using folder = await temporaryFolder()
  const down = join(folder.path, 'log-down')
  const options = recorderOptions(folder.path, { durability: 'broker', durable_timeout_ms: 2_000 })
  const recorder = await openRecorder(withGatedLog(options))
  const session = recorder.openSession(context, session_started)
  for (let i = 0; i < 5; i++) {
    session.append('command.received', commandReceived(`select ${i}`))
    await recorder.durable()
    const logged = await readLog(folder.path)
    expect(logged.some(({ header }) => header.sseq === session.records - 1)).toBe(true)
  }
  await writeFile(down, '')
  session.append('command.received', commandReceived('not recorded'))
  const begun_ms = performance.now()
  await expect(recorder.durable()).rejects.toMatchObject({ code: 'audit_unavailable' })
  expect(performance.now() - begun_ms).toBeGreaterThan(1_990)
  expect(performance.now() - begun_ms).toBeLessThan(30_000)
  expect(recorder.available).toBe(false)
  await rm(down)
  await eventually('the log taking records again', () => recorder.available)
  session.append('session.ended', sessionEnded(session.records + 1))
  await recorder.durable()
  await recorder[Symbol.asyncDispose]()
  const records = await readLog(folder.path)
  expectWhole(records, 8)
  expect(new Set(troubles(records))).toEqual(
    new Set(['log begin', 'log end', 'journal begin', 'journal end']),
  )
})

/** Limits the size of a process's files (RLIMIT_FSIZE): writes past it fail with EFBIG, as they would on a broken disk. */
const limitFiles = (pid: number, bytes: number | 'unlimited'): Promise<unknown> =>
  runOk(prlimit, [`--pid=${pid}`, `--fsize=${bytes}:`])

test.skipIf(prlimit === '')(
  'writes that fail in the middle of a segment refuse, and the same bytes are written when they work again',
  async () => {
    await using folder = await temporaryFolder()
    const file = new URL('./limited-child.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [file, folder.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const lines: string[] = []
    for await (const line of createInterface({ input: child.stdout })) {
      lines.push(line)
      if (line === 'ready') await limitFiles(child.pid!, 4_096)
      if (line.startsWith('refused')) await limitFiles(child.pid!, 'unlimited')
    }
    const [ready, refused, available, last = ''] = lines
    expect([ready, refused, available]).toEqual(['ready', 'refused audit_unavailable', 'available'])
    const count = Number(/^done (\d+)$/.exec(last)?.[1])
    const records = await readLog(folder.path)
    expectWhole(withoutDuplicates(records).unique, count)
    expect(troubles(records)).toEqual(expect.arrayContaining(['journal begin', 'journal end']))
  },
)

/** A file system of its own that can be full; null without the right to mount one (the test before this one needs none). */
const mountTmpfs = async (
  path: string,
  options: string,
): Promise<(() => Promise<unknown>) | null> => {
  await mkdir(path, { recursive: true })
  try {
    await runOk(mount, ['-t', 'tmpfs', '-o', options, 'tmpfs', path])
  } catch {
    return null
  }
  return () => runOk(umount, ['-l', path])
}

test('a full disk refuses, and recording goes on when there is room again', async ({ skip }) => {
  await using folder = await temporaryFolder()
  const journal = journalFolder(folder.path, gateway_name)
  const unmount = await mountTmpfs(journal, 'size=3m')
  if (unmount === null) {
    skip('needs the right to mount a tmpfs')
    return
  }
  try {
    const recorder = await openRecorder(
      recorderOptions(folder.path, { segment_bytes: MiB, durable_timeout_ms: 300 }),
    )
    const filler = join(journal, 'filler')
    await writeFile(filler, Buffer.alloc(3 * MiB)).catch(() => undefined)
    const session = recorder.openSession(context, session_started)
    const refusal = await eventually('the refusal', async () => {
      for (let i = 0; i < 20; i++)
        session.append('response.chunk', responseChunk(1, Buffer.alloc(16_000, session.records)))
      return recorder.durable().then(
        () => false as const,
        (error: unknown) => error,
      )
    })
    expect(refusal).toMatchObject({ code: 'audit_unavailable' })
    expect(recorder.available).toBe(false)
    await rm(filler)
    await eventually('room again', () => recorder.available)
    session.append('session.ended', sessionEnded(session.records + 1))
    await recorder.durable()
    const count = session.records
    await recorder[Symbol.asyncDispose]()
    const records = await readLog(folder.path)
    expectWhole(records, count)
    expect(troubles(records).at(0)).toBe('journal begin')
    expect(troubles(records).at(-1)).toBe('journal end')
  } finally {
    await unmount()
  }
})

for (const mode of ['size=1m,ro', 'size=512k'])
  test(`a journal that cannot be written is refused at the start (${mode})`, async ({ skip }) => {
    await using folder = await temporaryFolder()
    const journal = journalFolder(folder.path, gateway_name)
    const unmount = await mountTmpfs(journal, mode)
    if (unmount === null) {
      skip('needs the right to mount a tmpfs')
      return
    }
    try {
      await expect(openRecorder(recorderOptions(folder.path))).rejects.toMatchObject({
        code: 'audit_unavailable',
      })
    } finally {
      await unmount()
    }
  })
