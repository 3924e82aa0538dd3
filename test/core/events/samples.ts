import { createHash } from 'node:crypto'
import type { Context, EventBodies, EventType } from '#core/events/types.ts'

/** One plausible body of every event, for golden examples, benches and tests of consumers. */

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const digest = sha256('policy').toString('hex')

/** 2026-03-01T12:00:00.123456Z. */
export const sample_time_us = 1_772_366_400_123_456

/** A GitHub Actions job in a session at a PostgreSQL. */
export const sampleContext: Context = {
  deployment: 'local',
  gateway: 'gw-1/0',
  session: sha256('session'),
  actor: {
    kind: 'workload',
    issuer: 'https://token.actions.githubusercontent.com',
    subject: 'repo:acme/shop:ref:refs/heads/main',
    display_name: 'acme/shop deploy',
    groups: ['acme', 'deployers'],
    credential_fingerprint: sha256('credential').toString('hex'),
    token_id: 'b1946ac9-2492-4d23-9d5c-111111111111',
  },
  pipeline: {
    provider: 'github',
    repository: 'acme/shop',
    ref: 'refs/heads/main',
    sha: '2fd4e1c67a2d28fced849ee1bb76e7391b93eb12',
    workflow: 'deploy.yml',
    run: '9182736455',
    run_attempt: '1',
    job: 'migrate',
    environment: 'production',
    triggering_user: 'ada',
    runner: 'github-hosted',
    approval_ticket: 'CHG-1042',
  },
  peer: {
    address: '192.0.2.17',
    port: 53_211,
    client_software: 'psql',
    tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384',
    fingerprint: '',
  },
  target: { name: 'orders', protocol: 'postgres', database: 'shop', role: 'migrator' },
}

/** Context of an event that belongs to no session. */
export const gatewayContext: Context = {
  deployment: 'local',
  gateway: 'gw-1/0',
  session: Buffer.alloc(32),
  actor: null,
  pipeline: null,
  peer: null,
  target: null,
}

const text = "update orders set state = 'shipped' where id = $1 returning note; -- grüße, 海, 🚢"

const approval = sha256('approval')

const commands: Pick<
  EventBodies,
  | 'command.received'
  | 'decision.made'
  | 'command.refused'
  | 'command.completed'
  | 'response.chunk'
  | 'input.chunk'
> = {
  'command.received': {
    text,
    text_bytes: Buffer.byteLength(text),
    text_sha256: sha256(text),
    kind: 'execute',
    native: ['Parse', 'Bind', 'Describe', 'Execute', 'Sync'],
    verb: 'update',
    fingerprint: 'a0d1f26f3bd4e7c2',
    statements: [
      {
        verb: 'update',
        offset: 0,
        length: 65,
        effects: [{ action: 'write', object: 'public.orders', columns: [], via: '' }],
      },
    ],
    statement_name: 's1',
    portal_name: '',
    parameters: [
      { type_oid: 23, format: 'text', value: '42', masked: false, value_bytes: 2 },
      { type_oid: 25, format: 'text', value: null, masked: false, value_bytes: -1 },
    ],
    row_limit: 0,
    parse_error: '',
    pure_read: false,
    masked: [{ rule: 'card-numbers', count: 1 }],
  },
  'decision.made': {
    command: 1,
    outcome: 'allow',
    rules: ['migrators-may-write'],
    reason: 'rule migrators-may-write allows acme/shop on orders',
    policy_digest: digest,
    risk: 12,
    dry_run: false,
  },
  'command.refused': {
    command: 1,
    reason: 'policy_denied',
    native_code: '42501',
    message: 'cairn: rule no-ddl denies drop table',
  },
  'command.completed': {
    command: 1,
    status: 'ok',
    tag: 'UPDATE 1',
    rows: 1,
    response_bytes: 58,
    input_bytes: 0,
    duration_us: 1_834,
    error_code: '',
    error_message: '',
  },
  'response.chunk': {
    command: 1,
    stream: 'rows',
    format: 'pg3',
    offset: 0,
    bytes: Buffer.from('4400000011000100000007736869707065', 'hex'),
    masked: [{ rule: 'card-numbers', count: 1 }],
  },
  'input.chunk': {
    command: 1,
    stream: 'copy',
    format: 'raw',
    offset: 65_536,
    bytes: Buffer.from('1\tshipped\n'),
    masked: [],
  },
}

const approvals: Pick<
  EventBodies,
  | 'approval.requested'
  | 'approval.decided'
  | 'approval.expired'
  | 'approval.consumed'
  | 'approval.rejected'
> = {
  'approval.requested': {
    approval: Buffer.alloc(32),
    command: 3,
    command_hash: sha256('drop table orders'),
    text: 'drop table orders',
    reason: 'rule ddl-needs-two holds drop',
    approver_groups: ['dba'],
    quorum: 2,
    expires: sample_time_us + 900_000_000,
    estimated_rows: -1,
    rules: ['ddl-needs-two'],
    link: 'https://cairn.example/approvals/3f9a2b',
  },
  'approval.decided': {
    approval,
    command_hash: sha256('drop table orders'),
    decision: 'approve',
    reason: 'agreed in CHG-1042',
    approver_issuer: 'https://login.example',
    approver_subject: 'grace',
    approver_groups: ['dba'],
    signature: Buffer.alloc(64, 0x5a),
    approver_names: ['grace', 'grace@example.com'],
    channel: 'cli',
  },
  'approval.rejected': {
    approval,
    reason: 'requester',
    detail: 'ada triggered the run that asks',
    approver_issuer: 'https://login.example',
    approver_subject: 'ada',
  },
  'approval.expired': { approval, reason: 'timeout' },
  'approval.consumed': {
    approval,
    command: 3,
    command_hash: sha256('drop table orders'),
    approvers: ['grace', 'linus'],
  },
}

