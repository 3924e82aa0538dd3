import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadConfig } from '#lib/config/load.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

let space: Workspace
beforeEach(() => {
  space = openWorkspace()
})
afterEach(() => {
  space[Symbol.dispose]()
})

const accepted = (content?: string, env: Readonly<Record<string, string>> = {}) => {
  const result = space.load(content, env)
  if (!result.ok) throw new Error(JSON.stringify(result.errors))
  return result
}

const complete = `
deployment: prod
issuers:
  - { name: gh, preset: github-actions, issuer: https://ci.example.test, audience: cairn }
targets:
  - name: shop
    host: 127.0.0.1
    roles: [{ name: reader, credential: shop-reader }]
credentials:
  - { name: shop-reader, user: reader, password: "\${env:SHOP_PASSWORD}" }
policies:
  - { name: nightly, effect: allow, issuers: [gh], claims: { repository: acme/shop, run_attempt: 1 }, targets: [shop], roles: [reader] }
`

describe('defaults and units', () => {
  test('without a file everything has its default and paths start at the working folder', () => {
    const { config, text_digest, warnings } = accepted()
    expect(config.data_dir).toBe(join(space.folder, 'data'))
    expect(config.gateway.journal.segment_bytes).toBe(64 * 1024 * 1024)
    expect(config.listeners.postgres).toEqual({
      host: '127.0.0.1',
      port: 15_432,
      cleartext: 'refuse',
    })
    expect(config.log.kind).toBe('embedded')
    expect(text_digest).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(warnings).toEqual([])
  })

  test.each([
    ['1048576', 1_048_576],
    ['64MiB', 67_108_864],
    ['2 GiB', 2_147_483_648],
    ['1TiB', 1_099_511_627_776],
  ])('a size of %s is %d bytes', (text, bytes) => {
    expect(
      accepted(`gateway: { journal: { bytes_max: ${text} } }`).config.gateway.journal.bytes_max,
    ).toBe(bytes)
  })

  test('a single audience and a single claim value become lists', () => {
    const { config } = accepted(complete, { SHOP_PASSWORD: 'hunter2' })
    expect(config.issuers[0]?.audience).toEqual(['cairn'])
    expect(config.policies[0]?.claims).toEqual({ repository: ['acme/shop'], run_attempt: ['1'] })
  })

  test('a file that does not exist, is a folder or is too large is an error that names it', () => {
    const env = {}
    for (const file of ['missing.yaml', '.']) {
      const result = loadConfig({ file, env, cwd: space.folder })
      expect(result).toMatchObject({
        ok: false,
        errors: [{ message: expect.stringContaining(space.folder) as string }],
      })
    }
    expect(space.errors('#'.repeat(1024 * 1024 + 1))[0]).toContain('larger than 1048576 bytes')
  })

  test('paths in the file start at its folder, CAIRN_DATA_DIR at the working folder', () => {
    const content =
      'data_dir: ./here\nlisteners: { postgres: { tls: { cert_file: a.crt, key_file: /k/a.key } } }'
    space.write('cairn.yaml', content)
    const load = (env: Record<string, string>) => {
      const result = loadConfig({ file: join(space.folder, 'cairn.yaml'), env, cwd: '/elsewhere' })
      if (!result.ok) throw new Error('refused')
      return result.config
    }
    expect(load({}).data_dir).toBe(join(space.folder, 'here'))
    expect(load({}).listeners.postgres.tls).toEqual({
      cert_file: join(space.folder, 'a.crt'),
      key_file: '/k/a.key',
    })
    expect(load({ CAIRN_DATA_DIR: 'there' }).data_dir).toBe('/elsewhere/there')
  })
})

describe('overrides', () => {
  test('ports and data folder of the environment beat the file', () => {
    const { config } = accepted('listeners: { postgres: { port: 1 } }\napi: { port: 2 }', {
      CAIRN_POSTGRES_PORT: '0',
      CAIRN_API_PORT: '18080',
      CAIRN_CLICKHOUSE_PORT: '18123',
      CAIRN_DATA_DIR: '/srv/cairn',
    })
    expect([config.listeners.postgres.port, config.api.port, config.clickhouse.http_port]).toEqual([
      0, 18_080, 18_123,
    ])
    expect(config.data_dir).toBe('/srv/cairn')
  })

  test('an empty variable counts as not set, a wrong one is an error under its own name', () => {
    expect(accepted('api: { port: 2 }', { CAIRN_API_PORT: '' }).config.api.port).toBe(2)
    expect(space.errors('{}', { CAIRN_API_PORT: '65536', CAIRN_POSTGRES_PORT: 'x' })).toEqual([
      'cairn.yaml: CAIRN_POSTGRES_PORT: expected a port, 0 to 65535',
      'cairn.yaml: CAIRN_API_PORT: expected a port, 0 to 65535',
    ])
  })
})

