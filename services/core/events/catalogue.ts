// Written by schemas/generate.ts from schemas/*.avsc; `npm run generate` writes it again.
import type { EventCode, EventType } from './types.ts'

/** What stands fixed about an event. */
export type CatalogueEntry = {
  readonly type: EventType
  readonly code: EventCode
  readonly topic: string
  /** Id of the schema on the wire. */
  readonly schemaId: number
  /** Full JSON of the schema, every type written out. */
  readonly schema: string
  /** SHA-256 of the schema's UTF-8 bytes: the record header's `schema`. */
  readonly schemaHash: Buffer
}

const context =
  '{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]}'

/** Every event, by type. */
export const catalogue: Readonly<Record<EventType, CatalogueEntry>> = {
  'gateway.started': {
    type: 'gateway.started',
    code: 'CRN1000I',
    topic: 'cairn.audit',
    schemaId: 100001,
    schema: [
      '{"type":"record","name":"GatewayStarted","namespace":"cairn","doc":"A process epoch opens.","event":"gateway.started","code":"CRN1000I","topic":"cairn.audit","schemaId":100001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"version","type":"string","doc":"Cairn version.","sensitivity":"public"},{"name":"runtime","type":"string","doc":"Runtime and its version.","sensitivity":"public"},{"name":"durability","type":"string","doc":"When a command counts as recorded.","sensitivity":"public","values":["disk","broker"]},{"name":"reads","type":"string","doc":"Whether proven pure reads may run while their record is made durable.","sensitivity":"public","values":["wait","overlap"]},{"name":"policy_digest","type":"string","doc":"SHA-256 of the policy in force, hex.","sensitivity":"public"},{"name":"epoch_key","type":["null","bytes"],"doc":"Ed25519 public key of the epoch, 32 bytes; null while epochs are not sealed.","sensitivity":"public","default":null},{"name":"predecessor","type":["null",{"type":"record","name":"EpochEnd","namespace":"cairn","doc":"Last record known of an earlier epoch of this gateway.","fields":[{"name":"epoch","type":{"type":"fixed","name":"EpochId","size":16},"doc":"Epoch id.","sensitivity":"public"},{"name":"gseq","type":"long","doc":"Last gseq found in its journal.","sensitivity":"public"},{"name":"leaf","type":{"type":"fixed","name":"LeafHash","size":32},"doc":"Leaf hash of that record.","sensitivity":"public"},{"name":"clean","type":"boolean","doc":"Whether that epoch ended with gateway.stopped.","sensitivity":"public"}]}],"doc":"The epoch before this one, found in the journal; null at the first start.","sensitivity":"public","default":null},{"name":"recovered_records","type":"long","doc":"Records found in the journal at start that still had to be shipped to the log.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'bf68ad487f6ff30fe4490f90b6013094c87dc7fb3f14435b4cd86b797ea096b0',
      'hex',
    ),
  },
  'gateway.heartbeat': {
    type: 'gateway.heartbeat',
    code: 'CRN1001I',
    topic: 'cairn.audit',
    schemaId: 100101,
    schema: [
      '{"type":"record","name":"GatewayHeartbeat","namespace":"cairn","doc":"Sign of life with sizes and lags; its absence is visible.","event":"gateway.heartbeat","code":"CRN1001I","topic":"cairn.audit","schemaId":100101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"open_sessions","type":"int","doc":"Sessions open now.","sensitivity":"public"},{"name":"records","type":"long","doc":"Records minted in this epoch.","sensitivity":"public"},{"name":"journal_bytes","type":"long","doc":"Journal bytes not yet shipped to the log.","sensitivity":"public"},{"name":"ship_lag_ms","type":"long","doc":"Age of the oldest record not yet in the log, milliseconds.","sensitivity":"public"},{"name":"commands","type":"long","doc":"Commands received in this epoch.","sensitivity":"public"},{"name":"refused","type":"long","doc":"Commands and sessions refused in this epoch.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'b6fc2cdabcdbf10c85d6e053f34e3741e265d5a362b10a8f83da88daf4e8c8c9',
      'hex',
    ),
  },
  'gateway.stopped': {
    type: 'gateway.stopped',
    code: 'CRN1002I',
    topic: 'cairn.audit',
    schemaId: 100201,
    schema: [
      '{"type":"record","name":"GatewayStopped","namespace":"cairn","doc":"Clean end of an epoch.","event":"gateway.stopped","code":"CRN1002I","topic":"cairn.audit","schemaId":100201,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Why it ended.","sensitivity":"public"},{"name":"records","type":"long","doc":"Records minted in this epoch, this one included.","sensitivity":"public"},{"name":"sessions","type":"long","doc":"Sessions opened in this epoch.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'e5b6a70e05bae783f6bf385b0d2fc3290412f6a5976788604597e5771caa4817',
      'hex',
    ),
  },
  'gateway.degraded': {
    type: 'gateway.degraded',
    code: 'CRN1003E',
    topic: 'cairn.audit',
    schemaId: 100301,
    schema: [
      '{"type":"record","name":"GatewayDegraded","namespace":"cairn","doc":"Durability, disk, broker or another part is in trouble, or no longer.","event":"gateway.degraded","code":"CRN1003E","topic":"cairn.audit","schemaId":100301,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"component","type":"string","doc":"What is in trouble.","sensitivity":"public","values":["journal","log","policy","issuer","target","notary"]},{"name":"state","type":"string","doc":"Whether the trouble begins or ends.","sensitivity":"public","values":["begin","end"]},{"name":"reason","type":"string","doc":"In words, without secrets.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '3c78c855b5d7c282011e9d36de46cefa1f65cf9a5c20295626cef91c62e3849d',
      'hex',
    ),
  },
  'policy.loaded': {
    type: 'policy.loaded',
    code: 'CRN1010I',
    topic: 'cairn.audit',
    schemaId: 101001,
    schema: [
      '{"type":"record","name":"PolicyLoaded","namespace":"cairn","doc":"A policy came into force.","event":"policy.loaded","code":"CRN1010I","topic":"cairn.audit","schemaId":101001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"digest","type":"string","doc":"SHA-256 of the policy text, hex.","sensitivity":"public"},{"name":"source","type":"string","doc":"File or address it came from.","sensitivity":"public"},{"name":"loaded_by","type":"string","doc":"Who or what loaded it.","sensitivity":"personal"},{"name":"text","type":"string","doc":"The whole policy text, with secrets never part of it.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '93fbda4833badd5328f2c72e66a5fe9e3ccdf10e1f24fc1ea3bdccb3cc9eac64',
      'hex',
    ),
  },
  'session.started': {
    type: 'session.started',
    code: 'CRN1100I',
    topic: 'cairn.audit',
    schemaId: 110001,
    schema: [
      '{"type":"record","name":"SessionStarted","namespace":"cairn","doc":"Identity accepted, target chosen. The leaf hash of this record is the session id.","event":"session.started","code":"CRN1100I","topic":"cairn.audit","schemaId":110001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"protocol_version","type":"string","doc":"Version of the client protocol, for example 3.0.","sensitivity":"public"},{"name":"parameters","type":{"type":"map","values":"string"},"doc":"Startup parameters of the client that matter to meaning (application_name, options, search_path ...).","sensitivity":"public","default":{}},{"name":"decision","type":"string","doc":"Outcome of the session decision.","sensitivity":"public","values":["allow","hold"]},{"name":"rules","type":{"type":"array","items":"string"},"doc":"Rules that said so.","sensitivity":"public","default":[]},{"name":"policy_digest","type":"string","doc":"SHA-256 of the policy in force, hex.","sensitivity":"public"},{"name":"credential","type":"string","doc":"Name of the credential used at the target; never its secret.","sensitivity":"public"},{"name":"target_user","type":"string","doc":"Account used at the target.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '359f7531329018434802768af8d2cf62e214baa75e6d613293bfe2147aadaef0',
      'hex',
    ),
  },
  'session.refused': {
    type: 'session.refused',
    code: 'CRN1101W',
    topic: 'cairn.audit',
    schemaId: 110102,
    schema: [
      '{"type":"record","name":"SessionRefused","namespace":"cairn","doc":"Authentication or authorisation failed.","event":"session.refused","code":"CRN1101W","topic":"cairn.audit","schemaId":110102,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Stable reason code, for example token_expired, policy_denied, tls_required.","sensitivity":"public"},{"name":"detail","type":"string","doc":"In words, without secrets.","sensitivity":"public"},{"name":"requested_target","type":"string","doc":"Target that was asked for, as the client wrote it.","sensitivity":"public"},{"name":"requested_role","type":"string","doc":"Role that was asked for, as the client wrote it.","sensitivity":"public"},{"name":"rules","type":{"type":"array","items":"string"},"doc":"Rules that said so, if a policy was reached.","sensitivity":"public","default":[]},{"name":"differences","type":{"type":"array","items":{"type":"record","name":"Difference","namespace":"cairn","doc":"One field in which the context shown differs from the one expected.","fields":[{"name":"field","type":"string","doc":"Field, for example ref, workflow, peer.","sensitivity":"public"},{"name":"expected","type":"string","doc":"What was expected.","sensitivity":"public"},{"name":"actual","type":"string","doc":"What the token or the connection says.","sensitivity":"personal"}]}},"doc":"What differed, where a token was shown in another context than expected.","sensitivity":"public","default":[]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'dc9c7f2841d2e581f19ff3610a3a90990c399cbd38a3aa571c0f6e9b52378d30',
      'hex',
    ),
  },
  'session.ended': {
    type: 'session.ended',
    code: 'CRN1102I',
    topic: 'cairn.audit',
    schemaId: 110201,
    schema: [
      '{"type":"record","name":"SessionEnded","namespace":"cairn","doc":"The session is over.","event":"session.ended","code":"CRN1102I","topic":"cairn.audit","schemaId":110201,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Why it ended.","sensitivity":"public","values":["client_closed","target_closed","terminated","drained","protocol_error","audit_unavailable","idle_timeout","gateway_error"]},{"name":"detail","type":"string","doc":"In words; empty if there is nothing to add.","sensitivity":"public"},{"name":"commands","type":"long","doc":"Commands received.","sensitivity":"public"},{"name":"refused","type":"long","doc":"Commands refused.","sensitivity":"public"},{"name":"records","type":"long","doc":"Records of the session, this one included.","sensitivity":"public"},{"name":"client_bytes","type":"long","doc":"Bytes received from the client.","sensitivity":"public"},{"name":"target_bytes","type":"long","doc":"Bytes received from the target.","sensitivity":"public"},{"name":"duration_us","type":"long","doc":"Duration, microseconds.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'cedb17eac492b6275c4bf7c4ae81dcccedf4465921e016edfa1c4d9242debb1d',
      'hex',
    ),
  },
  'command.received': {
    type: 'command.received',
    code: 'CRN1200I',
    topic: 'cairn.audit',
    schemaId: 120002,
    schema: [
      '{"type":"record","name":"CommandReceived","namespace":"cairn","doc":"A parsed command, before it is decided. The record\'s own sseq is the command id.","event":"command.received","code":"CRN1200I","topic":"cairn.audit","schemaId":120002,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"text","type":"string","doc":"The text that runs, literals of passwords replaced. Statement text for prepared executions.","sensitivity":"content"},{"name":"text_bytes","type":"long","doc":"Length of the full text in bytes; larger than the text when it was cut at the limit.","sensitivity":"public"},{"name":"text_sha256","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the full text as received; of the text with its secrets replaced when it held any, since a password could be guessed from the other.","sensitivity":"public"},{"name":"kind","type":"string","doc":"How the command came.","sensitivity":"public","values":["query","execute","prepare","bind","describe","function_call","copy","cancel","exec","shell","subsystem","startup"]},{"name":"native","type":{"type":"array","items":"string"},"doc":"Native message types that form the command, in order, for example Parse, Bind, Execute.","sensitivity":"public","default":[]},{"name":"verb","type":"string","doc":"Normalised verb of the first statement, for example select, update, ddl.create; unknown if not parsed.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the normalised text, 16 hex digits; empty if not parsed.","sensitivity":"public"},{"name":"statements","type":{"type":"array","items":{"type":"record","name":"Statement","namespace":"cairn","doc":"One statement of a command.","fields":[{"name":"verb","type":"string","doc":"Verb.","sensitivity":"public"},{"name":"offset","type":"int","doc":"Byte offset in the text.","sensitivity":"public"},{"name":"length","type":"int","doc":"Length in bytes.","sensitivity":"public"},{"name":"effects","type":{"type":"array","items":{"type":"record","name":"Effect","namespace":"cairn","doc":"One effect on one object.","fields":[{"name":"action","type":"string","doc":"Effect, for example select, insert, ddl.drop, call:pg_sleep, unknown.","sensitivity":"public"},{"name":"object","type":"string","doc":"Object, as schema.name or name; empty if none.","sensitivity":"public"},{"name":"columns","type":{"type":"array","items":"string"},"doc":"Columns of the object that are read or written, as far as they are known; * for all of them.","sensitivity":"public","default":[]},{"name":"via","type":"string","doc":"View, rule or function through which it happens; empty when the statement itself names the object.","sensitivity":"public","default":""}]}},"doc":"What the statement does to what, from the parse tree.","sensitivity":"public","default":[]}]}},"doc":"Statements of the command with their effects.","sensitivity":"public","default":[]},{"name":"statement_name","type":"string","doc":"Name of the prepared statement; empty if unnamed or none.","sensitivity":"public"},{"name":"portal_name","type":"string","doc":"Name of the portal; empty if unnamed or none.","sensitivity":"public"},{"name":"parameters","type":{"type":"array","items":{"type":"record","name":"Parameter","namespace":"cairn","doc":"One bound parameter.","fields":[{"name":"type_oid","type":"int","doc":"Type OID as declared or as the target described it, as a signed 32-bit integer; 0 if unknown.","sensitivity":"public"},{"name":"format","type":"string","doc":"Format on the wire.","sensitivity":"public","values":["text","binary"]},{"name":"value","type":["null","string"],"doc":"Value as text, decoded by its type; hex with a leading \\\\x if it could not be decoded; null for NULL or when masked.","sensitivity":"content","default":null},{"name":"masked","type":"boolean","doc":"Whether the value was masked.","sensitivity":"public"},{"name":"value_bytes","type":"long","doc":"Length on the wire in bytes; -1 for NULL.","sensitivity":"public"}]}},"doc":"Bound parameters, in order.","sensitivity":"public","default":[]},{"name":"row_limit","type":"long","doc":"Row limit of the execution; 0 means none.","sensitivity":"public"},{"name":"parse_error","type":"string","doc":"Why the text could not be parsed; empty if it could.","sensitivity":"public"},{"name":"pure_read","type":"boolean","doc":"Whether the parse tree proves a pure read.","sensitivity":"public"},{"name":"masked","type":{"type":"array","items":{"type":"record","name":"MaskedValue","namespace":"cairn","doc":"What was masked.","fields":[{"name":"rule","type":"string","doc":"Masking rule.","sensitivity":"public"},{"name":"count","type":"long","doc":"How many values.","sensitivity":"public"}]}},"doc":"What was masked in text and parameters.","sensitivity":"public","default":[]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '23e49301fc5377033e556f8344e26ad10372eccea0a78e9696fa6e336c3c9967',
      'hex',
    ),
  },
  'decision.made': {
    type: 'decision.made',
    code: 'CRN1201I',
    topic: 'cairn.audit',
    schemaId: 120101,
    schema: [
      '{"type":"record","name":"DecisionMade","namespace":"cairn","doc":"What the policy says about a command.","event":"decision.made","code":"CRN1201I","topic":"cairn.audit","schemaId":120101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"outcome","type":"string","doc":"Outcome.","sensitivity":"public","values":["allow","deny","hold","mask"]},{"name":"rules","type":{"type":"array","items":"string"},"doc":"Rules that said so.","sensitivity":"public","default":[]},{"name":"reason","type":"string","doc":"In words.","sensitivity":"public"},{"name":"policy_digest","type":"string","doc":"SHA-256 of the policy in force, hex.","sensitivity":"public"},{"name":"risk","type":"int","doc":"Risk score, 0 to 100.","sensitivity":"public"},{"name":"dry_run","type":"boolean","doc":"Whether the outcome was only recorded, not enforced.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'a3bfaf3d7c0394191a4a3f02b75565a8f23eaefce84571d00843f8b0c30cc34d',
      'hex',
    ),
  },
  'command.refused': {
    type: 'command.refused',
    code: 'CRN1202W',
    topic: 'cairn.audit',
    schemaId: 120201,
    schema: [
      '{"type":"record","name":"CommandRefused","namespace":"cairn","doc":"The command did not run; the client got a native refusal.","event":"command.refused","code":"CRN1202W","topic":"cairn.audit","schemaId":120201,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Stable reason code, for example policy_denied, audit_unavailable, unsupported.","sensitivity":"public"},{"name":"native_code","type":"string","doc":"Native error code sent to the client, for example SQLSTATE 42501.","sensitivity":"public"},{"name":"message","type":"string","doc":"Message sent to the client.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '5132d8382124172275ad707a444de4864c9e58332997f44a874c2509b324b7e8',
      'hex',
    ),
  },
  'command.completed': {
    type: 'command.completed',
    code: 'CRN1203I',
    topic: 'cairn.audit',
    schemaId: 120301,
    schema: [
      '{"type":"record","name":"CommandCompleted","namespace":"cairn","doc":"The command is over.","event":"command.completed","code":"CRN1203I","topic":"cairn.audit","schemaId":120301,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"status","type":"string","doc":"How it ended. ok: completed; error: the target refused or failed it; suspended: stopped at its row limit, more can be fetched; cancelled: ended by a cancel request or a timeout; aborted: never forwarded, or skipped by the target; unknown: forwarded, and the session ended before its end was heard: it may have run, wholly or in part.","sensitivity":"public","values":["ok","error","suspended","cancelled","aborted","unknown"]},{"name":"tag","type":"string","doc":"Native completion tag, for example SELECT 5.","sensitivity":"public"},{"name":"rows","type":"long","doc":"Rows returned or affected; -1 if the protocol does not say.","sensitivity":"public"},{"name":"response_bytes","type":"long","doc":"Response bytes of the command as the client got them.","sensitivity":"public"},{"name":"input_bytes","type":"long","doc":"Input bytes of the command (COPY IN).","sensitivity":"public"},{"name":"duration_us","type":"long","doc":"From forwarding to completion, microseconds.","sensitivity":"public"},{"name":"error_code","type":"string","doc":"Native error code, for example SQLSTATE; empty if none.","sensitivity":"public"},{"name":"error_message","type":"string","doc":"Native error message; empty if none.","sensitivity":"content"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '3342105d4da39c371c75a280f9d8441c773c0fc7eef31265d40c62ebf0e39b70',
      'hex',
    ),
  },
  'response.chunk': {
    type: 'response.chunk',
    code: 'CRN1300I',
    topic: 'cairn.audit',
    schemaId: 130001,
    schema: [
      '{"type":"record","name":"ResponseChunk","namespace":"cairn","doc":"Bytes as the client got them, after masking.","event":"response.chunk","code":"CRN1300I","topic":"cairn.audit","schemaId":130001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record; -1 for bytes outside any command (notifications, parameter changes).","sensitivity":"public"},{"name":"stream","type":"string","doc":"Which stream of the command.","sensitivity":"public","values":["rows","copy","stdout","stderr","asynchronous"]},{"name":"format","type":"string","doc":"Encoding of the bytes.","sensitivity":"public","values":["pg3","raw"]},{"name":"offset","type":"long","doc":"Offset of the first byte in the response of the command.","sensitivity":"public"},{"name":"bytes","type":"bytes","doc":"The bytes.","sensitivity":"content"},{"name":"masked","type":{"type":"array","items":{"type":"record","name":"MaskedValue","namespace":"cairn","doc":"What was masked.","fields":[{"name":"rule","type":"string","doc":"Masking rule.","sensitivity":"public"},{"name":"count","type":"long","doc":"How many values.","sensitivity":"public"}]}},"doc":"What was masked in these bytes.","sensitivity":"public","default":[]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '1a0b674d6eb9ffc697640491ba10a5c9203f58f4e45a3c64ba2b359be1fc4992',
      'hex',
    ),
  },
  'input.chunk': {
    type: 'input.chunk',
    code: 'CRN1301I',
    topic: 'cairn.audit',
    schemaId: 130102,
    schema: [
      '{"type":"record","name":"InputChunk","namespace":"cairn","doc":"Interactive input or COPY IN data.","event":"input.chunk","code":"CRN1301I","topic":"cairn.audit","schemaId":130102,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"stream","type":"string","doc":"Which stream.","sensitivity":"public","values":["copy","stdin"]},{"name":"format","type":"string","doc":"Encoding of the bytes.","sensitivity":"public","values":["pg3","raw"]},{"name":"offset","type":"long","doc":"Offset of the first byte in the input of the command.","sensitivity":"public"},{"name":"bytes","type":"bytes","doc":"The bytes.","sensitivity":"content"},{"name":"masked","type":{"type":"array","items":{"type":"record","name":"MaskedValue","namespace":"cairn","doc":"What was masked.","fields":[{"name":"rule","type":"string","doc":"Masking rule.","sensitivity":"public"},{"name":"count","type":"long","doc":"How many values.","sensitivity":"public"}]}},"doc":"What was masked in these bytes.","sensitivity":"public","default":[]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '3a1222f7fbebca4f4f5a836c922656243fb08ce68dab95a0ef88a33d1e788088',
      'hex',
    ),
  },
  'approval.requested': {
    type: 'approval.requested',
    code: 'CRN1400I',
    topic: 'cairn.approvals',
    schemaId: 140002,
    schema: [
      '{"type":"record","name":"ApprovalRequested","namespace":"cairn","doc":"A command is held until people decide.","event":"approval.requested","code":"CRN1400I","topic":"cairn.approvals","schemaId":140002,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval id: leaf hash of its approval.requested record; all zero in that record itself.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"command_hash","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the exact bytes of the command that waits.","sensitivity":"public"},{"name":"text","type":"string","doc":"The command as the approver sees it.","sensitivity":"content"},{"name":"reason","type":"string","doc":"Which rule holds it and why.","sensitivity":"public"},{"name":"approver_groups","type":{"type":"array","items":"string"},"doc":"Groups whose members may decide.","sensitivity":"public","default":[]},{"name":"quorum","type":"int","doc":"Distinct persons needed.","sensitivity":"public"},{"name":"expires","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"Until when it can be decided.","sensitivity":"public"},{"name":"estimated_rows","type":"long","doc":"Estimate of affected rows; -1 if none.","sensitivity":"public"},{"name":"rules","type":{"type":"array","items":"string"},"doc":"Policies that hold it.","sensitivity":"public","default":[]},{"name":"link","type":"string","doc":"Where it can be decided.","sensitivity":"public","default":""}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '7cb6b06564c0cf1290901bbfd0b48abda9950c51718c0870bbfe2c336219e47b',
      'hex',
    ),
  },
  'approval.decided': {
    type: 'approval.decided',
    code: 'CRN1401I',
    topic: 'cairn.approvals',
    schemaId: 140102,
    schema: [
      '{"type":"record","name":"ApprovalDecided","namespace":"cairn","doc":"A command event: an approver decides.","event":"approval.decided","code":"CRN1401I","topic":"cairn.approvals","schemaId":140102,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval id: leaf hash of its approval.requested record; all zero in that record itself.","sensitivity":"public"},{"name":"command_hash","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the command that the approver saw.","sensitivity":"public"},{"name":"decision","type":"string","doc":"Decision.","sensitivity":"public","values":["approve","deny"]},{"name":"reason","type":"string","doc":"The approver\'s words.","sensitivity":"content"},{"name":"approver_issuer","type":"string","doc":"Issuer of the approver\'s identity.","sensitivity":"public"},{"name":"approver_subject","type":"string","doc":"Subject of the approver.","sensitivity":"personal"},{"name":"approver_groups","type":{"type":"array","items":"string"},"doc":"Groups of the approver.","sensitivity":"public","default":[]},{"name":"signature","type":"bytes","doc":"Ed25519 signature of the api over the decision.","sensitivity":"public"},{"name":"approver_names","type":{"type":"array","items":"string"},"doc":"Names under which the approver may stand behind a run (user name, email), as the issuer states them.","sensitivity":"personal","default":[]},{"name":"channel","type":"string","doc":"How the decision came.","sensitivity":"public","values":["api","console","cli","webhook"],"default":"api"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '0e2e20dcc5de5b7526475cbf7962aefbc9acb124282bf0502f3b093f825fb411',
      'hex',
    ),
  },
  'approval.expired': {
    type: 'approval.expired',
    code: 'CRN1402W',
    topic: 'cairn.approvals',
    schemaId: 140201,
    schema: [
      '{"type":"record","name":"ApprovalExpired","namespace":"cairn","doc":"Nobody decided in time, or the requester went away.","event":"approval.expired","code":"CRN1402W","topic":"cairn.approvals","schemaId":140201,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval id: leaf hash of its approval.requested record; all zero in that record itself.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Why.","sensitivity":"public","values":["timeout","withdrawn","session_ended"]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '0d536465594415b6ceca165973b68113a1f1ab08773c0dfaeca2a3c2e05447cc',
      'hex',
    ),
  },
  'approval.consumed': {
    type: 'approval.consumed',
    code: 'CRN1403I',
    topic: 'cairn.approvals',
    schemaId: 140301,
    schema: [
      '{"type":"record","name":"ApprovalConsumed","namespace":"cairn","doc":"The gateway released exactly this command.","event":"approval.consumed","code":"CRN1403I","topic":"cairn.approvals","schemaId":140301,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval id: leaf hash of its approval.requested record; all zero in that record itself.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"command_hash","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the command that was released.","sensitivity":"public"},{"name":"approvers","type":{"type":"array","items":"string"},"doc":"Subjects of those who approved.","sensitivity":"personal","default":[]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'e3995857e6a7c0322b5b638196c932da76f5288bfb0908169e61dfe6ba0e151e',
      'hex',
    ),
  },
  'approval.rejected': {
    type: 'approval.rejected',
    code: 'CRN1404W',
    topic: 'cairn.approvals',
    schemaId: 140401,
    schema: [
      '{"type":"record","name":"ApprovalRejected","namespace":"cairn","doc":"A decision about an approval changed nothing: forged, late, replayed, or by someone who may not decide. An incident.","event":"approval.rejected","code":"CRN1404W","topic":"cairn.approvals","schemaId":140401,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval that the decision named.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Why it changed nothing.","sensitivity":"public","values":["bad_signature","unknown_approval","wrong_command","expired","already_decided","not_entitled","requester","same_run","duplicate_approver"]},{"name":"detail","type":"string","doc":"In words.","sensitivity":"public"},{"name":"approver_issuer","type":"string","doc":"Issuer of the approver as the decision states it.","sensitivity":"public"},{"name":"approver_subject","type":"string","doc":"Subject of the approver as the decision states it.","sensitivity":"personal"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '1bd47dc314e153a977f42e0d32906b37b46c0be2891869eab2f93c6173e264cf',
      'hex',
    ),
  },
  'alert.raised': {
    type: 'alert.raised',
    code: 'CRN1500A',
    topic: 'cairn.alerts',
    schemaId: 150001,
    schema: [
      '{"type":"record","name":"AlertRaised","namespace":"cairn","doc":"A detector found something.","event":"alert.raised","code":"CRN1500A","topic":"cairn.alerts","schemaId":150001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"rule","type":"string","doc":"Rule id.","sensitivity":"public"},{"name":"rule_name","type":"string","doc":"Rule name.","sensitivity":"public"},{"name":"severity","type":"string","doc":"Severity.","sensitivity":"public","values":["informational","low","medium","high","critical"]},{"name":"why","type":"string","doc":"Why, in words.","sensitivity":"content"},{"name":"entity_kind","type":"string","doc":"Kind of the entity, for example workflow, person, address.","sensitivity":"public"},{"name":"entity","type":"string","doc":"The entity.","sensitivity":"personal"},{"name":"evidence","type":{"type":"array","items":{"type":"record","name":"RecordRef","namespace":"cairn","doc":"Points to one record.","fields":[{"name":"gateway","type":"string","doc":"Gateway name.","sensitivity":"public"},{"name":"epoch","type":{"type":"fixed","name":"EpochId","size":16},"doc":"Epoch id.","sensitivity":"public"},{"name":"gseq","type":"long","doc":"Sequence number in the epoch.","sensitivity":"public"}]}},"doc":"Records that prove it.","sensitivity":"public","default":[]},{"name":"confidence","type":"int","doc":"Confidence, 0 to 100.","sensitivity":"public"},{"name":"techniques","type":{"type":"array","items":"string"},"doc":"ATT&CK technique ids.","sensitivity":"public","default":[]}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'bd6225482d1194c81ac6a524d2f39a8cb00da15788e2de82752b56b4033bf233',
      'hex',
    ),
  },
  'alert.triaged': {
    type: 'alert.triaged',
    code: 'CRN1501I',
    topic: 'cairn.alerts',
    schemaId: 150101,
    schema: [
      '{"type":"record","name":"AlertTriaged","namespace":"cairn","doc":"An analyst decided about an alert.","event":"alert.triaged","code":"CRN1501I","topic":"cairn.alerts","schemaId":150101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"alert","type":"string","doc":"Alert id.","sensitivity":"public"},{"name":"verdict","type":"string","doc":"Verdict.","sensitivity":"public","values":["true_positive","false_positive","benign","open"]},{"name":"reason","type":"string","doc":"The analyst\'s words.","sensitivity":"content"},{"name":"analyst","type":"string","doc":"Subject of the analyst.","sensitivity":"personal"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '1c1d553c6a05e946fa62d40f254e527a0cd997bbeba9ff9dcf9664b72b36e181',
      'hex',
    ),
  },
  'credential.issued': {
    type: 'credential.issued',
    code: 'CRN1600I',
    topic: 'cairn.audit',
    schemaId: 160001,
    schema: [
      '{"type":"record","name":"CredentialIssued","namespace":"cairn","doc":"A credential for the target came into use.","event":"credential.issued","code":"CRN1600I","topic":"cairn.audit","schemaId":160001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"credential","type":"string","doc":"Name of the credential; never its secret.","sensitivity":"public"},{"name":"kind","type":"string","doc":"Kind.","sensitivity":"public","values":["static","database_role","ssh_certificate","vault"]},{"name":"principal","type":"string","doc":"Account at the target.","sensitivity":"public"},{"name":"expires","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"doc":"End of its life; null if it does not expire.","sensitivity":"public","default":null}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '00ee796f9b6c3acb872c975a1ac1aa57c47f8e39540179cb81acf70514126d50',
      'hex',
    ),
  },
  'credential.revoked': {
    type: 'credential.revoked',
    code: 'CRN1601I',
    topic: 'cairn.audit',
    schemaId: 160101,
    schema: [
      '{"type":"record","name":"CredentialRevoked","namespace":"cairn","doc":"A credential is no longer in use.","event":"credential.revoked","code":"CRN1601I","topic":"cairn.audit","schemaId":160101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"credential","type":"string","doc":"Name of the credential.","sensitivity":"public"},{"name":"principal","type":"string","doc":"Account at the target.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Why.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '3e4d5a8827b5fda4771b7bf9264027222e23b776f2555e6d28567e9bb7822b4e',
      'hex',
    ),
  },
  'token.claimed': {
    type: 'token.claimed',
    code: 'CRN1602I',
    topic: 'cairn.tokens',
    schemaId: 160201,
    schema: [
      '{"type":"record","name":"TokenClaimed","namespace":"cairn","doc":"A token opens a session. Of all claims of one token, the first ones in the log count, as many as it has uses; the order of the log decides between gateways.","event":"token.claimed","code":"CRN1602I","topic":"cairn.tokens","schemaId":160201,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"token","type":"string","doc":"SHA-256 of issuer and token id, hex; of the token itself where it has no id.","sensitivity":"public"},{"name":"claim","type":"string","doc":"Id of this claim, unique.","sensitivity":"public"},{"name":"uses","type":"int","doc":"Sessions that the token may open in all.","sensitivity":"public"},{"name":"expires","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the token ends by itself.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '76838d1dce362bd8cff8bb2bdd9d86114df8f086b489367cb60618d6d10b325c',
      'hex',
    ),
  },
  'token.revoked': {
    type: 'token.revoked',
    code: 'CRN1603I',
    topic: 'cairn.tokens',
    schemaId: 160302,
    schema: [
      '{"type":"record","name":"TokenRevoked","namespace":"cairn","doc":"Tokens are dead before their time, and sessions opened with them end; or one session ends.","event":"token.revoked","code":"CRN1603I","topic":"cairn.tokens","schemaId":160302,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"kind","type":"string","doc":"What is revoked.","sensitivity":"public","values":["token","run","session"]},{"name":"token","type":"string","doc":"kind token: SHA-256 of issuer and token id, hex; else empty.","sensitivity":"public"},{"name":"run","type":"string","doc":"kind run: issuer, repository, run and attempt, as one JSON list; else empty.","sensitivity":"public"},{"name":"reason","type":"string","doc":"In words.","sensitivity":"public"},{"name":"revoked_by","type":"string","doc":"Who asked for it, or what.","sensitivity":"personal"},{"name":"session","type":"string","doc":"kind session: id of the session, hex; else empty.","sensitivity":"public","default":""}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '0ae0d73dc3dde02c3f2c903b223ec9008fd8a26ca747dfc34f722df1d5692bc6',
      'hex',
    ),
  },
  'evidence.viewed': {
    type: 'evidence.viewed',
    code: 'CRN1700I',
    topic: 'cairn.audit',
    schemaId: 170001,
    schema: [
      '{"type":"record","name":"EvidenceViewed","namespace":"cairn","doc":"Someone replayed a session or read responses.","event":"evidence.viewed","code":"CRN1700I","topic":"cairn.audit","schemaId":170001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"viewer_issuer","type":"string","doc":"Issuer of the viewer\'s identity.","sensitivity":"public"},{"name":"viewer_subject","type":"string","doc":"Subject of the viewer.","sensitivity":"personal"},{"name":"resource","type":"string","doc":"What was read: session, records, commands, responses.","sensitivity":"public"},{"name":"viewed_session","type":"string","doc":"Session id, hex; empty for a search over many.","sensitivity":"public"},{"name":"query","type":"string","doc":"Search or filter used; empty if none.","sensitivity":"content"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'e57d7887a36763b823ed8325837a6638a31d73539656ce746c475970108924c3',
      'hex',
    ),
  },
  'evidence.exported': {
    type: 'evidence.exported',
    code: 'CRN1701I',
    topic: 'cairn.audit',
    schemaId: 170101,
    schema: [
      '{"type":"record","name":"EvidenceExported","namespace":"cairn","doc":"Evidence left the system.","event":"evidence.exported","code":"CRN1701I","topic":"cairn.audit","schemaId":170101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"viewer_issuer","type":"string","doc":"Issuer of the viewer\'s identity.","sensitivity":"public"},{"name":"viewer_subject","type":"string","doc":"Subject of the viewer.","sensitivity":"personal"},{"name":"viewed_session","type":"string","doc":"Session id, hex.","sensitivity":"public"},{"name":"bundle_sha256","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the bundle.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Why.","sensitivity":"content"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'd28f404fd99dab8fa754a88454126fa119cff84f1417301550f8686fcb1b2f28',
      'hex',
    ),
  },
  'admin.changed': {
    type: 'admin.changed',
    code: 'CRN1710I',
    topic: 'cairn.audit',
    schemaId: 171001,
    schema: [
      '{"type":"record","name":"AdminChanged","namespace":"cairn","doc":"A change through the API.","event":"admin.changed","code":"CRN1710I","topic":"cairn.audit","schemaId":171001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"admin_issuer","type":"string","doc":"Issuer of the identity that made the change.","sensitivity":"public"},{"name":"admin_subject","type":"string","doc":"Subject that made the change.","sensitivity":"personal"},{"name":"action","type":"string","doc":"Route and method, for example POST /v1/tokens.","sensitivity":"public"},{"name":"object","type":"string","doc":"What was changed.","sensitivity":"public"},{"name":"detail","type":"string","doc":"What changed, without secrets.","sensitivity":"content"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      '42e4b48fc404d3f873d91dcccac0cd2ed7d15d130432a77b595cb0d063e20f73',
      'hex',
    ),
  },
  'notary.incident': {
    type: 'notary.incident',
    code: 'CRN1800E',
    topic: 'cairn.notary',
    schemaId: 180001,
    schema: [
      '{"type":"record","name":"NotaryIncident","namespace":"cairn","doc":"The notary found something wrong with the trail.","event":"notary.incident","code":"CRN1800E","topic":"cairn.notary","schemaId":180001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"kind","type":"string","doc":"What kind.","sensitivity":"public","values":["quarantine","gap","equivocation","clock","other"]},{"name":"origin","type":"string","doc":"Log origin concerned.","sensitivity":"public"},{"name":"gseq","type":"long","doc":"First sequence number concerned; -1 if none.","sensitivity":"public"},{"name":"detail","type":"string","doc":"In words.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'ac8aab360eebe0d21b0df645bc99ee6f91f712f6c79ee726931fee1865acd397',
      'hex',
    ),
  },
  'retention.applied': {
    type: 'retention.applied',
    code: 'CRN1801I',
    topic: 'cairn.notary',
    schemaId: 180101,
    schema: [
      '{"type":"record","name":"RetentionApplied","namespace":"cairn","doc":"Data was deleted by rule.","event":"retention.applied","code":"CRN1801I","topic":"cairn.notary","schemaId":180101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":',
      context,
      ',"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"rule","type":"string","doc":"Retention rule.","sensitivity":"public"},{"name":"what","type":"string","doc":"Topic or table.","sensitivity":"public"},{"name":"records","type":"long","doc":"How many records or rows.","sensitivity":"public"},{"name":"until","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"Everything before this time.","sensitivity":"public"}]}',
    ].join(''),
    schemaHash: Buffer.from(
      'b6abab9fc1b0964f9dd1262c7a90fac5511185d701cbd43e1aa125eda3dcc5d1',
      'hex',
    ),
  },
}

