import { close as closeFile, constants, open, write } from 'node:fs'
import { join } from 'node:path'
import { CairnError } from '#lib/error.ts'
import { lockJournal } from './journal-lock.ts'
import { recoverJournal, type Recovery } from './recovery.ts'
import { openSegmentFiles } from './segment-files.ts'
import { segment_head_bytes, segmentName, type JournalPosition } from './segment.ts'

/**
 * The journal: segments in a folder that one process owns. Bytes are placed by the committer; this part makes the files ahead of
 * time, writes groups, and lets segments go when the log has everything in them.
 *
 * Why O_DSYNC, and libuv's threads: measured on two shared cores, ext4, per group of 2 kB / 64 kB, a zero-filled file:
 * write + fdatasync 209 / 298 µs at p50 and 139 / 172 µs of CPU (two hops through the thread pool), O_DSYNC 140 / 167 µs and
 * 86 / 100 µs; O_DIRECT with O_DSYNC no better; a thread of its own woken through shared memory (Atomics) 145 / 163 µs and
 * 90 / 96 µs, so nothing is gained by it. A sparse file costs 40 % more than a filled one: each commit changes metadata. Since
 * a 64 kB group is durable at 370 MB/s and a 1 MB group at 2 GB/s, every group is synced, also one that nobody waits
 * for: then what is written is durable, in order, and only the last group can ever be torn.
 */

/** How often an operation that failed is tried again. */
const retry_ms = { first: 50, max: 2_000 } as const

export type Segment = {
  readonly number: number
  readonly salt: number
  readonly bytes: number
  /** Bytes of records in all segments before it, on the journal's own scale; see `linear`. */
  base: number
  fd: number | null
  /** Its file is there. */
  ready: boolean
}

export interface Journal extends AsyncDisposable {
  readonly recovered: Recovery
  /** Bytes of records found at start that still have to be shipped. */
  readonly recovered_bytes: number
  /** The next segment to fill; made while the one before it is filled. `base` is where it stands on the journal's scale. */
  readonly nextSegment: (base: number) => Segment
  /**
   * Writes bytes at a place of a segment, durably; calls back exactly once, with the error if it failed. What failed may be written again: same bytes, same place.
   */
  readonly write: (
    segment: Segment,
    bytes: Buffer,
    length: number,
    offset: number,
    done: (error: Error | null) => void,
  ) => void
  /** A position as a number of bytes of records before it, counted from the first segment found at start. */
  readonly linear: (position: JournalPosition) => number
  /** Everything before the position is in the log: lets segments go. Never rejects. */
  readonly release: (position: JournalPosition) => Promise<void>
  /** A segment that turned out to be damaged: kept aside when it is let go. */
  readonly markDamaged: (segment: number) => void
}

export type JournalOptions = {
  readonly folder: string
  readonly segment_bytes: number
  readonly epoch: Buffer
  readonly gateway: Buffer
  /** A random salt, 1 to 2^32 - 1. */
  readonly salt: () => number
  /** Trouble with files that is tried again: null when it is over. */
  readonly onTrouble: (error: Error | null) => void
  /** Something that is worth a log line. */
  readonly onNote: (message: string) => void
}

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error))

/**
 * Opens a journal: takes the folder, reads what is there, makes the first segment.
 * @throws CairnError('audit_unavailable') the folder is in use or cannot be written
 */
export const openJournal = async (options: JournalOptions): Promise<Journal> => {
  try {
    return await openFolder(options)
  } catch (error) {
    if (error instanceof CairnError) throw error
    const { message } = asError(error)
    throw new CairnError('audit_unavailable', `${options.folder} cannot be used: ${message}`, {
      cause: error,
    })
  }
}

