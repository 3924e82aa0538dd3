import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

type Entry = {
  readonly resolved?: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const lock = JSON.parse(
  await readFile(join(import.meta.dirname, '../../package-lock.json'), 'utf8'),
) as { readonly packages: Readonly<Record<string, Entry>> }

describe('package-lock.json', () => {
  it('names the packages of every platform: npm ci refuses a lock that leaves one out', () => {
    const missing: string[] = []
    for (const [path, { optionalDependencies }] of Object.entries(lock.packages))
      for (const name of Object.keys(optionalDependencies ?? {}))
        if (
          lock.packages[`node_modules/${name}`] === undefined &&
          lock.packages[`${path}/node_modules/${name}`] === undefined
        )
          missing.push(name)
    expect(missing).toEqual([])
  })

  it('names no download address', () => {
    for (const { resolved } of Object.values(lock.packages)) expect(resolved).toBeUndefined()
  })
})
