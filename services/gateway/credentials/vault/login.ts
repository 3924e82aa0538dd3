import { readFile } from 'node:fs/promises'
import type { VaultConfig } from '#lib/config/schema.ts'
import { passingSecret, type Secret } from '#lib/config/secret.ts'
import { CairnError } from '#lib/error.ts'
import { readLogin, readLookup } from './answers.ts'
import type { VaultAnswer, VaultHttp } from './http.ts'
import { keepAlive, type Grant, type Keeping } from './keeping.ts'

/** Largest file with a token, bytes. */
const file_bytes_max = 65_536

/** A token of the gateway at a vault. What was given out with it ends with it. */
export type VaultToken = {
  readonly value: Secret
  /** Aborted when it has ended; the reason is the words for it. */
  readonly lost: AbortSignal
}

/** The gateway's login at one vault: kept alive, made anew when it cannot be. */
export interface VaultLogin extends AsyncDisposable {
  /**
   * A token for something new.
   * @throws CairnError('target_unavailable') no login now
   */
  token(signal: AbortSignal): Promise<VaultToken>
  /** The vault said 403 to it: true when it is the token that is dead, so that a new login may help. */
  isDead(token: VaultToken, signal: AbortSignal): Promise<boolean>
}

type Held = {
  readonly token: VaultToken
  readonly keeping: Keeping
  /** Granted by a login of ours: revoked when we go. */
  readonly ours: boolean
  /** False when it is near its end: then it is not used for something new. */
  readonly fresh: () => boolean
  readonly reveal: () => string
  readonly forget: () => void
  readonly lose: (words: string) => void
}

type Granted = Grant & { readonly token: string; readonly ours: boolean }

/** What to look at when a vault does not do what it is asked. Its own words are left out: they may quote what was sent. */
export const refusalWords = ({ status }: VaultAnswer): string => {
  switch (status) {
    case 400:
      return 'the request was refused (400)'
    case 403:
      return "permission denied (403): look at the policies of the gateway's login"
    case 404:
      return 'nothing is there (404)'
    case 429:
      return 'too many requests (429)'
    case 503:
      return 'it is sealed or in maintenance (503)'
    default:
      return `an unexpected answer (${status})`
  }
}

