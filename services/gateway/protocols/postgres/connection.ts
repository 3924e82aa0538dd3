import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { CommandReceived, Context, Peer, Target } from '#core/events/types.ts'
import type { Identity } from '#core/identity/identity.ts'
import type { Config } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { Authenticator } from '#lib/identity/authenticator.ts'
import type { Logger } from '#lib/logger.ts'
import type { Recorder, SessionRecorder } from '../../recorder/port.ts'
import { peerAddress, sessionContext } from '../../session-context.ts'
import { authenticationOk, backendKeyData, readyForQuery } from './backend-writes.ts'
import type { CancelKeys } from './cancel.ts'
import { errorResponse, sqlstate, type NativeError } from './errors.ts'
import { close_timeout_ms } from './limits.ts'
import type { CommandDecision, CommandFacts } from './receive.ts'
import { runSession, type Session, type SessionSummary } from './session.ts'
import { readPassword, startClient, type ClientStart, type ClientStream } from './startup.ts'
import { isStartupRefusal, readStartupRequest, type StartupRequest } from './startup-parameters.ts'
import { newSessionState } from './state.ts'
import { unknownStatement, type StatementReader } from './statement.ts'
import type { PostgresTarget } from './target.ts'
import { cancelUpstream, connectUpstream, type Upstream, type UpstreamFailure } from './upstream.ts'

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
  readonly target: string
  readonly role: string
  readonly database: string
}

/** The decision point: who may open a session, and which command may run in it. */
export interface Decider {
  session(facts: SessionFacts): SessionDecision
  command(facts: SessionFacts, command: CommandFacts): CommandDecision
}

/** What every connection of a listener shares. */
export type ConnectionDeps = {
  readonly config: Pick<Config, 'deployment' | 'gateway' | 'listeners'>
  /** Name of the gateway process. */
  readonly gateway_name: string
  readonly tls: SecureContext
  readonly targets: ReadonlyMap<string, PostgresTarget>
  readonly authenticator: Authenticator
  readonly decider: Decider
  readonly recorder: Recorder
  readonly statements: StatementReader
  readonly cancels: CancelKeys
  readonly logger: Logger
  readonly now_ms: () => number
  /** True when no more sessions fit. */
  readonly full: () => boolean
  /** True once the process is asked to stop. */
  readonly stopping: () => boolean
  readonly onSession: (session: Session) => void
  readonly counted: (refused: boolean) => void
  /** Counts how a connection ended: a refusal's reason, or `session` or `cancel`. */
  readonly outcome: (outcome: string) => void
  readonly signal: AbortSignal
}

/** Ends the handshake with a refusal. */
class Refused extends Error {
  readonly reason: string
  readonly detail: string
  readonly native: NativeError
  readonly rules: readonly string[]
  constructor(
    reason: string,
    detail: string,
    native: Omit<NativeError, 'severity'>,
    rules: readonly string[] = [],
  ) {
    super(reason)
    this.reason = reason
    this.detail = detail
    this.native = { severity: 'FATAL', ...native }
    this.rules = rules
  }
}

/** What is known of a connection so far, for the record of its refusal. */
type Progress = {
  peer: Peer
  identity: Identity | null
  target: Target | null
  requested_target: string
  requested_role: string
  stream: ClientStream
}

const denied = (request: StartupRequest): Omit<NativeError, 'severity'> => ({
  code: sqlstate.invalid_authorization,
  message: `no access to target "${request.target}" as role "${request.role}"`,
})

/** Says the same to a client whatever is wrong with its token; the record says what. */
const tokenRefused: Omit<NativeError, 'severity'> = {
  code: sqlstate.invalid_password,
  message: 'authentication failed',
  detail: 'The password must be a valid OIDC or Cairn token for this target and role.',
}

const unreachable = (failure: UpstreamFailure): Omit<NativeError, 'severity'> => {
  const { native } = failure
  return native === null
    ? { code: sqlstate.connection_failure, message: failure.detail }
    : { code: native.code, message: native.message }
}

/** Startup parameters for the record: custom settings may hold anything, so only their names are kept. */
const recordedSettings = (settings: ReadonlyMap<string, string>): Record<string, string> =>
  Object.fromEntries(
    [...settings].map(([name, value]) => [name, name.includes('.') ? '' : value.toWellFormed()]),
  )

