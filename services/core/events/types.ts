// Written by schemas/generate.ts from schemas/*.avsc; `npm run generate` writes it again.

/** The identity behind a session, as proven by its issuer. */
export type Actor = {
  /** What kind of principal this is. */
  readonly kind: 'human' | 'workload' | 'agent'
  /** Issuer (OIDC iss) that vouches for the subject. */
  readonly issuer: string
  /** Subject (OIDC sub) at that issuer. */
  readonly subject: string
  /** Name to show to people. */
  readonly display_name: string
  /** Groups of the subject, as the issuer states them. */
  readonly groups: readonly string[]
  /** SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered. */
  readonly credential_fingerprint: string
  /** Id of the token (jti); empty when the issuer gives none. */
  readonly token_id: string
}

/** The CI run behind a workload identity. */
export type Pipeline = {
  /** CI system. */
  readonly provider: 'github' | 'gitlab' | 'generic'
  /** Repository, as owner/name or group path. */
  readonly repository: string
  /** Full git ref, for example refs/heads/main. */
  readonly ref: string
  /** Commit id. */
  readonly sha: string
  /** Workflow or pipeline definition. */
  readonly workflow: string
  /** Run or pipeline id. */
  readonly run: string
  /** Attempt of the run. */
  readonly run_attempt: string
  /** Job name or id. */
  readonly job: string
  /** Deployment environment; empty if none. */
  readonly environment: string
  /** Account that triggered the run. */
  readonly triggering_user: string
  /** Runner name or kind, as far as the issuer states it. */
  readonly runner: string
  /** Change or approval ticket that the token names; empty if none. */
  readonly approval_ticket: string
}

/** The client end of the connection, as the gateway saw it. */
export type Peer = {
  /** IP address. */
  readonly address: string
  /** TCP port. */
  readonly port: number
  /** Client software as it states itself (application_name, SSH banner). Not trusted. */
  readonly client_software: string
  /** TLS protocol and cipher of the client leg; empty without TLS. */
  readonly tls: string
  /** Fingerprint of the client certificate or key; empty if none. */
  readonly fingerprint: string
}

/** What the session reaches. */
export type Target = {
  /** Name of the target in the configuration. */
  readonly name: string
  /** Protocol of the target. */
  readonly protocol: 'postgres' | 'ssh' | 'http' | 'kubernetes'
  /** Database, where the protocol has one; else empty. */
  readonly database: string
  /** Role asked for and granted. */
  readonly role: string
}

/** Last record known of an earlier epoch of this gateway. */
export type EpochEnd = {
  /** Epoch id. 16 bytes. */
  readonly epoch: Buffer
  /** Last gseq found in its journal. */
  readonly gseq: number
  /** Leaf hash of that record. 32 bytes. */
  readonly leaf: Buffer
  /** Whether that epoch ended with gateway.stopped. */
  readonly clean: boolean
}

/** One field in which the context shown differs from the one expected. */
export type Difference = {
  /** Field, for example ref, workflow, peer. */
  readonly field: string
  /** What was expected. */
  readonly expected: string
  /** What the token or the connection says. */
  readonly actual: string
}

/** One statement of a command. */
export type Statement = {
  /** Verb. */
  readonly verb: string
  /** Byte offset in the text. */
  readonly offset: number
  /** Length in bytes. */
  readonly length: number
  /** What the statement does to what, from the parse tree. */
  readonly effects: readonly Effect[]
}

/** One effect on one object. */
export type Effect = {
  /** Effect, for example select, insert, ddl.drop, call:pg_sleep, unknown. */
  readonly action: string
  /** Object, as schema.name or name; empty if none. */
  readonly object: string
  /** Columns of the object that are read or written, as far as they are known; * for all of them. */
  readonly columns: readonly string[]
  /** View, rule or function through which it happens; empty when the statement itself names the object. */
  readonly via: string
}

/** One bound parameter. */
export type Parameter = {
  /** Type OID as declared or as the target described it, as a signed 32-bit integer; 0 if unknown. */
  readonly type_oid: number
  /** Format on the wire. */
  readonly format: 'text' | 'binary'
  /** Value as text, decoded by its type; hex with a leading \x if it could not be decoded; null for NULL or when masked. */
  readonly value: string | null
  /** Whether the value was masked. */
  readonly masked: boolean
  /** Length on the wire in bytes; -1 for NULL. */
  readonly value_bytes: number
}

