import type { CredentialConfig, VaultSourceConfig } from '#lib/config/schema.ts'
import { passingSecret, secretOf } from '#lib/config/secret.ts'
import { CairnError } from '#lib/error.ts'
import type { CredentialRequest, IssuedCredential } from '../port.ts'
import { lasting, unavailable, type CredentialSource } from '../source.ts'
import { readSecret, readStaticAccount } from './answers.ts'
import { issueLease } from './lease.ts'
import type { Vault } from './vault.ts'

type Kv = NonNullable<VaultSourceConfig['kv']>
type Database = NonNullable<VaultSourceConfig['database']>

const textAt = (secret: Readonly<Record<string, unknown>>, key: string): string | null => {
  const value = secret[key]
  return typeof value === 'string' && value !== '' && !value.includes('\0') ? value : null
}

/** A secret of the KV engine, version 2, read for each session. */
const issueSecret = async (
  config: CredentialConfig,
  kv: Kv,
  vault: Vault,
  { signal }: CredentialRequest,
): Promise<IssuedCredential> => {
  const path = `${kv.mount}/data/${kv.path}`
  const { body } = await vault.call({ method: 'GET', path, signal })
  const secret = readSecret(body)
  if (secret === null)
    throw unavailable(config, `${path} holds no secret, or its version is deleted`)
  const user = config.user ?? textAt(secret, kv.user_key)
  const password = textAt(secret, kv.password_key)
  if (user === null) throw unavailable(config, `${path} has no text under the key ${kv.user_key}`)
  if (password === null)
    throw unavailable(config, `${path} has no text under the key ${kv.password_key}`)
  return { ...lasting, name: config.name, kind: 'vault', user, password: secretOf(password) }
}

/** An account whose password the vault rotates. What is open goes on over a rotation. */
const issueStatic = async (
  config: CredentialConfig,
  { mount, role }: Database,
  vault: Vault,
  { signal }: CredentialRequest,
  now_ms: number,
): Promise<IssuedCredential> => {
  const path = `${mount}/static-creds/${role}`
  const { body } = await vault.call({ method: 'GET', path, signal })
  const account = readStaticAccount(body)
  if (account === null) throw unavailable(config, `${path} gives no account`)
  const { username, password, ttl } = account
  const secret = passingSecret(password)
  return {
    ...lasting,
    name: config.name,
    kind: 'vault',
    user: username,
    password: secret.secret,
    expires_us: ttl === undefined ? null : Math.round((now_ms + ttl * 1000) * 1000),
    revoke: () => {
      secret.forget()
      return lasting.revoke()
    },
  }
}

/** Names the credential in the words of a vault's failure. */
const explained = (config: CredentialConfig, error: unknown): unknown =>
  error instanceof CairnError && !error.message.startsWith('credential ')
    ? unavailable(config, error.message)
    : error

/**
 * A credential from a vault: a secret of the KV engine, an account whose password the database engine rotates, or an account of its own for each
 * session, made and dropped by the database engine.
 */
export const openVaultSource = (
  config: CredentialConfig,
  source: VaultSourceConfig,
  vault: Vault,
  now_ms: () => number,
): CredentialSource => ({
  issue: async (request) => {
    const { kv, database } = source
    try {
      if (kv !== undefined) return await issueSecret(config, kv, vault, request)
      if (database?.static === true)
        return await issueStatic(config, database, vault, request, now_ms())
      if (database !== undefined) return await issueLease(config, database, vault, request, now_ms)
    } catch (error) {
      throw explained(config, error)
    }
    throw unavailable(config, 'no place in the vault is named')
  },
})
