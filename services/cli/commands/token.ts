import { CairnError } from '#lib/error.ts'
import { defineCommand } from '../command.ts'
import { api_options, findRunFile, openConnection } from '../connection.ts'
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

export const tokenCommand = defineCommand({
  name: 'token',
  summary: 'exchange an OIDC token for a short-lived Cairn token',
  positionals: [],
  description: [
    'Prints a token that is good for one target and one role, for a few minutes: the password of a connection through the',
    'gateway. The OIDC token comes from --issuer-token, CAIRN_ID_TOKEN (in GitLab, a name under id_tokens), GITLAB_OIDC_TOKEN,',
    'the runner of GitHub Actions (permissions: id-token: write), or the demonstration that runs on this machine.',
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
  ],
  run: async ({ values, env, cwd, out, stdin, signal }) => {
    const { target, role } = values
    if (target === undefined || role === undefined)
      throw new CairnError(
        'unusable_input',
        `--${target === undefined ? 'target' : 'role'} is missing; see "cairn token --help"`,
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
    const answer = await connection
      .ask<TokenResponse>('/v1/tokens', {
        method: 'POST',
        form: {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          subject_token,
          subject_token_type: jwt_type,
          audience: target,
          scope: role,
        },
        anonymous: true,
        signal,
      })
      .catch((error: unknown) => {
        // Identity or policy said no: that is an answer, not bad input.
        if (error instanceof CairnError && refusals.has(error.code)) return error
        throw error
      })
    if (answer instanceof CairnError) {
      out.say(`cairn: ${safeLine(answer.message)}`)
      return 1
    }
    const where = {
      host: values.host ?? connection.url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: run_file?.ports?.['postgres'] ?? postgres_port_default,
    }
    if (values.json) await out.print(safeJson(answer))
    else if (values.psql)
      await out.print(psqlLine(safeLine(answer.access_token), where, target, role))
    else await out.print(safeLine(answer.access_token))
    return 0
  },
})

const refusals: ReadonlySet<string> = new Set(['identity_refused', 'forbidden'])
