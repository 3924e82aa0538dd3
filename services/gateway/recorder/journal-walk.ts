import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { openSegmentReader, type SegmentReader } from './segment-reader.ts'
import {
  decodeHead,
  segment_head_bytes,
  segmentName,
  segmentNumber,
  type Frame,
  type JournalPosition,
  type SegmentHead,
} from './segment.ts'

/**
 * What comes next in a journal.
 * - `frame`: a record and where it ends.
 * - `fault`: something durable is not there any more: bytes that are no record, a segment without a head, missing numbers. Reading goes on behind it.
 * - `torn`: the remains of a write that never finished, at the end of a segment.
 * - `wait`: nothing more for now.
 */
export type WalkItem =
  | { readonly kind: 'frame'; readonly frame: Frame; readonly end: JournalPosition }
  | { readonly kind: 'fault'; readonly segment: number; readonly detail: string }
  | { readonly kind: 'torn'; readonly segment: number; readonly at: number }
  | { readonly kind: 'wait' }

export interface JournalWalk extends Disposable {
  /** @param durable what is known to be durable; null: all that can be read (after a crash) */
  readonly next: (durable: JournalPosition | null) => WalkItem
  /** Head of the segment being read. */
  readonly head: () => SegmentHead | null
  /** Where the next record is looked for. */
  readonly position: () => JournalPosition
}

type OpenSegment = {
  readonly fd: number
  readonly head: SegmentHead
  readonly reader: SegmentReader
  /** Size of the file, asked for once it is not written any more; -1 before. */
  size: number
}

/** Numbers of a journal's segments, in order. @throws the file system's error */
export const listSegments = (folder: string): readonly number[] =>
  readdirSync(folder)
    .flatMap((name) => segmentNumber(name) ?? [])
    .sort((a, b) => a - b)

/**
 * Reads a journal's records in order, across its segments, from `from` on. Sequence numbers must follow one another within an
 * epoch: a hole is a fault. Synchronous, see segment-reader.ts.
 * @throws the file system's error when a file cannot be read
 */
export const openJournalWalk = (folder: string, from: JournalPosition): JournalWalk => {
  let position = from
  let current: OpenSegment | null = null
  let expected: { readonly epoch: Buffer; readonly gseq: number } | null = null
  const pending: WalkItem[] = []
  let walked = false

  const close = (): void => {
    if (current !== null) closeSync(current.fd)
    current = null
  }

  const enter = (number: number): WalkItem | null => {
    const path = join(folder, segmentName(number))
    const offset = number === position.segment ? position.offset : segment_head_bytes
    position = { segment: number, offset: Math.max(offset, segment_head_bytes) }
    const fd = openSync(path, 'r')
    const bytes = Buffer.alloc(segment_head_bytes)
    const head = decodeHead(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)))
    if (head === null || head.number !== number) {
      closeSync(fd)
      position = { segment: number + 1, offset: segment_head_bytes }
      return { kind: 'fault', segment: number, detail: 'its head cannot be read' }
    }
    const reader = openSegmentReader({ fd, salt: head.salt, from: position.offset })
    current = { fd, head, reader, size: -1 }
    return null
  }

  const leave = (): void => {
    close()
    position = { segment: position.segment + 1, offset: segment_head_bytes }
  }

  /** Hands a frame on; if numbers are missing before it, says that first. */
  const checked = (item: WalkItem & { kind: 'frame' }, { head }: OpenSegment): WalkItem => {
    const { gseq } = item.frame
    const known = expected === null ? gseq : expected.epoch.equals(head.epoch) ? expected.gseq : 0
    expected = { epoch: head.epoch, gseq: gseq + 1 }
    if (known === gseq) return item
    pending.push(item)
    const detail = `record ${gseq} follows where ${known} was expected`
    return { kind: 'fault', segment: head.number, detail }
  }

  /** Reads in the current segment; null at its end. */
  const read = (segment: OpenSegment, durable: JournalPosition | null): WalkItem | null => {
    const { number } = segment.head
    const live = durable !== null && durable.segment === number
    if (!live && segment.size === -1) segment.size = fstatSync(segment.fd).size
    const limit = live ? durable.offset : segment.size
    if (live && position.offset >= limit) return { kind: 'wait' }
    const item = segment.reader.next(limit, live)
    switch (item.kind) {
      case 'frame':
        position = { segment: number, offset: item.end }
        return checked({ kind: 'frame', frame: item.frame, end: position }, segment)
      case 'damage':
        position = { segment: number, offset: item.to }
        return {
          kind: 'fault',
          segment: number,
          detail: `bytes ${item.from} to ${item.to} are no records`,
        }
      case 'end':
        return item.torn ? { kind: 'torn', segment: number, at: item.at } : null
      default:
        return item satisfies never
    }
  }

  const next = (durable: JournalPosition | null): WalkItem => {
    for (;;) {
      const first = pending.shift()
      if (first !== undefined) return first
      if (current === null) {
        const last = durable?.segment ?? Number.POSITIVE_INFINITY
        const number = listSegments(folder).find((each) => each >= position.segment && each <= last)
        if (number === undefined) return { kind: 'wait' }
        const missing = walked && number > position.segment ? number - position.segment : 0
        if (missing > 0)
          pending.push({
            kind: 'fault',
            segment: number,
            detail: `${missing} segments before it are missing`,
          })
        walked = true
        const fault = enter(number)
        if (fault !== null) pending.push(fault)
        if (pending.length > 0) continue
      } else {
        const item = read(current, durable)
        if (item === null) leave()
        else {
          if (item.kind === 'torn') leave()
          return item
        }
      }
    }
  }

  return {
    next,
    head: () => current?.head ?? null,
    position: () => position,
    [Symbol.dispose]: close,
  }
}