/** What was masked. */
export type MaskedValue = {
  /** Masking rule. */
  readonly rule: string
  /** How many values. */
  readonly count: number
}

/** Points to one record. */
export type RecordRef = {
  /** Gateway name. */
  readonly gateway: string
  /** Epoch id. 16 bytes. */
  readonly epoch: Buffer
  /** Sequence number in the epoch. */
  readonly gseq: number
}

/** Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM. */
export type Context = {
  /** Name of the deployment, from the configuration. */
  readonly deployment: string
  /** Name of the gateway process that minted the event. */
  readonly gateway: string
  /** Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session. 32 bytes. */
  readonly session: Buffer
  /** Identity behind the session; null for events of the gateway itself. */
  readonly actor: Actor | null
  /** CI run behind the session; null for people and gateway events. */
  readonly pipeline: Pipeline | null
  /** Client end of the connection. */
  readonly peer: Peer | null
  /** Target of the session. */
  readonly target: Target | null
}

/** A process epoch opens. */
export type GatewayStarted = {
  /** Cairn version. */
  readonly version: string
  /** Runtime and its version. */
  readonly runtime: string
  /** When a command counts as recorded. */
  readonly durability: 'disk' | 'broker'
  /** Whether proven pure reads may run while their record is made durable. */
  readonly reads: 'wait' | 'overlap'
  /** SHA-256 of the policy in force, hex. */
  readonly policy_digest: string
  /** Ed25519 public key of the epoch, 32 bytes; null while epochs are not sealed. */
  readonly epoch_key: Buffer | null
  /** The epoch before this one, found in the journal; null at the first start. */
  readonly predecessor: EpochEnd | null
  /** Records found in the journal at start that still had to be shipped to the log. */
  readonly recovered_records: number
}

/** Sign of life with sizes and lags; its absence is visible. */
export type GatewayHeartbeat = {
  /** Sessions open now. */
  readonly open_sessions: number
  /** Records minted in this epoch. */
  readonly records: number
  /** Journal bytes not yet shipped to the log. */
  readonly journal_bytes: number
  /** Age of the oldest record not yet in the log, milliseconds. */
  readonly ship_lag_ms: number
  /** Commands received in this epoch. */
  readonly commands: number
  /** Commands and sessions refused in this epoch. */
  readonly refused: number
}

/** Clean end of an epoch. */
export type GatewayStopped = {
  /** Why it ended. */
  readonly reason: string
  /** Records minted in this epoch, this one included. */
  readonly records: number
  /** Sessions opened in this epoch. */
  readonly sessions: number
}

/** Durability, disk, broker or another part is in trouble, or no longer. */
export type GatewayDegraded = {
  /** What is in trouble. */
  readonly component: 'journal' | 'log' | 'policy' | 'issuer' | 'target' | 'notary'
  /** Whether the trouble begins or ends. */
  readonly state: 'begin' | 'end'
  /** In words, without secrets. */
  readonly reason: string
}

/** A policy came into force. */
export type PolicyLoaded = {
  /** SHA-256 of the policy text, hex. */
  readonly digest: string
  /** File or address it came from. */
  readonly source: string
  /** Who or what loaded it. */
  readonly loaded_by: string
  /** The whole policy text, with secrets never part of it. */
  readonly text: string
}

/** Identity accepted, target chosen. The leaf hash of this record is the session id. */
export type SessionStarted = {
  /** Version of the client protocol, for example 3.0. */
  readonly protocol_version: string
  /** Startup parameters of the client that matter to meaning (application_name, options, search_path ...). */
  readonly parameters: Readonly<Record<string, string>>
  /** Outcome of the session decision. */
  readonly decision: 'allow' | 'hold'
  /** Rules that said so. */
  readonly rules: readonly string[]
  /** SHA-256 of the policy in force, hex. */
  readonly policy_digest: string
  /** Name of the credential used at the target; never its secret. */
  readonly credential: string
  /** Account used at the target. */
  readonly target_user: string
}

