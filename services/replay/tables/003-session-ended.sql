CREATE TABLE IF NOT EXISTS session_ended
(
  topic LowCardinality(String) COMMENT 'Topic of the log that the record is in.',
  partition UInt16 COMMENT 'Partition of the topic.' CODEC(T64, ZSTD(1)),
  offset UInt64 COMMENT 'Offset in the partition; (topic, partition, offset) names one record.' CODEC(Delta, ZSTD(1)),
  session String COMMENT 'Session id, hex.' CODEC(ZSTD(1)),
  sseq UInt64 COMMENT 'Sequence number of the record in its session, from 0.' CODEC(Delta, ZSTD(1)),
  time DateTime64(6, 'UTC') COMMENT 'When the event was minted, by the gateway\'s wall clock.' CODEC(Delta, ZSTD(1)),
  reason LowCardinality(String) COMMENT 'Why it ended.',
  detail String COMMENT 'In words.' CODEC(ZSTD(1)),
  commands UInt64 COMMENT 'Commands received.' CODEC(T64, ZSTD(1)),
  refused UInt64 COMMENT 'Commands refused.' CODEC(T64, ZSTD(1)),
  records UInt64 COMMENT 'Records of the session, this one included.' CODEC(T64, ZSTD(1)),
  client_bytes UInt64 COMMENT 'Bytes received from the client.' CODEC(T64, ZSTD(1)),
  target_bytes UInt64 COMMENT 'Bytes received from the target.' CODEC(T64, ZSTD(1)),
  duration_us UInt64 COMMENT 'Duration, microseconds.' CODEC(T64, ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (session)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'session.ended: why, and what the session came to.'