export const openVaultLogin = (
  config: VaultConfig,
  http: VaultHttp,
  now_ms: () => number,
): VaultLogin => {
  const held = new Set<Held>()
  let current: Held | null = null
  let logging_in: Promise<Held> | null = null
  const stop = new AbortController()

  const refused = (what: string, words: string): CairnError =>
    new CairnError('target_unavailable', `vault ${config.name}: ${what}: ${words}`)

  const fromFile = async (path: string): Promise<string> => {
    const text = await readFile(path, 'utf8').catch(() => '')
    const word = text.trim()
    if (word === '' || text.length > file_bytes_max)
      throw refused('no login', `${path} cannot be read, is empty or too large`)
    return word
  }

  /** A token that stands somewhere: how long it lives is asked. */
  const lookUp = async (token: string, signal: AbortSignal): Promise<Granted> => {
    const answer = await http.send({ method: 'GET', path: 'auth/token/lookup-self', token, signal })
    const grant = answer.status === 200 ? readLookup(answer.body) : null
    if (grant === null) throw refused('its token is not accepted', refusalWords(answer))
    return { ...grant, token, ours: false }
  }

  const post = async (
    mount: string,
    body: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Granted> => {
    const path = `auth/${mount}/login`
    const answer = await http.send({ method: 'POST', path, body, token: '', signal })
    const grant = answer.status === 200 ? readLogin(answer.body) : null
    if (grant === null) throw refused(`no login at auth/${mount}`, refusalWords(answer))
    return { ...grant, ours: true }
  }

  const logIn = async (signal: AbortSignal): Promise<Granted> => {
    const { token, token_file, app_role, jwt } = config.auth
    if (token !== undefined) return lookUp(token.reveal(), signal)
    if (token_file !== undefined) return lookUp(await fromFile(token_file), signal)
    if (app_role !== undefined) {
      const { mount, role_id, secret_id, secret_id_file } = app_role
      const secret =
        secret_id_file === undefined ? (secret_id?.reveal() ?? '') : await fromFile(secret_id_file)
      return post(mount, { role_id, secret_id: secret }, signal)
    }
    if (jwt !== undefined)
      return post(jwt.mount, { role: jwt.role, jwt: await fromFile(jwt.jwt_file) }, signal)
    throw refused('no login', 'none is configured')
  }

  const renew = async (token: string, signal: AbortSignal): Promise<Grant | null> => {
    const path = 'auth/token/renew-self'
    const answer = await http.send({ method: 'POST', path, body: {}, token, signal })
    if (answer.status === 200) return readLogin(answer.body)
    if (answer.status === 403) return null
    throw refused('its token is not renewed', refusalWords(answer))
  }

  const hold = ({ token, ours, ...grant }: Granted): Held => {
    const value = passingSecret(token)
    const lost = new AbortController()
    const keeping = keepAlive({
      grant,
      renew: (signal) => renew(value.secret.reveal(), signal),
      onEnd: (gone) => {
        lose(one, gone)
      },
      now_ms,
    })
    const one: Held = {
      token: { value: value.secret, lost: lost.signal },
      keeping,
      ours,
      // Renewals keep a third of its life before it; less means that its maximum is near.
      fresh: () => keeping.ends_ms - now_ms() > grant.ttl_s * 250,
      reveal: value.secret.reveal,
      forget: value.forget,
      lose: (words) => lost.abort(words),
    }
    held.add(one)
    return one
  }

  const drop = (one: Held): void => {
    one.keeping[Symbol.dispose]()
    one.forget()
    held.delete(one)
    if (current === one) current = null
  }

  /** What was given out with it has ended with it. */
  const lose = (one: Held, gone: boolean): void => {
    drop(one)
    const how = gone ? 'was revoked' : 'has come to its end'
    one.lose(`the gateway's token at vault ${config.name} ${how}`)
  }

  const newLogin = (): Promise<Held> => {
    // Whoever asks meanwhile gets the same one; it belongs to none of their signals.
    logging_in ??= logIn(stop.signal)
      .then((granted) => (current = hold(granted)))
      .finally(() => {
        logging_in = null
      })
    return logging_in
  }

  /** The login of now, if it is good for something new. */
  const usable = async (): Promise<Held | null> => {
    const one = current
    if (one === null || !one.fresh()) return null
    const { token_file } = config.auth
    // An agent has put another one there: what is new goes with that one.
    const same = token_file === undefined || (await fromFile(token_file)) === one.reveal()
    return same && current === one ? one : null
  }

  return {
    token: async (signal) => {
      if (signal.aborted || stop.signal.aborted) throw refused('no login', 'it was given up')
      return ((await usable()) ?? (await newLogin())).token
    },
    isDead: async (token, signal) => {
      const one = [...held].find((candidate) => candidate.token === token)
      if (one === undefined) return true
      const answer = await http.send({
        method: 'GET',
        path: 'auth/token/lookup-self',
        token: token.value.reveal(),
        signal,
      })
      if (answer.status !== 403) return false
      lose(one, true)
      return true
    },
    [Symbol.asyncDispose]: async () => {
      const signal = AbortSignal.timeout(config.timeout_ms)
      stop.abort()
      await Promise.all(
        [...held].map(async (one) => {
          const token = one.token.value.reveal()
          drop(one)
          if (!one.ours) return
          const path = 'auth/token/revoke-self'
          // What cannot be revoked now ends by itself: nobody renews it any more.
          await http.send({ method: 'POST', path, body: {}, token, signal }).catch(() => undefined)
        }),
      )
    },
  }
}