/** Authentication or authorisation failed. */
export type SessionRefused = {
  /** Stable reason code, for example token_expired, policy_denied, tls_required. */
  readonly reason: string
  /** In words, without secrets. */
  readonly detail: string
  /** Target that was asked for, as the client wrote it. */
  readonly requested_target: string
  /** Role that was asked for, as the client wrote it. */
  readonly requested_role: string
  /** Rules that said so, if a policy was reached. */
  readonly rules: readonly string[]
  /** What differed, where a token was shown in another context than expected. */
  readonly differences: readonly Difference[]
}

/** The session is over. */
export type SessionEnded = {
  /** Why it ended. */
  readonly reason:
    | 'client_closed'
    | 'target_closed'
    | 'terminated'
    | 'drained'
    | 'protocol_error'
    | 'audit_unavailable'
    | 'idle_timeout'
    | 'gateway_error'
  /** In words; empty if there is nothing to add. */
  readonly detail: string
  /** Commands received. */
  readonly commands: number
  /** Commands refused. */
  readonly refused: number
  /** Records of the session, this one included. */
  readonly records: number
  /** Bytes received from the client. */
  readonly client_bytes: number
  /** Bytes received from the target. */
  readonly target_bytes: number
  /** Duration, microseconds. */
  readonly duration_us: number
}

/** A parsed command, before it is decided. The record's own sseq is the command id. */
export type CommandReceived = {
  /** The text that runs, literals of passwords replaced. Statement text for prepared executions. */
  readonly text: string
  /** Length of the full text in bytes; larger than the text when it was cut at the limit. */
  readonly text_bytes: number
  /** SHA-256 of the full text as received; of the text with its secrets replaced when it held any, since a password could be guessed from the other. 32 bytes. */
  readonly text_sha256: Buffer
  /** How the command came. */
  readonly kind:
    | 'query'
    | 'execute'
    | 'prepare'
    | 'bind'
    | 'describe'
    | 'function_call'
    | 'copy'
    | 'cancel'
    | 'exec'
    | 'shell'
    | 'subsystem'
    | 'startup'
  /** Native message types that form the command, in order, for example Parse, Bind, Execute. */
  readonly native: readonly string[]
  /** Normalised verb of the first statement, for example select, update, ddl.create; unknown if not parsed. */
  readonly verb: string
  /** Fingerprint of the normalised text, 16 hex digits; empty if not parsed. */
  readonly fingerprint: string
  /** Statements of the command with their effects. */
  readonly statements: readonly Statement[]
  /** Name of the prepared statement; empty if unnamed or none. */
  readonly statement_name: string
  /** Name of the portal; empty if unnamed or none. */
  readonly portal_name: string
  /** Bound parameters, in order. */
  readonly parameters: readonly Parameter[]
  /** Row limit of the execution; 0 means none. */
  readonly row_limit: number
  /** Why the text could not be parsed; empty if it could. */
  readonly parse_error: string
  /** Whether the parse tree proves a pure read. */
  readonly pure_read: boolean
  /** What was masked in text and parameters. */
  readonly masked: readonly MaskedValue[]
}

/** What the policy says about a command. */
export type DecisionMade = {
  /** The command this belongs to: sseq of its command.received record in this session. */
  readonly command: number
  /** Outcome. */
  readonly outcome: 'allow' | 'deny' | 'hold' | 'mask'
  /** Rules that said so. */
  readonly rules: readonly string[]
  /** In words. */
  readonly reason: string
  /** SHA-256 of the policy in force, hex. */
  readonly policy_digest: string
  /** Risk score, 0 to 100. */
  readonly risk: number
  /** Whether the outcome was only recorded, not enforced. */
  readonly dry_run: boolean
}

/** The command did not run; the client got a native refusal. */
export type CommandRefused = {
  /** The command this belongs to: sseq of its command.received record in this session. */
  readonly command: number
  /** Stable reason code, for example policy_denied, audit_unavailable, unsupported. */
  readonly reason: string
  /** Native error code sent to the client, for example SQLSTATE 42501. */
  readonly native_code: string
  /** Message sent to the client. */
  readonly message: string
}

