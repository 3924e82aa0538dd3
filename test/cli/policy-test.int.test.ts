import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runProgram, type ProgramResult } from '../support/run-program.ts'

const launcher = new URL('../../services/cli/cairn.mjs', import.meta.url).pathname
const example = new URL('../../deploy/policies/ci-stages.yaml', import.meta.url).pathname
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cairn-policy-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const policyTest = (...args: readonly string[]): Promise<ProgramResult> =>
  runProgram(process.execPath, [launcher, 'policy', 'test', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder },
  })

const write = (name: string, content: string): Promise<void> =>
  writeFile(join(folder, name), content)

const subjects = `subjects:
  ada: { issuer: okta, actor: human, groups: [dev] }
  job: { issuer: gh, preset: github-actions, claims: { repository: acme/shop } }
`

const policies = `policies:
  - { name: readers, effect: allow, groups: [dev], actions: [select, 'ddl.*'], objects: ['public.*'] }
  - { name: ddl, effect: hold, actions: ['ddl.*'], hold: { groups: [dba] } }
  - { name: trial, effect: deny, dry_run: true, actions: [select], objects: [public.people] }
`

const one = (name: string, sql: string, more: string): string =>
  `  - { name: ${name}, subject: ada, target: shop, role: app, sql: '${sql}', ${more} }\n`

