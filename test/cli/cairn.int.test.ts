import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { displayWidth } from '../../services/cli/terminal/safe-text.ts'
import { startRunningApi, type RunningApi } from '../api/running.ts'
import { runProgram, type ProgramResult } from '../support/run-program.ts'
import { systemTool } from '../support/tools.ts'
import { createTrail, dataRow, rowDescription, commandComplete } from '../support/trail.ts'

const launcher = new URL('../../services/cli/cairn.mjs', import.meta.url).pathname
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-cli-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

type Run = { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly node?: string }

/** Runs the command as npx does, in an empty folder, with nothing of this shell's environment but what it needs. */
const cairn = (args: readonly string[], run: Run = {}): Promise<ProgramResult> =>
  runProgram(run.node ?? process.execPath, [launcher, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, ...run.env },
    ...(run.input === undefined ? {} : { input: run.input }),
  })

const dangerous = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u

describe('the command', () => {
  it('prints its version and its help', async () => {
    const { version } = JSON.parse(
      await readFile(new URL('../../package.json', import.meta.url), 'utf8'),
    ) as { readonly version: string }
    expect(await cairn(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
    const help = await cairn(['--help'])
    expect(help.code).toBe(0)
    for (const name of [
      'up',
      'token',
      'sessions',
      'commands',
      'replay',
      'config check',
      'policy test',
      'approvals',
      'approve',
      'deny',
      'topics apply',
    ])
      expect(help.stdout).toMatch(new RegExp(`^ {2}${name} {2,}\\S`, 'm'))
    expect(help.stdout).not.toMatch(/alerts|evidence|verify/)
  })

  it.each([
    ['up', ['--config FILE']],
    [
      'token',
      ['--target NAME', '--role NAME', '--issuer-token FROM', '--end-run', '--psql', '--json'],
    ],
    [
      'sessions',
      ['--target', '--role', '--actor', '--repository', '--run', '--state', '--since', '--json'],
    ],
    ['commands', ['-q, --query TEXT', '--verb', '--outcome', '--session', '-n, --limit N']],
    ['replay', ['-f, --follow', '--speed N', '--no-timing', '--rows N', '--json']],
    ['config check', ['--json']],
    ['topics apply', ['--config FILE']],
  ])('%s has a help page with its options and examples', async (name, options) => {
    const { code, stdout, stderr } = await cairn([...name.split(' '), '--help'])
    expect(code).toBe(0)
    expect(stderr).toBe('')
    expect(stdout).toMatch(new RegExp(`^cairn ${name}`))
    expect(stdout).toContain('Examples:\n  ')
    for (const option of options) expect(stdout).toContain(option)
    for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(130)
  })

  it('says what is wrong with its arguments and ends with 2', async () => {
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /cairn COMMAND/],
      [['nope'], /no command "nope"/],
      [['config'], /config what\?.*"cairn config check"/],
      [['sessions', '--bogus'], /'--bogus'.*sessions --help/],
      [['sessions', 'extra'], /"extra" is too much/],
      [
        ['sessions', '--since', 'yesterday', '--api', 'http://127.0.0.1:1'],
        /--since "yesterday" is no time/,
      ],
      [['sessions', '--limit', '0', '--api', 'http://127.0.0.1:1'], /--limit takes a whole number/],
      [['replay'], /SESSION is missing/],
      [['replay', 'xyz'], /"xyz" is no session id/],
      [['replay', 'abcd', '--speed', 'fast'], /--speed takes a number/],
      [['replay', 'abcd', '--rows', '-1'], /--rows/],
      [['token', '--role', 'reader'], /--target is missing/],
      [['sessions', '--api', 'ftp://x'], /no http/],
      [['up', 'nothing'], /no service "nothing"/],
    ]
    for (const [args, words] of cases) {
      const { code, stdout, stderr } = await cairn(args, { env: { CAIRN_DEMO: '0' } })
      expect(code, args.join(' ')).toBe(2)
      expect(stderr, args.join(' ')).toMatch(words)
      expect(stdout, args.join(' ')).toBe('')
    }
  })

  it('says what to do when no Cairn runs', async () => {
    const none = await cairn(['sessions'])
    expect(none).toMatchObject({ code: 2, stdout: '' })
    expect(none.stderr).toMatch(/no Cairn runs on .*npm start.*--api/)
    const down = await cairn(['commands'], { env: { CAIRN_API_URL: 'http://127.0.0.1:1' } })
    expect(down).toMatchObject({ code: 2, stdout: '' })
    expect(down.stderr).toMatch(/nobody answers at http:\/\/127\.0\.0\.1:1.*npm start/)
  })

  it('never sends a token in the clear to another machine', async () => {
    const { code, stderr } = await cairn(['sessions', '--api', 'http://cairn.example.test'], {
      env: { CAIRN_API_TOKEN: 'secret-token' },
    })
    expect(code).toBe(2)
    expect(stderr).toContain('https:// only')
    expect(stderr).not.toContain('secret-token')
  })

  const system_node = systemTool('node')
  it.skipIf(system_node === null)('runs from whatever node the host has', async () => {
    const { code, stdout } = await cairn(['--version'], { node: system_node ?? '' })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  })
})

