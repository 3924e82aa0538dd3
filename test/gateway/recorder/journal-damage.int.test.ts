import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, open, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openJournalWalk, type WalkItem } from '../../../services/gateway/recorder/journal-walk.ts'
import { journalFolder } from '../../../services/gateway/recorder/recorder-parts.ts'
import { openRecorder } from '../../../services/gateway/recorder/recorder.ts'
import { recoverJournal } from '../../../services/gateway/recorder/recovery.ts'
import {
  encodeHead,
  frameBytes,
  group_first,
  segment_head_bytes,
  segmentName,
  writeFrame,
} from '../../../services/gateway/recorder/segment.ts'
import {
  bySession,
  commandReceived,
  context,
  gateway_name,
  readLog,
  recorderOptions,
  session_started,
  temporaryFolder,
  troubles,
  withGatedLog,
  withoutDuplicates,
} from './recorder-support.ts'

const segment_bytes = 64 * 1024
const salt = 0x1234_5678
const epoch = Buffer.alloc(16, 1)
const gateway = Buffer.alloc(16, 2)

type TestFrame = { readonly first: boolean; readonly value: Buffer; readonly gseq?: number }

/** A segment's bytes with these frames, over `rest`; and where each frame begins and the last one ends. */
const segmentOf = (
  number: number,
  frames: readonly TestFrame[],
  first_gseq = 0,
  rest: Buffer = Buffer.alloc(segment_bytes),
  own_salt = salt,
) => {
  const bytes = Buffer.from(rest)
  encodeHead({ number, salt: own_salt, epoch, gateway }).copy(bytes)
  const offsets = [segment_head_bytes]
  for (const [index, { first, value, gseq }] of frames.entries()) {
    const at = offsets.at(-1)!
    const end = writeFrame(bytes, at, own_salt, at, first ? group_first : 0, {
      gseq: gseq ?? first_gseq + index,
      topic: 0,
      key: gateway,
      code: Buffer.from('CRN1001I'),
      header: Buffer.alloc(40, 3),
      header_at: 0,
      header_bytes: 40,
      value,
      value_bytes: value.length,
    })
    expect(end - at).toBe(frameBytes(16, 8, 40, value.length))
    offsets.push(end)
  }
  return { bytes, offsets }
}

const walkAll = (folder: string): WalkItem[] => {
  using walk = openJournalWalk(folder, { segment: 0, offset: 0 })
  const items: WalkItem[] = []
  for (let item = walk.next(null); item.kind !== 'wait'; item = walk.next(null)) items.push(item)
  return items
}

const values = (items: readonly WalkItem[]): string[] =>
  items.flatMap((item) => (item.kind === 'frame' ? [item.frame.value.toString()] : []))

const kinds = (items: readonly WalkItem[]): string[] => items.map(({ kind }) => kind)

const frame = (text: string, first = true): TestFrame => ({ first, value: Buffer.from(text) })

test('a write torn at any byte of the last group loses that group and nothing before it', async () => {
  await using folder = await temporaryFolder()
  const { bytes, offsets } = segmentOf(1, [
    frame('one'),
    frame('two'),
    frame('three'),
    frame('four', false),
  ])
  const stale = segmentOf(
    7,
    Array.from({ length: 20 }, (_, index) => frame(`stale ${index}`)),
    0,
    undefined,
    0x0bad_cafe,
  ).bytes
  const path = join(folder.path, segmentName(1))
  for (const rest of [Buffer.alloc(segment_bytes), stale])
    for (let cut = offsets[2]!; cut < offsets[4]!; cut++) {
      const torn = Buffer.from(rest)
      bytes.copy(torn, 0, 0, cut)
      await writeFile(path, torn)
      const items = walkAll(folder.path)
      const whole = cut >= offsets[3]! ? ['one', 'two', 'three'] : ['one', 'two']
      // Zeros at the end of a value may be all that is missing.
      expect(values(items).slice(0, whole.length)).toEqual(whole)
      expect(kinds(items)).not.toContain('fault')
      const recovered = await recoverJournal(folder.path)
      expect(recovered.faults).toEqual([])
      expect(recovered.torn.length).toBe(kinds(items).filter((kind) => kind === 'torn').length)
      // What was cut off is not found again.
      expect((await recoverJournal(folder.path)).torn).toEqual([])
    }
})

test('sectors of the last group that arrived out of order are a torn tail, too', async () => {
  await using folder = await temporaryFolder()
  const { bytes, offsets } = segmentOf(1, [
    frame('one'),
    frame('two'),
    frame('three', false),
    frame('four', false),
  ])
  bytes.fill(0, offsets[1], offsets[2])
  await writeFile(join(folder.path, segmentName(1)), bytes)
  const items = walkAll(folder.path)
  expect(values(items)).toEqual(['one'])
  expect(kinds(items)).toEqual(['frame', 'torn'])
})

