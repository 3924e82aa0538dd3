CREATE VIEW IF NOT EXISTS approvals
(
  approval String COMMENT 'Approval id, hex.',
  requested DateTime64(6, 'UTC') COMMENT 'When it was requested.',
  state String COMMENT 'waiting, approved, denied, expired or consumed.',
  session String COMMENT 'Session that waits, hex.',
  command Int64 COMMENT 'The command that waits.',
  text String COMMENT 'The command as the approver sees it.',
  reason String COMMENT 'Which rule holds it and why.',
  quorum UInt32 COMMENT 'Distinct persons needed.',
  expires DateTime64(6, 'UTC') COMMENT 'Until when it can be decided.',
  approved_by Array(String) COMMENT 'Who approved.',
  denied_by Array(String) COMMENT 'Who denied.',
  actor_subject String COMMENT 'Who asked.',
  target LowCardinality(String) COMMENT 'Target of the session.'
)
AS SELECT
  approval AS approval,
  minIf(e.time, e.event = 'approval.requested') AS requested,
  multiIf(countIf(e.event = 'approval.consumed') > 0, 'consumed', countIf(e.event = 'approval.expired') > 0, 'expired', countIf(e.decision = 'deny') > 0, 'denied', uniqExactIf((e.approver_issuer, e.approver_subject), e.decision = 'approve') >= maxIf(e.quorum, e.event = 'approval.requested'), 'approved', 'waiting') AS state,
  anyIf(e.session, e.event = 'approval.requested') AS session,
  maxIf(e.command, e.event = 'approval.requested') AS command,
  anyIf(e.text, e.event = 'approval.requested') AS text,
  anyIf(e.reason, e.event = 'approval.requested') AS reason,
  maxIf(e.quorum, e.event = 'approval.requested') AS quorum,
  maxIf(e.expires, e.event = 'approval.requested') AS expires,
  groupUniqArrayIf(e.approver_subject, e.decision = 'approve') AS approved_by,
  groupUniqArrayIf(e.approver_subject, e.decision = 'deny') AS denied_by,
  anyIf(e.actor_subject, e.event = 'approval.requested') AS actor_subject,
  anyIf(e.target, e.event = 'approval.requested') AS target
FROM approval_events AS e
GROUP BY approval
COMMENT 'One row per approval.'
