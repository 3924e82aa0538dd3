import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { listSegments } from '../../../services/gateway/recorder/journal-walk.ts'
import {
  openJournal,
  type Journal,
  type Segment,
} from '../../../services/gateway/recorder/journal.ts'
import { recoverJournal } from '../../../services/gateway/recorder/recovery.ts'
import { segment_head_bytes } from '../../../services/gateway/recorder/segment.ts'
import { eventually } from '../../support/eventually.ts'
import { temporaryFolder } from './recorder-support.ts'

const segment_bytes = 64 * 1024
const group = Buffer.alloc(1024, 7)

/** A journal and what it told of trouble with its segments: the reason, or null for the end of it. */
const openTestJournal = async (folder: string) => {
  const told: (string | null)[] = []
  const journal = await openJournal({
    folder,
    segment_bytes,
    epoch: Buffer.alloc(16, 1),
    gateway: Buffer.alloc(16, 2),
    salt: () => 1,
    onTrouble: (error) => told.push(error?.message ?? null),
    onNote: (message) => told.push(message),
  })
  return { journal, told }
}

const writeGroup = (journal: Journal, segment: Segment, offset: number): Promise<void> =>
  promisify((done: (error: Error | null) => void) =>
    journal.write(segment, group, group.length, offset, done),
  )()

/** A folder where the segment's file would be begun: it cannot be made while the folder stands. */
const obstruct = async (folder: string, number: number): Promise<string> => {
  const path = join(folder, `new-${number}.journal`)
  await mkdir(path)
  return path
}

test('a segment is made only when the one before it is there, so that it cannot take its room', async () => {
  await using folder = await temporaryFolder()
  const { journal, told } = await openTestJournal(folder.path)
  const obstacle = await obstruct(folder.path, 2)
  journal.nextSegment(0)
  const [second, third] = [journal.nextSegment(1), journal.nextSegment(2)]
  // One attempt for each at once, then further ones.
  await eventually('three attempts', () => told.length >= 3)
  expect(listSegments(folder.path)).toEqual([1])
  await expect(writeGroup(journal, second, segment_head_bytes)).rejects.toThrow('EISDIR')

  await rmdir(obstacle)
  await eventually('the end of the trouble', () => told.at(-1) === null)
  await writeGroup(journal, second, segment_head_bytes)
  await writeGroup(journal, third, segment_head_bytes)
  expect(listSegments(folder.path)).toEqual([1, 2, 3])
  expect(told.filter((each) => each === null)).toHaveLength(1)
  await journal[Symbol.asyncDispose]()
})

test('a journal ends while segments cannot be made, and none is missing at the next start', async () => {
  await using folder = await temporaryFolder()
  const { journal, told } = await openTestJournal(folder.path)
  const first = journal.nextSegment(0)
  await writeGroup(journal, first, segment_head_bytes)
  const obstacle = await obstruct(folder.path, 2)
  journal.nextSegment(1)
  journal.nextSegment(2)
  await eventually('two attempts', () => told.length >= 2)
  await journal[Symbol.asyncDispose]()
  await rmdir(obstacle)
  expect(await recoverJournal(folder.path)).toMatchObject({ next_segment: 2, faults: [] })
})

test('the end of a segment makes none ahead when the one behind it is already taken', async () => {
  await using folder = await temporaryFolder()
  const { journal } = await openTestJournal(folder.path)
  const first = journal.nextSegment(0)
  await writeGroup(journal, first, segment_bytes / 2)
  const second = journal.nextSegment(1)
  await writeGroup(journal, first, segment_bytes - group.length)
  await writeGroup(journal, second, segment_head_bytes)
  await journal[Symbol.asyncDispose]()
  expect(listSegments(folder.path)).toEqual([1, 2])
})
