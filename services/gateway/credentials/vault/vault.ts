import type { Config, VaultConfig } from '#lib/config/schema.ts'
import { CairnError } from '#lib/error.ts'
import { openVaultHttp, type VaultAnswer, type VaultRequest } from './http.ts'
import { openVaultLogin, refusalWords, type VaultToken } from './login.ts'

export type VaultCall = Omit<VaultRequest, 'token'> & {
  /** The token to use; without one the gateway's login of now. */
  readonly token?: VaultToken
  /** Statuses that are an answer, beside 200 and 204. */
  readonly accept?: ReadonlySet<number>
}

/** A server with Vault's API, logged in. */
export interface Vault extends AsyncDisposable {
  /**
   * Asks it for something. A token that turns out to be dead is replaced by a new login, once, where none was given.
   * @throws CairnError('target_unavailable' | 'limit_exceeded')
   */
  call(call: VaultCall): Promise<VaultAnswer & { readonly token: VaultToken }>
}

const openVault = async (config: VaultConfig): Promise<Vault> => {
  const http = await openVaultHttp(config)
  const login = openVaultLogin(config, http, () => performance.now())

  const callOnce = async (
    { token: given, accept, ...sent }: VaultCall,
    again: boolean,
  ): Promise<(VaultAnswer & { readonly token: VaultToken }) | null> => {
    const token = given ?? (await login.token(sent.signal))
    const answer = await http.send({ ...sent, token: token.value.reveal() })
    const { status } = answer
    if (status === 200 || status === 204 || accept?.has(status) === true)
      return { ...answer, token }
    if (status === 403 && again && given === undefined && (await login.isDead(token, sent.signal)))
      return null
    throw new CairnError(
      'target_unavailable',
      `vault ${config.name}: ${sent.path}: ${refusalWords(answer)}`,
    )
  }

  return {
    call: async (call) => {
      const done = (await callOnce(call, true)) ?? (await callOnce(call, false))
      if (done === null) throw new TypeError('a second try has an answer or throws')
      return done
    },
    [Symbol.asyncDispose]: async () => {
      await login[Symbol.asyncDispose]()
      http[Symbol.dispose]()
    },
  }
}

/** Every vault of a configuration, by name. */
export interface Vaults extends AsyncDisposable {
  readonly byName: ReadonlyMap<string, Vault>
}

/** @throws CairnError('config_invalid') a certificate file cannot be read */
export const openVaults = async (config: Pick<Config, 'vaults'>): Promise<Vaults> => {
  await using opening = new AsyncDisposableStack()
  const byName = new Map<string, Vault>()
  for (const vault of config.vaults) byName.set(vault.name, opening.use(await openVault(vault)))
  const opened = opening.move()
  return { byName, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