/** The command is over. */
export type CommandCompleted = {
  /** The command this belongs to: sseq of its command.received record in this session. */
  readonly command: number
  /** How it ended. ok: completed; error: the target refused or failed it; suspended: stopped at its row limit, more can be fetched; cancelled: ended by a cancel request or a timeout; aborted: never forwarded, or skipped by the target; unknown: forwarded, and the session ended before its end was heard: it may have run, wholly or in part. */
  readonly status: 'ok' | 'error' | 'suspended' | 'cancelled' | 'aborted' | 'unknown'
  /** Native completion tag, for example SELECT 5. */
  readonly tag: string
  /** Rows returned or affected; -1 if the protocol does not say. */
  readonly rows: number
  /** Response bytes of the command as the client got them. */
  readonly response_bytes: number
  /** Input bytes of the command (COPY IN). */
  readonly input_bytes: number
  /** From forwarding to completion, microseconds. */
  readonly duration_us: number
  /** Native error code, for example SQLSTATE; empty if none. */
  readonly error_code: string
  /** Native error message; empty if none. */
  readonly error_message: string
}

/** Bytes as the client got them, after masking. */
export type ResponseChunk = {
  /** The command this belongs to: sseq of its command.received record; -1 for bytes outside any command (notifications, parameter changes). */
  readonly command: number
  /** Which stream of the command. */
  readonly stream: 'rows' | 'copy' | 'stdout' | 'stderr' | 'asynchronous'
  /** Encoding of the bytes. */
  readonly format: 'pg3' | 'raw'
  /** Offset of the first byte in the response of the command. */
  readonly offset: number
  /** The bytes. */
  readonly bytes: Buffer
  /** What was masked in these bytes. */
  readonly masked: readonly MaskedValue[]
}

/** Interactive input or COPY IN data. */
export type InputChunk = {
  /** The command this belongs to: sseq of its command.received record in this session. */
  readonly command: number
  /** Which stream. */
  readonly stream: 'copy' | 'stdin'
  /** Encoding of the bytes. */
  readonly format: 'pg3' | 'raw'
  /** Offset of the first byte in the input of the command. */
  readonly offset: number
  /** The bytes. */
  readonly bytes: Buffer
  /** What was masked in these bytes. */
  readonly masked: readonly MaskedValue[]
}

/** A command is held until people decide. */
export type ApprovalRequested = {
  /** Approval id: leaf hash of its approval.requested record; all zero in that record itself. 32 bytes. */
  readonly approval: Buffer
  /** The command this belongs to: sseq of its command.received record in this session. */
  readonly command: number
  /** SHA-256 of the exact bytes of the command that waits. 32 bytes. */
  readonly command_hash: Buffer
  /** The command as the approver sees it. */
  readonly text: string
  /** Which rule holds it and why. */
  readonly reason: string
  /** Groups whose members may decide. */
  readonly approver_groups: readonly string[]
  /** Distinct persons needed. */
  readonly quorum: number
  /** Until when it can be decided. Microseconds since the Unix epoch. */
  readonly expires: number
  /** Estimate of affected rows; -1 if none. */
  readonly estimated_rows: number
  /** Policies that hold it. */
  readonly rules: readonly string[]
  /** Where it can be decided. */
  readonly link: string
}

/** A command event: an approver decides. */
export type ApprovalDecided = {
  /** Approval id: leaf hash of its approval.requested record; all zero in that record itself. 32 bytes. */
  readonly approval: Buffer
  /** SHA-256 of the command that the approver saw. 32 bytes. */
  readonly command_hash: Buffer
  /** Decision. */
  readonly decision: 'approve' | 'deny'
  /** The approver's words. */
  readonly reason: string
  /** Issuer of the approver's identity. */
  readonly approver_issuer: string
  /** Subject of the approver. */
  readonly approver_subject: string
  /** Groups of the approver. */
  readonly approver_groups: readonly string[]
  /** Ed25519 signature of the api over the decision. */
  readonly signature: Buffer
  /** Names under which the approver may stand behind a run (user name, email), as the issuer states them. */
  readonly approver_names: readonly string[]
  /** How the decision came. */
  readonly channel: 'api' | 'console' | 'cli' | 'webhook'
}

/** Nobody decided in time, or the requester went away. */
export type ApprovalExpired = {
  /** Approval id: leaf hash of its approval.requested record; all zero in that record itself. 32 bytes. */
  readonly approval: Buffer
  /** Why. */
  readonly reason: 'timeout' | 'withdrawn' | 'session_ended'
}