const checkStart = (start: Extract<ClientStart, { kind: 'refused' }>): Refused =>
  new Refused(start.reason, start.detail, {
    code: start.unsupported
      ? sqlstate.feature_not_supported
      : (startCodes[start.reason] ?? sqlstate.protocol_violation),
    message: start.detail,
  })

const startCodes: Readonly<Record<string, string>> = {
  tls_required: sqlstate.invalid_authorization,
}

/** Authenticates and decides; throws Refused. The target has heard nothing so far. */
const admit = async (
  deps: ConnectionDeps,
  start: Extract<ClientStart, { kind: 'session' }>,
  progress: Progress,
): Promise<{
  request: StartupRequest
  facts: SessionFacts
  target: PostgresTarget
  decision: SessionDecision
}> => {
  const request = readStartupRequest(start.parameters)
  progress.requested_role = (start.parameters.get('user') ?? '').toWellFormed()
  progress.requested_target = (start.parameters.get('database') ?? '').toWellFormed()
  if (isStartupRefusal(request))
    throw new Refused(request.reason, request.detail, {
      code:
        request.reason === 'replication_refused' || request.reason === 'encoding_refused'
          ? sqlstate.feature_not_supported
          : sqlstate.invalid_authorization,
      message: request.detail,
    })
  progress.requested_target = request.target
  progress.peer = {
    ...progress.peer,
    client_software: (request.settings.get('application_name') ?? '').toWellFormed(),
  }
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
  if (!deps.recorder.available) throw auditUnavailable()
  const token = await readPassword(start.stream, start.reader)
  if (token === null) throw new Refused('password_invalid', 'no password message', tokenRefused)
  const result = await deps.authenticator.authenticate(token, {
    target: request.target,
    role: request.role,
    peer: { address: progress.peer.address, port: progress.peer.port },
  })
  if (!result.ok) throw new Refused(result.reason, result.detail, tokenRefused)
  progress.identity = result.identity
  const target = deps.targets.get(request.target)
  if (target === undefined) throw new Refused('target_unknown', 'no such target', denied(request))
  const facts: SessionFacts = {
    identity: result.identity,
    target: request.target,
    role: request.role,
    database: request.database === '' ? target.config.default_database : request.database,
  }
  progress.target = {
    name: facts.target,
    protocol: 'postgres',
    database: facts.database.toWellFormed(),
    role: facts.role,
  }
  const decision = deps.decider.session(facts)
  if (decision.outcome !== 'allow')
    throw new Refused('policy_denied', decision.reason, denied(request), decision.rules)
  return { request, facts, target, decision }
}

const auditUnavailable = (): Refused =>
  new Refused('audit_unavailable', 'the session could not be recorded', {
    code: sqlstate.audit_unavailable,
    message: 'the session was refused: it could not be recorded',
    hint: 'The audit trail is not available. Try again later.',
  })

/** A cancel request in the session it is for: recorded, durable, then passed on with the target's own key. */
const openCancel = (
  deps: ConnectionDeps,
  target: PostgresTarget,
  upstream: Upstream,
  session: SessionRecorder,
  isOpen: () => boolean,
): (() => Promise<void>) => {
  let running = false
  return async () => {
    const { key } = upstream
    if (running || key === null || !isOpen()) return
    running = true
    const statement = { ...unknownStatement(''), verb: 'cancel' }
    const received: CommandReceived = {
      ...statementFields(statement),
      kind: 'cancel',
      native: ['CancelRequest'],
    }
    const command = session.append('command.received', received)
    session.append('decision.made', {
      command,
      outcome: 'allow',
      rules: [],
      reason: 'the cancel key of this session was shown',
      policy_digest: '',
      risk: 0,
      dry_run: false,
    })
    await deps.recorder.durable()
    const started_ms = deps.now_ms()
    const { host, port, connect_timeout_ms } = target.config
    const done = await cancelUpstream(
      { host, port, tls: target.tls, timeout_ms: connect_timeout_ms, signal: deps.signal },
      key,
    )
    running = false
    if (!isOpen()) return
    session.append('command.completed', {
      command,
      status: done ? 'ok' : 'error',
      tag: '',
      rows: -1,
      response_bytes: 0,
      input_bytes: 0,
      duration_us: Math.round((deps.now_ms() - started_ms) * 1000),
      error_code: done ? '' : sqlstate.connection_failure,
      error_message: done ? '' : 'the target did not take the cancel request',
    })
  }
}

