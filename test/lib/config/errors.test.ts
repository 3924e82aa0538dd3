import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { policySchemaText, readmeText, schemaText } from '#lib/config/generate.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

let space: Workspace
beforeEach(() => {
  space = openWorkspace()
})
afterEach(() => {
  space[Symbol.dispose]()
})

describe('every error, each with its line', () => {
  test('masking rules that cannot work say why', () => {
    const content = `masking:
  rules:
    - name: a
      detectors: [email, cards]
    - name: a
      columns: [email]
      method: hash
    - name: b
  detectors:
    - name: card
      re2: '(?=x)'
    - name: badge
      re2: 'x*'
`
    expect(space.errors(content)).toEqual([
      'cairn.yaml:4:26: masking.rules[0].detectors[1]: no detector has this name; known: email, card, iban, jwt, aws_key, gcp_key, private_key, us_ssn, phone, badge',
      'cairn.yaml:5:7: masking.rules[1].name: another masking rule has this name already',
      'cairn.yaml:6:17: masking.rules[1].columns[0]: expected table.column or schema.table.column, "*" standing for any run of characters',
      'cairn.yaml:7:7: masking.rules[1].method: masking.hash_key is missing: method hash needs it',
      'cairn.yaml:8:7: masking.rules[2]: the rule masks nothing: give columns or detectors',
      'cairn.yaml:10:7: masking.detectors[0].name: Cairn has a detector of this name already',
      'cairn.yaml:11:7: masking.detectors[0].re2: error parsing regexp: invalid or unsupported Perl syntax: `(?=`',
      'cairn.yaml:13:7: masking.detectors[1].re2: the pattern matches the empty text',
    ])
  })

  test('a file with many mistakes lists all of them in order', () => {
    const content = `deployment: prod
listners:
  postgres: {}
gateway:
  durability: disc
  journal:
    segment_bytes: 12 potatoes
  sessions_max: many
issuers:
  - name: gh
    preset: github-action
    issuer: http://example.com
  - name: gh
    issuer: 3
    audience: x
targets:
  - name: db
    host: db
    roles:
      - name: app
        credential: nope
        cred: x
credentials:
  - name: c
    user: u
    password: \${env:NOPE}
policies:
  - name: p
    effect: allow
    issuers: [foo]
    targets: ['d*', 'zz*']
    roles: [app, 'x*']
api: 3
`
    expect(space.errors(content)).toEqual([
      'cairn.yaml:2:1: listners: unknown key; did you mean listeners?',
      'cairn.yaml:5:3: gateway.durability: expected one of disk, broker; did you mean disk?',
      'cairn.yaml:7:5: gateway.journal.segment_bytes: expected bytes, for example 67108864 or "64MiB" (B, KiB, MiB, GiB, TiB)',
      'cairn.yaml:8:3: gateway.sessions_max: expected a whole number, 1 to 1000000',
      'cairn.yaml:10:5: issuers[0].audience: is missing: expected a text or a list of texts',
      'cairn.yaml:11:5: issuers[0].preset: expected one of github-actions, gitlab, generic; did you mean github-actions?',
      'cairn.yaml:12:5: issuers[0].issuer: http:// is for loopback only; use https://',
      'cairn.yaml:13:5: issuers[1].name: another issuer has this name already',
      'cairn.yaml:14:5: issuers[1].issuer: expected a text, found a number',
      'cairn.yaml:21:9: targets[0].roles[0].credential: no credential has this name; known: c',
      'cairn.yaml:22:9: targets[0].roles[0].cred: unknown key; did you mean credential?',
      'cairn.yaml:26:5: credentials[0].password: ${env:NOPE}: the environment variable is not set',
      'cairn.yaml:30:15: policies[0].issuers[0]: no issuer has this name; known: gh',
      'cairn.yaml:31:21: policies[0].targets[1]: no target has this name; known: db',
      'cairn.yaml:32:18: policies[0].roles[1]: no role has this name; known: app',
      'cairn.yaml:33:1: api: expected a block of keys, found a number',
    ])
  })

  test('a credential has one source and one user', () => {
    const content = `credentials:
  - { name: none, user: u }
  - { name: two, user: u, password: p, password_file: ./p }
  - { name: nobody, password_env: P }
  - { name: both, user: u, user_file: ./u, password_env: P }
  - { name: good, user_file: ./u, password_file: ./p }
`
    expect(space.errors(content)).toEqual([
      'cairn.yaml:2:5: credentials[0]: has no source: give one of password, password_file, password_env, vault, database_role',
      'cairn.yaml:3:5: credentials[1]: has 2 sources: keep one of password, password_file',
      'cairn.yaml:4:5: credentials[2]: user is missing (or user_file)',
      'cairn.yaml:5:5: credentials[3]: user and user_file: keep one of them',
    ])
  })

  test('a session role needs another credential to make it, and grants that name it', () => {
    const content = `credentials:
  - name: a
    user: u
    database_role: { admin: nope, member_of: [x], grants: ['grant x to {rolle}', 'grant x to y', 'grant x to {role}'] }
  - name: b
    database_role: { admin: a, lifetime_s: 0 }
  - name: c
    database_role: { admin: e, member_of: [x], reassign_to: y }
  - name: d
    database_role: { admin: e, objects: drop }
  - { name: e, user: u, password: p }
`
    expect(space.errors(content)).toEqual([
      "cairn.yaml:3:5: credentials[0].user: user is not for database_role: each session's role gets a name of its own",
      'cairn.yaml:4:22: credentials[0].database_role.admin: no credential has this name; known: a, b, c, d, e',
      'cairn.yaml:4:60: credentials[0].database_role.grants[0]: {rolle} is unknown: there are {role} and {database}',
      'cairn.yaml:4:82: credentials[0].database_role.grants[1]: {role} is missing',
      'cairn.yaml:6:32: credentials[1].database_role.lifetime_s: expected a whole number, 1 to 604800',
      'cairn.yaml:6:22: credentials[1].database_role.admin: a credential that is there to stay is needed',
      'cairn.yaml:6:5: credentials[1].database_role: who gets what a session made? Name a role in member_of, or say objects: drop',
      'cairn.yaml:8:48: credentials[2].database_role.reassign_to: expected one of member_of (x): what a session makes must not get rights that it had not itself',
    ])
  })

  test('a vault is logged in to in one way, over TLS, and a credential names one place in it', () => {
    const content = `vaults:
  - { name: a, url: 'http://vault.example.com', auth: {} }
  - { name: b, url: 'https://u:p@vault.example.com/v1', auth: { token: t, token_file: ./t } }
  - { name: c, url: 'http://127.0.0.1:8200', auth: { app_role: { role_id: r } }, tls: { cert_file: ./c } }
  - { name: c, url: 'https://vault.example.com', auth: { jwt: { role: r, jwt_file: ./j } } }
credentials:
  - { name: a, vault: { server: nope, kv: { path: ../../sys } } }
  - { name: b, user: u, vault: { server: a, database: { role: r } } }
  - { name: c, vault: { server: a } }
  - { name: d, database_role: { admin: b, objects: drop } }
`
    const lines = space.errors(content).map((error) => error.replace(/^(cairn.yaml:\d+):\d+/, '$1'))
    expect(lines).toEqual([
      'cairn.yaml:2: vaults[0].auth: give one of token, token_file, app_role, jwt',
      'cairn.yaml:2: vaults[0].url: expected https:// (http:// is for loopback only)',
      'cairn.yaml:3: vaults[1].auth: keep one of token, token_file',
      'cairn.yaml:3: vaults[1].url: a user or password in the URL is not accepted',
      'cairn.yaml:3: vaults[1].url: expected the server alone: nothing after the host and port',
      'cairn.yaml:4: vaults[2].tls: key_file is missing: certificate and key come together',
      'cairn.yaml:4: vaults[2].auth.app_role: give one of secret_id, secret_id_file',
      'cairn.yaml:5: vaults[3].name: another vault has this name already',
      'cairn.yaml:7: credentials[0].vault.kv.path: expected names with "/" between them, without "/" at the ends',
      'cairn.yaml:7: credentials[0].vault.server: no vault has this name; known: a, b, c',
      'cairn.yaml:8: credentials[1].user: user is not for vault.database: the vault names the user',
      'cairn.yaml:9: credentials[2].vault: give one of kv, database',
      'cairn.yaml:10: credentials[3].database_role.admin: a credential that is there to stay is needed',
    ])
  })

  test.each([
    [
      'an empty file',
      '',
      'cairn.yaml:1:1: the file is empty; an empty configuration is written {}',
    ],
    [
      'only a comment',
      '# nothing\n',
      'cairn.yaml:1:1: the file is empty; an empty configuration is written {}',
    ],
    ['a list', '- a\n', 'cairn.yaml:1:1: expected keys and values at the top of the file'],
    [
      'a key twice',
      'api: {}\nlog: {}\napi: {}\n',
      'cairn.yaml:3:1: this key stands twice in the same block',
    ],
    [
      'two documents',
      'api: {}\n---\nlog: {}\n',
      'cairn.yaml:2:1: the file holds several YAML documents (---); one is expected',
    ],
    ['a tab', 'api:\n\tport: 3\n', 'cairn.yaml:2:1: tabs cannot indent YAML; use spaces'],
    [
      'a language tag',
      'api: !!js/function "x"\n',
      'cairn.yaml:1:6: not valid YAML: Unresolved tag: tag:yaml.org,2002:js/function',
    ],
  ])('%s is refused', (_what, content, message) => {
    expect(space.errors(content)).toEqual([message])
  })

  test('bytes that are not UTF-8 are refused with their line', () => {
    const content = Buffer.concat([
      Buffer.from('deployment: ä\napi: '),
      Buffer.from([0xff, 0xfe]),
      Buffer.from('\n'),
    ])
    expect(space.errors(content)).toEqual(['cairn.yaml:2:1: not UTF-8 text'])
  })

  test('aliases that multiply are refused, a shared block is not', () => {
    const levels = Array.from(
      { length: 9 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`,
    )
    const bomb = ['l0: &l0 [x, x, x, x, x, x, x, x, x]', ...levels].join('\n')
    expect(space.errors(bomb)).toEqual(['cairn.yaml:1:1: aliases expand to more than 1000 nodes'])
    const shared = `targets:
  - { name: a, host: 127.0.0.1, roles: &roles [{ name: r, credential: c }] }
  - { name: b, host: 127.0.0.1, roles: *roles }
credentials: [{ name: c, user: u, password: p }]`
    expect(space.load(shared).ok).toBe(true)
  })

  test('names that JavaScript knows are unknown keys like any other', () => {
    expect(space.errors('__proto__: { a: 1 }\nconstructor: 1\n')).toEqual([
      expect.stringContaining('cairn.yaml:1:1: __proto__: unknown key'),
      expect.stringContaining('cairn.yaml:2:1: constructor: unknown key'),
    ])
  })
})

describe('what must hold between sections', () => {
  test.each([
    ['log: { kind: kafka }', 'log: log.kafka is missing: log.kind is kafka'],
    [
      'clickhouse: { kind: server }',
      'clickhouse: clickhouse.url is missing: clickhouse.kind is server',
    ],
    [
      'log: { kafka: { brokers: ["b:1"], tls: { cert_file: x } } }',
      'log.kafka.tls: key_file is missing: certificate and key come together',
    ],
    [
      'issuers: [{ name: a, preset: gitlab, issuer: "https://a.test", audience: x, claims: { ref: r } }]',
      'issuers[0].claims: the preset maps the claims; claims is for preset generic',
    ],
    [
      'issuers: [{ name: a, issuer: "https://u:p@a.test", audience: x }]',
      'issuers[0].issuer: a user or password in the URL is not accepted',
    ],
    [
      'issuers: [{ name: a, issuer: "https://a.test", audience: x }, { name: b, issuer: "https://a.test", audience: y }]',
      'issuers[1].issuer: another entry has this issuer already; give audience a list',
    ],
    [
      'targets: [{ name: t, host: h, roles: [{ name: r, credential: c, expect: [{ issuer: ci }] }] }]\ncredentials: [{ name: c, user: u, password: p }]',
      'targets[0].roles[0].expect[0].issuer: no issuer has this name; none is configured',
    ],
    [
      'targets: [{ name: t, host: h, roles: [{ name: r, credential: c, expect: [{}] }] }]\ncredentials: [{ name: c, user: u, password: p }]',
      'targets[0].roles[0].expect[0]: an expected job needs a field; leave expect out where any job is good',
    ],
    [
      'api: { roles: [{ role: admin, issuers: [none] }] }',
      'api.roles[0].issuers[0]: no issuer has this name; none is configured',
    ],
    [
      'issuers: [{ name: a, issuer: "https://a.test", audience: x, algorithms: [HS256] }]',
      'issuers[0].algorithms[0]: expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519; did you mean RS256?',
    ],
  ])('%s', (content, message) => {
    expect(space.errors(content)).toEqual([expect.stringContaining(message)])
  })

  test.each(['http://127.0.0.1:9', 'http://[::1]:9', 'http://localhost:9'])(
    'an issuer on loopback may be %s',
    (issuer) => {
      expect(space.load(`issuers: [{ name: a, issuer: "${issuer}", audience: x }]`).ok).toBe(true)
    },
  )

  test('what is allowed and unwise is a warning', () => {
    const result = space.load(`api: { host: 0.0.0.0 }
targets: [{ name: a, host: db.example.test, tls: { mode: require } }]
forward: { sinks: [{ name: s, transport: tcp, host: siem.example.test, port: 514 }] }
log: { kafka: { brokers: ["b:1"], sasl: { mechanism: plain, username: u, password: p } } }`)
    expect(result.ok && result.warnings.map(({ line, path }) => [line, path])).toEqual([
      [4, 'log.kafka.sasl'],
      [1, 'api.host'],
      [2, 'targets[0].tls.mode'],
      [3, 'forward.sinks[0].transport'],
    ])
  })
})

describe('what is published', () => {
  const read = (name: string): string =>
    readFileSync(new URL(`../../../services/lib/config/${name}`, import.meta.url), 'utf8')

  test('the JSON Schema is the one of the code (else run services/lib/config/generate.ts)', async () => {
    expect(read('cairn.schema.json')).toBe(await schemaText())
    expect(read('policy.schema.json')).toBe(await policySchemaText())
  })

  test('the table of keys is the one of the code (else run services/lib/config/generate.ts)', async () => {
    expect(read('README.md')).toBe(await readmeText(read('README.md')))
  })

  test('every key says what it is', () => {
    const undocumented: string[] = []
    const walk = (node: unknown, path: string): void => {
      const { properties = {}, items } = node as {
        properties?: Record<string, { description?: string }>
        items?: unknown
      }
      for (const [key, child] of Object.entries(properties)) {
        if ((child.description ?? '') === '') undocumented.push(`${path}.${key}`)
        walk(child, `${path}.${key}`)
      }
      if (items !== undefined) walk(items, `${path}[]`)
    }
    walk(JSON.parse(read('cairn.schema.json')), '')
    expect(undocumented).toEqual([])
  })

  test('the example of the README loads', () => {
    const example = /```yaml\n([\s\S]*?)```/.exec(read('README.md'))?.[1] ?? ''
    space.write('authority.pem', 'x')
    const result = space.load(example.replace('${file:./secrets/shop-migrator}', 'literal'))
    expect(result).toMatchObject({ ok: true, config: { deployment: 'production' } })
  })
})
