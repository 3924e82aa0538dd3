import type { ConnectionOptions } from 'node:tls'
import type { Config, TargetConfig } from '#lib/config/schema.ts'
import { clientTls } from '#lib/tls.ts'

/** A target with everything that a session needs to reach it, but the credential. */
export type PostgresTarget = {
  readonly config: TargetConfig
  readonly tls: ConnectionOptions | null
}

/**
 * Reads the PostgreSQL targets of a configuration, by name.
 * @throws CairnError('config_invalid') a certificate file cannot be read
 */
export const openTargets = async (
  config: Pick<Config, 'targets'>,
): Promise<ReadonlyMap<string, PostgresTarget>> => {
  const targets = new Map<string, PostgresTarget>()
  for (const target of config.targets)
    targets.set(target.name, { config: target, tls: await clientTls(target.tls, target.host) })
  return targets
}
