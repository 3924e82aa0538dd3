import type { Socket } from 'node:net'
import type { SecureContext } from 'node:tls'
import type { Config } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import { peerAddress } from '#lib/peer-address.ts'
import type { Holds } from '../../approvals/holds.ts'
import type { Recorder, SessionRecorder } from '../../recorder/port.ts'
import { admit, type Admission, type AdmissionDeps, type Progress } from './admission.ts'
import { authenticationOk, backendKeyData, readyForQuery } from './backend-writes.ts'
import type { CancelKeys } from './cancel.ts'
import type { Catalogs } from './catalog/catalogs.ts'
import { openSessionNaming } from './catalog/session-naming.ts'
import { contextOf, recordRefusal, recordStart } from './connection-records.ts'
import { errorResponse } from './errors.ts'
import { estimated, type Estimator } from './estimate.ts'
import { close_timeout_ms, linger_ms } from './limits.ts'
import type { Masking } from './masking/masking.ts'
import { auditUnavailable, Refused, startRefused, targetRefused } from './refused.ts'
import { runSession, type Session, type SessionSummary } from './session.ts'
import { openSessionCancel } from './session-cancel.ts'
import { endWithToken } from './session-token.ts'
import { endCredential, giveBack } from './session-credential.ts'
import { startClient, type ClientStart, type ClientStream } from './startup.ts'
import { newSessionState } from './state.ts'
import type { StatementReader } from './statement.ts'
import { connectUpstream, type Upstream, type UpstreamRequest } from './upstream.ts'

/** What every connection of a listener shares. */
export type ConnectionDeps = Omit<AdmissionDeps, 'recording' | 'context'> & {
  readonly config: Pick<Config, 'deployment' | 'gateway' | 'listeners'>
  /** Name of the gateway process. */
  readonly gateway_name: string
  readonly tls: SecureContext
  readonly recorder: Recorder
  readonly statements: StatementReader
  readonly holds: Pick<Holds, 'open'>
  readonly estimator: Estimator
  readonly cancels: CancelKeys
  /** What is known of the targets' databases. */
  readonly catalogs: Catalogs
  /** What is masked in which session. */
  readonly masking: Masking
  readonly logger: Logger
  /** Monotonic clock, milliseconds with fractions. */
  readonly now_ms: () => number
  /** Milliseconds since 1970. */
  readonly wall_ms: () => number
  readonly onSession: (session: Session) => void
  /** Counts a command. */
  readonly counted: (refused: boolean) => void
  /** Counts how a connection ended: `session`, `cancel`, `silent` or a refusal's reason. */
  readonly outcome: (outcome: string) => void
  /** Aborted when everything must end now. */
  readonly signal: AbortSignal
}

type SessionStart = Extract<ClientStart, { kind: 'session' }>

/** One connection on its way. */
type Connection = {
  readonly deps: ConnectionDeps
  readonly progress: Progress
  /** The handshake is over: its timer stops. */
  readonly admitted: () => void
}

/** A session whose records have begun. */
type OpenSession = {
  readonly admission: Admission
  readonly upstream: Upstream
  readonly session: SessionRecorder
  readonly started_ms: number
}

/** Aborts when the client goes away while its session is being opened. */
const watchClient = (stream: ClientStream): Disposable & { readonly signal: AbortSignal } => {
  const gone = new AbortController()
  const onGone = (): void => gone.abort()
  if (stream.destroyed) onGone()
  stream.once('close', onGone)
  return {
    signal: gone.signal,
    [Symbol.dispose]: () => void stream.off('close', onGone),
  }
}

/** How a connection to the target is opened with the session's credential. */
const upstreamRequest = (
  { target, credential, facts, request }: Admission,
  signal: AbortSignal,
): UpstreamRequest => {
  const { host, port, connect_timeout_ms } = target.config
  return {
    host,
    port,
    tls: target.tls,
    user: credential.user,
    password: credential.password,
    database: facts.database,
    parameters: request.parameters,
    timeout_ms: connect_timeout_ms,
    signal,
  }
}

/** Logs in at the target. */
const reachTarget = async (admission: Admission, signal: AbortSignal): Promise<Upstream> => {
  const connected = await connectUpstream(upstreamRequest(admission, signal))
  if (!connected.ok) throw targetRefused(connected, admission.decision.rules)
  return connected.upstream
}

