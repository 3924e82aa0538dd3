import { closeSync, fsyncSync, ftruncateSync, openSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { join } from 'node:path'
import { decodeHeader, leafHash } from '#core/events/header.ts'
import { listSegments, openJournalWalk } from './journal-walk.ts'
import { openShipPosition } from './ship-position.ts'
import {
  isBefore,
  segment_head_bytes,
  segmentName,
  type Frame,
  type JournalPosition,
} from './segment.ts'

/** Records read before the event loop gets a turn. */
const records_per_turn = 4096

/** Last record of the epoch before this one. */
export type Predecessor = {
  readonly epoch: Buffer
  readonly gseq: number
  readonly leaf: Buffer
  /** Whether it was gateway.stopped. */
  readonly clean: boolean
}

export type RecoveredSegment = {
  readonly number: number
  /** Where its last record ends; `segment_head_bytes` if it has none. */
  readonly end: number
}

/** What was found in the journal at start. */
export type Recovery = {
  readonly segments: readonly RecoveredSegment[]
  /** Number of the segment after the last. */
  readonly next_segment: number
  /** Records that were not in the log yet, as far as the position tells. */
  readonly records: number
  /** From where on they stand. */
  readonly shipped: JournalPosition
  readonly predecessor: Predecessor | null
  /** Ends of segments that were cut because a write had not finished there. */
  readonly torn: readonly JournalPosition[]
  /** Durable records that cannot be read any more; empty unless the disk or somebody damaged the journal. */
  readonly faults: readonly JournalFault[]
}

export type JournalFault = { readonly segment: number; readonly detail: string }

const cut = (folder: string, { segment, offset }: JournalPosition): void => {
  const fd = openSync(join(folder, segmentName(segment)), 'r+')
  try {
    ftruncateSync(fd, offset)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const endOf = (frame: Frame): Predecessor | null => {
  const decoded = decodeHeader(frame.header)
  if (!decoded.ok) return null
  const { epoch, gseq } = decoded.header
  const clean = frame.code.toString('latin1') === 'CRN1002I'
  return { epoch, gseq, leaf: leafHash(frame.header), clean }
}

const shippedPosition = (folder: string): JournalPosition => {
  using position = openShipPosition(folder)
  return position.found ?? { segment: 0, offset: segment_head_bytes }
}

/**
 * Reads a journal that an earlier process left: what still has to go to the log, how that process ended, and whether
 * everything durable is still there. A torn tail is cut off, everything else stays as it is.
 * @throws the file system's error when the journal cannot be read
 */
export const recoverJournal = async (folder: string): Promise<Recovery> => {
  const numbers = listSegments(folder)
  const ends = new Map(numbers.map((number) => [number, segment_head_bytes]))
  const shipped = shippedPosition(folder)
  const torn: JournalPosition[] = []
  const faults: JournalFault[] = []
  let records = 0
  let last: Frame | null = null
  let before: JournalPosition = { segment: 0, offset: segment_head_bytes }
  using walk = openJournalWalk(folder, before)
  for (let count = 1; ; count++) {
    const item = walk.next(null)
    if (item.kind === 'wait') break
    if (item.kind === 'fault') faults.push({ segment: item.segment, detail: item.detail })
    else if (item.kind === 'torn') torn.push({ segment: item.segment, offset: item.at })
    else {
      if (isBefore(shipped, item.end)) records++
      ends.set(item.end.segment, item.end.offset)
      before = item.end
      last = item.frame
    }
    if (count % records_per_turn === 0) await turn()
  }
  for (const position of torn) cut(folder, position)
  if (isBefore(before, shipped) && numbers.includes(shipped.segment))
    faults.push({
      segment: shipped.segment,
      detail: `it ends at ${before.offset}, but records up to ${shipped.offset} had been shipped`,
    })
  return {
    segments: numbers.map((number) => ({ number, end: ends.get(number)! })),
    next_segment: Math.max(numbers.at(-1) ?? 0, shipped.segment) + 1,
    records,
    shipped,
    predecessor: last === null ? null : endOf(last),
    torn,
    faults,
  }
}
