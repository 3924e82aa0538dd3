import { catalogue } from '#core/events/catalogue.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, valueHash, zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import { CairnError } from '#lib/error.ts'
import { pause } from './pause.ts'
import type { Log, LogRecord } from './port.ts'

/**
 * A recorder without a journal, for what writes little: mints records of an epoch of its own and appends them to the log. A record is durable
 * when the log has it.
 *
 * Records go out in the order of `gseq`, one append at a time. One that the log did not take stays first in the queue and is
 * appended again, byte for byte the same, so that a trouble of the log leaves no hole in `gseq`; whoever waited is refused meanwhile.
 */

/** Records waiting for the log; more are refused. */
const queue_records_max = 1000
/** Records of one append. */
const append_records_max = 200
/** How long one waits for its record to be durable, milliseconds. */
const durable_timeout_ms = 5000
/** Between two tries of an append that failed, milliseconds. */
const retry_ms = 250

export type LogRecorderDeps = {
  readonly log: Pick<Log, 'append'>
  readonly deployment: string
  /** Name of whoever records, as events show it; unique in the deployment. */
  readonly name: string
  /** 16 random bytes, fresh for every process start. */
  readonly epoch: Buffer
  /** Microseconds since 1970. */
  readonly now_us: () => number
  /** Nanoseconds of a monotonic clock. */
  readonly mono_ns: () => bigint
  readonly durable_timeout_ms?: number
  /** The log does not take records; for a log line. */
  readonly onTrouble?: (error: unknown) => void
  /** Counts records that the log took. */
  readonly onTaken?: (records: number) => void
  /** Counts records that were refused. */
  readonly onRefused?: () => void
}

/** Everything of a context that differs between two records. */
export type OwnContext = Pick<Context, 'actor' | 'pipeline' | 'peer' | 'target'>

export interface LogRecorder extends AsyncDisposable {
  /** Records minted in this epoch so far. */
  readonly records: number
  /** Records that wait for the log. */
  readonly waiting: number
  /**
   * Records an event and resolves when it is durable in the log. Throws CairnError('audit_unavailable') when it is not within the time limit, or
   * when too many wait already: what it is about must not happen then. A record that was late may stand in the log all the same, later.
   * @param key decides the partition; default the recorder's own id
   */
  record<T extends EventType>(
    type: T,
    context: OwnContext,
    body: EventBodies[T],
    key?: Buffer,
  ): Promise<void>
}

type Minted = { readonly topic: string; readonly record: LogRecord }
type Waiting = Minted & { readonly settle: () => void }

const unavailable = (why: string): CairnError =>
  new CairnError('audit_unavailable', `this cannot be recorded now, so it is refused: ${why}`)

/** Id of a recorder in record headers: first 16 bytes of SHA-256 over its name. */
export const recorderId = (name: string): Buffer => valueHash(Buffer.from(name)).subarray(0, 16)

export const openLogRecorder = (deps: LogRecorderDeps): LogRecorder => {
  const { log, epoch, now_us, mono_ns } = deps
  const gateway = recorderId(deps.name)
  const timeout_ms = deps.durable_timeout_ms ?? durable_timeout_ms
  const opened_ns = mono_ns()
  const queue: Waiting[] = []
  const stop = new AbortController()
  let gseq = 0
  let pumping: Promise<void> | undefined

  const mint = <T extends EventType>(
    type: T,
    context: OwnContext,
    body: EventBodies[T],
    key: Buffer,
  ): Minted => {
    const { code, topic, schemaHash } = catalogue[type]
    const wall_us = now_us()
    const whole: Context = {
      deployment: deps.deployment,
      gateway: deps.name,
      session: zero_hash,
      ...context,
    }
    const value = encodeValue(type, wall_us, encodeContext(whole), body)
    const header = encodeHeader({
      gateway,
      epoch,
      gseq,
      session: zero_hash,
      sseq: 0,
      sprev: zero_hash,
      code,
      wall_us,
      mono_ns: Number(mono_ns() - opened_ns),
      schema: schemaHash,
      value: valueHash(value),
      value_bytes: value.length,
    })
    // Only now: an event that cannot be encoded takes no number.
    gseq++
    return {
      topic,
      record: { key, value, headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(code) } },
    }
  }

  const pump = async (): Promise<void> => {
    while (queue.length > 0) {
      const topic = queue[0]?.topic ?? ''
      const other = queue.findIndex((waiting) => waiting.topic !== topic)
      const batch = queue.slice(0, Math.min(other < 0 ? queue.length : other, append_records_max))
      try {
        await log.append(
          topic,
          batch.map(({ record }) => record),
        )
        queue.splice(0, batch.length)
        deps.onTaken?.(batch.length)
        for (const waiting of batch) waiting.settle()
      } catch (error) {
        deps.onTrouble?.(error)
        if (stop.signal.aborted) return
        await pause(retry_ms, stop.signal)
      }
    }
  }

  const durable = (minted: Minted): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        deps.onRefused?.()
        reject(unavailable('the log does not take it'))
      }, timeout_ms)
      queue.push({
        ...minted,
        settle: () => {
          clearTimeout(timer)
          resolve()
        },
      })
      pumping ??= pump().finally(() => {
        pumping = undefined
      })
    })

  return {
    get records() {
      return gseq
    },
    get waiting() {
      return queue.length
    },
    record: async (type, context, body, key = gateway) => {
      if (stop.signal.aborted) throw unavailable('the service is stopping')
      if (queue.length >= queue_records_max) {
        deps.onRefused?.()
        throw unavailable(`${queue_records_max} others wait for the log`)
      }
      await durable(mint(type, context, body, key))
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await pumping
    },
  }
}