/** Records the end of a session: the last thing that is minted in it. */
const recordEnd = async (
  deps: ConnectionDeps,
  { session, admission }: OpenSession,
  summary: SessionSummary,
  before: () => void = () => undefined,
): Promise<void> => {
  // Also when the trail takes nothing any more: the credential ends with its session.
  void admission.credential.revoke()
  try {
    before()
    admission.lease.end()
    await endCredential(session, admission.credential)
    session.append('session.ended', { ...summary, records: session.records + 1 })
    await deps.recorder.durable()
  } catch (error) {
    deps.logger.error({ err: error }, "a session's end could not be recorded")
  }
}

/** Ends a session that was recorded and never ran. */
const abandon = async (
  deps: ConnectionDeps,
  open: OpenSession,
  reason: SessionSummary['reason'],
): Promise<void> => {
  open.upstream.stream.destroy()
  await recordEnd(deps, open, {
    reason,
    detail: 'before the first command',
    commands: 0,
    refused: 0,
    client_bytes: 0,
    target_bytes: 0,
    duration_us: Math.round((deps.now_ms() - open.started_ms) * 1000),
  })
}

/** Settings that decide what an unqualified name means: a proof that rests on names does not hold with them. */
const proofsHold = (settings: ReadonlyMap<string, string>): boolean =>
  ![...settings.keys()].some((name) => name === 'search_path' || name.includes('.'))

/** Lets the client in and runs the session to its end. */
const runOpenSession = async (
  connection: Connection,
  start: SessionStart,
  open: OpenSession,
): Promise<void> => {
  const { deps } = connection
  const { admission, upstream, session } = open
  const { facts, request, target, credential } = admission
  const { recorder, logger, now_ms, signal, config } = deps
  let running: Session | null = null
  const cancel = openSessionCancel({
    recorder,
    session,
    target,
    key: upstream.key,
    open: () => running?.open === true,
    withdraw: () => running?.withdraw() === true,
    now_ms,
    signal,
  })
  const key = deps.cancels.mint(start.minor, () => {
    cancel
      .request()
      .catch((error: unknown) => logger.warn({ err: error }, 'a cancel request failed'))
  })
  const greeting = [
    authenticationOk,
    upstream.greeting,
    backendKeyData(key.pid, key.secret),
    readyForQuery('I'),
  ]
  start.stream.write(Buffer.concat(greeting))
  const state = newSessionState(
    upstream.parameters,
    proofsHold(request.settings),
    openSessionNaming({
      catalog: deps.catalogs.forSession(target, facts.database, credential),
      parameters: upstream.parameters,
      asked_path: request.settings.get('search_path'),
      user: credential.user,
      pid: upstream.key?.pid ?? null,
    }),
  )
  running = runSession({
    client: start.stream,
    upstream,
    state,
    recorder,
    session,
    decide: (command, path) => deps.decider.command(facts, command, path),
    approvals: {
      holds: deps.holds,
      requester: {
        actor: facts.identity.actor,
        pipeline: facts.identity.pipeline,
        target: connection.progress.target,
      },
      estimate: (received) =>
        deps.estimator.estimate(
          upstreamRequest(admission, signal),
          estimated(received, state.naming.current().search_path),
        ),
    },
    statements: deps.statements,
    reads: config.gateway.reads,
    masks: deps.masking.forSession(facts),
    message_bytes_max: config.gateway.message_bytes_max,
    text_bytes_max: config.gateway.text_bytes_max,
    idle_timeout_ms: config.gateway.idle_timeout_ms,
    linger_ms,
    now_ms,
    counted: deps.counted,
    onFault: (error) => logger.error({ err: error }, 'a session failed'),
  })
  deps.outcome('session')
  deps.onSession(running)
  const onLost = (): void => running?.terminate('terminated', String(credential.lost.reason))
  credential.lost.addEventListener('abort', onLost, { once: true })
  if (credential.lost.aborted) onLost()
  const { lease, role } = admission
  using token = endWithToken(
    { lease, role, identity: facts.identity, wall_ms: deps.wall_ms() },
    running,
  )
  void token
  const summary = await running.ended
  credential.lost.removeEventListener('abort', onLost)
  deps.cancels.forget(key)
  await recordEnd(deps, open, summary, () => cancel.close())
}

