import type { Config } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import { counter } from '#lib/metrics.ts'
import type { CredentialBroker, CredentialRequest, IssuedCredential } from './port.ts'
import type { CredentialSource } from './source.ts'
import { openStored } from './stored.ts'

export type BrokerDeps = {
  readonly env: Readonly<Record<string, string | undefined>>
}

const openMetrics = () =>
  counter({
    name: 'gateway_credentials_total',
    help: 'Credentials for sessions, by what became of them: issued, unavailable, revoked.',
    labels: ['outcome'],
  })

/**
 * Opens the sources of all credentials of a configuration. Disposing it ends what is still issued: at that time no session is open any
 * more.
 */
export const openCredentialBroker = (
  config: Pick<Config, 'targets' | 'credentials'>,
  deps: BrokerDeps,
): CredentialBroker => {
  const outcomes = openMetrics()
  const sources = new Map<string, CredentialSource>(
    config.credentials.map((credential) => [credential.name, openStored(credential, deps.env)]),
  )
  const roles = new Map(
    config.targets.map((target) => [
      target.name,
      new Map(target.roles.map((role) => [role.name, sources.get(role.credential)])),
    ]),
  )
  /** Issued and not revoked yet. */
  const open = new Set<IssuedCredential>()

  const issueFrom = async (
    source: CredentialSource,
    request: CredentialRequest,
  ): Promise<IssuedCredential> => {
    let issued: IssuedCredential
    try {
      issued = await source.issue(request)
    } catch (error) {
      outcomes.inc({ outcome: 'unavailable' })
      throw error
    }
    outcomes.inc({ outcome: 'issued' })
    let revoking: Promise<string> | null = null
    const credential: IssuedCredential = {
      ...issued,
      revoke: () =>
        (revoking ??= issued.revoke().finally(() => {
          open.delete(credential)
          outcomes.inc({ outcome: 'revoked' })
        })),
    }
    open.add(credential)
    if (request.signal.aborted) {
      await credential.revoke()
      throw new CairnError('target_unavailable', 'the client went away')
    }
    return credential
  }

  return {
    issue: (request) => {
      const source = roles.get(request.target)?.get(request.role)
      return source === undefined ? undefined : issueFrom(source, request)
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...open].map((credential) => credential.revoke()))
    },
  }
}
