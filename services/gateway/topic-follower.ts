import { Worker } from 'node:worker_threads'
import type { Logger } from '#lib/logger.ts'
import { packSecrets } from './recorder/secret-clone.ts'
import type { LogSource } from './recorder/shipper-messages.ts'
import type {
  FollowedRecord,
  FollowerOrder,
  FollowerReport,
  FollowerStart,
} from './topic-follower-messages.ts'

/** How soon a thread that died is started again. */
const restart_ms = 500
/** How long the thread may take to leave its group. */
const stop_ms = 2_000

export type TopicFollowerOptions = {
  readonly log: LogSource
  readonly topic: string
  readonly logger: Logger
  /**
   * Records of the topic from its beginning on, those of a partition in their order. After a thread has died they come anew: what was told before comes again, as
   * history.
   */
  readonly onRecords: (records: readonly FollowedRecord[]) => void
}

/**
 * Follows a topic in a thread of its own: the log's calls may block, and a gateway's loop serves clients. Every record is told, however
 * many processes follow.
 */
export interface TopicFollower extends AsyncDisposable {
  /** Resolves when everything that is in the log at the call has been told. */
  reached(): Promise<void>
}

export const openTopicFollower = (options: TopicFollowerOptions): TopicFollower => {
  const { logger } = options
  const marks = new Map<number, () => void>()
  let worker: Worker
  let next = 0
  let stopping = false
  let restart: NodeJS.Timeout | undefined

  const onReport = (report: FollowerReport): void => {
    switch (report.type) {
      case 'records':
        options.onRecords(report.records)
        break
      case 'reached':
        marks.get(report.id)?.()
        marks.delete(report.id)
        break
      case 'trouble':
        logger.warn({ topic: options.topic, reason: report.reason }, 'the log has trouble')
        break
    }
  }

  // The empty list is for the linter, which takes a thread for a browser's window.
  const tell = (order: FollowerOrder): void => worker.postMessage(order, [])

  const run = (): void => {
    restart = undefined
    const workerData: FollowerStart = {
      log: packSecrets(options.log) as LogSource,
      topic: options.topic,
    }
    worker = new Worker(new URL('./topic-follower.worker.ts', import.meta.url), { workerData })
    worker.on('message', onReport)
    worker.on('error', (error) => {
      logger.error({ err: error, topic: options.topic }, 'following a topic failed')
    })
    worker.once('exit', () => {
      if (!stopping) restart = setTimeout(run, restart_ms)
    })
    // The gateway's life does not hang on the follower's.
    worker.unref()
    for (const id of marks.keys()) tell({ type: 'mark', id })
  }

  run()
  return {
    reached: () =>
      new Promise((resolve) => {
        const id = ++next
        marks.set(id, resolve)
        tell({ type: 'mark', id })
      }),
    [Symbol.asyncDispose]: async () => {
      stopping = true
      clearTimeout(restart)
      const { promise: over, resolve } = Promise.withResolvers<void>()
      worker.once('exit', () => resolve())
      tell({ type: 'stop' })
      const timer = setTimeout(() => void worker.terminate().then(() => resolve()), stop_ms)
      await over
      clearTimeout(timer)
    },
  }
}
