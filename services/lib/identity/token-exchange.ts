import type { Difference } from '#core/events/types.ts'
import type { Identity, Refusal, TokenBinding } from '#core/identity/identity.ts'
import { runOf } from '#core/identity/run.ts'
import type { Authenticator } from './authenticator.ts'
import { signCairnToken, type TokenSigner } from './cairn-token.ts'
import { token_chars_max } from './token-parts.ts'

const grant_type = 'urn:ietf:params:oauth:grant-type:token-exchange'
const type_of = (name: string): string => `urn:ietf:params:oauth:token-type:${name}`
const issued_type = type_of('jwt')
const subject_types: ReadonlySet<string> = new Set([
  type_of('jwt'),
  type_of('id_token'),
  type_of('access_token'),
])

/** Answer to a good exchange (RFC 8693, section 2.2.1). */
export type TokenResponse = {
  readonly access_token: string
  readonly issued_token_type: string
  /** Not a bearer token of the API: it is a password at the gateway. */
  readonly token_type: 'N_A'
  readonly expires_in: number
  readonly scope: string
}

/** Answer to a bad one (RFC 6749, section 5.2; RFC 8693, section 2.2.2). */
export type TokenError = {
  readonly error:
    | 'invalid_request'
    | 'invalid_target'
    | 'invalid_scope'
    | 'unsupported_grant_type'
    | 'temporarily_unavailable'
  readonly error_description: string
}

export type ExchangeResult =
  | {
      readonly ok: true
      readonly status: 200
      readonly body: TokenResponse
      readonly identity: Identity
      readonly binding: TokenBinding
      /** Id (jti) of the issued token, for the audit trail. */
      readonly token_id: string
    }
  | {
      readonly ok: false
      readonly status: 400 | 503
      readonly body: TokenError
      /** Who asked, where that was proven. */
      readonly identity: Identity | null
      /** Why the subject token was refused, where it was. */
      readonly refusal: Refusal | null
      /** What differs from the jobs that the role expects; for the record, not for the answer. */
      readonly differences: readonly Difference[]
    }

export type Authorized = {
  readonly allow: boolean
  readonly reason: string
  /** What differs from the jobs that the role expects. */
  readonly differences?: readonly Difference[]
}

export type ExchangeDeps = {
  readonly authenticator: Authenticator
  readonly signer: TokenSigner
  /** Does the role expect this identity, and does the policy let it reach this target? `reason` names rules, never claims. */
  readonly authorize: (identity: Identity, binding: TokenBinding) => Promise<Authorized>
  readonly lifetime_s: number
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** A fresh unguessable id for the token. */
  readonly newTokenId: () => string
}

type Fields = ReadonlyMap<string, readonly string[]>
type Failure = Extract<ExchangeResult, { ok: false }>

const failure = (
  error: TokenError['error'],
  error_description: string,
  known: {
    readonly identity?: Identity
    readonly refusal?: Refusal
    readonly differences?: readonly Difference[]
  } = {},
): Failure => ({
  ok: false,
  status: error === 'temporarily_unavailable' ? 503 : 400,
  body: { error, error_description },
  identity: known.identity ?? null,
  refusal: known.refusal ?? null,
  differences: known.differences ?? [],
})

/** Parameters by name; one without a value counts as left out (RFC 6749, section 3.2). */
const fieldsOf = (parameters: URLSearchParams): Fields => {
  const fields = new Map<string, string[]>()
  for (const [name, value] of parameters) {
    if (value !== '') fields.set(name, [...(fields.get(name) ?? []), value])
  }
  return fields
}

type Request = { readonly subject_token: string; readonly binding: TokenBinding }

/** One text for a parameter that may stand once. */
const once = (fields: Fields, name: string): string | undefined => {
  const values = fields.get(name) ?? []
  return values.length === 1 ? values[0] : undefined
}

const repeatable: ReadonlySet<string> = new Set(['audience', 'resource'])

const targetOf = (fields: Fields): string | Failure => {
  const audiences = fields.get('audience') ?? []
  const resources = (fields.get('resource') ?? []).map((uri) => uri.replace(/^cairn:/, ''))
  const [target, ...others] = new Set([...audiences, ...resources])
  if (target === undefined)
    return failure('invalid_request', 'audience is missing: the name of the target')
  if (others.length > 0)
    return failure('invalid_target', 'a token is for one target; several are named')
  return target
}