const statementFields = (
  statement: ReturnType<typeof unknownStatement>,
): Omit<CommandReceived, 'kind' | 'native'> => ({
  text: statement.text,
  text_bytes: statement.text_bytes,
  text_sha256: statement.text_sha256,
  verb: statement.verb,
  fingerprint: statement.fingerprint,
  statements: statement.statements,
  statement_name: '',
  portal_name: '',
  parameters: [],
  row_limit: 0,
  parse_error: statement.parse_error,
  pure_read: false,
})

const endSession = async (
  deps: ConnectionDeps,
  session: SessionRecorder,
  credential: { readonly name: string; readonly user: string },
  summary: SessionSummary,
): Promise<void> => {
  try {
    session.append('credential.revoked', {
      credential: credential.name,
      principal: credential.user,
      reason: 'the session is over',
    })
    session.append('session.ended', { ...summary, records: session.records + 1 })
    await deps.recorder.durable()
  } catch (error) {
    deps.logger.error({ err: error }, "a session's end could not be recorded")
  }
}

/** Opens the target, records the start, and runs the session to its end. Throws Refused before the client is let in. */
const openSession = async (
  deps: ConnectionDeps,
  start: Extract<ClientStart, { kind: 'session' }>,
  progress: Progress,
  context: () => Context,
  admitted: () => void,
): Promise<void> => {
  const { request, facts, target, decision } = await admit(deps, start, progress)
  const credential = target.credentials.get(facts.role)
  if (credential === undefined)
    throw new Refused('role_unknown', 'no such role at the target', denied(request), decision.rules)
  const gone = new AbortController()
  const onGone = (): void => gone.abort()
  start.stream.once('close', onGone)
  const { host, port, connect_timeout_ms } = target.config
  const connected = await connectUpstream({
    host,
    port,
    tls: target.tls,
    user: credential.user,
    password: credential.password,
    database: facts.database,
    parameters: request.parameters,
    timeout_ms: connect_timeout_ms,
    signal: gone.signal,
  })
  start.stream.off('close', onGone)
  if (!connected.ok)
    throw new Refused(connected.reason, connected.detail, unreachable(connected), decision.rules)
  const { upstream } = connected
  const { recorder } = deps
  const startedAt = deps.now_ms()
  const session = recorder.openSession(context(), {
    protocol_version: `3.${start.minor}`,
    parameters: recordedSettings(request.settings),
    decision: 'allow',
    rules: decision.rules,
    policy_digest: decision.policy_digest,
    credential: credential.name,
    target_user: credential.user,
  })
  session.append('credential.issued', {
    credential: credential.name,
    kind: 'static',
    principal: credential.user,
    expires: null,
  })
  const abandon = (reason: SessionSummary['reason']): Promise<void> => {
    upstream.stream.destroy()
    return endSession(deps, session, credential, {
      reason,
      detail: 'before the first command',
      commands: 0,
      refused: 0,
      client_bytes: 0,
      target_bytes: 0,
      duration_us: Math.round((deps.now_ms() - startedAt) * 1000),
    })
  }
  try {
    await recorder.durable()
  } catch {
    void abandon('audit_unavailable')
    throw auditUnavailable()
  }
  if (start.stream.destroyed || gone.signal.aborted) {
    await abandon('client_closed')
    return
  }
  admitted()
  let running: Session | null = null
  const cancel = openCancel(deps, target, upstream, session, () => running?.open === true)
  const key = deps.cancels.mint(start.minor, () => {
    cancel().catch((error: unknown) => deps.logger.warn({ err: error }, 'a cancel request failed'))
  })
  start.stream.write(
    Buffer.concat([
      authenticationOk,
      upstream.greeting,
      backendKeyData(key.pid, key.secret),
      readyForQuery('I'),
    ]),
  )
  const proofs = ![...request.settings.keys()].some(
    (name) => name === 'search_path' || name.includes('.'),
  )
  running = runSession({
    client: start.stream,
    upstream,
    state: newSessionState(upstream.parameters, proofs),
    recorder,
    session,
    decide: (command) => deps.decider.command(facts, command),
    statements: deps.statements,
    reads: deps.config.gateway.reads,
    message_bytes_max: deps.config.gateway.message_bytes_max,
    text_bytes_max: deps.config.gateway.text_bytes_max,
    idle_timeout_ms: deps.config.gateway.idle_timeout_ms,
    now_ms: deps.now_ms,
    counted: deps.counted,
  })
  deps.outcome('session')
  deps.onSession(running)
  const summary = await running.ended
  deps.cancels.forget(key)
  await endSession(deps, session, credential, summary)
}

