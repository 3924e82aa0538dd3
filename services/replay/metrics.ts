import { counter, gauge, histogram } from '#lib/metrics.ts'

/** Metrics of the replay service. */
export const openReplayMetrics = () => ({
  records: counter({
    name: 'replay_records_total',
    help: 'Records of the log that took effect in ClickHouse.',
    labels: ['topic'],
  }),
  duplicates: counter({
    name: 'replay_duplicates_total',
    help: 'Records left out because the same record stands earlier in the log.',
    labels: ['topic'],
  }),
  equivocations: counter({
    name: 'replay_equivocations_total',
    help: 'Records that share their place in a gateway log with another record.',
    labels: ['topic'],
  }),
  dead_letters: counter({
    name: 'replay_dead_letters_total',
    help: 'Records that were not understood or were refused by a table.',
    labels: ['reason'],
  }),
  retries: counter({
    name: 'replay_retries_total',
    help: 'Attempts that failed because ClickHouse or the log was not available.',
    labels: [],
  }),
  batch_seconds: histogram({
    name: 'replay_batch_seconds',
    help: 'From a batch read to its rows queryable.',
    labels: [],
  }),
  lag: gauge({
    name: 'replay_lag_records',
    help: 'Records of the log that are not in ClickHouse yet.',
    labels: ['topic', 'partition'],
  }),
  age_seconds: gauge({
    name: 'replay_last_record_age_seconds',
    help: 'Time from the log to queryable of the last record of the last batch.',
    labels: [],
  }),
  holes: gauge({
    name: 'replay_sequence_holes',
    help: 'Sequence numbers of gateway epochs of the last day that are missing in the tables.',
    labels: [],
  }),
  repeated: gauge({
    name: 'replay_sequence_repeats',
    help: 'Rows of the last day beyond one per sequence number of a gateway epoch.',
    labels: [],
  }),
})

export type ReplayMetrics = ReturnType<typeof openReplayMetrics>
