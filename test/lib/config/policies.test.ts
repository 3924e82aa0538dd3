import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { problemText } from '#lib/config/problem.ts'
import { readPolicyFile } from '#lib/config/policy-file.ts'
import { openWorkspace, type Workspace } from './workspace.ts'

let space: Workspace
beforeAll(() => {
  space = openWorkspace()
})
afterAll(() => space[Symbol.dispose]())

const withoutFolder = (text: string): string => text.replaceAll(`${space.folder}/`, '')

describe('policies', () => {
  test('have every field that a rule may have', () => {
    const loaded = space.load(`
issuers: [{ name: gh, preset: github-actions, issuer: 'https://gh.example', audience: cairn }]
policy_mode: dry_run
policies:
  - name: all-fields
    effect: hold
    dry_run: true
    reason: changes to production need a person
    issuers: [gh]
    claims: { run_attempt: 1 }
    groups: [dev]
    actors: [workload]
    pipeline: { environment: production, ref: ['refs/heads/*', 'refs/tags/*'] }
    databases: [shop]
    actions: ['ddl.*', 'call:refund', 'call:public.refund', '*', do_block]
    objects: ['public.*', orders, 'audit."a.b"']
    columns: [id, 'c*']
    when: command.risk > 10
    hold: { groups: [dba] }
`)
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors))
    expect(loaded.config.policy_mode).toBe('dry_run')
    expect(loaded.warnings).toMatchObject([{ line: 3, path: 'policy_mode' }])
    expect(loaded.config.policies[0]).toMatchObject({
      claims: { run_attempt: ['1'] },
      pipeline: { environment: ['production'], ref: ['refs/heads/*', 'refs/tags/*'] },
      hold: { groups: ['dba'], quorum: 1, expires_s: 900 },
    })
  })

  test('are refused with the line of each mistake', () => {
    const content = `policies:
  - { name: a, effect: hold }
  - { name: b, effect: allow, hold: { groups: [dba] } }
  - { name: c, effect: hold, hold: { groups: [], quorum: 0 } }
  - { name: d, effect: allow, actions: [SELECT, 'call: f'] }
  - { name: e, effect: allow, objects: [a.b.c, 'x y'] }
  - name: f
    effect: deny
    when: user.name == "x"
  - { name: g, effect: allow, pipeline: { repo: x }, actors: [robot] }
  - { name: h, effect: mask }
`
    expect(space.errors(content)).toEqual([
      'cairn.yaml:2:16: policies[0].effect: effect hold needs hold.groups: who may approve',
      'cairn.yaml:3:31: policies[1].hold: only for effect hold',
      'cairn.yaml:4:38: policies[2].hold.groups: expected at least 1 entries',
      'cairn.yaml:4:50: policies[2].hold.quorum: expected a whole number, 1 to 20',
      expect.stringContaining(
        'cairn.yaml:5:41: policies[3].actions[0]: expected an action such as',
      ),
      expect.stringContaining(
        'cairn.yaml:5:49: policies[3].actions[1]: expected an action such as',
      ),
      expect.stringContaining('cairn.yaml:6:41: policies[4].objects[0]: expected schema.name'),
      expect.stringContaining('cairn.yaml:6:48: policies[4].objects[1]: expected schema.name'),
      'cairn.yaml:9:5: policies[5].when: not a condition: Unknown variable: user (at character 1)',
      expect.stringContaining('cairn.yaml:10:'),
      expect.stringContaining('cairn.yaml:10:'),
      expect.stringContaining(
        'cairn.yaml:11:16: policies[7].effect: expected one of allow, deny, hold',
      ),
    ])
  })
})

describe('a file of policies', () => {
  test('adds its policies to those of the configuration', () => {
    space.write('policies.yaml', 'policies: [{ name: two, effect: allow }]')
    const loaded = space.load(
      'policies: [{ name: one, effect: allow }]\npolicy_file: policies.yaml',
    )
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors))
    expect(loaded.config.policies.map(({ name }) => name)).toEqual(['one', 'two'])
    expect(loaded.config.policy_file).toBe(`${space.folder}/policies.yaml`)
  })

  test('is refused with its own name and lines, also for what does not fit the configuration', () => {
    space.write(
      'policies.yaml',
      `policies:
  - { name: one, effect: allow }
  - { name: two, effect: allow, targets: [shop] }
  - { name: two, effect: allow }
`,
    )
    const content = 'policies: [{ name: one, effect: allow }]\npolicy_file: policies.yaml'
    expect(space.errors(content).map(withoutFolder)).toEqual([
      'policies.yaml:2:7: policies[0].name: a policy of the configuration has this name already',
      'policies.yaml:3:43: policies[1].targets[0]: no target has this name; none is configured',
      'policies.yaml:4:7: policies[2].name: another policy has this name already',
    ])
    space.write('policies.yaml', 'policys: []')
    expect(space.errors(content).map(withoutFolder)).toEqual([
      'policies.yaml:1:1: policys: unknown key; did you mean policies?',
    ])
    expect(space.errors('policy_file: missing.yaml').map(withoutFolder)).toEqual([
      'missing.yaml: missing.yaml does not exist',
    ])
  })

  test('has cases, whose subjects must be there', () => {
    const file = space.write(
      'cases.yaml',
      `subjects: { ada: { issuer: gh } }
cases:
  - { name: a, subject: ada, target: shop, role: app, sql: select 1, expect: allow }
  - { name: b, subject: eve, target: shop, role: app, expect: no }
`,
    )
    const read = readPolicyFile(file, {})
    if (read.ok) throw new Error('it was accepted')
    expect(read.errors.map((error) => withoutFolder(problemText(error)))).toEqual([
      'cases.yaml:4:55: cases[1].expect: expected one of allow, deny, hold, mask',
    ])
    space.write(
      'cases.yaml',
      'cases: [{ name: b, subject: eve, target: shop, role: app, expect: deny }]',
    )
    const again = readPolicyFile(file, {})
    if (again.ok) throw new Error('it was accepted')
    expect(again.errors.map((error) => withoutFolder(problemText(error)))).toEqual([
      'cases.yaml:1:20: cases[0].subject: no subject has this name; known: none',
    ])
  })
})
