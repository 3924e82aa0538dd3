import { randomBytes } from 'node:crypto'
import type { Config, CredentialConfig, DatabaseRoleConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import type { Logger } from '#lib/logger.ts'
import { counter } from '#lib/metrics.ts'
import type { PostgresTarget } from '../protocols/postgres/target.ts'
import { openAdministration, type Administration } from './admin-connection.ts'
import { openDatabaseRole } from './database-role.ts'
import { openOwnRoles } from './own-roles.ts'
import type { CredentialBroker, CredentialRequest, IssuedCredential } from './port.ts'
import type { RoleOwner } from './role-names.ts'
import { openRoleSweep, type RoleSweep } from './role-sweep.ts'
import type { CredentialSource } from './source.ts'
import { openStored } from './stored.ts'
import type { Swept } from './swept.ts'
import { openVaultSource } from './vault/source.ts'
import { openVaults, type Vault } from './vault/vault.ts'

export type BrokerDeps = {
  /** Name of the gateway process. */
  readonly gateway_name: string
  readonly targets: ReadonlyMap<string, PostgresTarget>
  readonly env: Readonly<Record<string, string | undefined>>
  /** Records that a credential was ended which its own gateway did not end. */
  readonly onSwept: (swept: Swept) => void
  readonly logger: Logger
  /** Wall clock, milliseconds since 1970. */
  readonly now_ms: () => number
}

const openMetrics = () =>
  counter({
    name: 'gateway_credentials_total',
    help: 'Credentials for sessions, by what became of them: issued, unavailable, revoked, swept.',
    labels: ['outcome'],
  })

type Shared = {
  readonly config: Pick<Config, 'deployment' | 'targets' | 'credentials'>
  readonly deps: BrokerDeps
  /** 8 hex digits, random for this start. */
  readonly boot: string
  /** Those that are there to stay: what makes roles is one of them. */
  readonly lasting: ReadonlyMap<string, CredentialSource>
  readonly stack: AsyncDisposableStack
  readonly swept: () => void
}

/** The source of per-session roles, with a sweep for each target that has them. */
const openRoles = (
  { config, deps, boot, lasting, stack, swept }: Shared,
  credential: CredentialConfig,
  role: DatabaseRoleConfig,
): CredentialSource => {
  const owner: RoleOwner = {
    deployment: config.deployment,
    credential: credential.name,
    gateway: deps.gateway_name,
    boot,
  }
  const admin = lasting.get(role.admin)
  const own = openOwnRoles((target) => sweeps.get(target)?.soon())
  const administrations = new Map<string, Administration>()
  const sweeps = new Map<string, RoleSweep>()
  for (const { name, roles } of config.targets) {
    const target = deps.targets.get(name)
    if (admin === undefined || target === undefined) continue
    if (!roles.some((one) => one.credential === credential.name)) continue
    const administration = openAdministration(target, admin)
    administrations.set(name, administration)
    const onDropped = (principal: string, reason: string): void => {
      swept()
      deps.onSwept({ target: name, credential: credential.name, principal, reason })
    }
    const sweep = openRoleSweep({
      owner,
      own: own.at(name),
      administration,
      config: role,
      onDropped,
      logger: deps.logger,
    })
    sweeps.set(name, stack.use(sweep))
  }
  return openDatabaseRole(credential, role, {
    owner,
    own,
    administrations,
    now_ms: deps.now_ms,
  })
}

/** What stands somewhere, or comes from a vault. Null for a vault that is not configured. */
const openLasting = (
  credential: CredentialConfig,
  vaults: ReadonlyMap<string, Vault>,
  deps: BrokerDeps,
): CredentialSource | null => {
  const { vault } = credential
  if (vault === undefined) return openStored(credential, deps.env)
  const server = vaults.get(vault.server)
  return server === undefined ? null : openVaultSource(credential, vault, server, deps.now_ms)
}

const openSources = (shared: Shared): ReadonlyMap<string, CredentialSource> =>
  new Map(
    shared.config.credentials.flatMap((credential) => {
      const { name, database_role } = credential
      const source =
        database_role === undefined
          ? shared.lasting.get(name)
          : openRoles(shared, credential, database_role)
      return source === undefined ? [] : [[name, source] as const]
    }),
  )

/**
 * Opens the sources of all credentials of a configuration. Disposing it ends what is still issued: at that time no session is open any
 * more.
 *
 * @throws CairnError('config_invalid') a certificate file of a vault cannot be read
 */
export const openCredentialBroker = async (
  config: Pick<Config, 'deployment' | 'targets' | 'credentials' | 'vaults'>,
  deps: BrokerDeps,
): Promise<CredentialBroker> => {
  const outcomes = openMetrics()
  const stack = new AsyncDisposableStack()
  const vaults = stack.use(await openVaults(config))
  const boot = randomBytes(4).toString('hex')
  const lasting = new Map(
    config.credentials.flatMap((credential) => {
      if (credential.database_role !== undefined) return []
      const source = openLasting(credential, vaults.byName, deps)
      return source === null ? [] : [[credential.name, source] as const]
    }),
  )
  const swept = (): void => outcomes.inc({ outcome: 'swept' })
  const sources = openSources({ config, deps, boot, lasting, stack, swept })
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
      await stack.disposeAsync()
    },
  }
}