const gateway: Pick<
  EventBodies,
  | 'gateway.started'
  | 'gateway.heartbeat'
  | 'gateway.stopped'
  | 'gateway.degraded'
  | 'policy.loaded'
  | 'session.started'
  | 'session.refused'
  | 'session.ended'
> = {
  'gateway.started': {
    version: '0.1.0',
    runtime: 'node v24.21.0',
    durability: 'disk',
    reads: 'wait',
    policy_digest: digest,
    epoch_key: null,
    predecessor: {
      epoch: Buffer.alloc(16, 0x11),
      gseq: 9_007_199_254_740_990,
      leaf: sha256('leaf'),
      clean: false,
    },
    recovered_records: 17,
  },
  'gateway.heartbeat': {
    open_sessions: 3,
    records: 1_000_000,
    journal_bytes: 65_536,
    ship_lag_ms: 4,
    commands: 250_000,
    refused: 2,
  },
  'gateway.stopped': { reason: 'SIGTERM', records: 1_000_001, sessions: 128 },
  'gateway.degraded': { component: 'journal', state: 'begin', reason: 'no space left on device' },
  'policy.loaded': {
    digest,
    source: 'cairn.yaml',
    loaded_by: 'start',
    text: '[{"name":"migrators-may-write"}]',
  },
  'session.started': {
    protocol_version: '3.0',
    parameters: { application_name: 'psql', search_path: '"$user", public' },
    decision: 'allow',
    rules: ['migrators-may-write'],
    policy_digest: digest,
    credential: 'orders-migrator',
    target_user: 'cairn_migrator',
  },
  'session.refused': {
    reason: 'token_expired',
    detail: 'the token expired 12 s ago',
    requested_target: 'orders',
    requested_role: 'migrator',
    rules: [],
    differences: [{ field: 'ref', expected: 'refs/heads/main', actual: 'refs/heads/dev' }],
  },
  'session.ended': {
    reason: 'client_closed',
    detail: '',
    commands: 2,
    refused: 0,
    records: 9,
    client_bytes: 311,
    target_bytes: 742,
    duration_us: 2_000_123,
  },
}

/** A body of every event. */
export const samples: EventBodies = {
  ...gateway,
  ...commands,
  'token.claimed': {
    token: sha256('token').toString('hex'),
    claim: 'c1f0a5d2',
    uses: 1,
    expires: sample_time_us + 300_000_000,
  },
  'token.revoked': {
    kind: 'run',
    token: '',
    run: '["https://token.actions.githubusercontent.com","acme/shop","9182736455","1"]',
    reason: 'the job is over',
    revoked_by: 'repo:acme/shop:ref:refs/heads/main',
    session: '',
  },
  ...approvals,
  'alert.raised': {
    rule: 'CRN-SIG-0007',
    rule_name: 'Workload reads every customer',
    severity: 'high',
    why: 'acme/shop deploy read 1,200,000 rows of customers; it never read more than 40',
    entity_kind: 'workflow',
    entity: 'acme/shop/deploy.yml',
    evidence: [{ gateway: 'gw-1/0', epoch: Buffer.alloc(16, 0x11), gseq: 4_711 }],
    confidence: 90,
    techniques: ['T1213'],
  },
  'alert.triaged': {
    alert: 'a-1',
    verdict: 'true_positive',
    reason: 'the runner was taken over',
    analyst: 'katherine',
  },
  'credential.issued': {
    credential: 'orders-migrator',
    kind: 'static',
    principal: 'cairn_migrator',
    expires: sample_time_us + 3_600_000_000,
  },
  'credential.revoked': {
    credential: 'orders-migrator',
    principal: 'cairn_migrator',
    reason: 'session ended',
  },
  'evidence.viewed': {
    viewer_issuer: 'https://login.example',
    viewer_subject: 'katherine',
    resource: 'session',
    viewed_session: sha256('session').toString('hex'),
    query: '',
  },
  'evidence.exported': {
    viewer_issuer: 'https://login.example',
    viewer_subject: 'katherine',
    viewed_session: sha256('session').toString('hex'),
    bundle_sha256: sha256('bundle'),
    reason: 'audit of March',
  },
  'admin.changed': {
    admin_issuer: 'https://login.example',
    admin_subject: 'root',
    action: 'POST /v1/tokens',
    object: 'target orders, role migrator',
    detail: 'exchanged a token for 300 s',
  },
  'notary.incident': {
    kind: 'gap',
    origin: 'local/gateway/gw-1/0',
    gseq: 4_711,
    detail: 'records 4711 to 4712 are in no seal',
  },
  'retention.applied': {
    rule: 'responses-30-days',
    what: 'cairn.responses',
    records: 12_000,
    until: sample_time_us - 2_592_000_000_000,
  },
}

/** Whether an event belongs to a session. */
export const contextOf = (type: EventType): Context =>
  /^(gateway|policy|retention|notary|alert|admin|evidence)\./.test(type)
    ? gatewayContext
    : sampleContext