describe('config check', () => {
  it('lists every error with its line and ends with 2', async () => {
    const file = join(folder, 'bad.yaml')
    await writeFile(
      file,
      'deployment: test\ntargets:\n  - name: shop\n    prot: postgres\napi:\n  port: many\n',
    )
    const { code, stdout, stderr } = await cairn(['config', 'check', file])
    expect(code).toBe(2)
    expect(stdout).toMatch(/bad\.yaml:4:\d+: targets\[0\]\.prot/)
    expect(stdout).toMatch(/bad\.yaml:6:\d+: api\.port/)
    expect(stderr).toMatch(/cannot be used: \d+ errors/)
    const json = await cairn(['config', 'check', file, '--json'])
    expect(json.code).toBe(2)
    expect(
      (JSON.parse(json.stdout) as { ok: boolean; errors: unknown[] }).errors.length,
    ).toBeGreaterThan(1)
  })

  it('is content with a good one', async () => {
    const file = join(folder, 'good.yaml')
    await writeFile(file, 'deployment: test\n')
    expect(await cairn(['config', 'check', 'good.yaml'])).toMatchObject({
      code: 0,
      stdout: 'good.yaml is good\n',
    })
  })
})

describe('topics apply', () => {
  it('creates the topics and can be repeated', async () => {
    const env = { CAIRN_DATA_DIR: join(folder, 'topics') }
    for (let time = 0; time < 2; time++) {
      const { code, stdout } = await cairn(['topics', 'apply'], { env })
      expect(code).toBe(0)
      expect(stdout).toMatch(/^cairn\.audit +6 +1 +168 h$/m)
    }
  })
})

