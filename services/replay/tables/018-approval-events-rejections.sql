ALTER TABLE approval_events
  ADD COLUMN IF NOT EXISTS rules Array(LowCardinality(String)) COMMENT 'approval.requested: policies that hold the command.',
  ADD COLUMN IF NOT EXISTS link String COMMENT 'approval.requested: where it can be decided.' CODEC(ZSTD(1)),
  ADD COLUMN IF NOT EXISTS channel LowCardinality(String) COMMENT 'approval.decided: api, console, cli or webhook.',
  ADD COLUMN IF NOT EXISTS detail String COMMENT 'approval.rejected: in words; its reason is one of a fixed list.' CODEC(ZSTD(1)),
  MODIFY COLUMN event LowCardinality(String) COMMENT 'approval.requested, approval.decided, approval.expired, approval.consumed or approval.rejected.',
  MODIFY COLUMN approver_issuer LowCardinality(String) COMMENT 'approval.decided: issuer of the approver\'s identity; approval.rejected: as the decision states it.',
  MODIFY COLUMN approver_subject String COMMENT 'approval.decided: who decided; approval.rejected: as the decision states it.'