/** The gateway released exactly this command. */
export type ApprovalConsumed = {
  /** Approval id: leaf hash of its approval.requested record; all zero in that record itself. 32 bytes. */
  readonly approval: Buffer
  /** The command this belongs to: sseq of its command.received record in this session. */
  readonly command: number
  /** SHA-256 of the command that was released. 32 bytes. */
  readonly command_hash: Buffer
  /** Subjects of those who approved. */
  readonly approvers: readonly string[]
}

/** A decision about an approval changed nothing: forged, late, replayed, or by someone who may not decide. An incident. */
export type ApprovalRejected = {
  /** Approval that the decision named. 32 bytes. */
  readonly approval: Buffer
  /** Why it changed nothing. */
  readonly reason:
    | 'bad_signature'
    | 'unknown_approval'
    | 'wrong_command'
    | 'expired'
    | 'already_decided'
    | 'not_entitled'
    | 'requester'
    | 'same_run'
    | 'duplicate_approver'
  /** In words. */
  readonly detail: string
  /** Issuer of the approver as the decision states it. */
  readonly approver_issuer: string
  /** Subject of the approver as the decision states it. */
  readonly approver_subject: string
}

/** A detector found something. */
export type AlertRaised = {
  /** Rule id. */
  readonly rule: string
  /** Rule name. */
  readonly rule_name: string
  /** Severity. */
  readonly severity: 'informational' | 'low' | 'medium' | 'high' | 'critical'
  /** Why, in words. */
  readonly why: string
  /** Kind of the entity, for example workflow, person, address. */
  readonly entity_kind: string
  /** The entity. */
  readonly entity: string
  /** Records that prove it. */
  readonly evidence: readonly RecordRef[]
  /** Confidence, 0 to 100. */
  readonly confidence: number
  /** ATT&CK technique ids. */
  readonly techniques: readonly string[]
}

/** An analyst decided about an alert. */
export type AlertTriaged = {
  /** Alert id. */
  readonly alert: string
  /** Verdict. */
  readonly verdict: 'true_positive' | 'false_positive' | 'benign' | 'open'
  /** The analyst's words. */
  readonly reason: string
  /** Subject of the analyst. */
  readonly analyst: string
}

/** A credential for the target came into use. */
export type CredentialIssued = {
  /** Name of the credential; never its secret. */
  readonly credential: string
  /** Kind. */
  readonly kind: 'static' | 'database_role' | 'ssh_certificate' | 'vault'
  /** Account at the target. */
  readonly principal: string
  /** End of its life; null if it does not expire. Microseconds since the Unix epoch. */
  readonly expires: number | null
}

/** A credential is no longer in use. */
export type CredentialRevoked = {
  /** Name of the credential. */
  readonly credential: string
  /** Account at the target. */
  readonly principal: string
  /** Why. */
  readonly reason: string
}

/** A token opens a session. Of all claims of one token, the first ones in the log count, as many as it has uses; the order of the log decides between gateways. */
export type TokenClaimed = {
  /** SHA-256 of issuer and token id, hex; of the token itself where it has no id. */
  readonly token: string
  /** Id of this claim, unique. */
  readonly claim: string
  /** Sessions that the token may open in all. */
  readonly uses: number
  /** When the token ends by itself. Microseconds since the Unix epoch. */
  readonly expires: number
}

/** Tokens are dead before their time, and sessions opened with them end; or one session ends. */
export type TokenRevoked = {
  /** What is revoked. */
  readonly kind: 'token' | 'run' | 'session'
  /** kind token: SHA-256 of issuer and token id, hex; else empty. */
  readonly token: string
  /** kind run: issuer, repository, run and attempt, as one JSON list; else empty. */
  readonly run: string
  /** In words. */
  readonly reason: string
  /** Who asked for it, or what. */
  readonly revoked_by: string
  /** kind session: id of the session, hex; else empty. */
  readonly session: string
}

/** Someone replayed a session or read responses. */
export type EvidenceViewed = {
  /** Issuer of the viewer's identity. */
  readonly viewer_issuer: string
  /** Subject of the viewer. */
  readonly viewer_subject: string
  /** What was read: session, records, commands, responses. */
  readonly resource: string
  /** Session id, hex; empty for a search over many. */
  readonly viewed_session: string
  /** Search or filter used; empty if none. */
  readonly query: string
}