const readRequest = (fields: Fields): Request | Failure => {
  for (const [name, values] of fields) {
    if (values.length > 1 && !repeatable.has(name))
      return failure('invalid_request', `${name} stands twice`)
  }
  const grant = once(fields, 'grant_type')
  if (grant === undefined) return failure('invalid_request', 'grant_type is missing')
  if (grant !== grant_type)
    return failure('unsupported_grant_type', `only ${grant_type} is supported`)
  const subject_token = once(fields, 'subject_token')
  if (subject_token === undefined) return failure('invalid_request', 'subject_token is missing')
  if (!subject_types.has(once(fields, 'subject_token_type') ?? '')) {
    return failure(
      'invalid_request',
      `subject_token_type is missing or unknown; known: ${[...subject_types].join(', ')}`,
    )
  }
  if (fields.has('actor_token')) return failure('invalid_request', 'actor_token is not supported')
  const requested = once(fields, 'requested_token_type')
  if (
    requested !== undefined &&
    requested !== issued_type &&
    requested !== type_of('access_token')
  ) {
    return failure('invalid_request', `requested_token_type must be ${issued_type}`)
  }
  const target = targetOf(fields)
  if (typeof target !== 'string') return target
  const role = once(fields, 'scope')
  if (role === undefined) return failure('invalid_scope', 'scope is missing: the name of the role')
  if (/\s/.test(role)) return failure('invalid_scope', 'a token is for one role; several are named')
  return { subject_token, binding: { target, role } }
}

/**
 * Exchanges an accepted OIDC token for a Cairn token (RFC 8693): `audience` (or `resource` as `cairn:<target>`) names the target, `scope` the
 * role. The token is issued only where the role expects this job and the policy lets this identity reach this target in this role; it is bound to
 * the run, ends with the token it
 * came from at the latest, and is never exchanged again.
 *
 * @param peer address of the client, which the token is bound to; empty: to none
 *
 * The route answers with `status` and `body` as JSON and `Cache-Control: no-store` (RFC 6749, section 5.1); the other fields are for the
 * audit trail.
 */
export const exchangeToken = async (
  parameters: URLSearchParams,
  deps: ExchangeDeps,
  peer = '',
): Promise<ExchangeResult> => {
  const request = readRequest(fieldsOf(parameters))
  if ('ok' in request) return request
  const { subject_token } = request

  const authenticated = await deps.authenticator.authenticate(subject_token)
  if (!authenticated.ok) {
    const error =
      authenticated.reason === 'issuer_unavailable' ? 'temporarily_unavailable' : 'invalid_request'
    const description = `subject_token: ${authenticated.reason}: ${authenticated.detail}`
    return failure(error, description, { refusal: authenticated })
  }
  const { identity } = authenticated
  const run = runOf(identity.actor, identity.pipeline)
  const binding: TokenBinding = {
    ...request.binding,
    ...(run === '' ? {} : { run }),
    ...(peer === '' ? {} : { peer }),
  }
  const decision = await deps.authorize(identity, binding)
  if (!decision.allow) {
    const { reason, differences = [] } = decision
    return failure('invalid_target', `refused by policy: ${reason}`, { identity, differences })
  }

  const now_ms = deps.clock()
  const token_id = deps.newTokenId()
  const when = { now_ms, lifetime_s: deps.lifetime_s, token_id }
  const { token, expires_at_s } = await signCairnToken(deps.signer, identity, binding, when)
  const expires_in = expires_at_s - Math.floor(now_ms / 1000)
  if (expires_in <= 0)
    return failure('invalid_request', 'subject_token: token_expired', { identity })
  if (token.length > token_chars_max) {
    return failure('invalid_request', 'subject_token: its claims are too many for a Cairn token', {
      identity,
    })
  }
  return {
    ok: true,
    status: 200,
    body: {
      access_token: token,
      issued_token_type: issued_type,
      token_type: 'N_A',
      expires_in,
      scope: binding.role,
    },
    identity,
    binding,
    token_id,
  }
}
