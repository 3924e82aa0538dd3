import { mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { loadConfig } from '#lib/config/load.ts'
import { openLogger } from '#lib/logger.ts'
import { holdPolicy, loadPolicy } from '#lib/policy/policy.ts'
import { openPolicyReload, policySource } from '#lib/policy/reload.ts'

const policy = (name: string): string => `{ name: ${name}, effect: allow }`

let folder: string
let stack: AsyncDisposableStack

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  folder = await mkdtemp(join(tmpdir(), 'cairn-reload-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
})
afterEach(() => stack.disposeAsync())

/** Waits for something that must come. */
const soon = (check: () => void): Promise<void> =>
  vi.waitFor(check, { timeout: 20_000, interval: 25 })

const write = (name: string, content: string): Promise<void> =>
  writeFile(join(folder, name), content)

/** Watches cairn.yaml of the folder; `poll_ms` long unless polling itself is tested. */
const start = (poll_ms = 3_600_000) => {
  const config_file = join(folder, 'cairn.yaml')
  const loaded = loadConfig({ file: config_file, env: {}, cwd: folder })
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.errors))
  const { config } = loaded
  const holder = holdPolicy(loadPolicy(config, policySource(config, config_file)))
  const events: string[] = []
  stack.use(
    openPolicyReload({
      config,
      config_file,
      env: {},
      cwd: folder,
      policy: holder,
      changes: {
        loaded: ({ text }) => {
          if (text.includes('unrecordable')) throw new Error('cannot be recorded')
          events.push('loaded')
        },
        broken: (reason) => events.push(`broken ${reason}`),
        mended: () => events.push('mended'),
      },
      logger: openLogger('test', 'silent'),
      poll_ms,
    }),
  )
  return {
    events,
    holder,
    names: () => holder.current().set.rules.map(({ rule }) => rule.name),
  }
}

describe('a policy', { timeout: 30_000 }, () => {
  it('is replaced when the configuration changes, once', async () => {
    await write('cairn.yaml', `policies: [${policy('one')}]`)
    const { names, events } = start()
    await write('cairn.yaml', `policies: [${policy('one')}, ${policy('two')}]`)
    await soon(() => expect(names()).toEqual(['one', 'two']))
    expect(events).toEqual(['loaded'])
  })

  it('is replaced when another file takes the place of the old one, as editors and Kubernetes do it', async () => {
    await write('a.yaml', `policies: [${policy('one')}]`)
    await write('b.yaml', `policies: [${policy('two')}]`)
    await symlink('a.yaml', join(folder, 'cairn.yaml'))
    const { names } = start()
    await symlink('b.yaml', join(folder, 'next'))
    await rename(join(folder, 'next'), join(folder, 'cairn.yaml'))
    await soon(() => expect(names()).toEqual(['two']))
  })

  it('is replaced where nothing tells of a change', async () => {
    await write('real.yaml', `policies: [${policy('one')}]`)
    const away = await mkdtemp(join(tmpdir(), 'cairn-away-'))
    stack.defer(() => rm(away, { recursive: true, force: true }))
    await writeFile(join(away, 'cairn.yaml'), `policies: [${policy('one')}]`)
    // The folder that is watched holds a link; what it leads to changes elsewhere.
    await symlink(join(away, 'cairn.yaml'), join(folder, 'cairn.yaml'))
    const { names } = start(20)
    await writeFile(join(away, 'cairn.yaml'), `policies: [${policy('two')}]`)
    await soon(() => expect(names()).toEqual(['two']))
  })

  it('comes from the configuration and its file of policies together', async () => {
    await write('cairn.yaml', `policies: [${policy('one')}]\npolicy_file: more.yaml`)
    await write('more.yaml', `policies: [${policy('two')}]`)
    const { names, holder } = start()
    expect(names()).toEqual(['one', 'two'])
    expect(holder.current().source).toBe(
      `${join(folder, 'cairn.yaml')} and ${join(folder, 'more.yaml')}`,
    )
    await write('more.yaml', `policies: [${policy('three')}]`)
    await soon(() => expect(names()).toEqual(['one', 'three']))
    await write('other.yaml', `policies: [${policy('four')}]`)
    await write('cairn.yaml', `policies: [${policy('one')}]\npolicy_file: other.yaml`)
    await soon(() => expect(names()).toEqual(['one', 'four']))
    await write('other.yaml', `policies: [${policy('five')}]`)
    await soon(() => expect(names()).toEqual(['one', 'five']))
  })

  it('stays when the file is broken, which is said once, with its line, until it is good again', async () => {
    await write('cairn.yaml', `policies: [${policy('one')}]\npolicy_file: more.yaml`)
    await write('more.yaml', `policies: [${policy('two')}]`)
    const { names, events } = start()
    await write('more.yaml', `policies:\n  - { name: three, effect: allow, when: role == }`)
    await soon(() => expect(events).toHaveLength(1))
    expect(events[0]).toMatch(/^broken .*more\.yaml:2:35: policies\[0\]\.when: not a condition/)
    expect(names()).toEqual(['one', 'two'])
    await rm(join(folder, 'more.yaml'))
    await write('cairn.yaml', `policies: [${policy('six')}]`)
    await soon(() => expect(names()).toEqual(['six']))
    expect(events.slice(1)).toEqual(['loaded', 'mended'])
  })

  it('is mended without a new one when the old text is there again', async () => {
    await write('cairn.yaml', `policies: [${policy('one')}]`)
    const { holder, events } = start()
    const before = holder.current()
    await write('cairn.yaml', 'policies: [')
    await soon(() => expect(events).toHaveLength(1))
    await write('cairn.yaml', `# again\npolicies: [${policy('one')}]`)
    await soon(() => expect(events.slice(1)).toEqual(['mended']))
    expect(holder.current()).toBe(before)
  })

  it('stays when the new one cannot be recorded', async () => {
    await write('cairn.yaml', `policies: [${policy('one')}]`)
    const { names, events } = start()
    await write('cairn.yaml', `policies: [${policy('unrecordable')}]`)
    await soon(() => expect(events).toEqual(['broken cannot be recorded']))
    expect(names()).toEqual(['one'])
  })

  it('is another one in a dry run', async () => {
    await write('cairn.yaml', `policies: [${policy('one')}]`)
    const { holder } = start()
    await write('cairn.yaml', `policy_mode: dry_run\npolicies: [${policy('one')}]`)
    await soon(() => expect(holder.current().set.dry_run).toBe(true))
  })
})
