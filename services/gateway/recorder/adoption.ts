import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from '#lib/logger.ts'
import { lockJournal } from './journal-lock.ts'
import { recoverJournal, type JournalFault } from './recovery.ts'
import { openSegmentFiles } from './segment-files.ts'
import { isBefore, segment_head_bytes, type JournalPosition } from './segment.ts'
import { openShipper } from './shipper.ts'
import type { LogSource } from './shipper-messages.ts'

export type AdoptionOptions = {
  /** Folder of all journals: `<folder>/<gateway id>/<index>`. */
  readonly folder: string
  /** Names of the gateway processes that look after their journals themselves. */
  readonly in_use: ReadonlySet<string>
  readonly segment_bytes: number
  readonly log: LogSource
  readonly linger_ms: number
  readonly logger: Logger
  readonly onFault: (name: string, fault: JournalFault) => void
}

const listFolders = async (path: string): Promise<string[]> => {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch {
    return []
  }
}

const orphans = async ({ folder, in_use }: AdoptionOptions): Promise<string[]> => {
  const names: string[] = []
  for (const gateway of await listFolders(folder))
    for (const index of await listFolders(join(folder, gateway)))
      if (!in_use.has(`${gateway}/${index}`)) names.push(`${gateway}/${index}`)
  return names
}

/** Ships one journal to its end; its last segment stays, for the predecessor of a process that may come back. */
const adopt = async (
  options: AdoptionOptions,
  name: string,
  signal: AbortSignal,
): Promise<void> => {
  const folder = join(options.folder, name)
  using _lock = lockJournal(folder)
  const { segments, records, shipped, faults } = await recoverJournal(folder)
  if (records === 0) return
  const last = segments.findLast(({ end }) => end > segment_head_bytes)
  if (last === undefined) return
  const end: JournalPosition = { segment: last.number, offset: last.end }
  options.logger.info({ journal: name, records }, 'records of a process that is gone are shipped')
  for (const fault of faults) options.onFault(name, fault)
  const ended = Promise.withResolvers<void>()
  const stop = (): void => ended.resolve()
  signal.addEventListener('abort', stop)
  let acked = shipped
  const shipper = openShipper({
    folder,
    from: shipped,
    durable: end,
    log: options.log,
    linger_ms: options.linger_ms,
    nice: true,
    logger: options.logger,
    onAcked: (position) => {
      acked = position
      if (!isBefore(position, end)) ended.resolve()
    },
    onTrouble: () => undefined,
    onFault: () => undefined,
  })
  if (!signal.aborted) await ended.promise
  await shipper.stop(signal.aborted ? 0 : 1_000)
  signal.removeEventListener('abort', stop)
  const files = await openSegmentFiles(folder, options.segment_bytes)
  const damaged = new Set(faults.map(({ segment }) => segment))
  for (const { number } of segments)
    if (number < acked.segment) await (damaged.has(number) ? files.setAside : files.release)(number)
}

/**
 * Ships what gateway processes left that do not run any more: after a smaller `gateway.processes`, or another `gateway.id`. A journal
 * that a living process holds is left alone. Goes on in the background, one journal after another.
 */
export const adoptJournals = (options: AdoptionOptions): AsyncDisposable => {
  const stop = new AbortController()
  const work = async (): Promise<void> => {
    for (const name of await orphans(options)) {
      if (stop.signal.aborted) return
      try {
        await adopt(options, name, stop.signal)
      } catch (error) {
        options.logger.warn({ err: error, journal: name }, 'a journal that was left is not shipped')
      }
    }
  }
  const working = work()
  return {
    [Symbol.asyncDispose]: () => {
      stop.abort()
      return working
    },
  }
}
