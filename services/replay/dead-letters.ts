import { CairnError } from '#lib/error.ts'
import type { Log, LogRecord } from '#lib/log/port.ts'
import type { BrokenEntry } from './entry.ts'

/** Topic of what could not be read. */
export const dead_letter_topic = 'cairn.deadletter'

const detail_chars_max = 500
const kept_headers_max = 16

const letterOf = ({ stored, problem, detail }: BrokenEntry, value: Buffer): LogRecord => ({
  key: stored.key,
  value,
  headers: {
    ...Object.fromEntries(Object.entries(stored.headers).slice(0, kept_headers_max)),
    'cairn-origin': Buffer.from(`${stored.topic}:${stored.partition}:${stored.offset}`),
    'cairn-reason': Buffer.from(problem),
    'cairn-detail': Buffer.from(detail.slice(0, detail_chars_max)),
    ...(value.length === stored.value.length
      ? {}
      : { 'cairn-cut': Buffer.from(String(stored.value.length)) }),
  },
})

/**
 * Puts records that were not understood into `cairn.deadletter`: key, value and headers as they came, with `cairn-origin` (topic:partition:offset),
 * `cairn-reason` and `cairn-detail`. At least once: after a crash the same letter may stand there twice, with the same origin.
 * Throws as the log's `append`.
 */
export const sendDeadLetters = async (log: Log, entries: readonly BrokenEntry[]): Promise<void> => {
  if (entries.length === 0) return
  for (const entry of entries) {
    const { value } = entry.stored
    try {
      await log.append(dead_letter_topic, [letterOf(entry, value)])
    } catch (error) {
      if (!(error instanceof CairnError) || error.code !== 'log_record_too_large') throw error
      // With the reasons added it is over the log's limit; the whole value is in `records`.
      await log.append(dead_letter_topic, [letterOf(entry, value.subarray(0, value.length / 2))])
    }
  }
}