/** Every event, by code. */
export const byCode: ReadonlyMap<string, CatalogueEntry> = new Map(
  Object.values(catalogue).map((entry) => [entry.code, entry]),
)

/** Every event, by the id of its present schema. */
export const bySchemaId: ReadonlyMap<number, CatalogueEntry> = new Map(
  Object.values(catalogue).map((entry) => [entry.schemaId, entry]),
)

/** Schemas of earlier releases, by id: what older writers wrote with. */
export const olderSchemas: ReadonlyMap<number, string> = new Map([
  [
    140101,
    '{"type":"record","name":"ApprovalDecided","namespace":"cairn","doc":"A command event: an approver decides.","event":"approval.decided","code":"CRN1401I","topic":"cairn.approvals","schemaId":140101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]},"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval id: leaf hash of its approval.requested record; all zero in that record itself.","sensitivity":"public"},{"name":"command_hash","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the command that the approver saw.","sensitivity":"public"},{"name":"decision","type":"string","doc":"Decision.","sensitivity":"public","values":["approve","deny"]},{"name":"reason","type":"string","doc":"The approver\'s words.","sensitivity":"content"},{"name":"approver_issuer","type":"string","doc":"Issuer of the approver\'s identity.","sensitivity":"public"},{"name":"approver_subject","type":"string","doc":"Subject of the approver.","sensitivity":"personal"},{"name":"approver_groups","type":{"type":"array","items":"string"},"doc":"Groups of the approver.","sensitivity":"public","default":[]},{"name":"signature","type":"bytes","doc":"Ed25519 signature of the api over the decision.","sensitivity":"public"}]}',
  ],
  [
    140001,
    '{"type":"record","name":"ApprovalRequested","namespace":"cairn","doc":"A command is held until people decide.","event":"approval.requested","code":"CRN1400I","topic":"cairn.approvals","schemaId":140001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]},"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"approval","type":{"type":"fixed","name":"ApprovalId","size":32},"doc":"Approval id: leaf hash of its approval.requested record; all zero in that record itself.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"command_hash","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the exact bytes of the command that waits.","sensitivity":"public"},{"name":"text","type":"string","doc":"The command as the approver sees it.","sensitivity":"content"},{"name":"reason","type":"string","doc":"Which rule holds it and why.","sensitivity":"public"},{"name":"approver_groups","type":{"type":"array","items":"string"},"doc":"Groups whose members may decide.","sensitivity":"public","default":[]},{"name":"quorum","type":"int","doc":"Distinct persons needed.","sensitivity":"public"},{"name":"expires","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"Until when it can be decided.","sensitivity":"public"},{"name":"estimated_rows","type":"long","doc":"Estimate of affected rows; -1 if none.","sensitivity":"public"}]}',
  ],
  [
    120001,
    '{"type":"record","name":"CommandReceived","namespace":"cairn","doc":"A parsed command, before it is decided. The record\'s own sseq is the command id.","event":"command.received","code":"CRN1200I","topic":"cairn.audit","schemaId":120001,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]},"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"text","type":"string","doc":"The text that runs, literals of passwords replaced. Statement text for prepared executions.","sensitivity":"content"},{"name":"text_bytes","type":"long","doc":"Length of the full text in bytes; larger than the text when it was cut at the limit.","sensitivity":"public"},{"name":"text_sha256","type":{"type":"fixed","name":"Sha256","size":32},"doc":"SHA-256 of the full text as received; of the text with its secrets replaced when it held any, since a password could be guessed from the other.","sensitivity":"public"},{"name":"kind","type":"string","doc":"How the command came.","sensitivity":"public","values":["query","execute","prepare","bind","describe","function_call","copy","cancel","exec","shell","subsystem","startup"]},{"name":"native","type":{"type":"array","items":"string"},"doc":"Native message types that form the command, in order, for example Parse, Bind, Execute.","sensitivity":"public","default":[]},{"name":"verb","type":"string","doc":"Normalised verb of the first statement, for example select, update, ddl.create; unknown if not parsed.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the normalised text, 16 hex digits; empty if not parsed.","sensitivity":"public"},{"name":"statements","type":{"type":"array","items":{"type":"record","name":"Statement","namespace":"cairn","doc":"One statement of a command.","fields":[{"name":"verb","type":"string","doc":"Verb.","sensitivity":"public"},{"name":"offset","type":"int","doc":"Byte offset in the text.","sensitivity":"public"},{"name":"length","type":"int","doc":"Length in bytes.","sensitivity":"public"},{"name":"effects","type":{"type":"array","items":{"type":"record","name":"Effect","namespace":"cairn","doc":"One effect on one object.","fields":[{"name":"action","type":"string","doc":"Effect, for example select, insert, ddl.drop, call:pg_sleep, unknown.","sensitivity":"public"},{"name":"object","type":"string","doc":"Object, as schema.name or name; empty if none.","sensitivity":"public"}]}},"doc":"What the statement does to what, from the parse tree.","sensitivity":"public","default":[]}]}},"doc":"Statements of the command with their effects.","sensitivity":"public","default":[]},{"name":"statement_name","type":"string","doc":"Name of the prepared statement; empty if unnamed or none.","sensitivity":"public"},{"name":"portal_name","type":"string","doc":"Name of the portal; empty if unnamed or none.","sensitivity":"public"},{"name":"parameters","type":{"type":"array","items":{"type":"record","name":"Parameter","namespace":"cairn","doc":"One bound parameter.","fields":[{"name":"type_oid","type":"int","doc":"Type OID as declared or as the target described it, as a signed 32-bit integer; 0 if unknown.","sensitivity":"public"},{"name":"format","type":"string","doc":"Format on the wire.","sensitivity":"public","values":["text","binary"]},{"name":"value","type":["null","string"],"doc":"Value as text, decoded by its type; hex with a leading \\\\x if it could not be decoded; null for NULL or when masked.","sensitivity":"content","default":null},{"name":"masked","type":"boolean","doc":"Whether the value was masked.","sensitivity":"public"},{"name":"value_bytes","type":"long","doc":"Length on the wire in bytes; -1 for NULL.","sensitivity":"public"}]}},"doc":"Bound parameters, in order.","sensitivity":"public","default":[]},{"name":"row_limit","type":"long","doc":"Row limit of the execution; 0 means none.","sensitivity":"public"},{"name":"parse_error","type":"string","doc":"Why the text could not be parsed; empty if it could.","sensitivity":"public"},{"name":"pure_read","type":"boolean","doc":"Whether the parse tree proves a pure read.","sensitivity":"public"}]}',
  ],
  [
    130101,
    '{"type":"record","name":"InputChunk","namespace":"cairn","doc":"Interactive input or COPY IN data.","event":"input.chunk","code":"CRN1301I","topic":"cairn.audit","schemaId":130101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]},"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"command","type":"long","doc":"The command this belongs to: sseq of its command.received record in this session.","sensitivity":"public"},{"name":"stream","type":"string","doc":"Which stream.","sensitivity":"public","values":["copy","stdin"]},{"name":"format","type":"string","doc":"Encoding of the bytes.","sensitivity":"public","values":["pg3","raw"]},{"name":"offset","type":"long","doc":"Offset of the first byte in the input of the command.","sensitivity":"public"},{"name":"bytes","type":"bytes","doc":"The bytes.","sensitivity":"content"}]}',
  ],
  [
    110101,
    '{"type":"record","name":"SessionRefused","namespace":"cairn","doc":"Authentication or authorisation failed.","event":"session.refused","code":"CRN1101W","topic":"cairn.audit","schemaId":110101,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]},"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"reason","type":"string","doc":"Stable reason code, for example token_expired, policy_denied, tls_required.","sensitivity":"public"},{"name":"detail","type":"string","doc":"In words, without secrets.","sensitivity":"public"},{"name":"requested_target","type":"string","doc":"Target that was asked for, as the client wrote it.","sensitivity":"public"},{"name":"requested_role","type":"string","doc":"Role that was asked for, as the client wrote it.","sensitivity":"public"},{"name":"rules","type":{"type":"array","items":"string"},"doc":"Rules that said so, if a policy was reached.","sensitivity":"public","default":[]}]}',
  ],
  [
    160301,
    '{"type":"record","name":"TokenRevoked","namespace":"cairn","doc":"Tokens are dead before their time, and sessions opened with them end.","event":"token.revoked","code":"CRN1603I","topic":"cairn.tokens","schemaId":160301,"fields":[{"name":"time","type":{"type":"long","logicalType":"timestamp-micros"},"doc":"When the event was minted, microseconds since the Unix epoch, by the gateway\'s wall clock.","sensitivity":"public"},{"name":"context","type":{"type":"record","name":"Context","namespace":"cairn","doc":"Who, on whose behalf, from where, which run, on what. Constant for a session, so every event stands alone in a SIEM.","fields":[{"name":"deployment","type":"string","doc":"Name of the deployment, from the configuration.","sensitivity":"public"},{"name":"gateway","type":"string","doc":"Name of the gateway process that minted the event.","sensitivity":"public"},{"name":"session","type":{"type":"fixed","name":"SessionId","size":32},"doc":"Session id: the leaf hash of the session.started record. All zero in that record itself and in events without a session.","sensitivity":"public"},{"name":"actor","type":["null",{"type":"record","name":"Actor","namespace":"cairn","doc":"The identity behind a session, as proven by its issuer.","fields":[{"name":"kind","type":"string","doc":"What kind of principal this is.","sensitivity":"public","values":["human","workload","agent"]},{"name":"issuer","type":"string","doc":"Issuer (OIDC iss) that vouches for the subject.","sensitivity":"public"},{"name":"subject","type":"string","doc":"Subject (OIDC sub) at that issuer.","sensitivity":"personal"},{"name":"display_name","type":"string","doc":"Name to show to people.","sensitivity":"personal"},{"name":"groups","type":{"type":"array","items":"string"},"doc":"Groups of the subject, as the issuer states them.","sensitivity":"public","default":[]},{"name":"credential_fingerprint","type":"string","doc":"SHA-256 of the presented credential, hex: the same credential seen twice has the same fingerprint, and nothing of it can be recovered.","sensitivity":"public"},{"name":"token_id","type":"string","doc":"Id of the token (jti); empty when the issuer gives none.","sensitivity":"public"}]}],"doc":"Identity behind the session; null for events of the gateway itself.","sensitivity":"public","default":null},{"name":"pipeline","type":["null",{"type":"record","name":"Pipeline","namespace":"cairn","doc":"The CI run behind a workload identity.","fields":[{"name":"provider","type":"string","doc":"CI system.","sensitivity":"public","values":["github","gitlab","generic"]},{"name":"repository","type":"string","doc":"Repository, as owner/name or group path.","sensitivity":"public"},{"name":"ref","type":"string","doc":"Full git ref, for example refs/heads/main.","sensitivity":"public"},{"name":"sha","type":"string","doc":"Commit id.","sensitivity":"public"},{"name":"workflow","type":"string","doc":"Workflow or pipeline definition.","sensitivity":"public"},{"name":"run","type":"string","doc":"Run or pipeline id.","sensitivity":"public"},{"name":"run_attempt","type":"string","doc":"Attempt of the run.","sensitivity":"public"},{"name":"job","type":"string","doc":"Job name or id.","sensitivity":"public"},{"name":"environment","type":"string","doc":"Deployment environment; empty if none.","sensitivity":"public"},{"name":"triggering_user","type":"string","doc":"Account that triggered the run.","sensitivity":"personal"},{"name":"runner","type":"string","doc":"Runner name or kind, as far as the issuer states it.","sensitivity":"public"},{"name":"approval_ticket","type":"string","doc":"Change or approval ticket that the token names; empty if none.","sensitivity":"public"}]}],"doc":"CI run behind the session; null for people and gateway events.","sensitivity":"public","default":null},{"name":"peer","type":["null",{"type":"record","name":"Peer","namespace":"cairn","doc":"The client end of the connection, as the gateway saw it.","fields":[{"name":"address","type":"string","doc":"IP address.","sensitivity":"personal"},{"name":"port","type":"int","doc":"TCP port.","sensitivity":"public"},{"name":"client_software","type":"string","doc":"Client software as it states itself (application_name, SSH banner). Not trusted.","sensitivity":"public"},{"name":"tls","type":"string","doc":"TLS protocol and cipher of the client leg; empty without TLS.","sensitivity":"public"},{"name":"fingerprint","type":"string","doc":"Fingerprint of the client certificate or key; empty if none.","sensitivity":"public"}]}],"doc":"Client end of the connection.","sensitivity":"public","default":null},{"name":"target","type":["null",{"type":"record","name":"Target","namespace":"cairn","doc":"What the session reaches.","fields":[{"name":"name","type":"string","doc":"Name of the target in the configuration.","sensitivity":"public"},{"name":"protocol","type":"string","doc":"Protocol of the target.","sensitivity":"public","values":["postgres","ssh","http","kubernetes"]},{"name":"database","type":"string","doc":"Database, where the protocol has one; else empty.","sensitivity":"public"},{"name":"role","type":"string","doc":"Role asked for and granted.","sensitivity":"public"}]}],"doc":"Target of the session.","sensitivity":"public","default":null}]},"doc":"Who, on whose behalf, from where, which run, on what.","sensitivity":"public"},{"name":"kind","type":"string","doc":"What is revoked.","sensitivity":"public","values":["token","run"]},{"name":"token","type":"string","doc":"kind token: SHA-256 of issuer and token id, hex; else empty.","sensitivity":"public"},{"name":"run","type":"string","doc":"kind run: issuer, repository, run and attempt, as one JSON list; else empty.","sensitivity":"public"},{"name":"reason","type":"string","doc":"In words.","sensitivity":"public"},{"name":"revoked_by","type":"string","doc":"Who asked for it, or what.","sensitivity":"personal"}]}',
  ],
])

/** Codes in the order of the record header's enum; only ever appended to. */
export const headerCodes: readonly EventCode[] = [
  'CRN1000I',
  'CRN1001I',
  'CRN1002I',
  'CRN1003E',
  'CRN1010I',
  'CRN1100I',
  'CRN1101W',
  'CRN1102I',
  'CRN1200I',
  'CRN1201I',
  'CRN1202W',
  'CRN1203I',
  'CRN1300I',
  'CRN1301I',
  'CRN1400I',
  'CRN1401I',
  'CRN1402W',
  'CRN1403I',
  'CRN1500A',
  'CRN1501I',
  'CRN1600I',
  'CRN1601I',
  'CRN1700I',
  'CRN1701I',
  'CRN1710I',
  'CRN1800E',
  'CRN1801I',
  'CRN1404W',
  'CRN1602I',
  'CRN1603I',
]
