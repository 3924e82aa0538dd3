CREATE OR REPLACE VIEW approvals
(
  approval String COMMENT 'Approval id, hex.',
  requested DateTime64(6, 'UTC') COMMENT 'When it was requested.',
  state String COMMENT 'waiting, approved, denied, expired or consumed. Decisions that changed nothing do not count.',
  session String COMMENT 'Session that waits, hex.',
  command Int64 COMMENT 'The command that waits.',
  text String COMMENT 'The command as the approver sees it.',
  reason String COMMENT 'Which rule holds it and why.',
  quorum UInt32 COMMENT 'Distinct persons needed.',
  expires DateTime64(6, 'UTC') COMMENT 'Until when it can be decided.',
  approved_by Array(String) COMMENT 'Who approved.',
  denied_by Array(String) COMMENT 'Who denied.',
  actor_subject String COMMENT 'Who asked.',
  target LowCardinality(String) COMMENT 'Target of the session.',
  rules Array(String) COMMENT 'Policies that hold it.',
  groups Array(String) COMMENT 'Groups whose members may decide.',
  rejected UInt64 COMMENT 'Decisions that changed nothing: forged, late, twice, or by somebody who may not.'
)
AS WITH
  groupArrayIf((e.approver_issuer, e.approver_subject), e.event = 'approval.decided') AS deciders,
  groupArrayIf((e.approver_issuer, e.approver_subject), e.event = 'approval.rejected' AND e.gateway != 'api') AS discounted,
  arrayFilter(p -> countEqual(deciders, p) > countEqual(discounted, p), groupUniqArrayIf((e.approver_issuer, e.approver_subject), e.decision = 'approve')) AS approvers,
  arrayFilter(p -> countEqual(deciders, p) > countEqual(discounted, p), groupUniqArrayIf((e.approver_issuer, e.approver_subject), e.decision = 'deny')) AS deniers
SELECT
  approval AS approval,
  minIf(e.time, e.event = 'approval.requested') AS requested,
  multiIf(countIf(e.event = 'approval.consumed') > 0, 'consumed', countIf(e.event = 'approval.expired') > 0, 'expired', length(deniers) > 0, 'denied', length(approvers) >= maxIf(e.quorum, e.event = 'approval.requested'), 'approved', 'waiting') AS state,
  anyIf(e.session, e.event = 'approval.requested') AS session,
  maxIf(e.command, e.event = 'approval.requested') AS command,
  anyIf(e.text, e.event = 'approval.requested') AS text,
  anyIf(e.reason, e.event = 'approval.requested') AS reason,
  maxIf(e.quorum, e.event = 'approval.requested') AS quorum,
  maxIf(e.expires, e.event = 'approval.requested') AS expires,
  arrayMap(p -> tupleElement(p, 2), approvers) AS approved_by,
  arrayMap(p -> tupleElement(p, 2), deniers) AS denied_by,
  anyIf(e.actor_subject, e.event = 'approval.requested') AS actor_subject,
  anyIf(e.target, e.event = 'approval.requested') AS target,
  anyIf(e.rules, e.event = 'approval.requested') AS rules,
  anyIf(e.approver_groups, e.event = 'approval.requested') AS groups,
  countIf(e.event = 'approval.rejected') AS rejected
FROM approval_events AS e
GROUP BY approval
HAVING countIf(e.event = 'approval.requested') > 0
COMMENT 'One row per approval.'
