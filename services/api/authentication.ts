import { approverNames } from '#core/approval/approver-names.ts'
import type { Identity } from '#core/identity/identity.ts'
import type { ApiRoleConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { Authenticator } from '#lib/identity/authenticator.ts'
import { local_admin } from './admin-token.ts'
import type { Caller } from './caller.ts'
import { rolesOf } from './roles.ts'

export type AuthenticationDeps = {
  readonly authenticator: Authenticator
  readonly isAdminToken: (presented: string) => boolean
  readonly roles: readonly ApiRoleConfig[]
}

/** Proves who asks. */
export interface Authentication {
  /**
   * The caller behind an `Authorization` header (RFC 6750, section 2.1). Throws CairnError('identity_refused') when there is none or it is no
   * good, 'issuer_unavailable' when that cannot be known now. The words never hold the token.
   */
  callerOf(authorization: string | undefined): Promise<Caller>
}

const callerOfIdentity = (identity: Identity, roles: readonly ApiRoleConfig[]): Caller => ({
  issuer: identity.actor.issuer,
  subject: identity.actor.subject,
  roles: rolesOf(identity, roles),
  actor: identity.actor,
  pipeline: identity.pipeline,
  names: approverNames(identity.claims),
})

export const openAuthentication = (deps: AuthenticationDeps): Authentication => ({
  callerOf: async (authorization) => {
    const token = /^Bearer ([!-~]+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined)
      throw new CairnError(
        'identity_refused',
        'a bearer token is needed: Authorization: Bearer ...',
      )
    if (deps.isAdminToken(token)) return local_admin
    const result = await deps.authenticator.authenticate(token)
    if (result.ok) return callerOfIdentity(result.identity, deps.roles)
    throw new CairnError(
      result.reason === 'issuer_unavailable' ? 'issuer_unavailable' : 'identity_refused',
      `the token is refused: ${result.reason}: ${result.detail}`,
    )
  },
})
