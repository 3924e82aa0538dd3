CREATE TABLE IF NOT EXISTS command_ended
(
  topic LowCardinality(String) COMMENT 'Topic of the log that the record is in.',
  partition UInt16 COMMENT 'Partition of the topic.' CODEC(T64, ZSTD(1)),
  offset UInt64 COMMENT 'Offset in the partition; (topic, partition, offset) names one record.' CODEC(Delta, ZSTD(1)),
  session String COMMENT 'Session id, hex.' CODEC(ZSTD(1)),
  command UInt64 COMMENT 'The command: sseq of its command.received record.' CODEC(Delta, ZSTD(1)),
  sseq UInt64 COMMENT 'Sequence number of the record in its session, from 0.' CODEC(Delta, ZSTD(1)),
  time DateTime64(6, 'UTC') COMMENT 'When the event was minted, by the gateway\'s wall clock.' CODEC(Delta, ZSTD(1)),
  event LowCardinality(String) COMMENT 'command.completed or command.refused.',
  status LowCardinality(String) COMMENT 'ok, error, suspended, cancelled, aborted, unknown; refused for a refusal.',
  tag LowCardinality(String) COMMENT 'Native completion tag.',
  rows Int64 COMMENT 'Rows returned or affected; -1 if the protocol does not say.' CODEC(T64, ZSTD(1)),
  response_bytes UInt64 COMMENT 'Response bytes as the client got them.' CODEC(T64, ZSTD(1)),
  input_bytes UInt64 COMMENT 'Input bytes (COPY IN).' CODEC(T64, ZSTD(1)),
  duration_us UInt64 COMMENT 'From forwarding to completion, microseconds.' CODEC(T64, ZSTD(1)),
  error_code LowCardinality(String) COMMENT 'Native error code, for example SQLSTATE; empty if none.',
  error_message String COMMENT 'Native error message; empty if none.' CODEC(ZSTD(1)),
  reason LowCardinality(String) COMMENT 'Refusals: stable reason code; empty otherwise.'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (session, command, sseq)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'command.completed and command.refused: how each command ended.'