describe('with a running Cairn', () => {
  let api: RunningApi
  let id: string
  let open_id: string
  const evil = '\x1b]0;pwned\x07\x1b[2J\r\u{202e}'

  beforeAll(async () => {
    api = await startRunningApi()
    const trail = createTrail()
    const session = trail.session()
    id = session.id
    session.command('select status from orders', {
      response: Buffer.concat([
        rowDescription([{ name: 'status' }]),
        ...Array.from({ length: 30 }, (_, row) => dataRow([`paid-${row}`])),
        commandComplete('SELECT 30'),
      ]),
      rows: 30,
    })
    session.add('credential.issued', {
      credential: 'c',
      kind: 'static',
      principal: 'p',
      expires: null,
    })
    session.command(`select '${evil}'`, {
      response: Buffer.concat([
        rowDescription([{ name: 'x' }]),
        dataRow([evil]),
        commandComplete('SELECT 1'),
      ]),
    })
    session.command('drop table orders', { outcome: 'deny', verb: 'ddl.drop' })
    session.end()
    const other = trail.session({
      peer: { address: '::1', port: 1, client_software: evil, tls: '', fingerprint: '' },
      target: { name: evil, protocol: 'postgres', database: 'd', role: evil },
    })
    other.command('select 1')
    open_id = other.id
    await api.write(trail)
  })
  afterAll(async () => {
    await api?.[Symbol.asyncDispose]()
  })

  /** As a person does it: from the data folder, without naming the API. */
  const here = (args: readonly string[], run: Run = {}): Promise<ProgramResult> =>
    cairn(args, { ...run, env: { CAIRN_DATA_DIR: api.cairn.data_dir, ...run.env } })

  it('finds the API by the data folder and lists sessions as a table', async () => {
    const { code, stdout, stderr } = await here(['sessions'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^SESSION +STARTED +STATE +WHO +RUN +TARGET +ROLE +CMDS +REFUSED$/m)
    expect(stdout).toMatch(
      new RegExp(
        `^${id.slice(0, 12)} .* ended +acme-bot +acme/shop nightly-report #4711 +shop/shop +reader +3 +1$`,
        'm',
      ),
    )
    expect(stdout).not.toContain('\x1b')
  })

  it('lists one JSON object a line, with whole ids', async () => {
    const { stdout } = await here(['sessions', '--json', '--state', 'ended'])
    const lines = stdout.trim().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { id: string }).id)).toEqual([id])
  })

  it('searches commands, follows pages up to the limit and says that there are more', async () => {
    const all = await here(['commands', '-q', 'orders'])
    expect(all.stdout).toMatch(/deny +refused .* drop table orders$/m)
    expect(all.stdout).toMatch(/allow +ok +30 +1\.2 ms +select status from orders$/m)
    const some = await here(['commands', '--limit', '1'])
    expect(some.stdout.trim().split('\n')).toHaveLength(2)
    expect(some.stderr).toContain('There are more')
    const none = await here(['commands', '-q', 'nothing of the kind'])
    expect(none).toMatchObject({ code: 0, stdout: '' })
    expect(none.stderr).toContain('No commands')
  })

  it('fits its tables to the width of the terminal', async () => {
    const { stdout } = await here(['commands'], { env: { COLUMNS: '100' } })
    for (const line of stdout.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(100)
  })

  it('replays a session by the beginning of its id', async () => {
    const { code, stdout, stderr } = await here(['replay', id.slice(0, 8), '--rows', '2'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`session  ${id}`)
    expect(stdout).toContain('run      acme/shop nightly-report #4711 refs/heads/main by ana')
    expect(stdout).toContain('target   shop/shop as reader')
    expect(stdout).toContain('  paid-1\n  … 28 more rows')
    expect(stdout).toContain('REFUSED by builtin:default-deny')
    expect(stdout).toContain('session ended: client_closed')
    expect(stdout).not.toMatch(/MISSING|TWICE/)
  })

  it('gives records as JSON, bytes in base64', async () => {
    const { stdout } = await here(['replay', id, '--json'])
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { sseq: number; type: string; event: { bytes?: string } })
    expect(records.map(({ sseq }) => sseq)).toEqual([...records.keys()])
    const chunk = records.find(({ type }) => type === 'response.chunk')
    expect(Buffer.from(chunk?.event.bytes ?? '', 'base64').toString('latin1')).toContain('paid-0')
  })

  it('lets nothing of a session act on the terminal, in any command', async () => {
    for (const args of [
      ['sessions'],
      ['sessions', '--json'],
      ['commands'],
      ['commands', '--json'],
      ['replay', id],
      ['replay', id, '--json'],
      ['replay', open_id],
    ]) {
      const { stdout, stderr } = await here(args)
      expect(stdout.length).toBeGreaterThan(100)
      expect(dangerous.test(stdout), args.join(' ')).toBe(false)
      expect(dangerous.test(stderr), args.join(' ')).toBe(false)
    }
  })

  it('says that a session is still open', async () => {
    const { code, stderr } = await here(['replay', open_id])
    expect(code).toBe(0)
    expect(stderr).toContain('still open; --follow')
  })

  it('follows a session while it runs and ends with it', async () => {
    const trail = createTrail()
    const session = trail.session()
    await api.write(trail)
    const child = spawn(process.execPath, [launcher, 'replay', session.id, '--follow'], {
      env: { PATH: process.env['PATH'], CAIRN_DATA_DIR: api.cairn.data_dir },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text))
    // 'close', not 'exit': what it printed last has been read then.
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
    await expect.poll(() => shown, { timeout: 60_000 }).toContain('still open')
    let written = trail.records.length
    const append = async (): Promise<void> => {
      await api.log.append('cairn.audit', trail.records.slice(written))
      written = trail.records.length
    }
    session.command('select live')
    await append()
    await expect.poll(() => shown, { timeout: 60_000 }).toContain('select live')
    session.end()
    await append()
    expect(await ended).toBe(0)
    expect(shown).toContain('session ended')
  })

  it('says what to do about an id that fits no session', async () => {
    const { code, stderr } = await here(['replay', '0000000000000000'])
    expect(code).toBe(2)
    expect(stderr).toContain('no session begins with 0000000000000000')
  })

  it('says how to be let in when the token is missing or no good', async () => {
    const missing = await cairn(['sessions', '--api', api.url])
    expect(missing.code).toBe(2)
    expect(missing.stderr).toMatch(/bearer token is needed.*CAIRN_API_TOKEN/)
    const wrong = await here(['sessions'], { env: { CAIRN_API_TOKEN: 'a.b.c' } })
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toMatch(/malformed_token/)
    const approver = await here(['sessions'], {
      env: { CAIRN_API_TOKEN: await api.token('approver') },
    })
    expect(approver.code).toBe(2)
    expect(approver.stderr).toMatch(/roles admin, analyst/)
  })

  describe('token', () => {
    const ask = ['token', '--target', 'shop', '--role', 'reader']

    it('exchanges what it finds in file, standard input or variable', async () => {
      const token = await api.token('none', { team: 'shop' })
      const file = join(folder, 'subject-token')
      await writeFile(file, `${token}\n`, { mode: 0o600 })
      for (const run of [
        { args: [...ask, '--issuer-token', file] },
        { args: [...ask, '--issuer-token', '-'], input: `${token}\n` },
        { args: [...ask, '--issuer-token', 'env:MINE'], env: { MINE: token } },
        { args: ask, env: { CAIRN_ID_TOKEN: token } },
        { args: ask, env: { GITLAB_OIDC_TOKEN: token } },
      ]) {
        const { code, stdout, stderr } = await here(run.args, run)
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
        expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
      }
    })

    it('asks the runner of GitHub Actions', async () => {
      api.issuer.answer(
        '/actions',
        JSON.stringify({ value: await api.token('none', { team: 'shop' }) }),
      )
      const { code, stdout } = await here(ask, {
        env: {
          ACTIONS_ID_TOKEN_REQUEST_URL: `${api.issuer.url}/actions?v=1`,
          ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'runner',
        },
      })
      expect(code).toBe(0)
      expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/)
    })

    it('prints a psql line or the whole answer', async () => {
      const env = { CAIRN_ID_TOKEN: await api.token('none', { team: 'shop' }) }
      const line = await here([...ask, '--psql'], { env })
      expect(line.stdout).toMatch(
        /^PGPASSWORD='[\w-]+\.[\w-]+\.[\w-]+' psql 'host=127\.0\.0\.1 port=15432 dbname=shop user=reader sslmode=require'\n$/,
      )
      const json = await here([...ask, '--json'], {
        env: { CAIRN_ID_TOKEN: await api.token('none', { team: 'shop' }) },
      })
      expect(JSON.parse(json.stdout)).toMatchObject({ token_type: 'N_A', scope: 'reader' })
    })

    it('ends with 1 when the answer is no', async () => {
      const policy = await here(ask, { env: { CAIRN_ID_TOKEN: await api.token('none') } })
      expect(policy).toMatchObject({ code: 1, stdout: '' })
      expect(policy.stderr).toContain('refused by policy')
      const identity = await here(ask, { env: { CAIRN_ID_TOKEN: 'a.b.c' } })
      expect(identity).toMatchObject({ code: 1, stdout: '' })
    })

    it('ends with 2 when there is nothing to exchange', async () => {
      const { code, stderr } = await here(ask)
      expect(code).toBe(2)
      expect(stderr).toMatch(/no OIDC token to exchange.*CAIRN_ID_TOKEN.*id-token: write/)
    })
  })
})
