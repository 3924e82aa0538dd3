import { CairnError } from '#lib/error.ts'
import type { Journal, Segment } from './journal.ts'
import {
  frameBytes,
  group_first,
  segment_head_bytes,
  writeFrame,
  type FrameParts,
  type JournalPosition,
} from './segment.ts'

/** A group's buffer; a larger record gets one of its own. */
const group_bytes_max = 1024 * 1024
/** Buffers kept for the next groups. */
const pooled_buffers_max = 4
/** Records that nobody waits for are written when so many bytes have gathered ... */
const idle_group_bytes = 64 * 1024
/** ... or after so long. */
const idle_group_ms = 10
/** How often a write that failed is tried again. */
const retry_ms = { first: 20, max: 1_000 } as const
/** Room above the limit for what the recorder itself has to say about its trouble, bytes. */
const own_reserve_bytes = 64 * 1024

type Waiter = {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
  /** On the monotonic clock of `performance.now()`. */
  readonly deadline_ms: number
}

/** Records that become durable together. */
type Group = {
  readonly segment: Segment
  readonly offset: number
  readonly buffer: Buffer
  bytes: number
  /** Where it ends on the journal's scale. */
  end: number
  waiter: Waiter | null
}

/** What keeps records from becoming durable. */
export type Trouble = 'disk' | 'slow' | 'full'

export type CommitterOptions = {
  readonly journal: Journal
  readonly durability: 'disk' | 'broker'
  readonly queue_bytes_max: number
  readonly bytes_max: number
  readonly durable_timeout_ms: number
  /** A group is on disk. */
  readonly onWritten: (end: JournalPosition, bytes: number, took_ms: number) => void
  /** Trouble begins (a reason) or is over (null). */
  readonly onTrouble: (trouble: Trouble, reason: string | null) => void
}

/** Gathers records into groups and makes each group durable with one write. */
export interface Committer {
  /** Bytes of records queued and not yet written. */
  readonly queued_bytes: () => number
  /** Bytes of records that the log does not have yet. */
  readonly unshipped_bytes: () => number
  /** @throws CairnError('audit_unavailable') when a new record of this size would exceed the queue; `own` may use a reserve */
  readonly admit: (own: boolean) => void
  /** Queues a record; everything is copied. */
  readonly append: (parts: FrameParts) => void
  readonly durable: () => Promise<void>
  /** False while anything is in trouble. */
  readonly available: () => boolean
  readonly congested: () => boolean
  readonly drained: () => Promise<void>
  /** Resolves when the log has everything appended so far. */
  readonly shipped: () => Promise<void>
  /** The log has everything before this position. */
  readonly acknowledge: (position: JournalPosition) => void
  /** Refuses whoever still waits and writes no more. What is queued and not written is lost: call `durable` before. */
  readonly close: () => Promise<void>
}

const newWaiter = (deadline_ms: number): Waiter => ({
  ...Promise.withResolvers<void>(),
  deadline_ms,
})

const done = Promise.resolve()

