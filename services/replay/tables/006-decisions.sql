CREATE TABLE IF NOT EXISTS decisions
(
  topic LowCardinality(String) COMMENT 'Topic of the log that the record is in.',
  partition UInt16 COMMENT 'Partition of the topic.' CODEC(T64, ZSTD(1)),
  offset UInt64 COMMENT 'Offset in the partition; (topic, partition, offset) names one record.' CODEC(Delta, ZSTD(1)),
  session String COMMENT 'Session id, hex.' CODEC(ZSTD(1)),
  command UInt64 COMMENT 'The command: sseq of its command.received record.' CODEC(Delta, ZSTD(1)),
  sseq UInt64 COMMENT 'Sequence number of the record in its session, from 0.' CODEC(Delta, ZSTD(1)),
  time DateTime64(6, 'UTC') COMMENT 'When the event was minted, by the gateway\'s wall clock.' CODEC(Delta, ZSTD(1)),
  outcome LowCardinality(String) COMMENT 'allow, deny, hold or mask.',
  rules Array(LowCardinality(String)) COMMENT 'Rules that said so.',
  reason String COMMENT 'In words.' CODEC(ZSTD(1)),
  policy_digest LowCardinality(String) COMMENT 'SHA-256 of the policy in force, hex.',
  risk UInt8 COMMENT 'Risk score, 0 to 100.' CODEC(ZSTD(1)),
  dry_run Bool COMMENT 'Whether the outcome was only recorded, not enforced.' CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (session, command, sseq)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1
COMMENT 'decision.made: what the policy said about each command.'
