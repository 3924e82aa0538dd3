CREATE VIEW IF NOT EXISTS responses
(
  session String COMMENT 'Session id, hex.',
  command Int64 COMMENT 'The command that the bytes belong to; -1 for bytes outside any.',
  sseq UInt64 COMMENT 'Sequence number of the record in its session.',
  time DateTime64(6, 'UTC') COMMENT 'When the chunk was recorded.',
  event LowCardinality(String) COMMENT 'response.chunk or input.chunk.',
  stream LowCardinality(String) COMMENT 'Which stream of the command.',
  format LowCardinality(String) COMMENT 'Encoding of the bytes.',
  start UInt64 COMMENT 'Offset of the first byte in the response or input of the command.',
  size UInt32 COMMENT 'How many bytes there are.',
  bytes String COMMENT 'The bytes, as the client got them.',
  masked Array(Tuple(rule LowCardinality(String), count UInt64)) COMMENT 'What was masked.',
  gateway LowCardinality(String) COMMENT 'Name of the gateway process.',
  target LowCardinality(String) COMMENT 'Target of the session.'
)
AS SELECT
  session AS session,
  command AS command,
  sseq AS sseq,
  time AS time,
  event AS event,
  chunk_stream AS stream,
  chunk_format AS format,
  chunk_start AS start,
  chunk_bytes AS size,
  substring(value, chunk_at + 1, chunk_bytes) AS bytes,
  chunk_masked AS masked,
  gateway AS gateway,
  target AS target
FROM records
WHERE code IN ('CRN1300I', 'CRN1301I') AND problem = ''
COMMENT 'What clients got and sent, chunk by chunk: the bytes of response.chunk and input.chunk records.'
