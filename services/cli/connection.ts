import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { CairnError, type ErrorCode } from '#lib/error.ts'
import { isLoopbackHost } from '#lib/loopback.ts'
import type { OptionSpec } from './command.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How long the API may take for an answer beside what it was asked to wait, milliseconds. */
const answer_timeout_ms = 30_000
/** Largest answer that is read, bytes. */
const answer_bytes_max = 256 * 1024 * 1024

/** Options of every command that asks the API. */
export const api_options = {
  api: {
    type: 'string',
    value: 'URL',
    doc: 'the API (default: CAIRN_API_URL, else the one that runs on this machine)',
  },
  config: {
    type: 'string',
    value: 'FILE',
    doc: 'configuration that says where the data folder is (default: cairn.yaml, if there is one)',
  },
} as const satisfies Record<string, OptionSpec>

export type Place = {
  readonly api: string | undefined
  readonly config: string | undefined
  readonly env: Environment
  readonly cwd: string
}

/** What the running system wrote about itself (services/main.ts). */
export type RunFile = {
  readonly ports?: Readonly<Record<string, number>>
  /** There while the demonstration runs: where its issuer gives a token. */
  readonly demo?: { readonly token_url?: string }
}

/** The data folder of this machine's Cairn: of the configuration if there is one, else CAIRN_DATA_DIR or ./data. */
const dataFolder = async ({ config, env, cwd }: Place): Promise<string> => {
  const given = config ?? 'cairn.yaml'
  const text = await readFile(resolve(cwd, given), 'utf8').catch(() => undefined)
  if (text === undefined) {
    if (config !== undefined) throw new CairnError('unusable_input', `${config} cannot be read`)
    return resolve(cwd, env['CAIRN_DATA_DIR'] ?? 'data')
  }
  const { loadConfig } = await import('#lib/config/load.ts')
  const loaded = loadConfig({ file: given, env, cwd })
  // A configuration with an error elsewhere must not keep a person from looking at the trail.
  if (!loaded.ok)
    throw new CairnError(
      'config_invalid',
      `${given} cannot be used; "cairn config check ${given}" says why. Or name the API with --api`,
    )
  return loaded.config.data_dir
}

const readRunFile = async (data_dir: string): Promise<RunFile | undefined> => {
  const text = await readFile(join(data_dir, 'run', 'ready.json'), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as RunFile
  } catch {
    return undefined
  }
}

/** What runs on this machine, on the data folder of this place; undefined when nothing does. */
export const findRunFile = async (place: Place): Promise<RunFile | undefined> =>
  readRunFile(await dataFolder(place))

const start_hint =
  'Start Cairn with "npm start" or "cairn up", or name a running API with --api URL or CAIRN_API_URL'

const baseUrl = async (place: Place): Promise<URL> => {
  const given = place.api ?? place.env['CAIRN_API_URL']
  if (given !== undefined) {
    if (!URL.canParse(given) || !/^https?:$/.test(new URL(given).protocol))
      throw new CairnError('unusable_input', `"${given}" is no http:// or https:// URL`)
    return new URL(given)
  }
  const data_dir = await dataFolder(place)
  const port = (await readRunFile(data_dir))?.ports?.['api']
  if (port === undefined)
    throw new CairnError('unusable_input', `no Cairn runs on ${data_dir}. ${start_hint}`)
  return new URL(`http://127.0.0.1:${port}`)
}

/**
 * The token that the API asks for: CAIRN_API_TOKEN, or this machine's own admin token. That one is sent to loopback addresses
 * only: it must never leave the machine.
 */
const bearerToken = async (place: Place, url: URL): Promise<string | undefined> => {
  const given = place.env['CAIRN_API_TOKEN']
  if (given !== undefined && given !== '') {
    if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
      throw new CairnError(
        'unusable_input',
        `${url.origin} is not encrypted: a token is sent over https:// only`,
      )
    return given
  }
  if (!isLoopbackHost(url.hostname)) return undefined
  const data_dir = await dataFolder(place).catch(() => undefined)
  if (data_dir === undefined) return undefined
  const text = await readFile(join(data_dir, 'keys', 'admin-token'), 'utf8').catch(() => undefined)
  return text?.trim()
}