const recordRefusal = (
  deps: ConnectionDeps,
  progress: Progress,
  context: Context,
  refusal: Pick<Refused, 'reason' | 'detail' | 'rules'>,
): void => {
  deps.outcome(refusal.reason)
  try {
    deps.recorder.append('session.refused', context, {
      reason: refusal.reason,
      detail: refusal.detail.toWellFormed(),
      requested_target: progress.requested_target.slice(0, 256),
      requested_role: progress.requested_role.slice(0, 256),
      rules: refusal.rules,
    })
    // Nobody waits for it: the refusal stands whether or not it can be recorded.
    deps.recorder.durable().catch(() => undefined)
  } catch (error) {
    deps.logger.warn({ err: error, reason: refusal.reason }, 'a refusal could not be recorded')
  }
}

const closeSoon = (stream: ClientStream): void => {
  const timer = setTimeout(() => stream.destroy(), close_timeout_ms)
  timer.unref()
  stream.once('close', () => clearTimeout(timer))
  stream.resume()
}

/**
 * Serves one connection from its first byte to its last. Never rejects: what goes wrong is told to the client in PostgreSQL's
 * words, recorded, and counted.
 */
export const serveConnection = async (socket: Socket, deps: ConnectionDeps): Promise<void> => {
  const progress: Progress = {
    peer: {
      address: peerAddress(socket.remoteAddress),
      port: socket.remotePort ?? 0,
      client_software: '',
      tls: '',
      fingerprint: '',
    },
    identity: null,
    target: null,
    requested_target: '',
    requested_role: '',
    stream: socket,
  }
  const context = (): Context =>
    sessionContext({
      deployment: deps.config.deployment,
      gateway: deps.gateway_name,
      identity: progress.identity,
      peer: progress.peer,
      target: progress.target,
    })
  let late = false
  const timer = setTimeout(() => {
    late = true
    socket.destroy()
  }, deps.config.gateway.handshake_timeout_ms)
  socket.on('error', () => undefined)
  try {
    const start = await startClient(socket, {
      context: deps.tls,
      cleartext: deps.config.listeners.postgres.cleartext,
    })
    progress.stream = start.stream
    start.stream.on('error', () => undefined)
    if (start.kind === 'silent') {
      deps.outcome('silent')
      socket.destroy()
    } else if (start.kind === 'refused') throw checkStart(start)
    else if (start.kind === 'cancel') serveCancel(deps, start, progress, context())
    else {
      progress.peer = { ...progress.peer, tls: start.tls }
      await openSession(deps, start, progress, context, () => clearTimeout(timer))
    }
  } catch (error) {
    if (error instanceof Refused) {
      recordRefusal(deps, progress, context(), error)
      progress.stream.end(errorResponse(error.native))
      closeSoon(progress.stream)
    } else {
      socket.destroy()
      const detail = error instanceof CairnError ? error.message : 'internal error'
      const reason = late
        ? 'handshake_timeout'
        : error instanceof CairnError
          ? 'handshake_failed'
          : 'gateway_error'
      if (reason === 'gateway_error') deps.logger.error({ err: error }, 'a connection failed')
      recordRefusal(deps, progress, context(), { reason, detail, rules: [] })
    }
  } finally {
    clearTimeout(timer)
  }
}

/** The client of a cancel request waits for the connection to close, and learns nothing else. */
const serveCancel = (
  deps: ConnectionDeps,
  start: Extract<ClientStart, { kind: 'cancel' }>,
  progress: Progress,
  context: Context,
): void => {
  if (deps.cancels.request(start.pid, start.secret)) deps.outcome('cancel')
  else
    recordRefusal(deps, progress, context, {
      reason: 'cancel_key_unknown',
      detail: 'a cancel request with a key of no session',
      rules: [],
    })
  start.stream.end()
  closeSoon(start.stream)
}
