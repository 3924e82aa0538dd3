import type { CredentialConfig } from '#lib/config/schema.ts'
import { passingSecret } from '#lib/config/secret.ts'
import { CairnError } from '#lib/error.ts'
import type { CredentialRequest, IssuedCredential } from '../port.ts'
import { unavailable } from '../source.ts'
import { readLeasedAccount, readRenewed } from './answers.ts'
import { keepAlive, type Grant } from './keeping.ts'
import type { Vault, VaultCall } from './vault.ts'

/** How long the end of a session waits for its lease to be revoked, milliseconds. */
const revoke_timeout_ms = 5_000

/** 400 and 404: the vault knows no such lease (any more). */
const gone = new Set([400, 404])

/**
 * An account of its own for a session, made by the vault's database engine: its lease is renewed while the session is open, and revoked at its end
 * ("Lease, Renew, and Revoke"). When it comes to its end before, so does the session. After a crash nobody renews it: the vault revokes it when its
 * time is over.
 */
export const issueLease = async (
  config: CredentialConfig,
  { mount, role }: { readonly mount: string; readonly role: string },
  vault: Vault,
  { signal }: CredentialRequest,
  now_ms: () => number,
): Promise<IssuedCredential> => {
  const path = `${mount}/creds/${role}`
  const { body, token } = await vault.call({ method: 'GET', path, signal })
  const account = readLeasedAccount(body)
  if (account === null) throw unavailable(config, `${path} gives no account with a lease`)
  const { lease_id, username, ttl_s, renewable } = account
  const password = passingSecret(account.password)
  const lost = new AbortController()
  const lose = (words: string): void => {
    keeping[Symbol.dispose]()
    lost.abort(words)
  }
  /** With the token it was given out with: that one may, and no other need. */
  const call = (sent: VaultCall) => vault.call({ ...sent, token })

  const renew = async (ended: AbortSignal): Promise<Grant | null> => {
    const answer = await call({
      method: 'POST',
      path: 'sys/leases/renew',
      body: { lease_id },
      signal: ended,
      accept: gone,
    })
    return gone.has(answer.status) ? null : readRenewed(answer.body)
  }
  const keeping = keepAlive({
    grant: { ttl_s, renewable },
    renew,
    onEnd: (was_revoked) =>
      lose(`its lease at the vault ${was_revoked ? 'was revoked' : 'has come to its end'}`),
    now_ms: () => performance.now(),
  })
  const onTokenLost = (): void => lose(String(token.lost.reason))
  token.lost.addEventListener('abort', onTokenLost, { once: true })
  if (token.lost.aborted) onTokenLost()

  return {
    name: config.name,
    kind: 'vault',
    user: username,
    password: password.secret,
    expires_us: ttl_s === 0 ? null : Math.round((now_ms() + ttl_s * 1000) * 1000),
    lost: lost.signal,
    revoke: async () => {
      keeping[Symbol.dispose]()
      token.lost.removeEventListener('abort', onTokenLost)
      password.forget()
      try {
        const answer = await call({
          method: 'POST',
          path: 'sys/leases/revoke',
          body: { lease_id, sync: true },
          signal: AbortSignal.timeout(revoke_timeout_ms),
          accept: gone,
        })
        return gone.has(answer.status)
          ? 'the session is over: its lease was gone already'
          : 'the session is over: lease revoked'
      } catch (error) {
        const why = error instanceof CairnError ? error.message : 'an unexpected error'
        return `the session is over; its lease could not be revoked and is renewed no more: ${why}`
      }
    },
  }
}