describe('secrets', () => {
  test('a secret comes from the environment or from a file without its last newline', () => {
    const password = (content: string, env = {}) =>
      accepted(content, env).config.credentials[0]?.password?.reveal()
    space.write('secret', 'line one\nline two\n')
    const credential = (text: string) => `credentials: [{ name: a, user: u, password: "${text}" }]`
    expect(password(credential('${env:P}'), { P: 'pw' })).toBe('pw')
    expect(password(credential('${file:secret}'))).toBe('line one\nline two')
    expect(password(credential('a-${env:P}-$${x}'), { P: '${env:Q}', Q: 'no' })).toBe(
      'a-${env:Q}-${x}',
    )
  })

  test('a secret never prints', () => {
    const { config } = accepted(complete, { SHOP_PASSWORD: 'hunter2' })
    const secret = config.credentials[0]?.password
    const shown = [
      JSON.stringify(config),
      inspect(config, { depth: 9, showHidden: true }),
      String(secret),
      JSON.stringify({ ...secret }),
    ]
    expect(shown.join()).not.toContain('hunter2')
    expect(String(secret)).toBe('[secret]')
    expect(secret?.reveal()).toBe('hunter2')
  })

  test('a reference that leads nowhere names itself, with its line', () => {
    space.write('empty', '\n')
    const content =
      'credentials:\n' +
      ['${env:NOPE}', '${file:nope}', '${file:.}', '${file:empty}', '${what}', '${env:a b}']
        .map((text, index) => `  - { name: c${index}, user: u, password: "${text}" }\n`)
        .join('')
    const reference = 'not a reference: expected ${env:NAME} or ${file:PATH} ($${ for a literal ${)'
    expect(space.errors(content)).toEqual([
      'cairn.yaml:2:26: credentials[0].password: ${env:NOPE}: the environment variable is not set',
      'cairn.yaml:3:26: credentials[1].password: ${file:nope}: cannot be read (ENOENT)',
      'cairn.yaml:4:26: credentials[2].password: ${file:.}: not a file',
      'cairn.yaml:5:26: credentials[3].password: ${file:empty}: the file is empty',
      `cairn.yaml:6:26: credentials[4].password: ${reference}`,
      `cairn.yaml:7:26: credentials[5].password: ${reference}`,
    ])
  })

  test('no message shows a value that came in by a reference', () => {
    const everywhere = `
deployment: "\${env:S}"
gateway: { id: "\${env:S}", durability: "\${env:S}", processes: "\${env:S}" }
issuers: [{ name: "\${env:S}", issuer: "\${env:S}", audience: [], algorithms: ["\${env:S}"], claims: { x: "\${env:S}" } }]
targets: [{ name: t, host: "\${env:S}", roles: [{ name: r, credential: "\${env:S}" }] }]
policies: [{ name: p, effect: "\${env:S}", issuers: ["\${env:S}"], roles: ["\${env:S}"] }]
clickhouse: { url: "\${env:S}", database: "\${env:S}" }
log: { kafka: { brokers: ["\${env:S}"] } }
`
    const lines = space.errors(everywhere, { S: 'Very/Secret value!' })
    expect(lines.length).toBeGreaterThan(10)
    expect(lines.join('\n')).not.toContain('Secret value')
  })

  test('a secret file and a literal password that everyone can read are warnings', () => {
    const path = space.write('secret', 'pw', 0o644)
    chmodSync(path, 0o644)
    const credential = (text: string) => `credentials: [{ name: a, user: u, password: "${text}" }]`
    const warnings = (content: string, mode: number) => {
      chmodSync(space.write('cairn.yaml', content), mode)
      const result = loadConfig({ file: 'cairn.yaml', env: {}, cwd: space.folder })
      return result.ok
        ? result.warnings.map(({ path: key, message }) => `${key}: ${message}`)
        : ['refused']
    }
    expect(warnings(credential('${file:secret}'), 0o600)).toEqual([
      'credentials[0].password: ${file:secret}: everyone on this machine can read the file; chmod 600 it',
    ])
    chmodSync(path, 0o600)
    expect(warnings(credential('${file:secret}'), 0o644)).toEqual([])
    expect(warnings(credential('literal'), 0o600)).toEqual([])
    expect(warnings(credential('literal'), 0o644)[0]).toContain('a password stands here')
  })
})
