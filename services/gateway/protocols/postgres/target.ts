import type { ConnectionOptions } from 'node:tls'
import type { Config, CredentialConfig, TargetConfig } from '#lib/config/schema.ts'
import { clientTls } from '#lib/tls.ts'

/** A target with everything that a session needs to reach it. */
export type PostgresTarget = {
  readonly config: TargetConfig
  readonly tls: ConnectionOptions | null
  /** Credential by role. */
  readonly credentials: ReadonlyMap<string, CredentialConfig>
}

/**
 * Reads the PostgreSQL targets of a configuration, by name.
 * @throws CairnError('config_invalid') a certificate file cannot be read
 */
export const openTargets = async (
  config: Pick<Config, 'targets' | 'credentials'>,
): Promise<ReadonlyMap<string, PostgresTarget>> => {
  const credentials = new Map(config.credentials.map((credential) => [credential.name, credential]))
  const targets = new Map<string, PostgresTarget>()
  for (const target of config.targets) {
    const byRole = new Map<string, CredentialConfig>()
    for (const role of target.roles) {
      const credential = credentials.get(role.credential)
      if (credential !== undefined) byRole.set(role.name, credential)
    }
    const tls = await clientTls(target.tls, target.host)
    targets.set(target.name, { config: target, tls, credentials: byRole })
  }
  return targets
}