test('every flipped byte of a durable group is found, and what is behind it is still read', async () => {
  await using folder = await temporaryFolder()
  const { bytes, offsets } = segmentOf(1, [
    frame('one'),
    frame('two'),
    frame('three'),
    frame('four'),
  ])
  const path = join(folder.path, segmentName(1))
  const padding = (offsets[2]! - offsets[1]!) % 8
  expect(padding).toBe(0)
  const content_end = offsets[1]! + 32 + 16 + 8 + 40 + 'two'.length
  for (let at = offsets[1]!; at < content_end; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at] = damaged[at]! ^ 0x41
    await writeFile(path, damaged)
    const items = walkAll(folder.path)
    expect(values(items)).toEqual(['one', 'three', 'four'])
    expect(kinds(items).filter((kind) => kind === 'fault').length).toBeGreaterThan(0)
  }
})

test('missing records, segments and heads are found', async () => {
  await using folder = await temporaryFolder()
  const write = (number: number, frames: readonly TestFrame[], gseq: number): Promise<void> =>
    writeFile(join(folder.path, segmentName(number)), segmentOf(number, frames, gseq).bytes)
  await write(1, [frame('0')], 0)
  await write(2, [frame('2')], 2)
  const gap = walkAll(folder.path)
  expect(values(gap)).toEqual(['0', '2'])
  expect(gap[1]).toMatchObject({ kind: 'fault', segment: 2 })

  await write(2, [frame('1')], 1)
  await write(4, [frame('2')], 2)
  expect(kinds(walkAll(folder.path))).toEqual(['frame', 'frame', 'fault', 'frame'])

  await rm(join(folder.path, segmentName(4)))
  await write(3, [frame('2')], 2)
  expect(kinds(walkAll(folder.path))).toEqual(['frame', 'frame', 'frame'])
  const file = await open(join(folder.path, segmentName(2)), 'r+')
  await file.write(Buffer.from([0xff]), 0, 1, 20)
  await file.close()
  expect(values(walkAll(folder.path))).toEqual(['0', '2'])
  expect(kinds(walkAll(folder.path))).toContain('fault')
})

test('frames inside a value never pass for records', async () => {
  await using folder = await temporaryFolder()
  const inner = segmentOf(1, [frame('forged'), frame('forged too')]).bytes
  // A client that had read the journal could place these bytes; their place in the file gives them away.
  const value = inner.subarray(segment_head_bytes, segment_head_bytes + 512)
  const { bytes, offsets } = segmentOf(1, [frame('one'), { first: true, value }, frame('three')])
  bytes[offsets[1]! + 40] = bytes[offsets[1]! + 40]! ^ 1
  await writeFile(join(folder.path, segmentName(1)), bytes)
  expect(values(walkAll(folder.path))).toEqual(['one', 'three'])
})

/** A stopped gateway's journal with everything still to be shipped; gives the path of its first segment. */
const unshippedJournal = async (data_dir: string): Promise<string> => {
  const recorder = await openRecorder(withGatedLog(recorderOptions(data_dir, { segment_bytes })))
  const session = recorder.openSession(context, session_started)
  for (let i = 0; i < 300; i++) {
    session.append('command.received', commandReceived(`select ${i}`))
    if (i % 10 === 0) await recorder.durable()
  }
  await recorder[Symbol.asyncDispose]()
  const folder = journalFolder(data_dir, gateway_name)
  const first = (await readdir(folder)).filter((name) => name.startsWith('segment-')).sort()[0]!
  return join(folder, first)
}

test('a damaged journal is said to be so: what is good is shipped, the segment is kept aside', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'log-down'), '')
  const path = await unshippedJournal(folder.path)
  const bytes = await readFile(path)
  randomBytes(64).copy(bytes, 20_000)
  await writeFile(path, bytes)
  await copyFile(path, join(folder.path, 'before'))
  await rm(join(folder.path, 'log-down'))
  const recorder = await openRecorder(withGatedLog(recorderOptions(folder.path, { segment_bytes })))
  await recorder[Symbol.asyncDispose]()

  const { unique } = withoutDuplicates(await readLog(folder.path))
  const records = [...bySession(unique).values()][0]!
  expect(records.length).toBeGreaterThan(290)
  expect(records.length).toBeLessThan(301)
  expect(records.at(-1)?.header.sseq).toBe(300)
  expect(troubles(unique)).toContain('journal begin')
  const aside = (await readdir(join(path, '..'))).filter((name) => name.startsWith('damaged-'))
  expect(aside.length).toBe(1)
  const kept = await readFile(join(path, '..', aside[0]!))
  expect(kept.equals(await readFile(join(folder.path, 'before')))).toBe(true)
})

test('files that an interrupted preparation left do no harm', async () => {
  await using folder = await temporaryFolder()
  const journal = journalFolder(folder.path, gateway_name)
  await mkdir(journal, { recursive: true })
  await writeFile(join(journal, 'new-9.journal'), 'half')
  await writeFile(join(journal, 'spare-3.journal'), Buffer.alloc(segment_bytes, 9))
  await writeFile(join(journal, 'spare-4.journal'), 'of another size')
  await writeFile(join(journal, 'position'), 'nonsense')
  const recorder = await openRecorder(recorderOptions(folder.path, { segment_bytes }))
  recorder.openSession(context, session_started)
  await recorder[Symbol.asyncDispose]()
  expect(bySession(await readLog(folder.path)).size).toBe(1)
  expect((await readdir(journal)).sort()).toEqual(['lock', 'position', segmentName(1)])
})
