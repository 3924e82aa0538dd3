import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { CairnError } from '#lib/error.ts'
import { isLoopbackHost } from '#lib/loopback.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** How long an issuer may take, milliseconds. */
const mint_timeout_ms = 10_000

export type SubjectTokenSource = {
  readonly env: Environment
  readonly cwd: string
  readonly stdin: () => Promise<string>
  /** `--issuer-token`: a path, `-` for standard input, `env:NAME` for a variable. */
  readonly given: string | undefined
  /** Audience that GitHub is asked to put into the token. */
  readonly audience: string
  /** Where the demonstration's issuer gives tokens, if it runs. */
  readonly demo_url: string | undefined
}

/** Variables that hold an OIDC token in CI: ours (GitLab jobs name theirs under `id_tokens:`), and the name in GitLab's own examples. */
const token_variables = ['CAIRN_ID_TOKEN', 'GITLAB_OIDC_TOKEN'] as const

const get = async (
  url: URL,
  headers: Readonly<Record<string, string>>,
  what: string,
): Promise<string> => {
  const response = await fetch(url, {
    headers,
    redirect: 'error',
    signal: AbortSignal.timeout(mint_timeout_ms),
  }).catch((error: unknown) => {
    throw new CairnError('issuer_unavailable', `${what} does not answer`, { cause: error })
  })
  if (!response.ok)
    throw new CairnError('issuer_unavailable', `${what} answered ${response.status}`)
  return response.text()
}

/** GitHub Actions: a job with `permissions: id-token: write` asks the runner for a token ("OpenID Connect reference"). */
const githubToken = async (
  url: string,
  request_token: string,
  audience: string,
): Promise<string> => {
  if (
    !URL.canParse(url) ||
    (new URL(url).protocol !== 'https:' && !isLoopbackHost(new URL(url).hostname))
  )
    throw new CairnError('unusable_input', 'ACTIONS_ID_TOKEN_REQUEST_URL is no https:// URL')
  const target = new URL(url)
  target.searchParams.set('audience', audience)
  const text = await get(target, { authorization: `Bearer ${request_token}` }, 'GitHub')
  const value = (JSON.parse(text) as { readonly value?: unknown }).value
  if (typeof value !== 'string')
    throw new CairnError('issuer_unavailable', 'GitHub answered without a token')
  return value
}

const fromOption = async (source: SubjectTokenSource, given: string): Promise<string> => {
  if (given === '-') return source.stdin()
  if (given.startsWith('env:')) {
    const value = source.env[given.slice('env:'.length)]
    if (value === undefined || value === '')
      throw new CairnError('unusable_input', `the variable ${given.slice('env:'.length)} is empty`)
    return value
  }
  return readFile(resolve(source.cwd, given), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CairnError('unusable_input', `${given} cannot be read (${error.code ?? 'unknown'})`)
  })
}

const find = async (source: SubjectTokenSource): Promise<string> => {
  const { env, given } = source
  if (given !== undefined) return fromOption(source, given)
  for (const name of token_variables) {
    const value = env[name]
    if (value !== undefined && value !== '') return value
  }
  const url = env['ACTIONS_ID_TOKEN_REQUEST_URL']
  const request_token = env['ACTIONS_ID_TOKEN_REQUEST_TOKEN']
  if (url !== undefined && request_token !== undefined)
    return githubToken(url, request_token, source.audience)
  if (source.demo_url !== undefined)
    return get(new URL(source.demo_url), {}, "the demonstration's issuer")
  throw new CairnError(
    'unusable_input',
    'no OIDC token to exchange. Give --issuer-token FILE ("-" reads standard input), set CAIRN_ID_TOKEN, or in GitHub Actions give the job "permissions: id-token: write"',
  )
}

/**
 * Finds the OIDC token of whoever runs this: file or standard input, a variable, the runner of GitHub Actions, the demonstration's issuer.
 * Nothing of it is ever printed. Throws CairnError('unusable_input' | 'issuer_unavailable') with what to do.
 */
export const findSubjectToken = async (source: SubjectTokenSource): Promise<string> => {
  const token = (await find(source)).trim()
  if (token === '') throw new CairnError('unusable_input', 'the OIDC token is empty')
  return token
}
