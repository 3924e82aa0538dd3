import { z } from 'zod'
import { approvals } from './sections/approvals.ts'
import { credentials } from './sections/credentials.ts'
import { masking } from './sections/masking.ts'
import { issuers } from './sections/issuers.ts'
import { policies, policy_file, policy_mode } from './sections/policies.ts'
import { targets } from './sections/targets.ts'
import { api } from './sections/api.ts'
import { gateway, listeners } from './sections/gateway.ts'
import { vaults } from './sections/vaults.ts'
import { clickhouse, forward, log } from './sections/pipeline.ts'
import { name, path } from './scalars.ts'
import type { Secret } from './secret.ts'

/**
 * The configuration: one YAML file, every key with a default except the ones that name your own things (issuers, targets,
 * credentials, policies, sinks). Unknown keys are errors. Published as cairn.schema.json, made by generate.ts.
 */
export const configSchema = z
  .strictObject({
    deployment: name('Name of the deployment; stands in every event.').default('local'),
    data_dir: path(
      'Folder for journal, log, tables, keys and certificates; CAIRN_DATA_DIR overrides it.',
    ).default('./data'),
    gateway,
    listeners,
    issuers,
    targets,
    credentials,
    vaults,
    policies,
    policy_file,
    policy_mode,
    masking,
    approvals,
    log,
    clickhouse,
    forward,
    api,
  })
  .describe('Configuration of Cairn.')

/** The same with everything readonly, secrets as they are. */
export type ReadonlyDeep<T> = T extends Secret
  ? T
  : T extends readonly (infer Item)[]
    ? readonly ReadonlyDeep<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: ReadonlyDeep<T[Key]> }
      : T

/** A complete, checked configuration: paths absolute, sizes in bytes, secrets wrapped. */
export type Config = ReadonlyDeep<z.output<typeof configSchema>>

export type IssuerConfig = Config['issuers'][number]
export type TargetConfig = Config['targets'][number]
export type CredentialConfig = Config['credentials'][number]
export type VaultConfig = Config['vaults'][number]
export type VaultSourceConfig = NonNullable<CredentialConfig['vault']>
export type DatabaseRoleConfig = NonNullable<CredentialConfig['database_role']>
export type ClickHouseConfig = Config['clickhouse']
export type SinkConfig = Config['forward']['sinks'][number]
export type ApiConfig = Config['api']
export type ApiRoleConfig = ApiConfig['roles'][number]
