import type { Context, Peer, Target } from '#core/events/types.ts'
import type { Identity } from '#core/identity/identity.ts'
import type { CommandDecision } from '#core/policy/decision.ts'
import type { SearchPath } from '#core/policy/object-pattern.ts'
import type { Authenticator } from '#lib/identity/authenticator.ts'
import type { CredentialBroker, IssuedCredential } from '../../credentials/port.ts'
import { sqlstate } from './errors.ts'
import type { CommandFacts } from './receive.ts'
import { accessRefused, auditUnavailable, Refused, tokenRefused } from './refused.ts'
import type { TokenLease } from '../../tokens/leases.ts'
import type { GatewayLedger } from '../../tokens/ledger.ts'
import { issueCredential } from './session-credential.ts'
import { checkContext, claimToken, type RoleConfig } from './session-token.ts'
import { readPassword, type ClientStart, type ClientStream } from './startup.ts'
import { isStartupRefusal, readStartupRequest, type StartupRequest } from './startup-parameters.ts'
import type { PostgresTarget } from './target.ts'

/** What the policy says about a session. */
export type SessionDecision = {
  readonly outcome: 'allow' | 'deny'
  readonly rules: readonly string[]
  readonly reason: string
  readonly policy_digest: string
}

/** A session as the decision point sees it. */
export type SessionFacts = {
  readonly identity: Identity
  readonly peer: Peer
  readonly target: string
  readonly role: string
  readonly database: string
}

/** The decision point: who may open a session, and which command may run in it. */
export interface Decider {
  session(facts: SessionFacts): SessionDecision
  command(facts: SessionFacts, command: CommandFacts, path: SearchPath): CommandDecision
}

/** What is known of a connection so far: the context of its records, and of its refusal. */
export type Progress = {
  stream: ClientStream
  peer: Peer
  identity: Identity | null
  target: Target | null
  requested_target: string
  requested_role: string
  /** What the client showed as its password, to keep it out of the record. */
  shown_password: string
}

export type AdmissionDeps = {
  readonly authenticator: Authenticator
  readonly decider: Decider
  readonly targets: ReadonlyMap<string, PostgresTarget>
  readonly credentials: CredentialBroker
  readonly ledger: GatewayLedger
  /** False while nothing can be recorded. */
  readonly recording: () => boolean
  /** Context of the records so far. */
  readonly context: () => Context
  /** True when no more sessions fit. */
  readonly full: () => boolean
  /** True once the process is asked to stop. */
  readonly stopping: () => boolean
}

/** A session that may be opened. */
export type Admission = {
  readonly request: StartupRequest
  readonly facts: SessionFacts
  readonly target: PostgresTarget
  /** Whoever gets this has to see to it that it is revoked. */
  readonly credential: IssuedCredential
  readonly decision: SessionDecision
  readonly role: RoleConfig
  /** Whoever gets this has to end it, or to give it back. */
  readonly lease: TokenLease
}

type SessionStart = Extract<ClientStart, { kind: 'session' }>

const readRequest = (start: SessionStart, progress: Progress): StartupRequest => {
  progress.requested_role = (start.parameters.get('user') ?? '').toWellFormed()
  progress.requested_target = (start.parameters.get('database') ?? '').toWellFormed()
  const request = readStartupRequest(start.parameters)
  if (isStartupRefusal(request))
    throw new Refused(request.reason, request.detail, {
      code: request.unsupported ? sqlstate.feature_not_supported : sqlstate.invalid_authorization,
      message: request.detail,
    })
  progress.requested_target = request.target
  const client_software = (request.settings.get('application_name') ?? '').toWellFormed()
  progress.peer = { ...progress.peer, client_software }
  return request
}

const checkRoom = (deps: AdmissionDeps): void => {
  if (deps.stopping())
    throw new Refused('shutting_down', 'the gateway shuts down', {
      code: sqlstate.cannot_connect_now,
      message: 'the gateway is shutting down',
    })
  if (deps.full())
    throw new Refused('sessions_max', 'too many open sessions', {
      code: sqlstate.too_many_connections,
      message: 'sorry, too many clients already',
    })
  if (!deps.recording()) throw auditUnavailable()
}

/**
 * Who is there, and may they? Reads the request, asks for the token, proves it, asks whether the role expects its job and what the policy
 * says, claims a use of it, and gets the credential. The target has not
 * heard of the session when this is over. Throws Refused.
 *
 * @param signal aborted when the client goes
 */
export const admit = async (
  deps: AdmissionDeps,
  start: SessionStart,
  progress: Progress,
  signal: AbortSignal,
): Promise<Admission> => {
  const request = readRequest(start, progress)
  checkRoom(deps)
  const { target: name, role } = request
  const token = await readPassword(start.stream, start.reader)
  if (token === null) throw new Refused('password_invalid', 'no password message', tokenRefused)
  progress.shown_password = token
  const { address, port } = progress.peer
  const proven = await deps.authenticator.authenticate(token, {
    target: name,
    role,
    peer: { address, port },
    run: request.stated_run,
  })
  if (!proven.ok) {
    progress.identity = proven.identity ?? null
    throw new Refused(proven.reason, proven.detail, tokenRefused, [], proven.differences)
  }
  const { identity } = proven
  progress.identity = identity
  const refused = accessRefused(name, role)
  const target = deps.targets.get(name)
  if (target === undefined) throw new Refused('target_unknown', 'no such target', refused)
  const database = request.database === '' ? target.config.default_database : request.database
  const facts: SessionFacts = { identity, peer: progress.peer, target: name, role, database }
  progress.target = { name, protocol: 'postgres', database: database.toWellFormed(), role }
  const config = target.config.roles.find((one) => one.name === role)
  if (config !== undefined) checkContext(name, config, identity)
  const decision = deps.decider.session(facts)
  const { rules } = decision
  if (decision.outcome !== 'allow')
    throw new Refused('policy_denied', decision.reason, refused, rules)
  if (config === undefined)
    throw new Refused('role_unknown', 'no such role at the target', refused, rules)
  const lease = await claimToken(deps.ledger, identity, proven.token, config, deps.context(), rules)
  try {
    const credential = await issueCredential(deps.credentials, facts, rules, signal)
    return { request, facts, target, credential, decision, role: config, lease }
  } catch (error) {
    lease.giveBack()
    throw error
  }
}
