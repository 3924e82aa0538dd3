CREATE VIEW IF NOT EXISTS alerts
(
  alert String COMMENT 'Alert id, hex.',
  time DateTime64(6, 'UTC') COMMENT 'When it was raised.',
  rule LowCardinality(String) COMMENT 'Rule id.',
  rule_name LowCardinality(String) COMMENT 'Rule name.',
  severity LowCardinality(String) COMMENT 'Severity.',
  why String COMMENT 'Why, in words.',
  entity_kind LowCardinality(String) COMMENT 'Kind of the entity.',
  entity String COMMENT 'The entity.',
  evidence Array(Tuple(gateway LowCardinality(String), epoch String, gseq UInt64)) COMMENT 'Records that prove it.',
  confidence UInt8 COMMENT 'Confidence, 0 to 100.',
  techniques Array(LowCardinality(String)) COMMENT 'ATT&CK technique ids.',
  session String COMMENT 'Session it is about, hex; empty if none.',
  verdict LowCardinality(String) COMMENT 'Last verdict; empty until triaged.',
  verdict_reason String COMMENT 'The analyst\'s words.',
  analyst String COMMENT 'Who decided last.'
)
AS SELECT
  alert AS alert,
  minIf(e.time, e.event = 'alert.raised') AS time,
  anyIf(e.rule, e.event = 'alert.raised') AS rule,
  anyIf(e.rule_name, e.event = 'alert.raised') AS rule_name,
  anyIf(e.severity, e.event = 'alert.raised') AS severity,
  anyIf(e.why, e.event = 'alert.raised') AS why,
  anyIf(e.entity_kind, e.event = 'alert.raised') AS entity_kind,
  anyIf(e.entity, e.event = 'alert.raised') AS entity,
  anyIf(e.evidence, e.event = 'alert.raised') AS evidence,
  anyIf(e.confidence, e.event = 'alert.raised') AS confidence,
  anyIf(e.techniques, e.event = 'alert.raised') AS techniques,
  anyIf(e.session, e.event = 'alert.raised') AS session,
  argMaxIf(e.verdict, (e.time, e.offset), e.event = 'alert.triaged') AS verdict,
  argMaxIf(e.reason, (e.time, e.offset), e.event = 'alert.triaged') AS verdict_reason,
  argMaxIf(e.analyst, (e.time, e.offset), e.event = 'alert.triaged') AS analyst
FROM alert_events AS e
GROUP BY alert
COMMENT 'One row per alert, with its last triage.'
