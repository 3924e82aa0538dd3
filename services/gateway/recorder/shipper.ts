import { Worker } from 'node:worker_threads'
import type { Logger } from '#lib/logger.ts'
import { packSecrets } from './secret-clone.ts'
import { packPosition, type JournalPosition } from './segment.ts'
import {
  cell_durable,
  cell_sleeping,
  cells_bytes,
  type LogSource,
  type ShipperOrder,
  type ShipperReport,
  type ShipperStart,
} from './shipper-messages.ts'

/** How soon a thread that died is started again. */
const restart_ms = 500

export type ShipperOptions = {
  readonly folder: string
  /** Where shipping begins: what is before is in the log. */
  readonly from: JournalPosition
  /** What is durable at the start. */
  readonly durable: JournalPosition
  readonly log: LogSource
  readonly linger_ms: number
  readonly nice: boolean
  readonly logger: Logger
  readonly onAcked: (position: JournalPosition, records: number) => void
  readonly onTrouble: (reason: string | null) => void
  readonly onFault: (segment: number, detail: string) => void
}

/** The gateway's end of the shipper's thread. */
export interface Shipper {
  /** Everything before this position is durable: ship it. */
  readonly announce: (durable: JournalPosition) => void
  /** Ends the thread, when everything durable is in the log or after `drain_ms`; true if everything is. */
  readonly stop: (drain_ms: number) => Promise<boolean>
}

/** Starts the shipper. A thread that dies is started again where the log's last acknowledgement stands. */
export const openShipper = (options: ShipperOptions): Shipper => {
  const cells = new SharedArrayBuffer(cells_bytes)
  const durable_cell = new BigInt64Array(cells)
  const flag_cells = new Int32Array(cells)
  Atomics.store(durable_cell, cell_durable, packPosition(options.durable))
  let from = options.from
  let worker: Worker
  let stopping = false
  let restart: NodeJS.Timeout | undefined
  let died = false
  const stopped = Promise.withResolvers<boolean>()

  const onReport = (report: ShipperReport): void => {
    switch (report.type) {
      case 'acked':
        from = report.position
        if (died) options.onTrouble(null)
        died = false
        options.onAcked(report.position, report.records)
        break
      case 'trouble':
        options.onTrouble(report.reason)
        break
      case 'fault':
        options.onFault(report.segment, report.detail)
        break
      case 'note':
        options.logger.warn(report.message)
        break
      case 'stopped':
        stopped.resolve(true)
        break
    }
  }

  const run = (): void => {
    restart = undefined
    Atomics.store(flag_cells, cell_sleeping, 0)
    const { folder, linger_ms, nice } = options
    const log = packSecrets(options.log) as LogSource
    const workerData: ShipperStart = { folder, from, cells, log, linger_ms, nice }
    worker = new Worker(new URL('./shipper.worker.ts', import.meta.url), { workerData })
    worker.on('message', onReport)
    worker.on('error', (error) => {
      options.logger.error({ err: error }, 'the shipper failed')
    })
    worker.once('exit', () => {
      if (stopping) {
        stopped.resolve(false)
        return
      }
      died = true
      options.onTrouble('the shipper ended unexpectedly')
      restart = setTimeout(run, restart_ms)
    })
    // The gateway's life does not hang on the shipper's.
    worker.unref()
  }
  run()

  // The empty list is for the linter, which takes a thread for a browser's window.
  const order = (message: ShipperOrder): void => worker.postMessage(message, [])

  return {
    announce: (durable) => {
      Atomics.store(durable_cell, cell_durable, packPosition(durable))
      if (Atomics.exchange(flag_cells, cell_sleeping, 0) === 1) order({ type: 'wake' })
    },
    stop: async (drain_ms) => {
      if (restart !== undefined) {
        clearTimeout(restart)
        run()
      }
      stopping = true
      worker.ref()
      order({ type: 'stop' })
      const timer = setTimeout(() => stopped.resolve(false), drain_ms)
      const drained = await stopped.promise
      clearTimeout(timer)
      await worker.terminate()
      return drained
    },
  }
}