const openFolder = async (options: JournalOptions): Promise<Journal> => {
  await using stack = new AsyncDisposableStack()
  const { folder, segment_bytes, epoch, gateway } = options
  stack.use(lockJournal(folder))
  const recovered = await recoverJournal(folder)
  const files = await openSegmentFiles(folder, segment_bytes)
  const damaged = new Set(recovered.faults.map(({ segment }) => segment))
  const bases = new Map<number, number>()
  let recovered_end = 0
  for (const { number, end } of recovered.segments) {
    bases.set(number, recovered_end)
    recovered_end += end - segment_head_bytes
  }
  let next_number = recovered.next_segment
  let closed = false
  /**
   * Planned segments without a file; they are made in order, one at a time. One made before its turn could take the room that
   * the one to be written next needs, and hold it for ever: room is let go by writing on. And a crash between the two would
   * leave a number out, which at the next start is damage.
   */
  const unmade: Segment[] = []
  /** The present attempt to make the first of them; never rejects. */
  let making: Promise<void> = Promise.resolve()
  /** Why it could not be made so far. */
  let failure: Error | null = null
  let retry: NodeJS.Timeout | undefined
  let last_written: Segment | null = null

  const plan = (): Segment => ({
    number: next_number++,
    salt: options.salt(),
    bytes: segment_bytes,
    base: 0,
    fd: null,
    ready: false,
  })

  const make = async (segment: Segment): Promise<void> => {
    const { number, salt, bytes } = segment
    await files.create({ number, salt, epoch, gateway }, bytes)
    segment.ready = true
  }

  /** One attempt, and the next one later if it fails. */
  const attempt = async (segment: Segment, wait_ms: number): Promise<void> => {
    try {
      await make(segment)
      unmade.shift()
      if (failure !== null) options.onTrouble(null)
      failure = null
      if (!closed) makeFirst(retry_ms.first)
    } catch (error) {
      failure = asError(error)
      if (closed) return
      options.onTrouble(failure)
      const next_ms = Math.min(wait_ms * 2, retry_ms.max)
      retry = setTimeout(() => makeFirst(next_ms), wait_ms)
    }
  }

  const makeFirst = (wait_ms: number): void => {
    const segment = unmade[0]
    if (segment !== undefined) making = attempt(segment, wait_ms)
  }

  let ahead: Segment | null = plan()
  await make(ahead)

  const begin = (): Segment => {
    const segment = plan()
    unmade.push(segment)
    if (unmade.length === 1) makeFirst(retry_ms.first)
    return segment
  }

  const nextSegment = (base: number): Segment => {
    const segment = ahead ?? begin()
    ahead = null
    segment.base = base
    bases.set(segment.number, base)
    return segment
  }

  const withFile = (segment: Segment, use: (error: Error | null, fd: number) => void): void => {
    if (segment.fd !== null) use(null, segment.fd)
    else if (!segment.ready && failure !== null) use(failure, -1)
    else if (!segment.ready) void making.then(() => withFile(segment, use))
    else
      open(
        join(folder, segmentName(segment.number)),
        constants.O_WRONLY | constants.O_DSYNC,
        (error, fd) => {
          if (error === null) segment.fd = fd
          use(error, fd)
        },
      )
  }

  /** After an error the file is opened anew: the mount may have come back under the same path. */
  const closeSegment = (segment: Segment): void => {
    if (segment.fd !== null) closeFile(segment.fd, () => undefined)
    segment.fd = null
  }

  const writeAt: Journal['write'] = (segment, bytes, length, offset, done) => {
    if (last_written !== segment && last_written !== null) closeSegment(last_written)
    last_written = segment
    // Also a segment that is not the last one any more is written to, until its last groups are out of the queue.
    const last = segment.number === next_number - 1
    if (last && offset + length > segment.bytes / 2) ahead = begin()
    withFile(segment, (open_error, fd) => {
      if (open_error !== null) {
        done(open_error)
        return
      }
      const step = (written: number): void => {
        write(fd, bytes, written, length - written, offset + written, (error, count) => {
          if (error !== null) {
            closeSegment(segment)
            done(error)
          } else if (written + count < length) step(written + count)
          else done(null)
        })
      }
      step(0)
    })
  }

  let releasing: Promise<void> = Promise.resolve()
  const releaseOne = async (number: number): Promise<void> => {
    try {
      if (damaged.has(number)) {
        const name = await files.setAside(number)
        options.onNote(`a damaged journal segment is kept as ${name}`)
      } else await files.release(number)
    } catch (error) {
      options.onNote(`journal segment ${number} cannot be let go: ${asError(error).message}`)
    }
  }

  const release = ({ segment }: JournalPosition): Promise<void> => {
    const old = [...bases.keys()].filter((number) => number < segment).sort((a, b) => a - b)
    for (const number of old) {
      bases.delete(number)
      releasing = releasing.then(() => releaseOne(number))
    }
    return releasing
  }

  const linear = ({ segment, offset }: JournalPosition): number => {
    const base = bases.get(segment)
    if (base !== undefined) return base + Math.max(offset - segment_head_bytes, 0)
    // A segment that is not there any more: the position is as good as the beginning of the one behind it.
    const behind = [...bases.keys()].filter((number) => number > segment)
    return behind.length === 0 ? recovered_end : bases.get(Math.min(...behind))!
  }

  const opened = stack.move()
  return {
    recovered,
    recovered_bytes: recovered_end - linear(recovered.shipped),
    nextSegment,
    write: writeAt,
    linear,
    release,
    markDamaged: (segment) => damaged.add(segment),
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(retry)
      await making
      await releasing
      if (last_written !== null) closeSegment(last_written)
      await opened.disposeAsync()
    },
  }
}
