import { CairnError } from '#lib/error.ts'
import { defineCommand } from '../command.ts'
import { api_options, findRunFile, openConnection, type Connection } from '../connection.ts'
import { findSubjectToken } from '../subject-token.ts'
import { safeJson, safeLine } from '../terminal/safe-text.ts'

type TokenResponse = { readonly access_token: string; readonly expires_in: number }

const postgres_port_default = 15_432
const jwt_type = 'urn:ietf:params:oauth:token-type:jwt'

/** A value in a libpq connection string (PostgreSQL, section 32.1.1.1). */
const conninfo = (value: string): string => `'${value.replace(/['\\]/g, (found) => `\\${found}`)}'`

/** One word for a POSIX shell, whatever is in it. */
const shellWord = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`

const psqlLine = (
  token: string,
  where: { readonly host: string; readonly port: number },
  target: string,
  role: string,
): string => {
  const fields = [
    `host=${conninfo(where.host)}`,
    `port=${where.port}`,
    `dbname=${conninfo(target)}`,
    `user=${conninfo(role)}`,
    'sslmode=require',
  ]
  return `PGPASSWORD=${shellWord(token)} psql ${shellWord(fields.join(' ').replaceAll(/'([A-Za-z0-9_.:/-]+)'/g, '$1'))}`
}

type RunEnded = {
  readonly repository: string
  readonly run: string
  readonly run_attempt: string
}

/** An answer that says no (identity, role or policy) is an answer, not bad input. */
const orRefusal = async <Answer>(asking: Promise<Answer>): Promise<Answer | CairnError> => {
  try {
    return await asking
  } catch (error) {
    if (error instanceof CairnError && refusals.has(error.code)) return error
    throw error
  }
}

const exchange = (
  connection: Connection,
  subject_token: string,
  binding: { readonly target: string; readonly role: string },
  signal: AbortSignal,
): Promise<TokenResponse | CairnError> =>
  orRefusal(
    connection.ask<TokenResponse>('/v1/tokens', {
      method: 'POST',
      form: {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token,
        subject_token_type: jwt_type,
        audience: binding.target,
        scope: binding.role,
      },
      anonymous: true,
      signal,
    }),
  )

const endRun = (
  connection: Connection,
  subject_token: string,
  signal: AbortSignal,
): Promise<RunEnded | CairnError> =>
  orRefusal(
    connection.ask<RunEnded>('/v1/runs/end', {
      method: 'POST',
      form: { subject_token },
      anonymous: true,
      signal,
    }),
  )

export const tokenCommand = defineCommand({
  name: 'token',
  summary: 'exchange an OIDC token for a short-lived Cairn token',
  positionals: [],
  description: [
    'Prints a token that is good for one target and one role, for a few minutes: the password of a connection through the',
    'gateway. It opens as many sessions as its role allows (one, unless the configuration says more), in the run and from the',
    'address it was issued to. With --end-run, the last step of a pipeline, it ends the run instead: every token of the run is',
    'dead from then on, and its sessions end.',
    '',
    'The OIDC token comes from --issuer-token, CAIRN_ID_TOKEN (in GitLab, a name under id_tokens), GITLAB_OIDC_TOKEN, the',
    'runner of GitHub Actions (permissions: id-token: write), or the demonstration that runs on this machine.',
  ].join('\n'),
  options: {
    target: { type: 'string', value: 'NAME', doc: 'target, as in the configuration' },
    role: { type: 'string', value: 'NAME', doc: 'role at the target' },
    'issuer-token': {
      type: 'string',
      value: 'FROM',
      doc: 'where the OIDC token is: FILE, - (standard input), env:NAME',
    },
    audience: {
      type: 'string',
      value: 'NAME',
      doc: 'audience that GitHub Actions puts into the token (default cairn)',
    },
    'end-run': { type: 'boolean', doc: 'end the run of the OIDC token: its tokens and sessions' },
    psql: { type: 'boolean', doc: 'print a psql line that connects with it' },
    host: {
      type: 'string',
      value: 'HOST',
      doc: 'gateway in the psql line (default: the host of the API)',
    },
    json: { type: 'boolean', doc: 'print the whole answer (RFC 8693) as JSON' },
    ...api_options,
  },
  examples: [
    ['PGPASSWORD=$(cairn token --target shop --role reader) psql ...', 'connect with it'],
    ['cairn token --target shop --role reader --psql', 'a line to copy'],
    ['cairn token --target shop --role reader --issuer-token - < token.txt', 'exchange this one'],
    ['cairn token --end-run', 'last step of a pipeline: its tokens are dead'],
  ],
  run: async ({ values, env, cwd, out, stdin, signal }) => {
    const { target = '', role = '', 'end-run': ends } = values
    if (!ends && (target === '' || role === ''))
      throw new CairnError(
        'unusable_input',
        `--${target === '' ? 'target' : 'role'} is missing; see "cairn token --help"`,
      )
    const place = { ...values, env, cwd }
    const connection = await openConnection(place)
    const run_file = await findRunFile(place).catch(() => undefined)
    const subject_token = await findSubjectToken({
      env,
      cwd,
      stdin,
      given: values['issuer-token'],
      audience: values.audience ?? 'cairn',
      demo_url: run_file?.demo?.token_url,
    })
    const answer = ends
      ? await endRun(connection, subject_token, signal)
      : await exchange(connection, subject_token, { target, role }, signal)
    if (answer instanceof CairnError) {
      out.say(`cairn: ${safeLine(answer.message)}`)
      return 1
    }
    if (!('access_token' in answer)) {
      const { repository, run, run_attempt } = answer
      const attempt = run_attempt === '' ? '' : `, attempt ${run_attempt}`
      if (values.json) await out.print(safeJson(answer))
      else out.say(safeLine(`run ${run} of ${repository}${attempt} is ended`))
      return 0
    }
    const where = {
      host: values.host ?? connection.url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: run_file?.ports?.['postgres'] ?? postgres_port_default,
    }
    if (values.json) await out.print(safeJson(answer))
    else if (values.psql) {
      await out.print(psqlLine(safeLine(answer.access_token), where, target, role))
      out.say(
        `good for ${answer.expires_in} s and as many sessions as the role allows (one by default)`,
      )
    } else await out.print(safeLine(answer.access_token))
    return 0
  },
})

const refusals: ReadonlySet<string> = new Set(['identity_refused', 'forbidden'])
