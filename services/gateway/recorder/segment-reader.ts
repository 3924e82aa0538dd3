import { readSync } from 'node:fs'
import {
  claimedFrameBytes,
  frame_align_bytes,
  frame_fixed_bytes,
  readFrame,
  type Frame,
} from './segment.ts'

/** Bytes read at once; a larger frame grows the window. */
const window_bytes = 1024 * 1024

/**
 * What comes next in a segment.
 * - `frame`: a record; its buffers are views and stay valid.
 * - `damage`: bytes that were durable once and are no frames any more; reading goes on behind them.
 * - `end`: no more records. `torn` says that the remains of a write that never finished stand there.
 */
export type SegmentItem =
  | { readonly kind: 'frame'; readonly frame: Frame; readonly end: number }
  | { readonly kind: 'damage'; readonly from: number; readonly to: number }
  | { readonly kind: 'end'; readonly at: number; readonly torn: boolean }

export type SegmentReader = {
  /**
   * @param limit   where to stop: size of the file, or what is known to be durable; never less than before
   * @param durable everything up to `limit` was durable: what cannot be read there is damage, never a torn tail
   */
  readonly next: (limit: number, durable: boolean) => SegmentItem
}

export type SegmentReaderOptions = {
  readonly fd: number
  readonly salt: number
  /** Where to begin: the segment's head or a frame's end. */
  readonly from: number
}

type Candidate = { readonly at: number; readonly end: number; readonly frame: Frame }

/**
 * Reads the records of a segment in order (see segment.ts for the format and for what tells damage from a torn tail).
 * Synchronous: for a thread of its own, or for a start.
 * @throws the file system's error when the file cannot be read
 */
export const openSegmentReader = (options: SegmentReaderOptions): SegmentReader => {
  const { fd, salt } = options
  const salt_bytes = Buffer.alloc(4)
  salt_bytes.writeUInt32LE(salt)
  let at = options.from
  let window: Buffer = Buffer.alloc(0)
  let window_at = 0
  let limit = options.from

  /** Makes bytes from..from+length available in the window; false if the file has fewer. A new window is a new buffer: frames given out stay as they are. */
  const load = (from: number, length: number): boolean => {
    if (from + length > limit) return false
    if (from >= window_at && from + length <= window_at + window.length) return true
    const wanted = Math.min(Math.max(length, window_bytes), limit - from)
    const fresh = Buffer.allocUnsafeSlow(wanted)
    let got = 0
    while (got < wanted) {
      const n = readSync(fd, fresh, got, wanted - got, from + got)
      if (n === 0) break
      got += n
    }
    window = fresh.subarray(0, got)
    window_at = from
    return got >= length
  }

  const frameAt = (offset: number): Candidate | null => {
    if (!load(offset, frame_fixed_bytes)) return null
    const length = claimedFrameBytes(window, offset - window_at, salt, offset)
    if (length === 0 || !load(offset, length)) return null
    const frame = readFrame(window, offset - window_at, salt)
    return frame === null ? null : { at: offset, end: offset + length, frame }
  }

  /** The next place at or behind `from` where the salt stands as a frame would have it, or -1. */
  const findMark = (from: number): number => {
    let offset = from
    while (load(offset, frame_fixed_bytes)) {
      const found = window.indexOf(salt_bytes, offset - window_at)
      if (found === -1) {
        // The mark may lie across the window's end.
        offset = window_at + window.length - 3
        offset -= offset % frame_align_bytes
        if (window_at + window.length >= limit) return -1
      } else if ((found + window_at) % frame_align_bytes === 0) return found + window_at
      else offset = found + window_at + 1
    }
    return -1
  }

  const findFrame = (from: number): Candidate | null => {
    for (let mark = findMark(from); mark !== -1; mark = findMark(mark + frame_align_bytes)) {
      const candidate = frameAt(mark)
      if (candidate !== null) return candidate
    }
    return null
  }

  /** Whether a group was begun behind `from`: then everything before it had been durable. */
  const groupBegins = (from: Candidate): boolean => {
    for (let next: Candidate | null = from; next !== null; next = findFrame(next.end))
      if (next.frame.first) return true
    return false
  }

  const next = (to: number, durable: boolean): SegmentItem => {
    limit = to
    const here = frameAt(at)
    if (here !== null) {
      at = here.end
      return { kind: 'frame', frame: here.frame, end: here.end }
    }
    if (at + frame_fixed_bytes > limit && !(durable && at < limit))
      return { kind: 'end', at, torn: false }
    const from = at
    const behind = findFrame(from + frame_align_bytes)
    if (behind !== null && (durable || groupBegins(behind))) {
      at = behind.at
      return { kind: 'damage', from, to: behind.at }
    }
    if (durable && from < limit) {
      at = limit
      return { kind: 'damage', from, to: limit }
    }
    return { kind: 'end', at: from, torn: behind !== null || findMark(from) !== -1 }
  }

  return { next }
}