/** Logs in at the target and begins the records of the session. A credential or a use of a token that comes to no session is given back. */
const openSession = async (
  connection: Connection,
  start: SessionStart,
  admission: Admission,
  signal: AbortSignal,
): Promise<OpenSession> => {
  const { recorder, logger, now_ms } = connection.deps
  let upstream: Upstream | null = null
  try {
    upstream = await reachTarget(admission, signal)
    const session = recordStart(connection, start.minor, admission)
    admission.lease.bind(session.id.toString('hex'))
    return { admission, upstream, session, started_ms: now_ms() }
  } catch (error) {
    upstream?.stream.destroy()
    admission.lease.giveBack()
    // The client need not wait for it.
    giveBack(recorder, contextOf(connection), admission.credential).catch((cause: unknown) =>
      logger.warn({ err: cause }, 'the end of a credential could not be recorded'),
    )
    throw error instanceof CairnError ? auditUnavailable() : error
  }
}

/** Token, identity, policy, credential, target, record, and only then the client is let in. Throws Refused. */
const serveSession = async (connection: Connection, start: SessionStart): Promise<void> => {
  const { deps, progress } = connection
  const { recorder } = deps
  using client = watchClient(start.stream)
  const admission = await admit(
    { ...deps, recording: () => recorder.available, context: () => contextOf(connection) },
    start,
    progress,
    client.signal,
  )
  const open = await openSession(connection, start, admission, client.signal)
  try {
    await recorder.durable()
  } catch {
    void abandon(deps, open, 'audit_unavailable')
    throw auditUnavailable()
  }
  connection.admitted()
  if (start.stream.destroyed) await abandon(deps, open, 'client_closed')
  else await runOpenSession(connection, start, open)
}

const closeSoon = (stream: ClientStream): void => {
  const timer = setTimeout(() => stream.destroy(), close_timeout_ms)
  timer.unref()
  stream.once('close', () => clearTimeout(timer))
  stream.resume()
}

/** The client of a cancel request waits for the connection to close, and learns nothing else. */
const serveCancel = (
  connection: Connection,
  start: Extract<ClientStart, { kind: 'cancel' }>,
): void => {
  if (connection.deps.cancels.request(start.pid, start.secret)) connection.deps.outcome('cancel')
  else
    recordRefusal(connection, {
      reason: 'cancel_key_unknown',
      detail: 'a cancel request with a key of no session',
      rules: [],
    })
  start.stream.end()
  closeSoon(start.stream)
}

const serve = async (connection: Connection, socket: Socket): Promise<void> => {
  const { deps, progress } = connection
  const start = await startClient(socket, {
    context: deps.tls,
    cleartext: deps.config.listeners.postgres.cleartext,
  })
  progress.stream = start.stream
  start.stream.on('error', () => undefined)
  switch (start.kind) {
    case 'silent':
      deps.outcome('silent')
      socket.destroy()
      return
    case 'refused':
      throw startRefused(start)
    case 'cancel':
      serveCancel(connection, start)
      return
    case 'session':
      progress.peer = { ...progress.peer, tls: start.tls }
      await serveSession(connection, start)
  }
}

/** Tells the client and the record why a connection ends; anything unforeseen is logged, and tells the client nothing. */
const fail = (connection: Connection, error: unknown, late: boolean): void => {
  const { deps, progress } = connection
  if (late) {
    recordRefusal(connection, {
      reason: 'handshake_timeout',
      detail: 'the handshake took too long',
      rules: [],
    })
  } else if (error instanceof Refused) {
    recordRefusal(connection, error)
    progress.stream.end(errorResponse(error.native))
    closeSoon(progress.stream)
  } else {
    progress.stream.destroy()
    const known = error instanceof CairnError
    if (!known) deps.logger.error({ err: error }, 'a connection failed')
    recordRefusal(connection, {
      reason: known ? 'handshake_failed' : 'gateway_error',
      detail: known ? error.message : 'internal error',
      rules: [],
    })
  }
}

const newProgress = (socket: Socket): Progress => ({
  stream: socket,
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
  shown_password: '',
})

/**
 * Serves one connection from its first byte to its last. Never rejects: what goes wrong is told to the client in PostgreSQL's
 * words, recorded, and counted.
 */
export const serveConnection = async (socket: Socket, deps: ConnectionDeps): Promise<void> => {
  let late = false
  const timer = setTimeout(() => {
    late = true
    socket.destroy()
  }, deps.config.gateway.handshake_timeout_ms)
  const connection: Connection = {
    deps,
    progress: newProgress(socket),
    admitted: () => clearTimeout(timer),
  }
  // Errors end in the 'close' that follows; without a listener they would end the process.
  socket.on('error', () => undefined)
  try {
    await serve(connection, socket)
  } catch (error) {
    fail(connection, error, late)
  } finally {
    clearTimeout(timer)
  }
}