/** Evidence left the system. */
export type EvidenceExported = {
  /** Issuer of the viewer's identity. */
  readonly viewer_issuer: string
  /** Subject of the viewer. */
  readonly viewer_subject: string
  /** Session id, hex. */
  readonly viewed_session: string
  /** SHA-256 of the bundle. 32 bytes. */
  readonly bundle_sha256: Buffer
  /** Why. */
  readonly reason: string
}

/** A change through the API. */
export type AdminChanged = {
  /** Issuer of the identity that made the change. */
  readonly admin_issuer: string
  /** Subject that made the change. */
  readonly admin_subject: string
  /** Route and method, for example POST /v1/tokens. */
  readonly action: string
  /** What was changed. */
  readonly object: string
  /** What changed, without secrets. */
  readonly detail: string
}

/** The notary found something wrong with the trail. */
export type NotaryIncident = {
  /** What kind. */
  readonly kind: 'quarantine' | 'gap' | 'equivocation' | 'clock' | 'other'
  /** Log origin concerned. */
  readonly origin: string
  /** First sequence number concerned; -1 if none. */
  readonly gseq: number
  /** In words. */
  readonly detail: string
}

/** Data was deleted by rule. */
export type RetentionApplied = {
  /** Retention rule. */
  readonly rule: string
  /** Topic or table. */
  readonly what: string
  /** How many records or rows. */
  readonly records: number
  /** Everything before this time. Microseconds since the Unix epoch. */
  readonly until: number
}

/** Body of each event: its fields without time and context. */

export type EventBodies = {
  readonly 'gateway.started': GatewayStarted

  readonly 'gateway.heartbeat': GatewayHeartbeat

  readonly 'gateway.stopped': GatewayStopped

  readonly 'gateway.degraded': GatewayDegraded

  readonly 'policy.loaded': PolicyLoaded

  readonly 'session.started': SessionStarted

  readonly 'session.refused': SessionRefused

  readonly 'session.ended': SessionEnded

  readonly 'command.received': CommandReceived

  readonly 'decision.made': DecisionMade

  readonly 'command.refused': CommandRefused

  readonly 'command.completed': CommandCompleted

  readonly 'response.chunk': ResponseChunk

  readonly 'input.chunk': InputChunk

  readonly 'approval.requested': ApprovalRequested

  readonly 'approval.decided': ApprovalDecided

  readonly 'approval.expired': ApprovalExpired

  readonly 'approval.consumed': ApprovalConsumed

  readonly 'approval.rejected': ApprovalRejected

  readonly 'alert.raised': AlertRaised

  readonly 'alert.triaged': AlertTriaged

  readonly 'credential.issued': CredentialIssued

  readonly 'credential.revoked': CredentialRevoked

  readonly 'token.claimed': TokenClaimed

  readonly 'token.revoked': TokenRevoked

  readonly 'evidence.viewed': EvidenceViewed

  readonly 'evidence.exported': EvidenceExported

  readonly 'admin.changed': AdminChanged

  readonly 'notary.incident': NotaryIncident

  readonly 'retention.applied': RetentionApplied
}

/** Event types. */

export type EventType = keyof EventBodies

/** Event codes; the last letter is the severity class (I, W, E, A). */

export type EventCode =
  | 'CRN1000I'
  | 'CRN1001I'
  | 'CRN1002I'
  | 'CRN1003E'
  | 'CRN1010I'
  | 'CRN1100I'
  | 'CRN1101W'
  | 'CRN1102I'
  | 'CRN1200I'
  | 'CRN1201I'
  | 'CRN1202W'
  | 'CRN1203I'
  | 'CRN1300I'
  | 'CRN1301I'
  | 'CRN1400I'
  | 'CRN1401I'
  | 'CRN1402W'
  | 'CRN1403I'
  | 'CRN1404W'
  | 'CRN1500A'
  | 'CRN1501I'
  | 'CRN1600I'
  | 'CRN1601I'
  | 'CRN1602I'
  | 'CRN1603I'
  | 'CRN1700I'
  | 'CRN1701I'
  | 'CRN1710I'
  | 'CRN1800E'
  | 'CRN1801I'

/** A whole event: when, in which context, and its body. */

export type EventOf<T extends EventType> = {
  readonly time: number
  readonly context: Context
} & EventBodies[T]
