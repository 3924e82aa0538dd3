import { openLogRecorder, type LogRecorder, type LogRecorderDeps } from '#lib/log/recorder.ts'
import { counter, gauge } from '#lib/metrics.ts'

/**
 * The api's recorder: mints records of its own epoch (gateway name `api`) and appends them to the log. Unlike a gateway it keeps no
 * journal: a note is durable when the log has it, and until then its answer is not given.
 */
const audit_gateway = 'api'

export type AuditDeps = Omit<LogRecorderDeps, 'name' | 'onTaken' | 'onRefused'>

export type AuditRecorder = LogRecorder

export const openAuditRecorder = (deps: AuditDeps): AuditRecorder => {
  const recorded = counter({
    name: 'api_audit_notes_total',
    help: 'Audit notes that the log took.',
  })
  const refused = counter({
    name: 'api_audit_refused_total',
    help: 'Requests refused because they could not be recorded.',
  })
  const recorder = openLogRecorder({
    ...deps,
    name: audit_gateway,
    onTaken: (records) => recorded.inc(records),
    onRefused: () => refused.inc(),
  })
  gauge({
    name: 'api_audit_queue_notes',
    help: 'Audit notes waiting for the log.',
    read: (own) => own.set(recorder.waiting),
  })
  return recorder
}
