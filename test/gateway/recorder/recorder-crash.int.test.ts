import { spawn } from 'node:child_process'
import { cp, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { openJournalWalk } from '../../../services/gateway/recorder/journal-walk.ts'
import { journalFolder } from '../../../services/gateway/recorder/recorder-parts.ts'
import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'
import {
  byEpoch,
  bySession,
  chainOf,
  firstHole,
  gateway_name,
  readLog,
  recorderOptions,
  temporaryFolder,
  withoutDuplicates,
  type LoggedRecord,
  type TestLimits,
} from './recorder-support.ts'

const child_file = new URL('./recording-child.ts', import.meta.url).pathname

/** Runs the child for a while after its first acknowledged command and kills it; gives every line that it printed whole. */
const runAndKill = async (
  folder: string,
  limits: TestLimits,
  alive_ms: number,
): Promise<string[]> => {
  const child = spawn(process.execPath, [child_file, folder, JSON.stringify(limits)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    child.once('exit', (_, signal) => resolve(signal)),
  )
  const lines: string[] = []
  let last = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (last = text.slice(-1)))
  for await (const line of createInterface({ input: child.stdout })) {
    if (lines.length === 0) setTimeout(() => child.kill('SIGKILL'), alive_ms)
    lines.push(line)
  }
  expect(await ended).toBe('SIGKILL')
  // The last line may be cut in the middle.
  return lines.slice(1, last === '\n' ? undefined : -1)
}

/** Every record that the journal of a dead process holds, by its leaf, as it lies there. */
const journalRecords = async (data_dir: string): Promise<Map<string, Buffer>> => {
  await using copy = await temporaryFolder()
  await cp(journalFolder(data_dir, gateway_name), copy.path, { recursive: true })
  using walk = openJournalWalk(copy.path, { segment: 0, offset: 0 })
  const records = new Map<string, Buffer>()
  for (let item = walk.next(null); item.kind !== 'wait'; item = walk.next(null)) {
    expect(item.kind).not.toBe('fault')
    if (item.kind === 'frame')
      records.set(item.frame.header.toString('hex'), Buffer.from(item.frame.value))
  }
  return records
}

const textOf = (record: LoggedRecord | undefined): string =>
  record?.decoded.ok === true && record.decoded.type === 'command.received'
    ? record.decoded.event.text
    : ''

const expectAcknowledged = (sessions: Map<string, LoggedRecord[]>, lines: string[]): void => {
  for (const line of lines) {
    const [session = '', sseq = '', ...text] = line.split(' ')
    const records = sessions.get(session)
    expect(records?.[Number(sseq)]?.code).toBe('CRN1201I')
    expect(textOf(records?.[Number(sseq) - 1])).toBe(text.join(' '))
  }
}

const expectPredecessors = (epochs: LoggedRecord[][]): void => {
  const leaves = new Map(epochs.flat().map((record) => [record.leaf, record]))
  for (const [first] of epochs) {
    if (first?.decoded.ok !== true || first.decoded.type !== 'gateway.started')
      throw new Error('an epoch that does not begin with gateway.started')
    const { predecessor } = first.decoded.event
    if (predecessor === null) continue
    const last = leaves.get(predecessor.leaf.toString('hex'))
    expect(last?.header).toMatchObject({ epoch: predecessor.epoch, gseq: predecessor.gseq })
    expect(predecessor.clean).toBe(last?.code === 'CRN1002I')
  }
}

for (const limits of [
  { durability: 'disk', segment_bytes: 256 * 1024 },
  { durability: 'broker', segment_bytes: 1024 * 1024 },
] satisfies TestLimits[])
  test(`durability ${limits.durability}: after kill -9 at any moment the log gets every acknowledged record, byte for byte`, async () => {
    await using folder = await temporaryFolder()
    const acknowledged: string[] = []
    const journaled = new Map<string, Buffer>()
    const kills = 10
    for (let kill = 0; kill < kills; kill++) {
      acknowledged.push(...(await runAndKill(folder.path, limits, (kill * 37) % 230)))
      for (const [header, value] of await journalRecords(folder.path)) journaled.set(header, value)
    }
    await (await openRecorder(recorderOptions(folder.path, limits)))[Symbol.asyncDispose]()

    const logged = await readLog(folder.path)
    const { unique } = withoutDuplicates(logged)
    const epochs = [...byEpoch(unique).values()]
    expect(epochs.length).toBe(kills + 1)
    for (const epoch of epochs) expect(firstHole(epoch)).toBeNull()
    expectPredecessors(epochs)
    const sessions = bySession(unique)
    for (const records of sessions.values()) expect(chainOf(records)).toMatchObject({ ok: true })
    expect(acknowledged.length).toBeGreaterThan(200)
    expectAcknowledged(sessions, acknowledged)
    const by_header = new Map(
      unique.map(({ header_bytes, value }) => [header_bytes.toString('hex'), value]),
    )
    for (const [header, value] of journaled)
      expect(by_header.get(header)?.equals(value), 'a record of the journal').toBe(true)
    // What the log has is let go.
    const left = await readdir(journalFolder(folder.path, gateway_name))
    expect(left.filter((name) => name.startsWith('segment-')).length).toBeLessThan(6)
    expect(left.filter((name) => name.startsWith('spare-')).length).toBeLessThan(3)
    expect(left.filter((name) => name.startsWith('damaged-'))).toEqual([])
    expect(left).not.toContain(join('owner'))
  })