/** Problem details as the API sends them (RFC 9457). */
type Problem = {
  readonly title?: unknown
  readonly detail?: unknown
  readonly code?: unknown
  readonly errors?: readonly { readonly where: string; readonly message: string }[]
}

/** Codes of problems that the commands treat in their own way. */
const known_codes: readonly ErrorCode[] = [
  'identity_refused',
  'forbidden',
  'conflict',
  'not_found',
  'store_unavailable',
  'audit_unavailable',
  'issuer_unavailable',
]

const unauthorized_hint =
  'Set CAIRN_API_TOKEN to an OIDC token, or run this as the user who started Cairn, with its data folder (CAIRN_DATA_DIR or --config)'

/** An answer other than 2xx. */
const refusal = (status: number, body: string): CairnError => {
  let problem: Problem = {}
  try {
    problem = JSON.parse(body) as Problem
  } catch {
    // A proxy in between answers in its own way; the status says enough.
  }
  const words =
    typeof problem.detail === 'string'
      ? problem.detail
      : typeof problem.title === 'string'
        ? problem.title
        : `the API answered ${status}`
  const places = (problem.errors ?? []).map(({ where, message }) => `\n  ${where}: ${message}`)
  const hint = status === 401 ? `. ${unauthorized_hint}` : ''
  return new CairnError(
    known_codes.find((code) => code === problem.code) ?? 'unusable_input',
    `${words}${hint}${places.join('')}`,
  )
}

export type AskOptions = {
  readonly method?: 'GET' | 'POST'
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly form?: Readonly<Record<string, string>>
  /** Without the bearer token: the request itself carries what proves who asks. */
  readonly anonymous?: boolean
  /** The API was asked to wait as long, milliseconds. */
  readonly wait_ms?: number
  readonly signal?: AbortSignal
}

/** The API, found and authenticated. */
export interface Connection {
  readonly url: URL
  /**
   * Asks and gives the JSON of the answer. Throws CairnError with the API's words: 'identity_refused', 'forbidden', 'not_found',
   * 'unusable_input'; 'store_unavailable' when nobody answers.
   */
  ask<Answer>(path: string, options?: AskOptions): Promise<Answer>
}

const readBounded = async (response: Response): Promise<string> => {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body ?? []) {
    bytes += part.length
    if (bytes > answer_bytes_max)
      throw new CairnError('limit_exceeded', `the answer is larger than ${answer_bytes_max} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

/** Finds the API (option, CAIRN_API_URL, the one on this machine) and the token for it. */
export const openConnection = async (place: Place): Promise<Connection> => {
  const url = await baseUrl(place)
  const token = await bearerToken(place, url)
  return {
    url,
    ask: async <Answer>(path: string, options: AskOptions = {}): Promise<Answer> => {
      const target = new URL(path, url)
      for (const [name, value] of Object.entries(options.query ?? {}))
        if (value !== undefined) target.searchParams.set(name, String(value))
      const timeout = AbortSignal.timeout(answer_timeout_ms + (options.wait_ms ?? 0))
      try {
        const response = await fetch(target, {
          method: options.method ?? 'GET',
          headers: {
            accept: 'application/json',
            ...(token === undefined || options.anonymous === true
              ? {}
              : { authorization: `Bearer ${token}` }),
          },
          ...(options.form === undefined ? {} : { body: new URLSearchParams(options.form) }),
          // A redirect would carry the token elsewhere.
          redirect: 'error',
          signal:
            options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout]),
        })
        const body = await readBounded(response)
        if (!response.ok) throw refusal(response.status, body)
        return JSON.parse(body) as Answer
      } catch (error) {
        if (error instanceof CairnError || options.signal?.aborted === true) throw error
        if (error instanceof SyntaxError)
          throw new CairnError('unusable_input', `${url.origin} is not Cairn's API`, {
            cause: error,
          })
        throw new CairnError(
          'store_unavailable',
          `nobody answers at ${url.origin}. ${start_hint}`,
          {
            cause: error,
          },
        )
      }
    },
  }
}