export const openCommitter = (options: CommitterOptions): Committer => {
  const { journal, queue_bytes_max, bytes_max, durable_timeout_ms } = options
  const by_log = options.durability === 'broker'
  const high_water = queue_bytes_max / 2
  const low_water = queue_bytes_max / 4
  // Above it new commands are refused; what belongs to running ones still finds room.
  const reserve = Math.min(bytes_max / 8, queue_bytes_max)
  const full_bytes = bytes_max - reserve

  const recovered_end = journal.linear({
    segment: journal.recovered.next_segment,
    offset: segment_head_bytes,
  })
  let appended = recovered_end
  let shipped = recovered_end - journal.recovered_bytes
  let segment = journal.nextSegment(appended)
  let tail = segment_head_bytes
  let open: Group | null = null
  /** Closed groups in order; the first is being written, if one is. */
  const queue: Group[] = []
  /** Who waits for the log to have what is written (durability: broker), in order. */
  const awaiting: { readonly end: number; waiter: Waiter | null }[] = []
  let written = recovered_end
  let queued = 0
  let writing = false
  let scheduled = false
  let closed = false
  let idle_timer: NodeJS.Timeout | undefined
  let retry_timer: NodeJS.Timeout | undefined
  let deadline_timer: NodeJS.Timeout | undefined
  let failures = 0
  let relief: { promise: Promise<void>; resolve: () => void } | null = null
  let stopped: { promise: Promise<void>; resolve: () => void } | null = null
  const troubles = new Set<Trouble>()
  /** Trouble `slow` is over when this much is durable. */
  let slow_end = 0
  const pool: Buffer[] = []
  /** Who waits for the log, in order. */
  const shipments: { readonly end: number; readonly resolve: () => void }[] = []

  const setTrouble = (trouble: Trouble, reason: string | null): void => {
    if (troubles.has(trouble) === (reason !== null)) return
    if (reason === null) troubles.delete(trouble)
    else troubles.add(trouble)
    options.onTrouble(trouble, reason)
  }

  const checkFull = (): void => {
    const used = appended - shipped
    if (used >= full_bytes)
      setTrouble('full', `${used} bytes of the journal wait for the log; the limit is ${bytes_max}`)
    else if (used < full_bytes - reserve) setTrouble('full', null)
  }

  const beginGroup = (frame_bytes: number): Group => {
    if (tail + frame_bytes > segment.bytes && tail > segment_head_bytes) {
      segment = journal.nextSegment(appended)
      tail = segment_head_bytes
    }
    const buffer =
      frame_bytes > group_bytes_max
        ? Buffer.allocUnsafeSlow(frame_bytes)
        : (pool.pop() ?? Buffer.allocUnsafeSlow(group_bytes_max))
    open = { segment, offset: tail, buffer, bytes: 0, end: appended, waiter: null }
    return open
  }

  const closeGroup = (): void => {
    if (open === null) return
    queue.push(open)
    open = null
  }

  const append = (parts: FrameParts): void => {
    const frame_bytes = frameBytes(
      parts.key.length,
      parts.code.length,
      parts.header_bytes,
      parts.value_bytes,
    )
    let group = open
    if (
      group !== null &&
      (group.bytes + frame_bytes > group.buffer.length || tail + frame_bytes > segment.bytes)
    ) {
      closeGroup()
      group = null
    }
    group ??= beginGroup(frame_bytes)
    const flags = group.bytes === 0 ? group_first : 0
    writeFrame(group.buffer, group.bytes, segment.salt, tail, flags, parts)
    group.bytes += frame_bytes
    tail += frame_bytes
    appended += frame_bytes
    queued += frame_bytes
    group.end = appended
    if (appended - shipped >= full_bytes) checkFull()
    if (!writing && (queue.length > 0 || group.bytes >= idle_group_bytes)) schedule()
    else if (idle_timer === undefined) idle_timer = setTimeout(onIdle, idle_group_ms)
  }

  const onIdle = (): void => {
    idle_timer = undefined
    if (writing) idle_timer = setTimeout(onIdle, idle_group_ms)
    else writeNext()
  }

  /** At the end of this turn of the loop: what all sessions append in it shares the write. */
  const schedule = (): void => {
    if (scheduled || writing || retry_timer !== undefined) return
    scheduled = true
    setImmediate(onTurn)
  }

  const onTurn = (): void => {
    scheduled = false
    if (!writing) writeNext()
  }

  const writeNext = (): void => {
    if (closed || writing || retry_timer !== undefined) return
    const group = queue[0] ?? open
    if (group === null) return
    // A record larger than the whole limit goes alone.
    if (group.end - shipped > bytes_max && group.end - group.bytes > shipped) {
      // Goes on when the log has taken something (acknowledge).
      checkFull()
      return
    }
    if (group === open) closeGroup()
    writing = true
    const begun_ms = performance.now()
    journal.write(group.segment, group.buffer, group.bytes, group.offset, (error) => {
      writing = false
      stopped?.resolve()
      if (closed) return
      if (error === null) onWritten(group, performance.now() - begun_ms)
      else onFailed(error)
    })
  }

  const onFailed = (error: Error): void => {
    setTrouble('disk', error.message)
    const wait_ms = Math.min(retry_ms.first * 2 ** Math.min(failures++, 10), retry_ms.max)
    retry_timer = setTimeout(() => {
      retry_timer = undefined
      writeNext()
    }, wait_ms)
  }

  const onWritten = (group: Group, took_ms: number): void => {
    failures = 0
    queue.shift()
    queued -= group.bytes
    // The next write begins before anybody is told: disk and sessions work at the same time.
    if (
      queue.length > 0 ||
      (open !== null && (open.waiter !== null || open.bytes >= idle_group_bytes))
    )
      writeNext()
    written = group.end
    if (!by_log) group.waiter?.resolve()
    else if (group.waiter !== null) awaiting.push({ end: group.end, waiter: group.waiter })
    options.onWritten(
      { segment: group.segment.number, offset: group.offset + group.bytes },
      group.bytes,
      took_ms,
    )
    if (group.buffer.length === group_bytes_max && pool.length < pooled_buffers_max)
      pool.push(group.buffer)
    setTrouble('disk', null)
    if (!by_log && written >= slow_end) setTrouble('slow', null)
    if (relief !== null && queued < low_water) {
      relief.resolve()
      relief = null
    }
  }

  const acknowledge = (position: JournalPosition): void => {
    shipped = Math.max(shipped, journal.linear(position))
    while (awaiting.length > 0 && awaiting[0]!.end <= shipped) awaiting.shift()?.waiter?.resolve()
    while (shipments.length > 0 && shipments[0]!.end <= shipped) shipments.shift()?.resolve()
    if (by_log && shipped >= slow_end) setTrouble('slow', null)
    checkFull()
    // Groups that found the journal full.
    if (queue.length > 0) schedule()
  }

  const waited = (): readonly { readonly end: number; waiter: Waiter | null }[] => [
    ...awaiting,
    ...queue,
    ...(open === null ? [] : [open]),
  ]

  /** A loop that was busy for long sees its timers before its finished writes: those get their turn first. */
  const onDeadline = (): void => {
    setImmediate(() => {
      deadline_timer = undefined
      const now_ms = performance.now()
      let next_ms = Number.POSITIVE_INFINITY
      for (const group of waited()) {
        if (group.waiter === null) continue
        if (group.waiter.deadline_ms <= now_ms) {
          const reason = `records were not durable within ${durable_timeout_ms} ms`
          group.waiter.reject(new CairnError('audit_unavailable', reason))
          group.waiter = null
          slow_end = group.end
          setTrouble('slow', reason)
        } else next_ms = Math.min(next_ms, group.waiter.deadline_ms)
      }
      if (next_ms !== Number.POSITIVE_INFINITY) armDeadline(next_ms - now_ms)
    })
  }

  const armDeadline = (wait_ms: number): void => {
    deadline_timer ??= setTimeout(onDeadline, wait_ms)
  }

  const lastAwaiting = (): { readonly end: number; waiter: Waiter | null } => {
    let last = awaiting.at(-1)
    if (last?.end !== appended) awaiting.push((last = { end: appended, waiter: null }))
    return last
  }

  const durable = (): Promise<void> => {
    if (closed) return Promise.reject(new CairnError('audit_unavailable', 'the recorder is closed'))
    const group = open ?? queue.at(-1) ?? (by_log && shipped < appended ? lastAwaiting() : null)
    if (group === null) return done
    if (group.waiter === null) {
      group.waiter = newWaiter(performance.now() + durable_timeout_ms)
      armDeadline(durable_timeout_ms)
      schedule()
    }
    return group.waiter.promise
  }

  const drained = (): Promise<void> => {
    if (queued < high_water) return done
    relief ??= Promise.withResolvers<void>()
    return relief.promise
  }

  const close = async (): Promise<void> => {
    closed = true
    for (const timer of [idle_timer, retry_timer, deadline_timer]) clearTimeout(timer)
    for (const group of waited())
      group.waiter?.reject(new CairnError('audit_unavailable', 'the recorder is closed'))
    relief?.resolve()
    if (writing) await (stopped = Promise.withResolvers<void>()).promise
  }

  return {
    queued_bytes: () => queued,
    unshipped_bytes: () => appended - shipped,
    admit: (own) => {
      if (queued >= queue_bytes_max + (own ? own_reserve_bytes : 0) || closed)
        throw new CairnError(
          'audit_unavailable',
          `${queued} bytes of records wait to be written; the limit is ${queue_bytes_max}`,
        )
    },
    append,
    durable,
    available: () => troubles.size === 0 && !closed,
    congested: () => queued >= high_water,
    drained,
    shipped: () =>
      shipped >= appended
        ? done
        : new Promise((resolve) => void shipments.push({ end: appended, resolve })),
    acknowledge,
    close,
  }
}
