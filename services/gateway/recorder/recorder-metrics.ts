import { counter, gauge, histogram } from '#lib/metrics.ts'

/** Metrics of the recorder; counted by group and by second, never by record. */
export const openRecorderMetrics = () => ({
  records: counter({
    name: 'recorder_records_total',
    help: 'Records minted and made durable in the journal.',
  }),
  bytes: counter({ name: 'journal_bytes_total', help: 'Bytes written to the journal.' }),
  commit_s: histogram({
    name: 'journal_commit_seconds',
    help: 'Time of one write to the journal, until it is durable; one for all sessions.',
  }),
  shipped: counter({
    name: 'recorder_shipped_records_total',
    help: 'Records of the journal that the log has acknowledged.',
  }),
  unshipped_bytes: gauge({
    name: 'journal_unshipped_bytes',
    help: 'Bytes of the journal that the log has not acknowledged.',
  }),
  queue_bytes: gauge({
    name: 'recorder_queue_bytes',
    help: 'Bytes of records in memory on their way to the journal.',
  }),
  ship_lag_s: gauge({
    name: 'recorder_ship_lag_seconds',
    help: 'Age of the oldest record that the log has not acknowledged.',
  }),
  available: gauge({
    name: 'recorder_available',
    help: '1 while records can be made durable; at 0 commands are refused.',
  }),
  troubles: counter({
    name: 'recorder_troubles_total',
    help: 'How often recording got into trouble, by part.',
    labels: ['part'],
  }),
})

export type RecorderMetrics = ReturnType<typeof openRecorderMetrics>
