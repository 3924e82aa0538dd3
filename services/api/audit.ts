import { catalogue } from '#core/events/catalogue.ts'
import { encodeContext, encodeValue } from '#core/events/codec.ts'
import { encodeHeader, valueHash, zero_hash } from '#core/events/header.ts'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'
import { CairnError } from '#lib/error.ts'
import type { LogRecord, Log } from '#lib/log/port.ts'
import { counter, gauge } from '#lib/metrics.ts'

/**
 * The api's recorder: mints records of its own epoch (gateway name `api`) and appends them to the log. Unlike a gateway it keeps no
 * journal: a note is durable when the log has it, and until then its answer is not given.
 *
 * Records go out in the order of `gseq`, one append at a time. One that the log did not take stays first in the queue and is
 * appended again, byte for byte the same, so that a trouble of the log leaves no hole in `gseq`; whoever waited is refused meanwhile.
 */
export const audit_gateway = 'api'

/** Notes waiting for the log; more are refused. */
const queue_notes_max = 1000
/** Notes of one append. */
const append_notes_max = 200
/** How long a request waits for its note to be durable, milliseconds. */
const durable_timeout_ms = 5000
/** Between two tries of an append that failed, milliseconds. */
const retry_ms = 250

export type AuditDeps = {
  readonly log: Pick<Log, 'append'>
  readonly deployment: string
  /** First 16 bytes of SHA-256 over the gateway's name. */
  readonly gateway_id: Buffer
  /** 16 random bytes, fresh for every process start. */
  readonly epoch: Buffer
  /** Microseconds since 1970. */
  readonly now_us: () => number
  /** Nanoseconds of a monotonic clock. */
  readonly mono_ns: () => bigint
  readonly durable_timeout_ms?: number
  /** The log does not take notes; for a log line. */
  readonly onTrouble?: (error: unknown) => void
}

/** Everything of a context that differs between two notes. */
export type AuditContext = Pick<Context, 'actor' | 'pipeline' | 'peer' | 'target'>

export interface AuditRecorder extends AsyncDisposable {
  /** Records minted in this epoch so far. */
  readonly records: number
  /**
   * Records an event and resolves when it is durable in the log. Throws CairnError('audit_unavailable') when it is not within the time limit, or
   * when too many wait already: what it is about must not happen then.
   */
  record<T extends EventType>(type: T, context: AuditContext, body: EventBodies[T]): Promise<void>
}

type Waiting = {
  readonly topic: string
  readonly record: LogRecord
  readonly settle: () => void
}

const unavailable = (why: string): CairnError =>
  new CairnError('audit_unavailable', `this cannot be recorded now, so it is refused: ${why}`)

export const openAuditRecorder = (deps: AuditDeps): AuditRecorder => {
  const { log, epoch, gateway_id, now_us, mono_ns } = deps
  const timeout_ms = deps.durable_timeout_ms ?? durable_timeout_ms
  const opened_ns = mono_ns()
  const queue: Waiting[] = []
  const stop = new AbortController()
  let gseq = 0
  let pumping: Promise<void> | undefined

  const recorded = counter({
    name: 'api_audit_notes_total',
    help: 'Audit notes that the log took.',
  })
  const refused = counter({
    name: 'api_audit_refused_total',
    help: 'Requests refused because they could not be recorded.',
  })
  gauge({
    name: 'api_audit_queue_notes',
    help: 'Audit notes waiting for the log.',
    read: (own) => own.set(queue.length),
  })

  const mint = <T extends EventType>(
    type: T,
    context: AuditContext,
    body: EventBodies[T],
  ): { readonly topic: string; readonly record: LogRecord } => {
    const { code, topic, schemaHash } = catalogue[type]
    const wall_us = now_us()
    const own: Context = {
      deployment: deps.deployment,
      gateway: audit_gateway,
      session: zero_hash,
      ...context,
    }
    const value = encodeValue(type, wall_us, encodeContext(own), body)
    const header = encodeHeader({
      gateway: gateway_id,
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
      record: {
        key: gateway_id,
        value,
        headers: { 'cairn-leaf': header, 'cairn-code': Buffer.from(code) },
      },
    }
  }

  const pause = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, retry_ms)
      function done(): void {
        clearTimeout(timer)
        stop.signal.removeEventListener('abort', done)
        resolve()
      }
      stop.signal.addEventListener('abort', done, { once: true })
    })

  const pump = async (): Promise<void> => {
    while (queue.length > 0) {
      const topic = queue[0]?.topic ?? ''
      const other = queue.findIndex((note) => note.topic !== topic)
      const batch = queue.slice(0, Math.min(other < 0 ? queue.length : other, append_notes_max))
      try {
        await log.append(
          topic,
          batch.map(({ record }) => record),
        )
        queue.splice(0, batch.length)
        recorded.inc(batch.length)
        for (const note of batch) note.settle()
      } catch (error) {
        deps.onTrouble?.(error)
        if (stop.signal.aborted) return
        await pause()
      }
    }
  }

  const durable = (minted: { readonly topic: string; readonly record: LogRecord }): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        refused.inc()
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
    record: async (type, context, body) => {
      if (stop.signal.aborted) throw unavailable('the api is stopping')
      if (queue.length >= queue_notes_max) {
        refused.inc()
        throw unavailable(`${queue_notes_max} others wait for the log`)
      }
      await durable(mint(type, context, body))
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await pumping
    },
  }
}

/** Id of the api in record headers: first 16 bytes of SHA-256 over its gateway name. */
export const auditGatewayId = (): Buffer => valueHash(Buffer.from(audit_gateway)).subarray(0, 16)