describe('cairn policy test', () => {
  it('passes on the shipped example', async () => {
    const result = await policyTest(example)
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(result.stdout).toMatch(/: (\d+) of \1 cases passed\n$/)
  })

  it('says which case failed, where, what it expected and what the policy says', async () => {
    await write(
      'failing.yaml',
      `${policies}${subjects}cases:\n${one('reads', 'select 1', 'expect: allow')}${one('writes', 'delete from x', 'expect: allow')}${one('holds', 'drop table public.x', 'expect: hold, rules: [other]')}${one('tries', 'select * from people', 'expect: deny')}`,
    )
    const { code, stdout } = await policyTest('failing.yaml')
    expect(code).toBe(1)
    expect(stdout.split('\n')).toEqual([
      'failing.yaml:10:5: failed: writes: expected allow, got deny by builtin:default-deny: no policy allows delete on "x"',
      'failing.yaml:11:5: failed: holds: expected rules other, got hold by ddl: ddl.drop on "public.x": held by ddl',
      'failing.yaml:12:5: failed: tries: expected deny, got deny (dry run: not enforced) by trial: select on "people": denied by trial',
      'failing.yaml: 1 of 4 cases passed',
      '',
    ])
  })

  it('gives the same as JSON', async () => {
    const { code, stdout } = await policyTest('--json', 'failing.yaml', example)
    expect(code).toBe(1)
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      files: [
        {
          file: 'failing.yaml',
          cases: 4,
          errors: [],
          failed: [{ name: 'writes', line: 10, column: 5, path: 'cases[1]' }, {}, {}],
        },
        { file: example, failed: [], errors: [] },
      ],
    })
  })

  it('cannot use a file with mistakes, and lists them with their lines', async () => {
    await write(
      'broken.yaml',
      'policies:\n  - { name: a, effect: allow, when: role = "x" }\ncase: []\n',
    )
    const broken = await policyTest('broken.yaml')
    expect(broken.code).toBe(2)
    expect(broken.stdout.replaceAll(`${folder}/`, '')).toMatch(
      /^broken\.yaml:2:31: policies\[0\]\.when: not a condition: .*\nbroken\.yaml:3:1: case: unknown key; did you mean cases\?\n$/,
    )
    expect(broken.stderr).toBe('cairn: broken.yaml cannot be used\n')
    await write('unparsed.yaml', 'policies: [')
    expect((await policyTest('unparsed.yaml')).code).toBe(2)
    await write('empty.yaml', policies)
    const empty = await policyTest('empty.yaml')
    expect(empty.code).toBe(2)
    expect(empty.stdout).toContain('there are no cases in it')
    expect((await policyTest('missing.yaml')).stdout).toContain('missing.yaml does not exist')
    expect((await policyTest()).code).toBe(2)
  })

  it('cannot ask a case whose claims its preset does not take', async () => {
    await write(
      'claims.yaml',
      `${subjects.replace('repository: acme/shop', 'ref: 1')}cases:
  - { name: a, subject: job, target: shop, role: app, expect: deny }
`,
    )
    const { code, stdout } = await policyTest('claims.yaml')
    expect(code).toBe(2)
    expect(stdout).toMatch(
      /claims\.yaml:5:5: cases\[0\]: a: subject job: claim repository is missing/,
    )
  })

  it('puts the policies of a configuration in force with those of the file, each once', async () => {
    await write(
      'cairn.yaml',
      `policies: [{ name: freeze, effect: deny, actions: ['*'] }]\npolicy_file: with.yaml\n`,
    )
    await write(
      'with.yaml',
      `${policies}${subjects}cases:\n${one('frozen', 'select 1', 'expect: deny, rules: [freeze]')}`,
    )
    expect((await policyTest('--config', 'cairn.yaml', 'with.yaml')).code).toBe(0)
    expect((await policyTest('with.yaml')).code).toBe(1)
    await write('cairn.yaml', 'policies: 3')
    expect((await policyTest('--config', 'cairn.yaml', 'with.yaml')).code).toBe(2)
  })

  it('knows what an EXECUTE of the same text runs, and nothing of one that is prepared elsewhere', async () => {
    const prepared = 'prepare a as delete from x; execute a'
    await write(
      'execute.yaml',
      `policies: [{ name: a, effect: allow, actions: [prepare, execute, select] }]\n${subjects}cases:\n${one('delete', prepared, 'expect: deny')}${one('select', prepared.replace('delete', 'select *'), 'expect: allow')}${one('elsewhere', 'execute b', 'expect: deny')}`,
    )
    expect(await policyTest('execute.yaml')).toMatchObject({ code: 0 })
  })

  it('says what the masking of a configuration does with the tables of a file', async () => {
    await write(
      'masked.yaml',
      `policies: [{ name: all, effect: allow, actions: ['*'] }]
${subjects}tables: { public.people: [id, email], public.notes: [text] }
cases:
${one('clear', 'select id from people', 'expect: allow, rules: [all]')}${one('column', 'select id, reverse(email) as x from people p', 'expect: mask, rules: [all, emails]')}${one('copied', 'insert into notes select email from people', 'expect: deny, rules: ["builtin:masked-write"]')}${one('elsewhere', 'select * from unheard_of', 'expect: deny, rules: ["builtin:mask-unresolved"]')}`,
    )
    await write('mask.yaml', 'masking: { rules: [{ name: emails, columns: [people.email] }] }')
    expect(await policyTest('--config', 'mask.yaml', 'masked.yaml')).toMatchObject({
      code: 0,
      stdout: 'masked.yaml: 4 of 4 cases passed\n',
    })
    expect((await policyTest('masked.yaml')).code).toBe(1)
  })

  it('resolves names and columns by the tables of a file', async () => {
    await write(
      'tables.yaml',
      `policies:
  - { name: ids, effect: allow, actions: [select], objects: ['shop.*'], columns: [id] }
  - { name: notes, effect: allow, actions: [select], objects: ['public.*'] }
${subjects}tables: { shop.orders: [id, total], public.notes: [text] }
cases:
${one('id', 'select o.id, count(*) from orders o group by 1', 'search_path: [shop, public], expect: allow, rules: [ids]')}${one('both', 'select id, text from orders, notes', 'search_path: [shop, public], expect: allow')}${one('total', 'select id from orders where total > 3', 'search_path: [shop], expect: deny')}${one('all', 'select * from orders', 'search_path: [shop], expect: deny')}${one('own function', 'select refund(1)', 'expect: deny')}`,
    )
    expect(await policyTest('tables.yaml')).toMatchObject({ code: 0 })
  })
})
